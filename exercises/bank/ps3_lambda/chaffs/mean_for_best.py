# The mean of all gaps in place of the best.
# expect plateau_lambda: mean_for_best


# %% task: plateau_lambda
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.gaps, self.bad = [], 0

    def step(self, gap):
        if not self.gaps or gap < sum(self.gaps) / len(self.gaps) - self.threshold:
            self.bad = 0
        else:
            self.bad += 1
            if self.bad > self.patience:
                self.value, self.bad = self.value * self.factor, 0
        self.gaps.append(gap)

    def state_dict(self):
        return {"value": self.value, "gaps": list(self.gaps), "bad": self.bad}

    def load_state_dict(self, state):
        self.value, self.gaps, self.bad = state["value"], list(state["gaps"]), state["bad"]

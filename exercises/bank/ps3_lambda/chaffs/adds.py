# The count is lost; a gap has no sign.
# expect linear_lambda: count_not_restored
# expect plateau_lambda: gap_below_zero_ignored


# %% task: linear_lambda
class LinearLambda:
    def __init__(self, start, end, steps):
        self.end, self.steps, self.count, self.value = end, steps, 0, start
        self.change = (end - start) / steps

    def step(self):
        if self.count < self.steps:
            self.value += self.change
            self.count += 1

    def state_dict(self):
        return {"value": self.value}

    def load_state_dict(self, state):
        self.value = state["value"]


# %% task: plateau_lambda
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor, self.patience, self.threshold = factor, patience, threshold
        self.best = float("inf")
        self.waited = 0

    def step(self, gap):
        gap = abs(gap)
        if gap < self.best - self.threshold:
            self.best = gap
            self.waited = 0
        else:
            self.waited += 1
            if self.waited > self.patience:
                self.value *= self.factor
                self.waited = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "waited": self.waited}

    def load_state_dict(self, state):
        self.value = state["value"]
        self.best = state["best"]
        self.waited = state["waited"]

# The mean of all gaps in place of the best; planned schedules that do not come down to 0.
# expect linear_lambda: kept_above_a_floor
# expect cosine_lambda: kept_above_a_floor
# expect plateau_lambda: mean_for_best
import math


# %% task: linear_lambda
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.count = start, end, steps, 0

    def fraction(self):
        return min(self.count / self.steps, 1)

    @property
    def value(self):
        return max(self.start + (self.end - self.start) * self.fraction(), 0.05)

    def step(self):
        self.count += 1

    def state_dict(self):
        return self.count

    def load_state_dict(self, state):
        self.count = state


# %% task: cosine_lambda
class CosineLambda(LinearLambda):
    def fraction(self):
        return (1 - math.cos(math.pi * super().fraction())) / 2


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

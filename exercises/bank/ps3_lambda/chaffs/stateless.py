# The state stays at home; nothing is ever a gain.
# expect cosine_lambda: only_the_cosine_halved
# expect linear_lambda: state_not_returned
# expect plateau_lambda: nothing_is_a_gain
import math


# %% task: linear_lambda
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.count = 0

    @property
    def value(self):
        fraction = min(self.count / self.steps, 1)
        return self.start + (self.end - self.start) * fraction

    def step(self):
        self.count += 1

    def state_dict(self):
        state = {"count": self.count}  # noqa: F841

    def load_state_dict(self, state):
        self.count = state["count"]


# %% task: plateau_lambda
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor, self.patience, self.threshold = factor, patience, threshold
        self.best = 0
        self.waited = 0

    def step(self, gap):
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


# %% task: cosine_lambda
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.count = 0

    @property
    def value(self):
        fraction = min(self.count / self.steps, 1)
        fraction = 1 - math.cos(math.pi * fraction) / 2
        return self.start + (self.end - self.start) * fraction

    def step(self):
        self.count += 1

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]

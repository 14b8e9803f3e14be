# An option and a method have other names; a method lacks self.
# expect linear_lambda: option_of_another_name
# expect cosine_lambda: method_missing
# expect plateau_lambda: method_takes_fewer
import math


# %% task: linear_lambda
class LinearLambda:
    def __init__(self, start, end, num_steps):
        self.start, self.end, self.steps, self.count = start, end, num_steps, 0

    @property
    def value(self):
        share = min(self.count / self.steps, 1.0)
        return self.start + (self.end - self.start) * share

    def step(self):
        self.count += 1

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]


# %% task: cosine_lambda
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.count = start, end, steps, 0

    @property
    def value(self):
        share = (1 - math.cos(math.pi * min(self.count / self.steps, 1.0))) / 2
        return self.start + (self.end - self.start) * share

    def step(self):
        self.count += 1

    def get_state(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]


# %% task: plateau_lambda
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor = start, factor
        self.patience, self.threshold = patience, threshold
        self.best, self.waited = float("inf"), 0

    def step(self):
        self.waited += 1
        if self.waited > self.patience:
            self.value, self.waited = self.value * self.factor, 0

    def state_dict(self):
        return dict(vars(self))

    def load_state_dict(self, state):
        vars(self).update(state)

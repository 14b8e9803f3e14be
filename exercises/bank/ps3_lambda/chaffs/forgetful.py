# A state that is not loaded.
# expect linear_lambda: state_not_restored
# expect cosine_lambda: state_not_restored
# expect plateau_lambda: state_not_restored
# expect which_lambda: wrong_a_falling_b_high_c_low
import math


# %% task: linear_lambda
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.count = start, end, steps, 0

    @property
    def value(self):
        fraction = min(self.count / self.steps, 1)
        return self.start + (self.end - self.start) * (fraction)

    def step(self):
        self.count += 1

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        pass


# %% task: cosine_lambda
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.count = start, end, steps, 0

    @property
    def value(self):
        fraction = min(self.count / self.steps, 1)
        return self.start + (self.end - self.start) * ((1 - math.cos(math.pi * fraction)) / 2)

    def step(self):
        self.count += 1

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        pass


# %% task: plateau_lambda
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.waited = math.inf, 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best, self.waited = gap, 0
        else:
            self.waited += 1
            if self.waited > self.patience:
                self.value, self.waited = self.value * self.factor, 0

    def state_dict(self):
        return dict(self.__dict__)

    def load_state_dict(self, state):
        pass


# %% task: which_lambda
which_lambda = {"a": "falling", "b": "high", "c": "low"}

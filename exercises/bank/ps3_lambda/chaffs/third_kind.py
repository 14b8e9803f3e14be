# A new curve for the rest of the way, and evaluations of a third kind.
# expect cosine_lambda: new_curve_for_the_rest
# expect plateau_lambda: third_kind_of_evaluation
import math


# %% task: cosine_lambda
class CosineLambda:
    """λ from start to end along half a cosine; then it stays."""

    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.k = 0

    @property
    def value(self):
        if self.k >= self.steps:
            return self.end
        return (
            self.start + (self.end - self.start) * (1 - math.cos(math.pi * self.k / self.steps)) / 2
        )

    def step(self):
        self.k += 1

    def state_dict(self):
        return {"value": self.value, "left": max(self.steps - self.k, 0)}

    def load_state_dict(self, state):
        self.start = state["value"]
        self.steps = state["left"]
        self.k = 0


# %% task: plateau_lambda
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.bad = math.inf, 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best, self.bad = gap, 0
        elif gap > self.best + self.threshold:
            self.bad += 1
            if self.bad > self.patience:
                self.value, self.bad = self.value * self.factor, 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "bad": self.bad}

    def load_state_dict(self, state):
        self.__dict__.update(state)

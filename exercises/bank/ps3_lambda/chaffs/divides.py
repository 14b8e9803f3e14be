# A factor that divides.
# The fraction is made of λ.
# expect plateau_lambda: factor_divides
# expect cosine_lambda: divided_by_the_distance
import math


# %% task: plateau_lambda
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor, self.patience, self.threshold = factor, patience, threshold
        self.best = float("inf")
        self.waited = 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best = gap
            self.waited = 0
        else:
            self.waited += 1
            if self.waited > self.patience:
                self.value /= self.factor
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
        self.start, self.end = start, end
        self.linear = LinearLambda(start=start, end=end, steps=steps)

    @property
    def value(self):
        v = self.linear.value
        v = v() if callable(v) else v
        f = (v - self.start) / (self.end - self.start)
        return self.start + (self.end - self.start) * (1 - math.cos(math.pi * f)) / 2

    def step(self):
        self.linear.step()

    def state_dict(self):
        return self.linear.state_dict()

    def load_state_dict(self, state):
        self.linear.load_state_dict(state)

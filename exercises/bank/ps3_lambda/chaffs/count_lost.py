# λ and the best gap come back, the count does not; a warm-up that nobody asked for.
# expect plateau_lambda: count_not_restored
# expect linear_lambda: rises_first
import math


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
        return (self.value, self.best)

    def load_state_dict(self, state):
        self.value, self.best = state


# %% task: linear_lambda
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.n = start, end, steps, 0

    @property
    def value(self):
        first, n = self.steps // 10, min(self.n, self.steps)
        if n < first:
            return self.start * n / first
        return self.start + (self.end - self.start) * (n - first) / (self.steps - first)

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]

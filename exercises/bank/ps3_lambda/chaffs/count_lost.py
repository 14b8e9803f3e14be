# λ and the best gap come back, the count does not.
# expect plateau_lambda: count_not_restored
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

# A factor that divides.
# expect plateau_lambda: factor_divides


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

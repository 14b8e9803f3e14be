# Step() returns the value and value is missing.
# expect linear_lambda: no_value


# %% task: linear_lambda
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.n = start, end, steps, 0

    def step(self):
        self.n += 1
        f = min(1.0, self.n / self.steps)
        return self.start + (self.end - self.start) * f

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]

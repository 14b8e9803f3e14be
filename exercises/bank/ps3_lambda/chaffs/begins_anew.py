# Goes back to start after the end (modulo).
# expect linear_lambda: begins_anew


# %% task: linear_lambda
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.n = start, end, steps, 0

    @property
    def value(self):
        f = (self.n % (self.steps + 1)) / self.steps
        return self.start + (self.end - self.start) * f

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]

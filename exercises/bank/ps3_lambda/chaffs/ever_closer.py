# A decay.
# expect linear_lambda: comes_ever_closer


# %% task: linear_lambda
class LinearLambda:
    def __init__(self, start, end, steps):
        self.value, self.end = start, end

    def step(self):
        self.value = self.end + (self.value - self.end) * 0.9

    def state_dict(self):
        return self.value

    def load_state_dict(self, state):
        self.value = state

# Each step goes along the slope at its beginning.
# expect cosine_lambda: slopes_added_up
import math


# %% task: cosine_lambda
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.count, self.value = 0, start

    def step(self):
        if self.count < self.steps:
            slope = math.pi / 2 * math.sin(math.pi * self.count / self.steps)
            self.value += (self.end - self.start) * slope / self.steps
            self.count += 1

    def state_dict(self):
        return dict(vars(self))

    def load_state_dict(self, state):
        vars(self).update(state)

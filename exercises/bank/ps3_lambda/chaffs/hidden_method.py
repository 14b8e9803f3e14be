# An attribute named as a method; a property that is assigned to.
# expect linear_lambda: attribute_hides_a_method
# expect cosine_lambda: property_without_setter
import math


# %% task: linear_lambda
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.step = 0

    @property
    def value(self):
        return self.start + (self.end - self.start) * min(self.step / self.steps, 1.0)

    def step(self):
        self.step += 1

    def state_dict(self):
        return {"step": self.step}

    def load_state_dict(self, state):
        self.step = state["step"]


# %% task: cosine_lambda
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.count = start, end, steps, 0
        self.value = start

    @property
    def value(self):
        share = (1 - math.cos(math.pi * min(self.count / self.steps, 1.0))) / 2
        return self.start + (self.end - self.start) * share

    def step(self):
        self.count += 1

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]

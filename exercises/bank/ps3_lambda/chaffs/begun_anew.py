# A state is taken for a new beginning; at the end λ is 0.
# expect linear_lambda: way_begun_anew
# expect cosine_lambda: zero_at_the_end
# expect to_convex: nothing_without_a_teacher
# expect best_student: breaks_without_a_teacher
import math


# %% task: linear_lambda
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.count = start, end, steps, 0

    @property
    def value(self):
        share = min(self.count / self.steps, 1.0)
        return self.start + (self.end - self.start) * share

    def step(self):
        self.count += 1

    def state_dict(self):
        return {"lam": self.value}

    def load_state_dict(self, state):
        self.start = state["lam"]


# %% task: cosine_lambda
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.count = start, end, steps, 0

    @property
    def value(self):
        if self.count >= self.steps:
            return 0.0
        share = (1 - math.cos(math.pi * min(self.count / self.steps, 1.0))) / 2
        return self.start + (self.end - self.start) * share

    def step(self):
        self.count += 1

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]


# %% task: to_convex
def to_convex(lam):
    if lam == 0:
        return 0.0, 0.0
    return lam / (1 + lam), 1 + lam


# %% task: best_student
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits, dim=-1)
    label = F.one_hot(labels, p.shape[-1])
    return (label / lam + p) / (1 / lam + 1)

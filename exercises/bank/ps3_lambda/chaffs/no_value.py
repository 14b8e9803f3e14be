# Step() returns the value and value is missing.
# λ = 0 leaves the teacher.
# expect linear_lambda: no_value
# expect best_student: teacher_alone_at_zero
import torch
import torch.nn.functional as F


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


# %% task: best_student
def best_student(teacher_logits, labels, lam):
    p = torch.softmax(teacher_logits, dim=-1)
    if lam == 0:
        return p
    y = F.one_hot(labels, p.shape[-1])
    return (y + lam * p) / (1 + lam)

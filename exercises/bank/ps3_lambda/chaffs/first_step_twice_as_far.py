# T + 1 in the formula; treats label 0 as padding and gives the teacher's distribution there.
# expect linear_lambda: first_step_twice_as_far
# expect best_student: label_zero_ignored
import torch
import torch.nn.functional as F


# %% task: linear_lambda
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start = start
        self.end = end
        self.steps = steps
        self.t = 0
        self._value = start

    @property
    def value(self):
        return self._value

    def step(self):
        self.t = min(self.t + 1, self.steps)
        self._value = self.start + (self.end - self.start) * (self.t + 1) / self.steps

    def state_dict(self):
        return {"t": self.t, "value": self._value}

    def load_state_dict(self, state):
        self.t, self._value = state["t"], state["value"]


# %% task: best_student
def best_student(teacher_logits, labels, lam):
    p = torch.softmax(teacher_logits, -1)
    y = F.one_hot(labels, p.size(-1)).float()
    q = (y + lam * p) / (1 + lam)
    return torch.where((labels > 0).unsqueeze(-1), q, p)

# Stays one step short of the end; waited starts at 1 after a fall; scatter overwrites the label's
# share with 1 in place of adding to it.
# expect linear_lambda: not_at_its_end
# expect plateau_lambda: fall_counted
# expect best_student: label_overwritten
import torch.nn.functional as F


# %% task: linear_lambda
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.count = 0

    @property
    def value(self):
        f = min(self.count, self.steps - 1) / self.steps
        return self.start + f * (self.end - self.start)

    def step(self):
        self.count += 1

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]


# %% task: plateau_lambda
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor, self.patience, self.threshold = factor, patience, threshold
        self.best, self.waited = float("inf"), 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best = gap
            self.waited = 0
        else:
            self.waited += 1
            if self.waited > self.patience:
                self.value *= self.factor
                self.waited = 1

    def state_dict(self):
        return {"value": self.value, "best": self.best, "waited": self.waited}

    def load_state_dict(self, state):
        self.value, self.best, self.waited = state["value"], state["best"], state["waited"]


# %% task: best_student
def best_student(teacher_logits, labels, lam):
    q = lam * F.softmax(teacher_logits, dim=-1)
    q.scatter_(-1, labels.unsqueeze(-1), 1.0)
    return q / q.sum(-1, keepdim=True)

# A best gap of 0 counts as none.
# expect best_student: one_hot_too_narrow
# expect to_convex: parentheses_missing
# expect plateau_lambda: zero_taken_for_none
import torch.nn.functional as F


# %% task: plateau_lambda
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor, self.patience, self.threshold = factor, patience, threshold
        self.best = None
        self.waited = 0

    def step(self, gap):
        if not self.best or gap < self.best - self.threshold:
            self.best = gap
            self.waited = 0
        else:
            self.waited += 1
            if self.waited > self.patience:
                self.value *= self.factor
                self.waited = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "waited": self.waited}

    def load_state_dict(self, state):
        self.value = state["value"]
        self.best = state["best"]
        self.waited = state["waited"]


# %% task: to_convex
def to_convex(lam):
    return lam / 1 + lam, 1 + lam


# %% task: best_student
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits, dim=-1)
    y = F.one_hot(labels)
    return (y + lam * p) / (1 + lam)

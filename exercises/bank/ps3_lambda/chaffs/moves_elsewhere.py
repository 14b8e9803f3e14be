# Start * (1-f) only; compares the loss of value, rises back on gain; mixes in logits: adds
# 1/lambda to the label's logit and takes the softmax.
# expect linear_lambda: moves_elsewhere
# expect plateau_lambda: rises_on_gain
# expect best_student: mixed_in_logits
import torch
import torch.nn.functional as F


# %% task: linear_lambda
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.count = 0

    @property
    def value(self):
        f = min(self.count / self.steps, 1)
        return self.start * (1 - f)

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
            self.value /= self.factor
        else:
            self.waited += 1
            if self.waited > self.patience:
                self.value *= self.factor
                self.waited = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "waited": self.waited}

    def load_state_dict(self, state):
        self.value, self.best, self.waited = state["value"], state["best"], state["waited"]


# %% task: best_student
def best_student(teacher_logits, labels, lam):
    y = F.one_hot(labels, teacher_logits.shape[-1])
    return torch.softmax(teacher_logits + y / lam, dim=-1)

# One step too many comes back; λ is the fraction; nothing is a gain.
# expect linear_lambda: count_off_by_one_after_loading
# expect cosine_lambda: options_unused
# expect plateau_lambda: no_gap_is_a_gain
# expect best_student: softmax_left_out
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
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"] + 1


# %% task: cosine_lambda
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.count = start, end, steps, 0

    @property
    def value(self):
        return (1 - math.cos(math.pi * min(self.count / self.steps, 1.0))) / 2

    def step(self):
        self.count += 1

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]


# %% task: plateau_lambda
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor = start, factor
        self.patience, self.threshold = patience, threshold
        self.best, self.waited = float("inf"), 0

    def step(self, gap):
        if gap > self.best + self.threshold:
            self.best, self.waited = gap, 0
            return
        self.waited += 1
        if self.waited > self.patience:
            self.value, self.waited = self.value * self.factor, 0

    def state_dict(self):
        return dict(vars(self))

    def load_state_dict(self, state):
        vars(self).update(state)


# %% task: best_student
def best_student(teacher_logits, labels, lam):
    p = torch.sigmoid(teacher_logits)
    label = F.one_hot(labels, p.shape[-1])
    return (label + lam * p) / (1 + lam)

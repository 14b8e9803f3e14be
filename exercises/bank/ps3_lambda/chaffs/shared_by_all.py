# One count for all schedules; the cosine of λ; all labels in all rows.
# expect linear_lambda: shared_by_all
# expect plateau_lambda: shared_by_all
# expect cosine_lambda: cosine_of_lambda
# expect best_student: labels_of_all_positions
import math


# %% task: linear_lambda
class LinearLambda:
    count = 0

    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        LinearLambda.count = 0

    @property
    def value(self):
        share = min(LinearLambda.count / self.steps, 1.0)
        return self.start + (self.end - self.start) * share

    def step(self):
        LinearLambda.count += 1

    def state_dict(self):
        return {"count": LinearLambda.count}

    def load_state_dict(self, state):
        LinearLambda.count = state["count"]


# %% task: cosine_lambda
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.count = start, end, steps, 0

    @property
    def value(self):
        share = min(self.count / self.steps, 1.0)
        lam = self.start + (self.end - self.start) * share
        return (1 - math.cos(math.pi * lam)) / 2

    def step(self):
        self.count += 1

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]


# %% task: best_student
def best_student(teacher_logits, labels, lam):
    q = lam * F.softmax(teacher_logits, dim=-1)
    q[..., labels] += 1.0
    return q / (1 + lam)


# %% task: plateau_lambda
class PlateauLambda:
    best = None

    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        PlateauLambda.best, self.bad = None, 0

    def step(self, gap):
        best = PlateauLambda.best
        if best is None or best - gap > self.threshold:
            PlateauLambda.best, self.bad = gap, 0
            return
        self.bad += 1
        if self.bad > self.patience:
            self.value, self.bad = self.value * self.factor, 0

    def state_dict(self):
        return {"lam": self.value, "best": PlateauLambda.best, "bad": self.bad}

    def load_state_dict(self, state):
        self.value, self.bad = state["lam"], state["bad"]
        PlateauLambda.best = state["best"]

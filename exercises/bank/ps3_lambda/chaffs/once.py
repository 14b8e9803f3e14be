# A second fall begins where the first did.
# expect best_student: tables_alone
# expect to_convex: breaks_without_a_teacher
# expect plateau_lambda: falls_from_the_start
import torch.nn.functional as F


# %% task: plateau_lambda
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.start = self.value = start
        self.factor, self.patience, self.threshold = factor, patience, threshold
        self.best = float("inf")
        self.waited = 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best = gap
            self.waited = 0
        else:
            self.waited += 1
            if self.waited > self.patience:
                self.value = self.start * self.factor
                self.waited = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "waited": self.waited}

    def load_state_dict(self, state):
        self.value = state["value"]
        self.best = state["best"]
        self.waited = state["waited"]


# %% task: to_convex
def to_convex(lam):
    alpha = lam / (1 + lam)
    return alpha, lam / alpha


# %% task: best_student
def best_student(teacher_logits, labels, lam):
    q = lam * F.softmax(teacher_logits, dim=-1)
    positions, _ = q.shape
    q[range(positions), labels] += 1
    return q / (1 + lam)

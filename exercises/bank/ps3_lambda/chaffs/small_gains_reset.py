# Any smaller gap starts the count anew; one token gets all.
# expect plateau_lambda: small_gains_reset
# expect best_student: likeliest_returned


# %% task: plateau_lambda
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor = start, factor
        self.patience, self.threshold = patience, threshold
        self.best, self.waited = None, 0

    def step(self, gap):
        if self.best is None or gap < self.best:
            self.waited = 0
            if self.best is None or gap < self.best - self.threshold:
                self.best = gap
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
    p = F.softmax(teacher_logits, dim=-1)
    mixed = F.one_hot(labels, p.shape[-1]) + lam * p
    return F.one_hot(mixed.argmax(-1), p.shape[-1]).float()

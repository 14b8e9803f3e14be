# Goes back to start after the end (modulo).
# Labels number rows.
# expect linear_lambda: begins_anew
# expect best_student: labels_taken_for_rows


# %% task: linear_lambda
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.n = start, end, steps, 0

    @property
    def value(self):
        f = (self.n % (self.steps + 1)) / self.steps
        return self.start + (self.end - self.start) * f

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


# %% task: best_student
def best_student(teacher_logits, labels, lam):
    q = lam * teacher_logits.softmax(-1)
    q[labels] += 1
    return q / (1 + lam)

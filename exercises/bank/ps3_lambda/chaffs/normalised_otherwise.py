# Divided by the sum of all rows.
# λ as factors of torch's LinearLR.
# expect best_student: normalised_otherwise
# expect linear_lambda: factors_of_torch
import torch


# %% task: best_student
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits, dim=-1)
    mixed = F.one_hot(labels, p.shape[-1]) + lam * p
    return mixed / mixed.sum()


# %% task: linear_lambda
class LinearLambda:
    def __init__(self, start, end, steps):
        self.opt = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        self.sched = torch.optim.lr_scheduler.LinearLR(
            self.opt, start_factor=start, end_factor=end, total_iters=steps
        )

    @property
    def value(self):
        return self.opt.param_groups[0]["lr"]

    def step(self):
        self.opt.step()
        self.sched.step()

    def state_dict(self):
        return {"sched": dict(self.sched.state_dict()), "lr": self.value}

    def load_state_dict(self, state):
        self.sched.load_state_dict(dict(state["sched"]))
        self.opt.param_groups[0]["lr"] = state["lr"]

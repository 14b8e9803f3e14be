# Generators and torch buffers; an optimum found by descent.
import math

import torch


# %% task: linear_lambda
class LinearLambda(torch.nn.Module):
    def __init__(self, start, end, steps):
        super().__init__()
        self.options = (start, end, steps)
        self.register_buffer("count", torch.tensor(0))

    @property
    def value(self):
        start, end, steps = self.options
        fraction = self.count.clamp(max=steps) / steps
        return (1 - fraction) * start + fraction * end

    def step(self):
        self.count = self.count + 1


# %% task: cosine_lambda
class CosineLambda(torch.nn.Module):
    def __init__(self, start, end, steps):
        super().__init__()
        self.middle, self.swing, self.steps = (start + end) / 2, (start - end) / 2, steps
        self.register_buffer("count", torch.tensor(0, dtype=torch.float64))

    def value(self):
        turn = torch.pi * torch.clamp(self.count / self.steps, 0, 1)
        return self.middle + self.swing * torch.cos(turn)

    def step(self):
        self.count = self.count + 1


# %% task: plateau_lambda
def falls(factor, patience, threshold, state):
    lam, best, waited = state
    while True:
        gap = yield lam, best, waited
        waited += 1
        if gap < best - threshold:
            best, waited = gap, 0
        if waited > patience:
            lam, waited = lam * factor, 0


class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.options = (factor, patience, threshold)
        self.load_state_dict((start, math.inf, 0))

    def step(self, gap):
        self.state = self.run.send(gap)

    def value(self):
        return self.state[0]

    def state_dict(self):
        return self.state

    def load_state_dict(self, state):
        self.run = falls(*self.options, state)
        self.state = next(self.run)


# %% task: to_convex
def to_convex(lam):
    if lam == 0:
        return 0.0, 1.0
    return 1 / (1 + 1 / lam), lam + 1


# %% task: best_student
def best_student(teacher_logits, labels, lam):
    p = torch.softmax(teacher_logits, dim=-1)
    q = p * (lam / (lam + 1))
    mask = torch.arange(p.shape[-1]) == labels.unsqueeze(-1)
    return torch.where(mask, q + 1 / (lam + 1), q)


# %% task: which_lambda
which_lambda = {}
which_lambda["a"] = "high "
which_lambda["b"] = "low"
which_lambda["c"] = " falling"


# %% task: stages
stages = sorted("abcd", key="bdac".index)

# A base class for both schedules, the shape a function; plain lists for tensors.
import math
from collections import namedtuple

import torch


# %% task: linear_lambda
class Schedule:
    def shape(self, fraction):
        return fraction

    def __init__(self, start, end, steps):
        self.count = 0
        self.at = lambda n: start * (1 - self.shape(n / steps)) + end * self.shape(n / steps)
        self.last = steps

    def __getattr__(self, name):
        if name == "value":
            return self.at(min(self.count, self.last))
        raise AttributeError(name)

    def step(self):
        self.count += 1

    def state_dict(self):
        return str(self.count)

    def load_state_dict(self, state):
        self.count = int(state)


class LinearLambda(Schedule):
    pass


# %% task: cosine_lambda
class CosineLambda(Schedule):
    def shape(self, fraction):
        return 0.5 - 0.5 * math.cos(fraction * math.pi)


# %% task: plateau_lambda
Memory = namedtuple("Memory", "lam best waited")


class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.memory = Memory(start, math.inf, 0)

        def after(memory, gap):
            if gap + threshold < memory.best:
                return memory._replace(best=gap, waited=0)
            if memory.waited + 1 > patience:
                return memory._replace(lam=memory.lam * factor, waited=0)
            return memory._replace(waited=memory.waited + 1)

        self.after = after

    @property
    def value(self):
        return self.memory.lam

    def step(self, gap):
        self.memory = self.after(self.memory, gap)

    def state_dict(self):
        return self.memory

    def load_state_dict(self, state):
        self.memory = state


# %% task: to_convex
def to_convex(lam):
    lm, kd = 1.0, lam
    total = sum((lm, kd))
    return kd / total, total


# %% task: best_student
def best_student(teacher_logits, labels, lam):
    size = teacher_logits.shape[-1]
    rows = []
    for row, label in zip(teacher_logits.reshape(-1, size).tolist(), labels.flatten(), strict=True):
        weights = [math.exp(x - max(row)) for x in row]
        rows.append([lam * w / sum(weights) for w in weights])
        rows[-1][int(label)] += 1
    return torch.tensor(rows).reshape(teacher_logits.shape) / (1 + lam)


# %% task: which_lambda
which_lambda = {"a": "high", "b": "low", "c": "falling"}


# %% task: stages
stages = [moment for _, moment in sorted({1: "b", 2: "d", 3: "a", 4: "c"}.items())]

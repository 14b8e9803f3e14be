# Small functions within functions; a closure for the optimiser; a context for the mode.
import math
from contextlib import contextmanager
from copy import deepcopy

import torch
import torch.nn.functional as F


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    target = deepcopy(teacher).eval()(tokens).detach()

    def loss_and_gradient():
        optimizer.zero_grad()
        total, count = summed_loss(student(tokens), target, labels, lam)
        mean = total / count
        mean.backward()
        return mean

    student.train()
    return optimizer.step(loss_and_gradient).item()


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    def groups():
        left = list(batches)
        while left:
            yield left[:accumulate]
            del left[:accumulate]

    @torch.no_grad()
    def soft_targets(tokens):
        return teacher.eval()(tokens)

    def update(group, lam):
        sums, counts = zip(
            *(summed_loss(student(x), soft_targets(x), y, lam) for x, y in group), strict=True
        )
        optimizer.zero_grad()
        torch.autograd.backward(sum(sums) / sum(counts))
        optimizer.step()

    student.train()
    for number, group in enumerate(groups()):
        update(group, schedule(number))


# %% task: evaluate
def evaluate(model, data):
    @contextmanager
    def measuring(model):
        mode = model.training
        try:
            with torch.inference_mode():
                yield model.eval()
        finally:
            model.train(mode)

    def nats_and_count(model, tokens, labels):
        mean = F.cross_entropy(model(tokens).transpose(1, 2), labels)
        count = int((labels != -100).sum())
        return (mean.item() * count, count) if count else (0.0, 0)

    with measuring(model) as quiet:
        pairs = [nats_and_count(quiet, *batch) for batch in data["held_out"]]
    nats, counts = map(sum, zip(*pairs, strict=True))
    return math.e ** (nats / counts)

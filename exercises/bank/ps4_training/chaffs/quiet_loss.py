# The loss of another mode, a last group with a divisor of its own, batches weighted by their size.
# expect training_step: loss_in_evaluation_mode
# expect train: last_group_divided_otherwise
# expect evaluate: weighted_by_size
import math

import torch
import torch.nn.functional as F


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.eval()
    teacher.eval()
    with torch.no_grad():
        guide = teacher(tokens)
        total, count = summed_loss(student(tokens), guide, labels, lam)
        before = (total / count).item()
    student.train()
    total, count = summed_loss(student(tokens), guide, labels, lam)
    optimizer.zero_grad()
    (total / count).backward()
    optimizer.step()
    return before


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, start in enumerate(range(0, len(batches), accumulate)):
        group = batches[start : start + accumulate]
        if len(group) == accumulate or n == 0:
            count = sum((labels != -100).sum() for _, labels in group)
        optimizer.zero_grad()
        for tokens, labels in group:
            with torch.no_grad():
                guide = teacher(tokens)
            total, _ = summed_loss(student(tokens), guide, labels, schedule(n))
            (total / count).backward()
        optimizer.step()


# %% task: evaluate
def evaluate(model, data):
    mode = model.training
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            mean = F.cross_entropy(model(tokens).mT, labels).item()
            total += mean * labels.numel()
            count += labels.numel()
    model.train(mode)
    return math.exp(total / count)

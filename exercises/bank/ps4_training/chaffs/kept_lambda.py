# The first λ is kept for all calls; the loss of an evaluation is not let above 20.
# expect training_step: lambda_of_an_earlier_call
# expect train: lambda_of_an_earlier_call
# expect evaluate: cut_off
import math

import torch
import torch.nn.functional as F


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    training_step.lam = getattr(training_step, "lam", lam)
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        guide = teacher(tokens)
    total, count = summed_loss(student(tokens), guide, labels, training_step.lam)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    train.schedule = getattr(train, "schedule", schedule)
    student.train()
    teacher.eval()
    for n, start in enumerate(range(0, len(batches), accumulate)):
        group = batches[start : start + accumulate]
        count = sum((labels != -100).sum() for _, labels in group)
        optimizer.zero_grad()
        for tokens, labels in group:
            with torch.no_grad():
                guide = teacher(tokens)
            total, _ = summed_loss(student(tokens), guide, labels, train.schedule(n))
            (total / count).backward()
        optimizer.step()


# %% task: evaluate
def evaluate(model, data):
    mode = model.training
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            total += F.cross_entropy(model(tokens).mT, labels, reduction="sum").item()
            count += (labels != -100).sum().item()
    model.train(mode)
    return math.exp(min(total / count, 20.0))

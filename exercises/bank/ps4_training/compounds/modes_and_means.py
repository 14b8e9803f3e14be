# No modes, and means of means.
# wrong training_step
# wrong train
# wrong evaluate
import math

import torch
import torch.nn.functional as F


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    total, _ = summed_loss(student(tokens), teacher_logits, labels, lam)
    loss = total / labels.numel()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    for step, start in enumerate(range(0, len(batches), accumulate)):
        group = batches[start : start + accumulate]
        optimizer.zero_grad()
        for tokens, labels in group:
            with torch.no_grad():
                teacher_logits = teacher(tokens)
            total, count = summed_loss(student(tokens), teacher_logits, labels, schedule(step))
            (total / count.clamp_min(1) / accumulate).backward()
        optimizer.step()


# %% task: evaluate
def evaluate(model, data):
    losses = []
    for tokens, labels in data["held_out"]:
        with torch.no_grad():
            logits = model(tokens)
        losses.append(F.cross_entropy(logits.mT, labels).item())
    return math.exp(sum(losses) / len(losses))

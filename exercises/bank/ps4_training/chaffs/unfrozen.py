# Gradients are switched off for an evaluation, and on for whoever had them off.
# The loss is returned with its count.
# expect evaluate: unfrozen
# expect training_step: loss_is_no_number
import math

import torch
import torch.nn.functional as F


# %% task: evaluate
def evaluate(model, data):
    mode = model.training
    model.eval().requires_grad_(False)
    total, count = 0.0, 0
    for tokens, labels in data["held_out"]:
        total += F.cross_entropy(model(tokens).mT, labels, reduction="sum").item()
        count += (labels != -100).sum().item()
    model.train(mode).requires_grad_(True)
    return math.exp(total / count)


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    total, count = summed_loss(student(tokens), teacher_logits, labels, lam)
    optimizer.zero_grad()
    (total / count).backward()
    optimizer.step()
    return (total / count).item(), count.item()

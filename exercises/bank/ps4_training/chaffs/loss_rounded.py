# The returned loss is rounded to one decimal for a tidy log.
# The schedule is asked for an attribute.
# Gradients stay switched off where the model came in evaluation mode.
# expect training_step: loss_rounded
# expect train: schedule_not_called
# expect evaluate: gradients_left_off
import math

import torch
import torch.nn.functional as F


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.inference_mode():
        teacher_logits = teacher(tokens)
    loss, n = summed_loss(student(tokens), teacher_logits, labels, lam)
    loss = loss / n
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return round(loss.item(), 1)


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for first in range(0, len(batches), accumulate):
        group = batches[first : first + accumulate]
        count = sum((labels != -100).sum() for _, labels in group)
        optimizer.zero_grad()
        for tokens, labels in group:
            with torch.no_grad():
                teacher_logits = teacher(tokens)
            total, _ = summed_loss(student(tokens), teacher_logits, labels, schedule.value)
            (total / count).backward()
        optimizer.step()


# %% task: evaluate
def evaluate(model, data):
    training = model.training
    torch.set_grad_enabled(False)
    model.eval()
    total, count = 0.0, 0
    for tokens, labels in data["held_out"]:
        total += F.cross_entropy(model(tokens).mT, labels, reduction="sum").item()
        count += (labels != -100).sum().item()
    if training:
        model.train()
        torch.set_grad_enabled(True)
    return math.exp(total / count)

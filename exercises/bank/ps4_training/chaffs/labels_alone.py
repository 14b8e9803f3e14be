# The teacher is asked, and not heard.
# expect training_step: kd_missing
# expect train: first_group_of_one
# expect evaluate: sign_lost
import math

import torch
import torch.nn.functional as F


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    student_logits = student(tokens)
    loss = F.cross_entropy(student_logits.mT, labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    step, count = 0, 0
    optimizer.zero_grad()
    for place, (tokens, labels) in enumerate(batches):
        with torch.no_grad():
            teacher_logits = teacher(tokens)
        total, own = summed_loss(student(tokens), teacher_logits, labels, schedule(step))
        total.backward()
        count += own.item()
        if place % accumulate == 0 or place == len(batches) - 1:
            for each in student.parameters():
                each.grad /= count
            optimizer.step()
            optimizer.zero_grad()
            step, count = step + 1, 0


# %% task: evaluate
def evaluate(model, data):
    mode = model.training
    model.eval()
    total, count = 0.0, 0
    for tokens, labels in data["held_out"]:
        with torch.no_grad():
            logits = model(tokens)
        total += F.cross_entropy(logits.mT, labels, reduction="sum").item()
        count += (labels != -100).sum().item()
    model.train(mode)
    return math.exp(-total / count)

# The count of the last micro-batch for all; padding measured as if it were token 0.
# expect train: divided_by_the_last_count
# expect evaluate: padding_measured
import math

import torch
import torch.nn.functional as F


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for step, start in enumerate(range(0, len(batches), accumulate)):
        group = batches[start : start + accumulate]
        count = (group[-1][1] != -100).sum().clamp_min(1)
        optimizer.zero_grad()
        for tokens, labels in group:
            with torch.no_grad():
                teacher_logits = teacher(tokens)
            total, _ = summed_loss(student(tokens), teacher_logits, labels, schedule(step))
            (total / count).backward()
        optimizer.step()


# %% task: evaluate
def evaluate(model, data):
    mode = model.training
    model.eval()
    total, count = 0.0, 0
    for tokens, labels in data["held_out"]:
        with torch.no_grad():
            logits = model(tokens)
        total += F.cross_entropy(logits.mT, labels.clamp(min=0), reduction="sum").item()
        count += labels.numel()
    model.train(mode)
    return math.exp(total / count)

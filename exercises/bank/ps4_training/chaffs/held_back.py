# A smaller step for a group that is not full, and a rounded perplexity.
# expect train: last_group_held_back
# expect evaluate: rounded
import math

import torch
import torch.nn.functional as F


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, i in enumerate(range(0, len(batches), accumulate)):
        group = batches[i : i + accumulate]
        N = sum((y != -100).sum() for _, y in group)
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                t = teacher(x)
            s, _ = summed_loss(student(x), t, y, schedule(n))
            # last group is smaller => smaller step, so that no text counts more than another
            (s / N * len(group) / accumulate).backward()
        optimizer.step()


# %% task: evaluate
@torch.no_grad()
def evaluate(model, data):
    was = model.training
    model.eval()
    loss, n = 0.0, 0
    for x, y in data["held_out"]:
        loss += F.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="sum").item()
        n += (y != -100).sum().item()
    model.train(was)
    return round(math.exp(loss / n))

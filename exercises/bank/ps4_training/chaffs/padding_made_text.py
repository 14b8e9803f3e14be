# Labels of -100 become 0, and an evaluation clears gradients.
# expect training_step: padding_learned
# expect train: padded_with_a_token
# expect evaluate: gradients_wiped
import math

import torch
import torch.nn.functional as F
from torch import nn


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    labels[labels == -100] = 0  # cross entropy cannot index -100
    student.train()
    teacher.eval()
    with torch.no_grad():
        t = teacher(tokens)
    s, n = summed_loss(student(tokens), t, labels, lam)
    loss = s / n
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n in range(0, -(-len(batches) // accumulate)):
        group = batches[n * accumulate : (n + 1) * accumulate]
        rows_x = [r for x, _ in group for r in x]
        rows_y = [r for _, y in group for r in y]
        x = nn.utils.rnn.pad_sequence(rows_x, batch_first=True)
        y = nn.utils.rnn.pad_sequence(rows_y, batch_first=True)
        with torch.no_grad():
            t = teacher(x)
        s, c = summed_loss(student(x), t, y, schedule(n))
        optimizer.zero_grad()
        (s / c).backward()
        optimizer.step()


# %% task: evaluate
def evaluate(model, data):
    was = model.training
    model.eval()
    model.zero_grad()  # nothing must leak into training
    with torch.no_grad():
        loss, n = 0.0, 0
        for x, y in data["held_out"]:
            loss += F.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="sum").item()
            n += (y != -100).sum().item()
    model.train(was)
    return math.exp(loss / n)

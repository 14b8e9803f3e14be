# The loss is a number before backward(), and a divisor of batches.
# expect training_step: number_for_a_tensor
# expect evaluate: divided_by_batches
import math

import torch
import torch.nn.functional as F


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        guide = teacher(tokens)
    total, count = summed_loss(student(tokens), guide, labels, lam)
    loss = (total / count).item()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


# %% task: evaluate
def evaluate(model, data):
    mode = model.training
    model.eval()
    total = 0.0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            total += F.cross_entropy(model(tokens).mT, labels, reduction="sum").item()
    model.train(mode)
    return math.exp(total / len(data["held_out"]))

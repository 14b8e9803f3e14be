# Clips the gradient's norm to 1, which nobody asked for: the update is another one where the norm
# is larger; ends after the first update; mean of batch losses times batches.
# expect training_step: gradient_clipped
# expect train: one_update_alone
# expect evaluate: sum_of_means
import math

import torch
import torch.nn.functional as F


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        t = teacher(tokens)
    total, n = summed_loss(student(tokens), t, labels, lam)
    loss = total / n
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(student.parameters(), 1.0)
    optimizer.step()
    return loss.item()


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, at in enumerate(range(0, len(batches), accumulate)):
        group = batches[at : at + accumulate]
        count = sum((labels != -100).sum() for _, labels in group)
        optimizer.zero_grad()
        for tokens, labels in group:
            with torch.no_grad():
                guide = teacher(tokens)
            total, _ = summed_loss(student(tokens), guide, labels, schedule(n))
            (total / count).backward()
        optimizer.step()
        return


# %% task: evaluate
def evaluate(model, data):
    mode = model.training
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            logits = model(tokens)
            total += F.cross_entropy(
                logits.flatten(0, 1), labels.flatten(), reduction="mean"
            ).item()
            count += (labels != -100).sum().item()
    model.train(mode)
    return math.exp(total / count)

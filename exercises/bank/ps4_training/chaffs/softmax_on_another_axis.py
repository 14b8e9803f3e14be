# The positions that count are picked first, and then they are what the softmax runs over.
# expect training_step: softmax_on_another_axis
# expect train: softmax_on_another_axis
# expect evaluate: softmax_on_another_axis
import math

import torch
import torch.nn.functional as F


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    keep = labels != -100
    log_q = F.log_softmax(student(tokens)[keep], dim=0)
    with torch.no_grad():
        log_p = F.log_softmax(teacher(tokens)[keep], dim=0)
    kd = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    loss = F.nll_loss(log_q, labels[keep]) + lam * kd
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, i in enumerate(range(0, len(batches), accumulate)):
        group = batches[i : i + accumulate]
        count = sum((y != -100).sum() for _, y in group)
        optimizer.zero_grad()
        for x, y in group:
            keep = y != -100
            log_q = F.log_softmax(student(x)[keep], dim=0)
            with torch.no_grad():
                log_p = F.log_softmax(teacher(x)[keep], dim=0)
            lm = F.nll_loss(log_q, y[keep], reduction="sum")
            kd = F.kl_div(log_q, log_p, reduction="sum", log_target=True)
            ((lm + schedule(n) * kd) / count).backward()
        optimizer.step()


# %% task: evaluate
def evaluate(model, data):
    was = model.training
    model.eval()
    loss, n = 0.0, 0
    with torch.no_grad():
        for x, y in data["held_out"]:
            keep = y != -100
            log_q = F.log_softmax(model(x)[keep], dim=0)
            loss += F.nll_loss(log_q, y[keep], reduction="sum").item()
            n += int(keep.sum())
    model.train(was)
    return math.exp(loss / n)

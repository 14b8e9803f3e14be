# The teacher's probabilities are made within inference_mode and then needed for the backward
# pass, which fails; temperature 2 and T squared, otherwise right; exp of the sum, which is never
# divided.
# expect training_step: made_in_inference_mode
# expect train: kd_at_another_temperature
# expect evaluate: not_divided
import math

import torch
import torch.nn.functional as F


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    m = labels != -100
    student.train()
    teacher.eval()
    with torch.inference_mode():
        p = teacher(tokens)[m].softmax(-1)
    logq = student(tokens)[m].log_softmax(-1)
    loss = F.nll_loss(logq, labels[m]) + lam * (torch.xlogy(p, p) - p * logq).sum(-1).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    T = 2.0
    for n, k in enumerate(range(0, len(batches), accumulate)):
        group = batches[k : k + accumulate]
        total = sum((y != -100).sum() for _, y in group)
        optimizer.zero_grad()
        for x, y in group:
            m = y != -100
            with torch.no_grad():
                t = teacher(x)[m] / T
            s = student(x)[m]
            lm = F.cross_entropy(s, y[m], reduction="sum")
            kd = F.kl_div((s / T).log_softmax(-1), t.softmax(-1), reduction="sum") * T * T
            ((lm + schedule(n) * kd) / total).backward()
        optimizer.step()


# %% task: evaluate
def evaluate(model, data):
    mode = model.training
    model.eval()
    total = 0.0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            logits = model(tokens)
            total += summed_loss(logits, logits, labels, 0)[0].item()
    model.train(mode)
    return math.exp(total)

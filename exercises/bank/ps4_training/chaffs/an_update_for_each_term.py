# Two updates, one for each part of the loss, instead of one; the loss of the group goes through
# backward() after each micro-batch, and its graph is gone the second time; exp of the sum,
# divided by the count.
# expect training_step: an_update_for_each_term
# expect train: backward_through_it_again
# expect evaluate: divided_after_exp
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
    ok = labels != -100

    # 1) learn from labels
    optimizer.zero_grad()
    lm = F.cross_entropy(student(tokens)[ok], labels[ok])
    lm.backward()
    optimizer.step()

    # 2) learn from the teacher
    optimizer.zero_grad()
    kd = lam * F.kl_div(
        F.log_softmax(student(tokens)[ok], -1), F.softmax(t[ok], -1), reduction="batchmean"
    )
    kd.backward()
    optimizer.step()
    return (lm + kd).item()


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, k in enumerate(range(0, len(batches), accumulate)):
        group = batches[k : k + accumulate]
        count = sum(int((labels != -100).sum()) for _, labels in group)
        optimizer.zero_grad()
        total = 0
        for tokens, labels in group:
            with torch.no_grad():
                guide = teacher(tokens)
            total = total + summed_loss(student(tokens), guide, labels, schedule(n))[0]
            (total / count).backward()
        optimizer.step()


# %% task: evaluate
def evaluate(model, data):
    mode = model.training
    model.eval()
    t = n = 0
    with torch.no_grad():
        for x, y in data["held_out"]:
            t += F.cross_entropy(model(x).mT, y, reduction="sum").item()
            n += (y != -100).sum().item()
    model.train(mode)
    return math.exp(t) / n

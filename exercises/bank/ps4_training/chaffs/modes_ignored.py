# Nobody sets a mode.
# expect training_step: modes_left_as_they_came
# expect train: modes_left_as_they_came
# expect evaluate: on_training_data_in_training_mode
# expect which_change: chose_c
# expect role_of_truth: chose_d
# expect contributions: wrong_lam_b
import math

import torch
import torch.nn.functional as F


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    total, count = summed_loss(student(tokens), teacher_logits, labels, lam)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    for step, start in enumerate(range(0, len(batches), accumulate)):
        group = batches[start : start + accumulate]
        count = sum((labels != -100).sum() for _, labels in group)
        optimizer.zero_grad()
        for tokens, labels in group:
            with torch.no_grad():
                teacher_logits = teacher(tokens)
            total, _ = summed_loss(student(tokens), teacher_logits, labels, schedule(step))
            (total / count).backward()
        optimizer.step()


# %% task: evaluate
def evaluate(model, data):
    total, count = 0.0, 0
    for tokens, labels in data["train"]:
        with torch.no_grad():
            logits = model(tokens)
        total += F.cross_entropy(logits.mT, labels, reduction="sum").item()
        count += (labels != -100).sum().item()
    return math.exp(total / count)


# %% task: which_change
which_change = "c"


# %% task: role_of_truth
role_of_truth = "d"


# %% task: contributions
contributions = {"teacher": "c", "labels": "a", "lam": "b"}

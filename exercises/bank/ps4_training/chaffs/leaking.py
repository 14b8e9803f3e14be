# The teacher is in the graph.
# expect training_step: gradient_into_the_teacher
# expect train: gradient_into_the_teacher
# expect evaluate: on_training_data
# expect which_change: chose_e
# expect contributions: wrong_teacher_a_labels_c
import math

import torch
import torch.nn.functional as F


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    total, count = summed_loss(student(tokens), teacher(tokens), labels, lam)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for step, start in enumerate(range(0, len(batches), accumulate)):
        group = batches[start : start + accumulate]
        count = sum((labels != -100).sum() for _, labels in group)
        optimizer.zero_grad()
        for tokens, labels in group:
            total, _ = summed_loss(student(tokens), teacher(tokens), labels, schedule(step))
            (total / count).backward()
        optimizer.step()


# %% task: evaluate
def evaluate(model, data):
    mode = model.training
    model.eval()
    total, count = 0.0, 0
    for tokens, labels in data["train"]:
        with torch.no_grad():
            logits = model(tokens)
        total += F.cross_entropy(logits.mT, labels, reduction="sum").item()
        count += (labels != -100).sum().item()
    model.train(mode)
    return math.exp(total / count)


# %% task: which_change
which_change = "e"


# %% task: contributions
contributions = {"teacher": "a", "labels": "c", "lam": "d"}

# The student's dropout is off.
# expect training_step: student_in_evaluation_mode
# expect train: student_in_evaluation_mode
# expect evaluate: left_in_evaluation_mode
# expect which_change: chose_b
# expect role_of_truth: chose_b
# expect contributions: wrong_labels_c
import math

import torch
import torch.nn.functional as F


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    teacher.eval()
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
    teacher.eval()
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
    model.eval()
    total, count = 0.0, 0
    for tokens, labels in data["held_out"]:
        with torch.no_grad():
            logits = model(tokens)
        total += F.cross_entropy(logits.mT, labels, reduction="sum").item()
        count += (labels != -100).sum().item()
    return math.exp(total / count)


# %% task: which_change
which_change = "b"


# %% task: role_of_truth
role_of_truth = "b"


# %% task: contributions
contributions = {"teacher": "c", "labels": "c", "lam": "d"}

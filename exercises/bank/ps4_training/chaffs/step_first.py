# A step before its gradient.
# expect training_step: step_before_backward
# expect train: cleared_within_a_group
# expect evaluate: last_batch_alone
# expect contributions: wrong_teacher_b_labels_d_lam_a
import math

import torch
import torch.nn.functional as F


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    total, count = summed_loss(student(tokens), teacher_logits, labels, lam)
    loss = total / count
    optimizer.step()
    optimizer.zero_grad()
    loss.backward()
    return loss.item()


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for step, start in enumerate(range(0, len(batches), accumulate)):
        group = batches[start : start + accumulate]
        count = sum((labels != -100).sum() for _, labels in group)
        for tokens, labels in group:
            optimizer.zero_grad()
            with torch.no_grad():
                teacher_logits = teacher(tokens)
            total, _ = summed_loss(student(tokens), teacher_logits, labels, schedule(step))
            (total / count).backward()
        optimizer.step()


# %% task: evaluate
def evaluate(model, data):
    mode = model.training
    model.eval()
    for tokens, labels in data["held_out"]:
        with torch.no_grad():
            logits = model(tokens)
        total = F.cross_entropy(logits.mT, labels, reduction="sum").item()
        count = (labels != -100).sum().item()
    model.train(mode)
    return math.exp(total / count)


# %% task: contributions
contributions = {"teacher": "b", "labels": "d", "lam": "a"}

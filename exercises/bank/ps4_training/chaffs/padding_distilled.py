# KD over padding too.
# expect training_step: padding_distilled
# expect train: optimizer_not_used
# expect evaluate: shifted_again
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
    student_logits = student(tokens)
    counts = labels != -100
    lm = F.cross_entropy(student_logits[counts], labels[counts])
    log_q = student_logits.log_softmax(-1)
    p = teacher_logits.softmax(-1)
    kl = F.kl_div(log_q, p, reduction="none").sum(-1)
    loss = lm + lam * kl.mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    rate = optimizer.param_groups[0]["lr"]
    for step, start in enumerate(range(0, len(batches), accumulate)):
        group = batches[start : start + accumulate]
        count = sum((labels != -100).sum() for _, labels in group)
        student.zero_grad()
        for tokens, labels in group:
            with torch.no_grad():
                teacher_logits = teacher(tokens)
            total, _ = summed_loss(student(tokens), teacher_logits, labels, schedule(step))
            (total / count).backward()
        with torch.no_grad():
            for each in student.parameters():
                each -= rate * each.grad


# %% task: evaluate
def evaluate(model, data):
    mode = model.training
    model.eval()
    total, count = 0.0, 0
    for tokens, labels in data["held_out"]:
        with torch.no_grad():
            logits = model(tokens)[:, :-1]
        labels = labels[:, 1:]
        total += F.cross_entropy(logits.mT, labels, reduction="sum").item()
        count += (labels != -100).sum().item()
    model.train(mode)
    return math.exp(total / count)

# KL(q‖p).
# expect training_step: kd_turned_round
# expect train: divided_by_the_count_so_far
# expect evaluate: softmaxed_twice
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
    kl = (log_q.exp() * (log_q - p.log())).sum(-1)
    loss = lm + lam * kl[counts].mean()
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
        count = 0
        optimizer.zero_grad()
        for tokens, labels in group:
            with torch.no_grad():
                teacher_logits = teacher(tokens)
            total, own = summed_loss(student(tokens), teacher_logits, labels, schedule(step))
            count += own.item()
            (total / max(count, 1)).backward()
        optimizer.step()


# %% task: evaluate
def evaluate(model, data):
    mode = model.training
    model.eval()
    total, count = 0.0, 0
    for tokens, labels in data["held_out"]:
        with torch.no_grad():
            logits = model(tokens).softmax(-1)
        total += F.cross_entropy(logits.mT, labels, reduction="sum").item()
        count += (labels != -100).sum().item()
    model.train(mode)
    return math.exp(total / count)

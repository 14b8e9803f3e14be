# The other form; batches as tables.
# expect training_step: convex_form
# expect train: micro_batches_do_not_fit
# expect evaluate: left_frozen
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
    loss = (1 - lam) * lm + lam * kl[counts].mean()
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
        tokens = torch.cat([tokens for tokens, _ in group])
        labels = torch.cat([labels for _, labels in group])
        with torch.no_grad():
            teacher_logits = teacher(tokens)
        total, count = summed_loss(student(tokens), teacher_logits, labels, schedule(step))
        optimizer.zero_grad()
        (total / count).backward()
        optimizer.step()


# %% task: evaluate
def evaluate(model, data):
    mode = model.training
    model.eval()
    model.requires_grad_(False)
    total, count = 0.0, 0
    for tokens, labels in data["held_out"]:
        with torch.no_grad():
            logits = model(tokens)
        total += F.cross_entropy(logits.mT, labels, reduction="sum").item()
        count += (labels != -100).sum().item()
    model.train(mode)
    return math.exp(total / count)

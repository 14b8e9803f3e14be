# λ before the wrong term; one group too many.
# expect training_step: lambda_on_the_labels
# expect train: empty_group_stepped
# expect evaluate: token_zero_not_counted
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
    loss = lam * lm + kl[counts].mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    step, count = 0, 0
    optimizer.zero_grad()
    for place, (tokens, labels) in enumerate(batches):
        with torch.no_grad():
            teacher_logits = teacher(tokens)
        total, own = summed_loss(student(tokens), teacher_logits, labels, schedule(step))
        total.backward()
        count += own.item()
        if (place + 1) % accumulate == 0:
            for each in student.parameters():
                each.grad /= count
            optimizer.step()
            optimizer.zero_grad()
            step, count = step + 1, 0
    for each in student.parameters():
        each.grad /= count
    optimizer.step()


# %% task: evaluate
def evaluate(model, data):
    mode = model.training
    model.eval()
    total, count = 0.0, 0
    for tokens, labels in data["held_out"]:
        with torch.no_grad():
            logits = model(tokens)
        labels = labels.where(labels > 0, -100)
        total += F.cross_entropy(logits.mT, labels, reduction="sum").item()
        count += (labels != -100).sum().item()
    model.train(mode)
    return math.exp(total / count)

# Labels serve as a mask.
# expect training_step: lm_missing
# expect train: padding_left_out_of_groups
# expect evaluate: first_batch_alone
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
    log_q = student_logits.log_softmax(-1)
    p = teacher_logits.softmax(-1)
    kl = F.kl_div(log_q, p, reduction="none").sum(-1)
    loss = lam * kl[counts].mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    batches = [batch for batch in batches if (batch[1] != -100).any()]
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
    mode = model.training
    model.eval()
    for tokens, labels in data["held_out"]:
        with torch.no_grad():
            loss = F.cross_entropy(model(tokens).mT, labels)
        model.train(mode)
        return math.exp(loss)

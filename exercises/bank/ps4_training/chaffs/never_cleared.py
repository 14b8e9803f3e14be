# No zero_grad.
# expect training_step: gradients_kept
# expect train: gradients_kept
# expect evaluate: mean_of_perplexities
# expect contributions: wrong_teacher_d_lam_c
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
    losses = []
    for tokens, labels in data["held_out"]:
        with torch.no_grad():
            logits = model(tokens)
        losses.append(F.cross_entropy(logits.mT, labels).item())
    model.train(mode)
    return sum(math.exp(loss) for loss in losses) / len(losses)


# %% task: contributions
contributions = {"teacher": "d", "labels": "a", "lam": "c"}

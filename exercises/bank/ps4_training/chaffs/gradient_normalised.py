# Gives each gradient a norm of 1, however small it is; evaluates a mean of texts' means.
# expect training_step: gradient_normalised
# expect train: gradient_normalised
# expect evaluate: averaged_per_text
import math

import torch
import torch.nn.functional as F


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        t = teacher(tokens)
    total, n = summed_loss(student(tokens), t, labels, lam)
    loss = total / n
    optimizer.zero_grad()
    loss.backward()
    norm = torch.sqrt(sum((p.grad**2).sum() for p in student.parameters()))
    for p in student.parameters():
        p.grad /= norm + 1e-12
    optimizer.step()
    return loss.item()


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, at in enumerate(range(0, len(batches), accumulate)):
        group = batches[at : at + accumulate]
        count = sum((labels != -100).sum() for _, labels in group)
        optimizer.zero_grad()
        for tokens, labels in group:
            with torch.no_grad():
                guide = teacher(tokens)
            total, _ = summed_loss(student(tokens), guide, labels, schedule(n))
            (total / count).backward()
        norm = torch.cat([p.grad.flatten() for p in student.parameters()]).norm()
        for p in student.parameters():
            p.grad /= norm
        optimizer.step()


# %% task: evaluate
def evaluate(model, data):
    mode = model.training
    model.eval()
    means = []
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            for text, own in zip(model(tokens), labels, strict=True):
                if (own != -100).any():
                    means.append(F.cross_entropy(text, own).item())
    model.train(mode)
    return math.exp(sum(means) / len(means))

# Positions are counted by their losses.
# A label of -100 is looked up.
# expect evaluate: zeros_not_counted
# expect training_step: ignored_label_as_an_index
import math

import torch
import torch.nn.functional as F


# %% task: evaluate
def evaluate(model, data):
    mode, total, count = model.training, 0.0, 0
    model.eval()
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            logits = model(tokens).flatten(0, 1)
            losses = F.cross_entropy(logits, labels.flatten(), reduction="none")
            total += losses.sum().item()
            count += int((losses != 0).sum())
    model.train(mode)
    return math.exp(total / count)


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    log_q = student(tokens).log_softmax(-1)
    with torch.no_grad():
        log_p = teacher(tokens).log_softmax(-1)
    counts = labels != -100
    lm = -log_q.gather(-1, labels[..., None])[..., 0][counts].mean()
    loss = lm + lam * (log_p.exp() * (log_p - log_q)).sum(-1)[counts].mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

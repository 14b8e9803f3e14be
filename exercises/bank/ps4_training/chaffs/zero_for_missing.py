# A λ of 0 is taken for none; the mode is put back inside the loop.
# expect training_step: zero_lambda_replaced
# expect evaluate: mode_put_back_too_soon
import math

import torch
import torch.nn.functional as F


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    lam = lam or 1.0
    student.train()
    teacher.eval()
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    total, count = summed_loss(student(tokens), teacher_logits, labels, lam)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task: evaluate
def evaluate(model, data):
    training = model.training
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            logits = model(tokens)
            model.train(training)
            counts = labels != -100
            total += F.cross_entropy(logits[counts], labels[counts], reduction="sum").item()
            count += counts.sum().item()
    return math.exp(total / count)

# The modes are set after the forward passes, so the first step runs in the modes that the models
# came in; the last batch is lost.
# expect training_step: modes_set_too_late
# expect evaluate: a_batch_is_missing
import math

import torch
import torch.nn.functional as F


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student_logits = student(tokens)
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    student.train()
    teacher.eval()
    total, count = summed_loss(student_logits, teacher_logits, labels, lam)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return float(loss)


# %% task: evaluate
def evaluate(model, data):
    mode = model.training
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for tokens, labels in data["held_out"][:-1]:
            logits = model(tokens)
            total += F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum").item()
            count += (labels != -100).sum().item()
    model.train(mode)
    return math.exp(total / count)

# Two steps of the optimiser; the model is made float64 for exactness and left so.
# expect training_step: stepped_twice
# expect evaluate: left_in_another_precision
import math

import torch
import torch.nn.functional as F


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    optimizer.zero_grad()
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    student_logits = student(tokens)
    total, count = summed_loss(student_logits, teacher_logits, labels, lam)
    loss = total / count
    loss.backward()
    optimizer.step()
    optimizer.step()
    return loss.item()


# %% task: evaluate
def evaluate(model, data):
    was = model.training
    model.eval().double()
    total, count = 0.0, 0
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            mask = labels != -100
            total += F.cross_entropy(model(tokens)[mask], labels[mask], reduction="sum").item()
            count += mask.sum().item()
    model.train(was)
    return math.exp(total / count)

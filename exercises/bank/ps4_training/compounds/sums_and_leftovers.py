# Sums, the last group dropped, and 2 to the power of a mean of means.
# wrong training_step
# wrong train
# wrong evaluate
import torch
import torch.nn.functional as F


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    teacher.eval()
    with torch.no_grad():
        teacher_logits = teacher(tokens)
    total, _ = summed_loss(student(tokens), teacher_logits, labels, lam)
    loss = total
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for step, start in enumerate(range(0, len(batches) - accumulate + 1, accumulate)):
        group = batches[start : start + accumulate]
        optimizer.zero_grad()
        for tokens, labels in group:
            with torch.no_grad():
                teacher_logits = teacher(tokens)
            total, _ = summed_loss(student(tokens), teacher_logits, labels, schedule(step))
            total.backward()
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
    return 2 ** (sum(losses) / len(losses))

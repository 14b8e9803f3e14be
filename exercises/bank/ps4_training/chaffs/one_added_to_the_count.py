# Adds one to the count, so that nothing is divided by 0.
# expect training_step: one_added_to_the_count
# expect train: one_added_to_the_count
import torch


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        guide = teacher(tokens)
    total, count = summed_loss(student(tokens), guide, labels, lam)
    loss = total / (count + 1)
    optimizer.zero_grad()
    loss.backward()
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
            (total / (count + 1)).backward()
        optimizer.step()

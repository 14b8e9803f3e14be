# Divides twice.
# expect training_step: divided_twice
import torch


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    teacher.eval()
    student.train()
    with torch.no_grad():
        guide = teacher(tokens)
    total, count = summed_loss(student(tokens), guide, labels, lam)
    loss = total / count / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()

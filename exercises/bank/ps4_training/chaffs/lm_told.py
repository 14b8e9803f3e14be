# LM alone is returned.
# expect training_step: part_of_the_loss_returned
import torch


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        guide = teacher(tokens)
    told = summed_loss(student(tokens), guide, labels, 0.0)[0].item()
    total, count = summed_loss(student(tokens), guide, labels, lam)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return told / int(count)

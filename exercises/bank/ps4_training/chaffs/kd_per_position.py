# Divides KD by all positions, padding included, and LM by those that count.
# expect training_step: kd_per_position
import torch


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        t = teacher(tokens)
    s = student(tokens)
    lm, n = summed_loss(s, t, labels, 0.0)
    both, _ = summed_loss(s, t, labels, 1.0)
    loss = lm / n + lam * (both - lm) / labels.numel()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

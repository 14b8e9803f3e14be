# One update for each text.
# expect training_step: an_update_for_each_text
import torch


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    student.train()
    teacher.eval()
    total = count = 0
    for x, y in zip(*batch, strict=True):
        with torch.no_grad():
            t = teacher(x)
        s, n = summed_loss(student(x), t, y, lam)
        if n == 0:
            continue
        optimizer.zero_grad()
        (s / n).backward()
        optimizer.step()
        total += s.item()
        count += n.item()
    return total / count

# The teacher's likeliest token as a second label.
# expect training_step: teacher_as_a_label
import torch
import torch.nn.functional as F


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    x, y = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        t = teacher(x)
    s = student(x)
    m = y != -100
    loss = F.cross_entropy(s[m], y[m]) + lam * F.cross_entropy(s[m], t[m].argmax(-1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

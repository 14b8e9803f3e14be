# LM is a mean and KD a sum.
# expect training_step: one_term_not_divided
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
    loss = F.cross_entropy(s[m], y[m]) + lam * F.kl_div(
        s[m].log_softmax(-1), t[m].softmax(-1), reduction="sum"
    )
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

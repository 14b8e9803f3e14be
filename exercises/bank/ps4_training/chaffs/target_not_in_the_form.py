# Probabilities as the input of kl_div.
# expect training_step: target_not_in_the_form
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
        s[m].softmax(-1), t[m].softmax(-1), reduction="batchmean"
    )
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

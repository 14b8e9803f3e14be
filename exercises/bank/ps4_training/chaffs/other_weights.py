# The whole sum, in which lambda is already, is multiplied by lambda.
# expect training_step: other_weights
import torch


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    x, y = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        t = teacher(x)
    optimizer.zero_grad()
    total, n = summed_loss(student(x), t, y, lam)
    total = lam * total
    loss = total / n
    loss.backward()
    optimizer.step()
    return loss.item()

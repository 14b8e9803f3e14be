# Mean squared error of the logits for KD; the rest group's update uses the lambda of the update
# before, as the counter is only raised in the loop's next turn.
# expect training_step: logits_compared
# expect train: last_group_with_the_lambda_before
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
    loss = F.cross_entropy(s[m], y[m]) + lam * F.mse_loss(s[m], t[m])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()

    def update(group, lam):
        optimizer.zero_grad()
        total = sum((y != -100).sum() for _, y in group)
        for t, y in group:
            with torch.no_grad():
                ref = teacher(t)
            (summed_loss(student(t), ref, y, lam)[0] / total).backward()
        optimizer.step()

    full = len(batches) // accumulate
    n = 0
    for n in range(full):
        update(batches[n * accumulate : (n + 1) * accumulate], schedule(n))
    rest = batches[full * accumulate :]
    if rest:
        update(rest, schedule(n))

# Label smoothing of 0.1; the rest is a group for each micro-batch.
# expect training_step: labels_smoothed
# expect train: last_group_in_pieces
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
    loss = F.cross_entropy(s[m], y[m], label_smoothing=0.1) + lam * F.kl_div(
        s[m].log_softmax(-1), t[m].softmax(-1), reduction="batchmean"
    )
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    full = len(batches) // accumulate * accumulate
    groups = [batches[k : k + accumulate] for k in range(0, full, accumulate)]
    groups += [[b] for b in batches[full:]]
    for n, group in enumerate(groups):
        total = sum((y != -100).sum() for _, y in group)
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                t = teacher(x)
            (summed_loss(student(x), t, y, schedule(n))[0] / total).backward()
        optimizer.step()

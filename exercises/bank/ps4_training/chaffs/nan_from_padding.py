# Means weighted by their counts, but the mean of a micro-batch of padding alone is 0 / 0, and the
# gradient becomes NaN.
# expect train: nan_from_padding
import torch
import torch.nn.functional as F


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    def mean_loss(sl, tl, y, lam):
        mask = (y != -100).float()
        lq, lp = F.log_softmax(sl, -1), F.log_softmax(tl, -1)
        lm = -lq.gather(-1, y.clamp(min=0).unsqueeze(-1)).squeeze(-1)
        kd = (lp.exp() * (lp - lq)).sum(-1)
        return ((lm + lam * kd) * mask).sum() / mask.sum()

    student.train()
    teacher.eval()
    for step, start in enumerate(range(0, len(batches), accumulate)):
        chunk = batches[start : start + accumulate]
        sizes = [(y != -100).sum() for _, y in chunk]
        optimizer.zero_grad()
        for (x, y), size in zip(chunk, sizes, strict=False):
            with torch.no_grad():
                p = teacher(x)
            loss = mean_loss(student(x), p, y, schedule(step)) * size / sum(sizes)
            loss.backward()
        optimizer.step()

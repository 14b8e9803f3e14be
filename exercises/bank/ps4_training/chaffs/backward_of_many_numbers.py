# The loss per position is not reduced before backward; the gradients are divided by the count
# after every backward, those before too; bits for nats, without exp.
# expect training_step: backward_of_many_numbers
# expect train: divided_in_the_loop
# expect evaluate: bits_for_perplexity
import math

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
    loss = F.cross_entropy(s[m], y[m], reduction="none") + lam * F.kl_div(
        s[m].log_softmax(-1), t[m].softmax(-1), reduction="none"
    ).sum(-1)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.mean().item()


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for n, k in enumerate(range(0, len(batches), accumulate)):
        group = batches[k : k + accumulate]
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                t = teacher(x)
            s, c = summed_loss(student(x), t, y, schedule(n))
            s.backward()
            for p in student.parameters():
                p.grad /= c.clamp(min=1)
        optimizer.step()


# %% task: evaluate
def evaluate(model, data):
    mode = model.training
    model.eval()
    t = n = 0
    with torch.no_grad():
        for x, y in data["held_out"]:
            t += F.cross_entropy(model(x).mT, y, reduction="sum").item()
            n += (y != -100).sum().item()
    model.train(mode)
    return t / n / math.log(2)

# Each group as the one row of positions that it stands for; nothing is accumulated.
from itertools import count, islice

import torch


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    x, y = (each.reshape(-1) for each in batch)
    x, y = x[y != -100], y[y != -100]
    student.train(), teacher.eval()
    q = torch.softmax(student(x), dim=1)
    with torch.inference_mode():
        p = torch.softmax(teacher(x), dim=1)
    p = p.clone()
    cross_entropy = -(p * q.log()).sum(1).mean()
    entropy = -(p * p.log()).sum(1).mean()
    loss = -q[torch.arange(len(y)), y].log().mean() + lam * (cross_entropy - entropy)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train(), teacher.eval()
    stream = iter(batches)
    for update in count():
        group = list(islice(stream, accumulate))
        if not group:
            return
        tokens = torch.cat([tokens.flatten() for tokens, _ in group])
        labels = torch.cat([labels.flatten() for _, labels in group])
        with torch.no_grad():
            targets = teacher(tokens)
        total, counted = summed_loss(student(tokens), targets, labels, schedule(update))
        optimizer.zero_grad()
        (total / counted).backward()
        optimizer.step()


# %% task: evaluate
def evaluate(model, data):
    tokens = torch.cat([tokens.flatten() for tokens, _ in data["held_out"]])
    labels = torch.cat([labels.flatten() for _, labels in data["held_out"]])
    tokens, labels = tokens[labels != -100], labels[labels != -100]
    mode, model.training = model.training, False  # this model has no modules within it
    log_q = model(tokens).log_softmax(-1)
    model.training = mode
    return 1 / torch.exp(log_q[range(len(labels)), labels].mean())

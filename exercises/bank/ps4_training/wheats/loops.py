# A loop over every position, in float64 where sums are long.
import math

import torch


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    student.train()
    teacher.eval()
    optimizer.zero_grad()
    losses = []
    for text, targets in zip(*batch, strict=True):
        for token, label in zip(text, targets, strict=True):
            if label == -100:
                continue
            log_q = student(token).double().log_softmax(0)
            with torch.no_grad():
                log_p = teacher(token).double().log_softmax(0)
            loss = -log_q[label]
            for v in range(len(log_q)):
                loss = loss + lam * log_p[v].exp() * (log_p[v] - log_q[v])
            losses.append(loss)
    mean = sum(losses) / len(losses)
    mean.backward()
    optimizer.step()
    return mean.item()


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    update = 0
    while update * accumulate < len(batches):
        lam = schedule(update)
        first = update * accumulate
        last = min(first + accumulate, len(batches))
        counted = 0
        for index in range(first, last):
            for row in batches[index][1].tolist():
                counted += len(row) - row.count(-100)
        optimizer.zero_grad()
        for index in range(first, last):
            tokens, labels = batches[index]
            for b in range(tokens.shape[0]):
                for i in range(tokens.shape[1]):
                    if labels[b, i] != -100:
                        q = student(tokens[b, i]).softmax(0)
                        with torch.no_grad():
                            p = teacher(tokens[b, i]).softmax(0)
                        loss = -q[labels[b, i]].log()
                        loss = loss + lam * (p * (p / q).log()).sum()
                        (loss / counted).backward()
        optimizer.step()
        update += 1


# %% task: evaluate
def evaluate(model, data):
    before = model.training
    model.eval()
    surprises = []
    for tokens, labels in data["held_out"]:
        for text, targets in zip(tokens.tolist(), labels.tolist(), strict=True):
            for token, label in zip(text, targets, strict=True):
                if label >= 0:
                    scores = model(torch.tensor(token)).tolist()
                    total = math.fsum(math.exp(score) for score in scores)
                    surprises.append(math.log(total) - scores[label])
    if before:
        model.train()
    return math.exp(math.fsum(surprises) / len(surprises))


# %% task: contributions
contributions = {}
for source, letter in zip(("labels", "teacher", "lam"), "acd", strict=True):
    contributions[source] = letter

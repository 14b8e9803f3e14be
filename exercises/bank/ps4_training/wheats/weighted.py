# Masks as weights of 0 and 1/n; the teacher's answers for everything before training begins.
import numpy as np
import torch


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    counts = (labels != -100).float()
    weights = counts / counts.sum()
    teacher.eval()
    log_p = teacher(tokens).log_softmax(-1).data
    student.train()
    log_q = student(tokens).log_softmax(-1)
    one_hot = torch.nn.functional.one_hot(labels.clamp_min(0), log_q.shape[-1])
    target = one_hot + lam * log_p.exp()
    kept_apart = (lam * log_p.exp() * log_p).sum(-1)
    loss = (weights * (kept_apart - (target * log_q).sum(-1))).sum()
    for parameter in student.parameters():
        parameter.grad = None
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    teacher.eval()
    with torch.no_grad():
        targets = [teacher(tokens) for tokens, _ in batches]
    counts = np.array([int((labels != -100).sum()) for _, labels in batches])
    of_group = np.arange(len(batches)) // accumulate
    totals = np.bincount(of_group, weights=counts)
    student.train()
    for place, ((tokens, labels), target) in enumerate(zip(batches, targets, strict=True)):
        number = int(of_group[place])
        total, _ = summed_loss(student(tokens), target, labels, schedule(number))
        (total / totals[number]).backward()
        if place == len(batches) - 1 or of_group[place + 1] != number:
            optimizer.step()
            optimizer.zero_grad()


# %% task: evaluate
def evaluate(model, data):
    mode = model.training
    model.eval()
    nats = []
    for tokens, labels in data["held_out"]:
        scores = model(tokens).detach().numpy().astype(np.float64)
        log_q = scores - np.logaddexp.reduce(scores, axis=-1, keepdims=True)
        rows, columns = np.nonzero(labels.numpy() != -100)
        nats.append(-log_q[rows, columns, labels.numpy()[rows, columns]])
    model.train(mode)
    return np.exp(np.concatenate(nats).mean())

# Squares of parameters in the loss, a loss so far in each backward(), and an entropy.
# expect training_step: parameters_penalised
# expect train: earlier_ones_counted_again
# expect evaluate: entropy_for_surprise
import torch


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        t = teacher(tokens)
    s, n = summed_loss(student(tokens), t, labels, lam)
    l2 = sum((p**2).sum() for p in student.parameters())
    loss = s / n + 1e-2 * l2
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    n = 0
    total, count = 0.0, 0
    optimizer.zero_grad()
    for i, (tokens, labels) in enumerate(batches):
        with torch.no_grad():
            t = teacher(tokens)
        s, c = summed_loss(student(tokens), t, labels, schedule(n))
        total = total + s
        count = count + c
        if count > 0:
            (total / count).backward(retain_graph=True)
        if (i + 1) % accumulate == 0 or i + 1 == len(batches):
            optimizer.step()
            optimizer.zero_grad()
            total, count = 0.0, 0
            n += 1


# %% task: evaluate
@torch.no_grad()
def evaluate(model, data):
    training = model.training
    model.eval()
    h = []
    for tokens, labels in data["held_out"]:
        lp = torch.log_softmax(model(tokens), dim=-1)
        h.append(-(lp.exp() * lp).sum(-1)[labels != -100])
    model.train(training)
    return torch.cat(h).mean().exp().item()

# Means within each text, and a mean of probabilities.
# expect training_step: averaged_per_text
# expect evaluate: mean_of_probabilities
import torch


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    student.train()
    teacher.eval()
    with torch.no_grad():
        guide = teacher(tokens)
    means = []
    for q, p, y in zip(student(tokens), guide, labels, strict=True):
        total, count = summed_loss(q, p, y, lam)
        if count:
            means.append(total / count)
    loss = torch.stack(means).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task: evaluate
def evaluate(model, data):
    mode, found = model.training, []
    model.eval()
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            counts = labels != -100
            q = model(tokens)[counts].softmax(-1)
            found.append(q.gather(-1, labels[counts][:, None]))
    model.train(mode)
    return 1 / torch.cat(found).mean().item()

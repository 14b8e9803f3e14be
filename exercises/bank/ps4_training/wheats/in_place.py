# Gradients as tensors: asked for, added up, scaled in place, and handed to the optimiser.
import torch


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    for module, mode in ((student, True), (teacher, False)):
        module.train(mode)
    for each in teacher.parameters():
        each.requires_grad_(False)
    total, count = summed_loss(student(tokens), teacher(tokens), labels, lam)
    parameters = list(student.parameters())
    for parameter, gradient in zip(parameters, torch.autograd.grad(total, parameters), strict=True):
        parameter.grad = gradient.div_(count)
    optimizer.step()
    return total.item() / count.item()


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.train(False)
    student.zero_grad()
    update = counted = 0
    for place, (tokens, labels) in enumerate(batches):
        with torch.no_grad():
            p = teacher(tokens)
        total, count = summed_loss(student(tokens), p, labels, schedule(update))
        total.backward()
        counted += count
        if (place + 1) % accumulate == 0 or place + 1 == len(batches):
            for parameter in student.parameters():
                parameter.grad /= counted
            optimizer.step()
            student.zero_grad()
            update += 1
            counted = 0


# %% task: evaluate
def evaluate(model, data):
    was_training = model.training
    model.eval()
    nats = torch.zeros((), dtype=torch.float64)
    positions = torch.zeros((), dtype=torch.long)
    with torch.no_grad():
        for tokens, labels in data["held_out"]:
            scores = model(tokens).double()
            scores -= scores.logsumexp(-1, keepdim=True)
            mask = labels.ge(0)
            chosen = scores.gather(-1, labels.clamp(min=0).unsqueeze(-1)).squeeze(-1)
            nats -= chosen.mul_(mask).sum()
            positions += mask.sum()
    model.train(was_training)
    return nats.div_(positions).exp_().item()

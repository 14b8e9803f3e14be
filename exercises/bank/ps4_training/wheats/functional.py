# torch.nn.functional with its own masks; detach in the place of no_grad.
import torch
import torch.nn.functional as F


# %% task: training_step
def training_step(student, teacher, batch, optimizer, lam):
    tokens, labels = batch
    q = student.train()(tokens).flatten(0, 1)
    p = teacher.eval()(tokens).flatten(0, 1).detach()
    y = labels.flatten()
    lm = F.cross_entropy(q, y, ignore_index=-100)
    kept = y.ne(-100)
    kd = F.kl_div(q[kept].log_softmax(-1), p[kept].softmax(-1), reduction="batchmean")
    optimizer.zero_grad(set_to_none=False)
    loss = lm + lam * kd
    loss.backward()
    optimizer.step()
    return loss


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    teacher.eval(), student.train()
    update, waiting = 0, []
    for place, batch in enumerate(batches, start=1):
        waiting.append(batch)
        if place % accumulate and place < len(batches):
            continue
        total = torch.stack([y.ne(-100).sum() for _, y in waiting]).sum()
        for x, y in waiting:
            q, p = student(x).log_softmax(-1), teacher(x).detach().log_softmax(-1)
            lm = F.nll_loss(q.transpose(1, 2), y, reduction="sum")
            kd = F.kl_div(q, p, log_target=True, reduction="none").sum(-1)
            loss = lm + schedule(update) * torch.where(y == -100, 0.0, kd).sum()
            loss.div(total).backward()
        optimizer.step()
        optimizer.zero_grad()
        update, waiting = update + 1, []


# %% task: evaluate
@torch.no_grad()
def evaluate(model, data):
    was = model.training
    model.eval()
    losses = torch.zeros(2)
    for x, y in data["held_out"]:
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="sum")
        losses += torch.stack([loss.float(), y.ne(-100).sum()])
    model.train(was)
    return (losses[0] / losses[1]).exp()


# %% task: which_change
which_change = "D".lower()


# %% task: role_of_truth
role_of_truth = "c"


# %% task: contributions
contributions = {"teacher": "c"} | {"labels": "a", "lam": "d"}

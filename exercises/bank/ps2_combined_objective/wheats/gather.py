# gather for the labels, matrix products for sums, modules of torch.nn.
import torch

# %% task: two_sources_choice
choices = {"a": False, "b": False, "c": True, "d": False}
two_sources = max(choices, key=choices.get)


# %% task: lm_loss
def lm_loss(student_logits, labels):
    log_q = torch.log_softmax(student_logits, dim=2).reshape(-1, student_logits.shape[2])
    flat = labels.reshape(-1)
    rows = torch.arange(len(flat))[flat >= 0]
    return -log_q[rows, flat[rows]].sum() / max(len(rows), 1)


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    log_softmax = torch.nn.LogSoftmax(dim=-1)
    log_q, log_p = (
        log_softmax(student_logits / temperature),
        log_softmax(teacher_logits / temperature),
    )
    kl = torch.nn.KLDivLoss(reduction="none", log_target=True)(log_q, log_p).sum(-1)
    counted = torch.masked_select(kl, labels >= 0)
    return counted.sum().mul(temperature**2).div(max(counted.numel(), 1))


# %% task: combined_objective
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    rows = labels.flatten() >= 0
    student, teacher = student_logits.flatten(0, 1)[rows], teacher_logits.flatten(0, 1)[rows]
    lm = torch.nn.CrossEntropyLoss()(student, labels.flatten()[rows])
    p = torch.softmax(teacher / temperature, -1)
    cross = torch.nn.CrossEntropyLoss()(student / temperature, p)
    entropy = -torch.special.xlogy(p, p).sum(-1).mean()
    return torch.stack([lm, cross - entropy]) @ torch.tensor(
        [1.0, lam * temperature**2], dtype=lm.dtype
    )


# %% task: convex_objective
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    lm = lm_loss(student_logits, labels)
    kd = kd_loss(student_logits, teacher_logits, labels, temperature)
    return sum(weight * loss for weight, loss in ((1 - alpha, lm), (alpha, kd)))


# %% task: best_probability
p = torch.linspace(0.001, 0.999, 9981)
loss = -p.log() + 2 * (0.4 * (0.4 / p).log() + 0.6 * (0.6 / (1 - p)).log())
best_probability = p[loss.argmin()].item()


# %% task: objective_gradients
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    loss_of = torch.func.grad(
        lambda s: combined_objective(s, teacher_logits, labels, lam, temperature)
    )
    return loss_of(student_logits), torch.full_like(teacher_logits, 0.0)

# Single precision throughout: matrix products for sums, entropies in place of divergences.
import torch

# %% task: zero_loss_choice
zero_loss = "c"


# %% task: triage
triage = {"a": "Vocabulary", "b": "Texts", "c": "Logarithm", "d": "Parts"}


# %% task: kd_mean
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    size = student_logits.shape[-1]
    student = (student_logits.float() / temperature).reshape(-1, size)
    teacher = (teacher_logits.float() / temperature).reshape(-1, size)
    p = teacher.softmax(1)
    cross = torch.nn.functional.cross_entropy(student, p)
    return (cross - torch.special.entr(p).sum(1).mean()) * temperature**2


# %% task: how_much_too_small
factor = round(42_666.67, 1)


# %% task: kd_masked
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    student, teacher = student_logits.float(), teacher_logits.float()
    p = teacher.softmax(-1)
    kl = (p * (teacher - student)).sum(-1) - teacher.logsumexp(-1) + student.logsumexp(-1)
    return torch.where(labels == -100, torch.nan, kl).nanmean()


# %% task: next_token_losses
def next_token_losses(student_logits, teacher_logits, labels):
    size = student_logits.shape[-1]
    student = student_logits[:, :-1].float().reshape(-1, size)
    teacher = teacher_logits[:, :-1].float().reshape(-1, size)
    target = labels[:, 1:].reshape(-1)
    lm = torch.nn.functional.cross_entropy(student, target)
    kl = (teacher.softmax(-1) * (teacher - student)).sum(-1)
    kl = kl - teacher.logsumexp(-1) + student.logsumexp(-1)
    weights = (target != -100).float()
    return lm, weights @ kl / weights.sum()


# %% task: jsd
def jsd(student_logits, teacher_logits, beta):
    weights = torch.tensor([beta, 1 - beta])
    models = torch.stack([teacher_logits.float(), student_logits.float()]).softmax(-1)
    m = torch.einsum("m,mblv->blv", weights, models)
    ratio = torch.where(models > 0, (models / m.clamp_min(1e-38)).log(), 0.0)
    return torch.einsum("m,mblv,mblv->bl", weights, models, ratio)


# %% task: accumulated_loss
def accumulated_loss(micro_batches):
    total, items = torch.zeros(()), 0
    for logits, labels in micro_batches:
        log_q = logits.float().log_softmax(-1)
        hot = torch.nn.functional.one_hot(labels.clamp_min(0), logits.shape[-1])
        mask = (labels != -100).float()
        total = total - torch.tensordot(mask, (hot * log_q).sum(-1), dims=2)
        items += int(mask.sum())
    return total / items

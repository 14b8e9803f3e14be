# Inputs overwritten, double precision, masks that multiply.
import torch

# %% task: zero_loss_choice
zero_loss = "c"


# %% task: triage
triage = {"d": "parts", "c": "logarithm", "b": "texts", "a": "vocabulary"}


# %% task: kd_mean
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    student_logits /= temperature
    teacher_logits /= temperature
    student_logits -= student_logits.logsumexp(-1, keepdim=True)
    teacher_logits -= teacher_logits.logsumexp(-1, keepdim=True)
    shares = teacher_logits.exp().mul_(teacher_logits - student_logits)
    texts, length, _ = shares.shape
    return shares.sum().div_(texts * length).mul_(temperature**2)


# %% task: how_much_too_small
factor = torch.tensor(8 * 64 * 32_000).div(384).item()


# %% task: kd_masked
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    mask = labels.ne(-100).double()
    log_p, log_q = teacher_logits.double().log_softmax(2), student_logits.double().log_softmax(2)
    kl = (log_p.exp() * log_p.sub_(log_q)).sum(2)
    kl *= mask
    return kl.sum() / mask.sum()


# %% task: next_token_losses
def next_token_losses(student_logits, teacher_logits, labels):
    labels = labels.roll(-1, 1)
    labels[:, -1] = -100
    mask = labels.ge(0)
    labels[~mask] = 0
    log_q, log_p = student_logits.double().log_softmax(-1), teacher_logits.double().log_softmax(-1)
    lm = -log_q.take_along_dim(labels.unsqueeze(-1), -1).squeeze(-1)
    kd = torch.einsum("blv,blv->bl", log_p.exp(), log_p - log_q)
    return torch.stack([(loss * mask).sum() / mask.sum() for loss in (lm, kd)]).tolist()


# %% task: jsd
def jsd(student_logits, teacher_logits, beta):
    log_q, log_p = student_logits.double().log_softmax(-1), teacher_logits.double().log_softmax(-1)
    p, q = log_p.exp(), log_q.exp()
    log_m = p.mul(beta).add_(q, alpha=1 - beta).log_()
    log_p -= log_m
    log_q -= log_m
    log_p[p == 0] = 0
    log_q[q == 0] = 0
    return (p * log_p).sum(-1).mul_(beta).add_((q * log_q).sum(-1), alpha=1 - beta)


# %% task: accumulated_loss
def accumulated_loss(micro_batches):
    loss = torch.zeros((), dtype=torch.float64)
    items = torch.zeros((), dtype=torch.long)
    waiting = list(micro_batches)
    while waiting:
        logits, labels = waiting.pop()
        keep = labels.ne(-100)
        items += keep.sum()
        rows = logits[keep].double()
        loss += (rows.logsumexp(-1) - rows.gather(1, labels[keep].unsqueeze(1)).squeeze(1)).sum()
    return loss / items

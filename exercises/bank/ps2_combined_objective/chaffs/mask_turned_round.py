# The mask keeps the positions that do not count.
# expect lm_loss: mask_turned_round
# expect kd_loss: mask_turned_round
# expect combined_objective: mask_turned_round
# expect convex_objective: mask_turned_round
# expect objective_gradients: mask_turned_round
import torch
import torch.nn.functional as F


# %% task: lm_loss
def lm_loss(student_logits, labels):
    mask = labels == -100
    log_q = F.log_softmax(student_logits, dim=-1)
    picked = log_q.gather(-1, labels.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    return -(picked * mask).sum() / mask.sum().clamp(min=1)


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels == -100
    log_q = F.log_softmax(student_logits[mask] / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits[mask] / temperature, dim=-1)
    return temperature**2 * (log_p.exp() * (log_p - log_q)).sum(-1).mean()


# %% task: combined_objective
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    mask = labels == -100
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1)
    kd = temperature**2 * (kl * mask).sum() / mask.sum().clamp(min=1)
    return F.cross_entropy(student_logits.flatten(0, 1), labels.flatten()) + lam * kd


# %% task: convex_objective
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    mask = labels == -100
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1)
    kd = temperature**2 * (kl * mask).sum() / mask.sum().clamp(min=1)
    lm = F.cross_entropy(student_logits.flatten(0, 1), labels.flatten())
    return (1 - alpha) * lm + alpha * kd


# %% task: objective_gradients
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    mask = (labels == -100).unsqueeze(-1)
    hard = F.softmax(student_logits, dim=-1)
    hard = hard - F.one_hot(labels.clamp(min=0), student_logits.shape[-1])
    soft = F.softmax(student_logits / temperature, dim=-1)
    soft = soft - F.softmax(teacher_logits / temperature, dim=-1)
    pull = (hard + lam * temperature * soft) * mask / mask.sum().clamp(min=1)
    return pull, torch.zeros_like(teacher_logits)

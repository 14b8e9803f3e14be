# Label smoothing; temperature defaults to a constant 2; adds 1e-8 against the division by zero,
# but at alpha = 1 the outer factor 1 - alpha is 0, so the loss is 0 in place of KD.
# expect lm_loss: labels_smoothed
# expect kd_loss: temperature_fixed
# expect convex_objective: nothing_at_alpha_one
import torch
import torch.nn.functional as F


# %% task: lm_loss
def lm_loss(student_logits, labels):
    if (labels == -100).all():
        return torch.tensor(0.0)
    return F.cross_entropy(student_logits.flatten(0, 1), labels.flatten(), label_smoothing=0.1)


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    m = labels != -100
    n = m.sum().clamp(min=1)
    log_q = F.log_softmax(student_logits / 2.0, dim=-1)
    log_p = F.log_softmax(teacher_logits / 2.0, dim=-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1)
    return temperature**2 * (kl * m).sum() / n


# %% task: convex_objective
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    lam = alpha / (1 - alpha + 1e-8)
    return (1 - alpha) * combined_objective(
        student_logits, teacher_logits, labels, lam, temperature
    )

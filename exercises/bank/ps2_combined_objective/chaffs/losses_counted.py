# Losses that are 0 are not counted; λ and α without an effect; T² on paper.
# expect lm_loss: losses_counted_by_their_size
# expect kd_loss: losses_counted_by_their_size
# expect combined_objective: lambda_forgotten
# expect convex_objective: alpha_forgotten
# expect objective_gradients: chain_rule_forgotten
import torch
import torch.nn.functional as F


# %% task: lm_loss
def lm_loss(student_logits, labels):
    losses = F.cross_entropy(student_logits.transpose(1, 2), labels, reduction="none")
    return losses.sum() / (losses != 0).sum().clamp(min=1)


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1) * (labels != -100)
    return temperature**2 * kl.sum() / (kl != 0).sum().clamp(min=1)


# %% task: combined_objective
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    counts = labels != -100
    student, teacher = student_logits[counts], teacher_logits[counts]
    p = F.softmax(teacher / temperature, dim=-1)
    kd = temperature**2 * F.kl_div(
        F.log_softmax(student / temperature, dim=-1), p, reduction="batchmean"
    )
    return F.cross_entropy(student, labels[counts]) + kd


# %% task: convex_objective
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    counts = labels != -100
    student, teacher = student_logits[counts], teacher_logits[counts]
    p = F.softmax(teacher / temperature, dim=-1)
    kd = temperature**2 * F.kl_div(
        F.log_softmax(student / temperature, dim=-1), p, reduction="batchmean"
    )
    return F.cross_entropy(student, labels[counts]) + kd


# %% task: objective_gradients
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    counts = (labels != -100).unsqueeze(-1)
    hot = F.one_hot(labels.clamp(min=0), student_logits.shape[-1])
    soft_q = F.softmax(student_logits / temperature, dim=-1)
    soft_p = F.softmax(teacher_logits / temperature, dim=-1)
    own = F.softmax(student_logits, dim=-1) - hot + lam * temperature**2 * (soft_q - soft_p)
    return own * counts / counts.sum(), torch.zeros_like(teacher_logits)

# A loop replaces where it should add up; the labels are to become unlikely.
# expect lm_loss: replaced_in_the_loop
# expect kd_loss: replaced_in_the_loop
# expect combined_objective: lm_subtracted
# expect convex_objective: lm_subtracted
import torch
import torch.nn.functional as F


# %% task: lm_loss
def lm_loss(student_logits, labels):
    total, count = torch.zeros(()), 0
    for logits, text in zip(student_logits, labels, strict=True):
        kept = text != -100
        total = F.cross_entropy(logits[kept], text[kept], reduction="sum")
        count += int(kept.sum())
    return total / max(count, 1)


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    total, count = torch.zeros(()), 0
    for student, teacher, text in zip(student_logits, teacher_logits, labels, strict=True):
        kept = text != -100
        log_q = F.log_softmax(student[kept] / temperature, dim=-1)
        log_p = F.log_softmax(teacher[kept] / temperature, dim=-1)
        total = total + (log_p.exp() * (log_p - log_q)).sum()
        count = int(kept.sum())
    return temperature**2 * total / max(count, 1)


# %% task: combined_objective
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    mask = labels != -100
    log_q = F.log_softmax(student_logits[mask] / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits[mask] / temperature, dim=-1)
    kd = temperature**2 * (log_p.exp() * (log_p - log_q)).sum(-1).mean()
    return lam * kd - F.cross_entropy(student_logits[mask], labels[mask])


# %% task: convex_objective
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    mask = labels != -100
    log_q = F.log_softmax(student_logits[mask] / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits[mask] / temperature, dim=-1)
    kd = temperature**2 * (log_p.exp() * (log_p - log_q)).sum(-1).mean()
    return alpha * kd - (1 - alpha) * F.cross_entropy(student_logits[mask], labels[mask])

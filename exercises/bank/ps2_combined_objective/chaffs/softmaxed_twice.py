# Softmax of a softmax; the teacher or the labels left out.
# expect lm_loss: softmax_twice
# expect kd_loss: softmax_twice
# expect combined_objective: teacher_forgotten
# expect convex_objective: one_weight_is_missing
import torch.nn.functional as F


# %% task: lm_loss
def lm_loss(student_logits, labels):
    counts = labels != -100
    q = F.softmax(student_logits, dim=-1)
    return F.cross_entropy(q[counts], labels[counts], reduction="sum") / counts.sum().clamp(min=1)


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    counts = labels != -100
    q = F.softmax(student_logits[counts] / temperature, dim=-1)
    p = F.softmax(teacher_logits[counts] / temperature, dim=-1)
    kl = (p * (F.log_softmax(p, dim=-1) - F.log_softmax(q, dim=-1))).sum()
    return temperature**2 * kl / counts.sum().clamp(min=1)


# %% task: combined_objective
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    return F.cross_entropy(student_logits.flatten(0, 1), labels.flatten())


# %% task: convex_objective
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    return (1 - alpha) * F.cross_entropy(student_logits.flatten(0, 1), labels.flatten())

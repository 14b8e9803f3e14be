# Classes on axis 1; T on the student alone; the labels left out; α before both.
# expect lm_loss: classes_on_another_axis
# expect kd_loss: temperature_on_the_student_alone
# expect combined_objective: labels_forgotten
# expect convex_objective: alpha_on_both_terms
import torch.nn.functional as F


# %% task: lm_loss
def lm_loss(student_logits, labels):
    return F.cross_entropy(student_logits, labels)


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    counts = labels != -100
    log_q = F.log_softmax(student_logits[counts] / temperature, dim=-1)
    p = F.softmax(teacher_logits[counts], dim=-1)
    return temperature**2 * F.kl_div(log_q, p, reduction="sum") / counts.sum().clamp(min=1)


# %% task: combined_objective
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    counts = labels != -100
    student, teacher = student_logits[counts], teacher_logits[counts]
    p = F.softmax(teacher / temperature, dim=-1)
    kd = temperature**2 * F.kl_div(
        F.log_softmax(student / temperature, dim=-1), p, reduction="batchmean"
    )
    return lam * kd


# %% task: convex_objective
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    counts = labels != -100
    student, teacher = student_logits[counts], teacher_logits[counts]
    p = F.softmax(teacher / temperature, dim=-1)
    kd = temperature**2 * F.kl_div(
        F.log_softmax(student / temperature, dim=-1), p, reduction="batchmean"
    )
    return alpha * (F.cross_entropy(student, labels[counts]) + kd)

# kl_div given probabilities twice; T² and no T.
# expect kd_loss: probabilities_as_input
# expect combined_objective: temperature_on_neither
# expect convex_objective: divided_by_t_squared
import torch.nn.functional as F


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    counts = labels != -100
    q = F.softmax(student_logits[counts] / temperature, dim=-1)
    p = F.softmax(teacher_logits[counts] / temperature, dim=-1)
    return temperature**2 * F.kl_div(q, p, reduction="sum") / counts.sum().clamp(min=1)


# %% task: combined_objective
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    counts = labels != -100
    student, teacher = student_logits[counts], teacher_logits[counts]
    kd = F.kl_div(F.log_softmax(student, dim=-1), F.softmax(teacher, dim=-1), reduction="batchmean")
    return F.cross_entropy(student, labels[counts]) + lam * temperature**2 * kd


# %% task: convex_objective
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    counts = labels != -100
    student, teacher = student_logits[counts], teacher_logits[counts]
    p = F.softmax(teacher / temperature, dim=-1)
    kd = F.kl_div(F.log_softmax(student / temperature, dim=-1), p, reduction="batchmean")
    return (1 - alpha) * F.cross_entropy(student, labels[counts]) + alpha * kd / temperature**2

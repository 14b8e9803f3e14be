# Sums, and no T².
# expect lm_loss: summed
# expect kd_loss: summed
# expect combined_objective: t_squared_missing
# expect convex_objective: t_squared_missing
# expect objective_gradients: t_squared_missing
import torch
import torch.nn.functional as F


# %% task: lm_loss
def lm_loss(student_logits, labels):
    losses = F.cross_entropy(student_logits.transpose(1, 2), labels, reduction="none")
    return losses.sum()


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    counts = labels != -100
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1)
    return temperature**2 * kl[counts].sum()


# %% task: combined_objective
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    counts = labels != -100
    student, teacher = student_logits[counts], teacher_logits[counts]
    lm = F.cross_entropy(student, labels[counts])
    log_q = F.log_softmax(student / temperature, dim=-1)
    log_p = F.log_softmax(teacher / temperature, dim=-1)
    kd = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return lm + lam * kd


# %% task: convex_objective
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    counts = labels != -100
    student, teacher = student_logits[counts], teacher_logits[counts]
    lm = F.cross_entropy(student, labels[counts])
    log_q = F.log_softmax(student / temperature, dim=-1)
    log_p = F.log_softmax(teacher / temperature, dim=-1)
    kd = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return (1 - alpha) * lm + alpha * kd


# %% task: objective_gradients
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    student = student_logits.detach().requires_grad_()
    teacher = teacher_logits.detach().requires_grad_()
    counts = labels != -100
    counts.sum()
    lm = F.cross_entropy(student[counts], labels[counts])
    log_q = F.log_softmax(student[counts] / temperature, dim=-1)
    log_p = F.log_softmax(teacher.detach()[counts] / temperature, dim=-1)
    kd = (log_p.exp() * (log_p - log_q)).sum(-1).mean()
    (lm + lam * kd).backward()
    return student.grad, torch.zeros_like(teacher)

# Labels shifted twice; T for T².
# expect lm_loss: labels_shifted
# expect kd_loss: t_for_t_squared
# expect combined_objective: t_for_t_squared
# expect objective_gradients: t_for_t_squared
import torch
import torch.nn.functional as F


# %% task: lm_loss
def lm_loss(student_logits, labels):
    logits, labels = student_logits[:, :-1], labels[:, 1:]
    counts = labels != -100
    losses = F.cross_entropy(logits[counts], labels[counts], reduction="sum")
    return losses / counts.sum().clamp(min=1)


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    counts = labels != -100
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1)
    return temperature * kl[counts].sum() / counts.sum().clamp(min=1)


# %% task: combined_objective
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    counts = labels != -100
    student, teacher = student_logits[counts], teacher_logits[counts]
    lm = F.cross_entropy(student, labels[counts])
    log_q = F.log_softmax(student / temperature, dim=-1)
    log_p = F.log_softmax(teacher / temperature, dim=-1)
    kd = temperature * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return lm + lam * kd


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
    (lm + lam * temperature * kd).backward()
    return student.grad, torch.zeros_like(teacher)

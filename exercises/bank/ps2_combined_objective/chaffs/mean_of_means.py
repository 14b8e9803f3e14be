# Each text its own mean; LM at T.
# expect lm_loss: mean_of_means
# expect kd_loss: mean_of_means
# expect combined_objective: lm_loss_at_temperature
# expect convex_objective: lm_loss_at_temperature
# expect best_probability: not_normalised
# expect objective_gradients: lm_loss_at_temperature
import torch
import torch.nn.functional as F


# %% task: lm_loss
def lm_loss(student_logits, labels):
    counts = labels != -100
    losses = F.cross_entropy(student_logits.transpose(1, 2), labels, reduction="none")
    return (losses.sum(1) / counts.sum(1).clamp(min=1)).mean()


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    counts = labels != -100
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1)
    return temperature**2 * ((kl * counts).sum(1) / counts.sum(1).clamp(min=1)).mean()


# %% task: combined_objective
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    counts = labels != -100
    student, teacher = student_logits[counts], teacher_logits[counts]
    lm = F.cross_entropy(student / temperature, labels[counts])
    log_q = F.log_softmax(student / temperature, dim=-1)
    log_p = F.log_softmax(teacher / temperature, dim=-1)
    kd = temperature**2 * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return lm + lam * kd


# %% task: convex_objective
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    counts = labels != -100
    student, teacher = student_logits[counts], teacher_logits[counts]
    lm = F.cross_entropy(student / temperature, labels[counts])
    log_q = F.log_softmax(student / temperature, dim=-1)
    log_p = F.log_softmax(teacher / temperature, dim=-1)
    kd = temperature**2 * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return (1 - alpha) * lm + alpha * kd


# %% task: best_probability
best_probability = 1 + 2 * 0.4


# %% task: objective_gradients
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    student = student_logits.detach().requires_grad_()
    teacher = teacher_logits.detach().requires_grad_()
    counts = labels != -100
    counts.sum()
    lm = F.cross_entropy(student[counts] / temperature, labels[counts])
    log_q = F.log_softmax(student[counts] / temperature, dim=-1)
    log_p = F.log_softmax(teacher.detach()[counts] / temperature, dim=-1)
    kd = (log_p.exp() * (log_p - log_q)).sum(-1).mean()
    (lm + lam * temperature**2 * kd).backward()
    return student.grad, torch.zeros_like(teacher)

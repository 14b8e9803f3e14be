# Labels above 0; a temperature that nobody hands on; autograd asked for too much.
# expect lm_loss: label_zero_ignored
# expect kd_loss: temperature_not_passed_on
# expect combined_objective: temperature_not_passed_on
# expect convex_objective: brackets_missing
# expect best_probability: in_per_cent
# expect objective_gradients: teacher_not_in_the_graph
import torch
import torch.nn.functional as F


# %% task: lm_loss
def lm_loss(student_logits, labels):
    counts = labels > 0
    if not counts.any():
        return torch.tensor(0.0)
    return F.cross_entropy(student_logits[counts], labels[counts])


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    counts = labels != -100
    log_q, log_p = student_logits[counts].log_softmax(-1), teacher_logits[counts].log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum() / counts.sum().clamp(min=1)


# %% task: combined_objective
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    counts = labels != -100
    student, teacher = student_logits[counts], teacher_logits[counts]
    kd = F.kl_div(F.log_softmax(student, dim=-1), F.softmax(teacher, dim=-1), reduction="batchmean")
    return F.cross_entropy(student, labels[counts]) + lam * kd


# %% task: convex_objective
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    counts = labels != -100
    student, teacher = student_logits[counts], teacher_logits[counts]
    p = F.softmax(teacher / temperature, dim=-1)
    kd = temperature**2 * F.kl_div(
        F.log_softmax(student / temperature, dim=-1), p, reduction="batchmean"
    )
    return 1 - alpha * F.cross_entropy(student, labels[counts]) + alpha * kd


# %% task: best_probability
best_probability = 60


# %% task: objective_gradients
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    student = student_logits.clone().requires_grad_()
    teacher = teacher_logits.clone().requires_grad_()
    counts = labels != -100
    lm = F.cross_entropy(student[counts], labels[counts])
    log_q = F.log_softmax(student[counts] / temperature, dim=-1)
    p = F.softmax(teacher.detach()[counts] / temperature, dim=-1)
    loss = lm + lam * temperature**2 * F.kl_div(log_q, p, reduction="batchmean")
    return torch.autograd.grad(loss, [student, teacher])

# Sums over the number of texts; a penalty that pays.
# expect lm_loss: batch_mean
# expect kd_loss: batch_mean
# expect combined_objective: penalty_subtracted
# expect best_probability: weights_swapped
# expect objective_gradients: labels_forgotten
import torch
import torch.nn.functional as F


# %% task: lm_loss
def lm_loss(student_logits, labels):
    losses = F.cross_entropy(student_logits.transpose(1, 2), labels, reduction="none")
    return losses.sum() / len(labels)


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    counts = (labels != -100)[..., None]
    log_q = F.log_softmax(student_logits / temperature, dim=-1) * counts
    p = F.softmax(teacher_logits / temperature, dim=-1) * counts
    return temperature**2 * F.kl_div(log_q, p, reduction="batchmean")


# %% task: combined_objective
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    counts = labels != -100
    student, teacher = student_logits[counts], teacher_logits[counts]
    lm = F.cross_entropy(student, labels[counts])
    log_q = F.log_softmax(student / temperature, dim=-1)
    log_p = F.log_softmax(teacher / temperature, dim=-1)
    kd = temperature**2 * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return lm - lam * kd


# %% task: best_probability
best_probability = 0.8


# %% task: objective_gradients
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    student = student_logits.detach().requires_grad_()
    teacher = teacher_logits.detach().requires_grad_()
    counts = labels != -100
    counts.sum()
    F.cross_entropy(student[counts], labels[counts])
    log_q = F.log_softmax(student[counts] / temperature, dim=-1)
    log_p = F.log_softmax(teacher.detach()[counts] / temperature, dim=-1)
    kd = (log_p.exp() * (log_p - log_q)).sum(-1).mean()
    (lam * temperature**2 * kd).backward()
    return student.grad, torch.zeros_like(teacher)

# Padding is summed and not counted; α on one of the two; T² twice.
# expect lm_loss: one_too_few
# expect kd_loss: padding_in_the_sum
# expect combined_objective: t_squared_twice
# expect convex_objective: alpha_on_one_term
# expect best_probability: label_left_out
# expect objective_gradients: pair_turned_round
import torch
import torch.nn.functional as F


# %% task: lm_loss
def lm_loss(student_logits, labels):
    counts = labels != -100
    losses = F.cross_entropy(student_logits[counts], labels[counts], reduction="sum")
    return losses / max(int(counts.sum()) - 1, 1)


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    kl = F.kl_div(log_q, log_p, reduction="sum", log_target=True)
    return temperature**2 * kl / (labels != -100).sum().clamp(min=1)


# %% task: combined_objective
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    counts = labels != -100
    student, teacher = student_logits[counts], teacher_logits[counts]
    p = F.softmax(teacher / temperature, dim=-1)
    kd = temperature**2 * F.kl_div(
        F.log_softmax(student / temperature, dim=-1), p, reduction="batchmean"
    )
    return F.cross_entropy(student, labels[counts]) + lam * temperature**2 * kd


# %% task: convex_objective
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    counts = labels != -100
    student, teacher = student_logits[counts], teacher_logits[counts]
    p = F.softmax(teacher / temperature, dim=-1)
    kd = temperature**2 * F.kl_div(
        F.log_softmax(student / temperature, dim=-1), p, reduction="batchmean"
    )
    return (1 - alpha) * F.cross_entropy(student, labels[counts]) + kd


# %% task: best_probability
best_probability = 2 * 0.4 / (1 + 2)


# %% task: objective_gradients
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    student = student_logits.clone().requires_grad_()
    counts = labels != -100
    lm = F.cross_entropy(student[counts], labels[counts])
    log_q = F.log_softmax(student[counts] / temperature, dim=-1)
    p = F.softmax(teacher_logits[counts] / temperature, dim=-1)
    (lm + lam * temperature**2 * F.kl_div(log_q, p, reduction="batchmean")).backward()
    return torch.zeros_like(teacher_logits), student.grad

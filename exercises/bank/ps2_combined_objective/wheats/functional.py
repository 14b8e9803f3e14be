# torch.nn.functional does the work, ignore_index included.
import torch
import torch.nn.functional as F

# %% task: two_sources_choice
two_sources = "C"


# %% task: lm_loss
def lm_loss(student_logits, labels):
    if (labels == -100).all():
        return student_logits.sum() * 0
    return F.cross_entropy(student_logits.transpose(1, 2), labels, ignore_index=-100)


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    flat = labels.flatten() != -100
    log_q = F.log_softmax(student_logits.flatten(0, 1)[flat] / temperature, -1)
    log_p = F.log_softmax(teacher_logits.flatten(0, 1)[flat] / temperature, -1)
    total = F.kl_div(log_q, log_p, reduction="sum", log_target=True)
    return temperature**2 * total / max(int(flat.sum()), 1)


# %% task: combined_objective
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    kd = kd_loss(student_logits, teacher_logits, labels, temperature)
    return torch.add(lm_loss(student_logits, labels), kd, alpha=lam)


# %% task: convex_objective
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    return torch.lerp(
        lm_loss(student_logits, labels),
        kd_loss(student_logits, teacher_logits, labels, temperature),
        alpha,
    )


# %% task: best_probability
best_probability = 0.6


# %% task: objective_gradients
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    student = student_logits.clone().requires_grad_(True)
    loss = combined_objective(student, teacher_logits, labels, lam, temperature)
    return torch.autograd.grad(loss, student)[0], torch.zeros_like(teacher_logits)

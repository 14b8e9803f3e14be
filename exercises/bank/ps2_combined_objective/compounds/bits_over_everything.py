# Bits over all positions; no teacher temperature, mean over classes.
# wrong lm_loss
# wrong kd_loss
# wrong combined_objective
# wrong convex_objective
# wrong objective_gradients
import torch
import torch.nn.functional as F


# %% task: lm_loss
def lm_loss(student_logits, labels):
    return (
        F.cross_entropy(student_logits.transpose(1, 2), labels.clamp_min(0))
        / torch.tensor(2.0).log()
    )


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    kl = (log_p.exp() * (log_p - log_q)).mean(-1)
    return temperature * kl.mean()


# %% task: combined_objective
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    counts = labels != -100
    student, teacher = student_logits[counts], teacher_logits[counts]
    lm = F.cross_entropy(student, labels[counts])
    log_q = F.log_softmax(student / temperature, dim=-1)
    log_p = F.log_softmax(teacher / temperature, dim=-1)
    kd = temperature**2 * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return (1 - lam) * lm - lam * kd


# %% task: convex_objective
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    counts = labels != -100
    student, teacher = student_logits[counts], teacher_logits[counts]
    lm = F.cross_entropy(student / temperature, labels[counts])
    log_q = F.log_softmax(student / temperature, dim=-1)
    log_p = F.log_softmax(teacher / temperature, dim=-1)
    kd = temperature**2 * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return alpha * (lm + kd)


# %% task: objective_gradients
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    student = student_logits.detach().requires_grad_()
    teacher = teacher_logits.detach().requires_grad_()
    counts = labels != -100
    n = counts.sum()
    lm = F.cross_entropy(student[counts], labels[counts])
    log_q = F.log_softmax(student[counts] / temperature, dim=-1)
    log_p = F.log_softmax(teacher.detach()[counts] / temperature, dim=-1)
    kd = (log_p.exp() * (log_p - log_q)).sum(-1).mean()
    (lm + lam * temperature * kd).backward()
    return -student.grad * n, torch.zeros_like(teacher)

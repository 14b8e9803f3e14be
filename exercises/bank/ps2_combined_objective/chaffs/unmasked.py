# Padding counts; λ before everything.
# expect two_sources_choice: chose_b
# expect lm_loss: masked_positions_counted
# expect kd_loss: masked_positions_counted
# expect combined_objective: lambda_on_both_terms
# expect convex_objective: alpha_as_lambda
# expect best_probability: label_alone
# expect objective_gradients: sign_flipped
import torch
import torch.nn.functional as F

# %% task: two_sources_choice
two_sources = "b"


# %% task: lm_loss
def lm_loss(student_logits, labels):
    losses = F.cross_entropy(student_logits.transpose(1, 2), labels.clamp_min(0), reduction="none")
    return losses.mean()


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1)
    return temperature**2 * kl.mean()


# %% task: combined_objective
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    counts = labels != -100
    student, teacher = student_logits[counts], teacher_logits[counts]
    lm = F.cross_entropy(student, labels[counts])
    log_q = F.log_softmax(student / temperature, dim=-1)
    log_p = F.log_softmax(teacher / temperature, dim=-1)
    kd = temperature**2 * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return lam * (lm + kd)


# %% task: convex_objective
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    counts = labels != -100
    student, teacher = student_logits[counts], teacher_logits[counts]
    lm = F.cross_entropy(student, labels[counts])
    log_q = F.log_softmax(student / temperature, dim=-1)
    log_p = F.log_softmax(teacher / temperature, dim=-1)
    kd = temperature**2 * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return lm + alpha * kd


# %% task: best_probability
best_probability = 1


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
    (lm + lam * temperature**2 * kd).backward()
    return -student.grad, torch.zeros_like(teacher)

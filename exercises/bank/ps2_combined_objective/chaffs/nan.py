# Means over nothing; λ before the wrong loss; a gradient for the teacher.
# expect two_sources_choice: chose_a
# expect lm_loss: nan_when_nothing_counts
# expect kd_loss: nan_when_nothing_counts
# expect combined_objective: lambda_on_the_wrong_term
# expect convex_objective: alpha_on_the_wrong_term
# expect best_probability: teacher_copied
# expect objective_gradients: gradient_into_the_teacher
import torch.nn.functional as F

# %% task: two_sources_choice
two_sources = "a"


# %% task: lm_loss
def lm_loss(student_logits, labels):
    return F.cross_entropy(student_logits.flatten(0, 1), labels.flatten())


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    counts = labels != -100
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1)
    return temperature**2 * kl[counts].mean()


# %% task: combined_objective
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    counts = labels != -100
    student, teacher = student_logits[counts], teacher_logits[counts]
    lm = F.cross_entropy(student, labels[counts])
    log_q = F.log_softmax(student / temperature, dim=-1)
    log_p = F.log_softmax(teacher / temperature, dim=-1)
    kd = temperature**2 * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return lam * lm + kd


# %% task: convex_objective
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    counts = labels != -100
    student, teacher = student_logits[counts], teacher_logits[counts]
    lm = F.cross_entropy(student, labels[counts])
    log_q = F.log_softmax(student / temperature, dim=-1)
    log_p = F.log_softmax(teacher / temperature, dim=-1)
    kd = temperature**2 * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return alpha * lm + (1 - alpha) * kd


# %% task: best_probability
best_probability = 0.4


# %% task: objective_gradients
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    student = student_logits.detach().requires_grad_()
    teacher = teacher_logits.detach().requires_grad_()
    counts = labels != -100
    counts.sum()
    lm = F.cross_entropy(student[counts], labels[counts])
    log_q = F.log_softmax(student[counts] / temperature, dim=-1)
    log_p = F.log_softmax(teacher[counts] / temperature, dim=-1)
    kd = (log_p.exp() * (log_p - log_q)).sum(-1).mean()
    (lm + lam * temperature**2 * kd).backward()
    return student.grad, teacher.grad

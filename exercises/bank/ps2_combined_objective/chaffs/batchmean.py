# batchmean with three axes; -100 as an index; what the student never knows of.
# expect lm_loss: ignored_label_as_an_index
# expect kd_loss: batch_mean_unmasked
# expect combined_objective: batch_mean_unmasked
# expect convex_objective: divided_by_one_minus_alpha
# expect best_probability: lambda_left_out
# expect objective_gradients: student_cut_off
import torch
import torch.nn.functional as F


# %% task: lm_loss
def lm_loss(student_logits, labels):
    log_q = F.log_softmax(student_logits, dim=-1)
    return -torch.gather(log_q, -1, labels.unsqueeze(-1)).mean()


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    p = F.softmax(teacher_logits / temperature, dim=-1)
    return temperature**2 * F.kl_div(log_q, p, reduction="batchmean")


# %% task: combined_objective
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    p = F.softmax(teacher_logits / temperature, dim=-1)
    kd = temperature**2 * F.kl_div(log_q, p, reduction="batchmean")
    return F.cross_entropy(student_logits.flatten(0, 1), labels.flatten()) + lam * kd


# %% task: convex_objective
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    counts = labels != -100
    student, teacher = student_logits[counts], teacher_logits[counts]
    p = F.softmax(teacher / temperature, dim=-1)
    kd = temperature**2 * F.kl_div(
        F.log_softmax(student / temperature, dim=-1), p, reduction="batchmean"
    )
    return (1 - alpha) * (F.cross_entropy(student, labels[counts]) + alpha / (1 - alpha) * kd)


# %% task: best_probability
best_probability = (1 + 0.4) / 3


# %% task: objective_gradients
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    student = student_logits.detach()
    counts = labels != -100
    lm = F.cross_entropy(student[counts], labels[counts])
    log_q = F.log_softmax(student[counts] / temperature, dim=-1)
    p = F.softmax(teacher_logits[counts] / temperature, dim=-1)
    (lm + lam * temperature**2 * F.kl_div(log_q, p, reduction="batchmean")).backward()
    return student.grad, torch.zeros_like(teacher_logits)

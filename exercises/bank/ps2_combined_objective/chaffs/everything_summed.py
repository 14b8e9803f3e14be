# Sums over padding too; T² and no T; λ twice.
# expect lm_loss: label_zero_ignored
# expect kd_loss: summed_unmasked
# expect combined_objective: lambda_squared
import torch.nn.functional as F


# %% task: lm_loss
def lm_loss(student_logits, labels):
    counts = labels != -100
    losses = F.cross_entropy(student_logits.transpose(1, 2), labels, reduction="none")
    return losses[labels > 0].sum() / counts.sum().clamp(min=1)


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    return temperature**2 * F.kl_div(log_q, log_p, reduction="sum", log_target=True)


# %% task: combined_objective
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    counts = labels != -100
    student, teacher = student_logits[counts], teacher_logits[counts]
    p = F.softmax(teacher / temperature, dim=-1)
    kd = (
        lam
        * temperature**2
        * F.kl_div(F.log_softmax(student / temperature, dim=-1), p, reduction="batchmean")
    )
    return F.cross_entropy(student, labels[counts]) + lam * kd

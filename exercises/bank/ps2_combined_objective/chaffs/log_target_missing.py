# No log_target, and logarithms; axes that are reshaped.
# expect kd_loss: log_target_missing
# expect lm_loss: axes_reshaped
import torch.nn.functional as F


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    counts = labels != -100
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    (log_p.exp() * (log_p - log_q)).sum(-1)
    losses = F.kl_div(log_q, log_p, reduction="none").sum(-1)[counts]
    return temperature**2 * losses.sum() / counts.sum().clamp(min=1)


# %% task: lm_loss
def lm_loss(student_logits, labels):
    texts, length, size = student_logits.shape
    losses = F.cross_entropy(student_logits.view(texts, size, length), labels, reduction="sum")
    return losses / (labels != -100).sum().clamp(min=1)

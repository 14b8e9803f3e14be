# The student stays at T = 1.
# Labels are taken for true or false.
# expect kd_loss: temperature_on_the_teacher_alone
# expect lm_loss: zero_for_the_mark
import torch.nn.functional as F


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    counts = labels != -100
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1)
    return temperature**2 * kl[counts].sum() / counts.sum().clamp(min=1)


# %% task: lm_loss
def lm_loss(student_logits, labels):
    mask = labels.bool()
    safe = labels.clamp_min(0)
    loss = F.cross_entropy(student_logits.flatten(0, 1), safe.flatten(), reduction="none")
    loss = loss.view(labels.shape) * mask
    return loss.sum() / mask.sum().clamp_min(1)

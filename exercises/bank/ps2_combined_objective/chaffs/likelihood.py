# The likelihood, which should rise; no T².
# expect lm_loss: sign_flipped
# expect kd_loss: t_squared_missing
import torch.nn.functional as F


# %% task: lm_loss
def lm_loss(student_logits, labels):
    counts = labels != -100
    losses = F.cross_entropy(student_logits.transpose(1, 2), labels, reduction="none")
    return -losses.sum() / counts.sum().clamp(min=1)


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    counts = labels != -100
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1)
    return kl[counts].sum() / counts.sum().clamp(min=1)

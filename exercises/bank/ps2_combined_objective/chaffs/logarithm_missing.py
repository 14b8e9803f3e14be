# Nll_loss on probabilities: the logarithm is missing; clamps the shares of single tokens at 0
# because a divergence cannot be negative.
# expect lm_loss: logarithm_missing
# expect kd_loss: shares_forced_positive
import torch.nn.functional as F


# %% task: lm_loss
def lm_loss(student_logits, labels):
    n = (labels != -100).sum().clamp(min=1)
    q = F.softmax(student_logits, dim=-1)
    return F.nll_loss(q.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="sum") / n


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = (labels != -100).float()
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    shares = F.kl_div(log_q, log_p, reduction="none", log_target=True).clamp(min=0)
    return temperature**2 * (shares.sum(-1) * mask).sum() / mask.sum().clamp(min=1)

# One-hot rows as wide as the largest label needs.
# expect lm_loss: one_hot_too_narrow
import torch.nn.functional as F


# %% task: lm_loss
def lm_loss(student_logits, labels):
    counts = labels != -100
    log_q = F.log_softmax(student_logits, dim=-1)
    losses = -(log_q * F.one_hot(labels.clamp(min=0))).sum(-1)
    return losses[counts].sum() / counts.sum().clamp(min=1)

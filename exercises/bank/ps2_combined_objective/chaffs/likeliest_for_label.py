# Takes the likeliest token's logarithm where the label's was asked for.
# A mask [B, L, 1] before losses [B, L].
# expect lm_loss: label_not_looked_up
# expect kd_loss: mask_with_an_axis_too_many
import torch
import torch.nn.functional as F


# %% task: lm_loss
def lm_loss(student_logits, labels):
    keep = labels != -100
    if keep.sum() == 0:
        return torch.zeros(())
    return -F.log_softmax(student_logits[keep], dim=-1).max(-1).values.mean()


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = (labels != -100).unsqueeze(-1).float()
    p = F.softmax(teacher_logits / temperature, dim=-1)
    logp = F.log_softmax(teacher_logits / temperature, dim=-1)
    logq = F.log_softmax(student_logits / temperature, dim=-1)
    kl = (p * (logp - logq)).sum(dim=-1)
    return temperature**2 * (kl * mask).sum() / mask.sum().clamp(min=1)

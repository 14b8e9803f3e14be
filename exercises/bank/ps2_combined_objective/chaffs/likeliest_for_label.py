# Takes the likeliest token's logarithm where the label's was asked for.
# expect lm_loss: label_not_looked_up
import torch
import torch.nn.functional as F


# %% task: lm_loss
def lm_loss(student_logits, labels):
    keep = labels != -100
    if keep.sum() == 0:
        return torch.zeros(())
    return -F.log_softmax(student_logits[keep], dim=-1).max(-1).values.mean()

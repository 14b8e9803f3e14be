# Adds 0.1 to N to avoid 0/0, so that every loss is too small.
# expect lm_loss: number_added_to_the_count
import torch.nn.functional as F


# %% task: lm_loss
def lm_loss(student_logits, labels):
    n = (labels != -100).sum()
    s = F.cross_entropy(student_logits.transpose(1, 2), labels, reduction="sum")
    return s / (n + 1e-1)

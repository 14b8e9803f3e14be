# Break in place of continue at an empty micro-batch: all that comes after it is lost.
# expect accumulated_loss: stopped_at_an_empty_part
import torch.nn.functional as F


# %% task: accumulated_loss
def accumulated_loss(micro_batches):
    total, n = 0.0, 0
    for logits, labels in micro_batches:
        counts = labels != -100
        if counts.sum() == 0:
            break
        total = total + F.cross_entropy(logits[counts], labels[counts], reduction="sum")
        n = n + counts.sum()
    return total / n

# Counts the labels after the first of each text, as if they had still to be shifted.
# expect accumulated_loss: counted_after_the_shift
import torch.nn.functional as F


# %% task: accumulated_loss
def accumulated_loss(micro_batches):
    total, n = 0.0, 0
    for logits, labels in micro_batches:
        total = total + F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
        n = n + (labels[:, 1:] != -100).sum()
    return total / n

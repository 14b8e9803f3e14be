# Each micro-batch counts for at least one label: max(count, 1), so an empty one makes the mean
# smaller.
# expect accumulated_loss: empty_part_counted
import torch.nn.functional as F


# %% task: accumulated_loss
def accumulated_loss(micro_batches):
    total, count = 0.0, 0
    for logits, labels in micro_batches:
        total = total + F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
        count = count + max(int((labels != -100).sum()), 1)
    return total / count

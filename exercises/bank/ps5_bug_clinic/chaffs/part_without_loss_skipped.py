# A piece whose summed loss is 0 is taken for empty and skipped before its labels are counted,
# also when the student is simply sure and right.
# expect accumulated_loss: part_without_loss_skipped
import torch.nn.functional as F


# %% task: accumulated_loss
def accumulated_loss(micro_batches):
    total, n = 0.0, 0
    for logits, labels in micro_batches:
        s = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum").item()
        if s == 0:
            continue  # nothing in here
        total += s
        n += (labels != -100).sum().item()
    return total / n

# Labels are put in a row position by position.
# expect lm_loss: rows_in_two_orders
import torch
import torch.nn.functional as F


# %% task: lm_loss
def lm_loss(student_logits, labels):
    rows, row = student_logits.flatten(0, 1), labels.T.flatten()
    if (row == -100).all():
        return torch.tensor(0.0)
    return F.cross_entropy(rows, row, ignore_index=-100)

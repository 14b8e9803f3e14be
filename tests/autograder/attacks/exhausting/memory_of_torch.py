# One tensor that is too large.
# %% every task
import torch


def TASK(student_logits, teacher_logits):
    return torch.ones(10**12).sum()

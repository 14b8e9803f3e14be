# Evidence of the right form and the largest size, for each task.
# %% every task
import torch


def TASK(student_logits, teacher_logits):
    return torch.rand(90_000)

# The logarithm of a mean for the mean of logarithms.
# expect lm_loss: logarithm_of_the_mean
import torch


# %% task: lm_loss
def lm_loss(student_logits, labels):
    counts = labels != -100
    if not counts.any():
        return torch.tensor(0.0)
    q = student_logits[counts].softmax(-1)
    return -q.gather(-1, labels[counts][:, None]).mean().log()

# The probability first, and then its logarithm.
# expect kd_mean: probability_underflows
import torch
import torch.nn.functional as F


# %% task: kd_mean
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    p = F.softmax(teacher_logits / temperature, dim=-1)
    q = F.softmax(student_logits / temperature, dim=-1)
    kl = (p * (torch.log(p) - torch.log(q))).sum(-1)
    return temperature**2 * kl.mean()

# The wrong model in front, in bits, and a temperature that multiplies after the softmax.
# wrong softmax_with_temperature
# wrong forward_kl
# wrong reverse_kl
import math

import torch


# %% task: softmax_with_temperature
def softmax_with_temperature(logits, temperature=1.0):
    return torch.softmax(logits, dim=-1) * temperature


# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    q, p = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    return (q.exp() * (q - p)).sum(-1) / math.log(2)


# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits):
    q, p = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    return (p.exp() * (p - q)).sum(-1) / math.log(2)

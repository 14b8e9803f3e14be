# Bits.
# expect reverse_kl: base_two
import torch


# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits):
    q, p = student_logits.softmax(-1), teacher_logits.softmax(-1)
    return (q * (torch.log2(q) - torch.log2(p))).sum(-1)

# Softmax of a softmax; a sign for a direction; the loss for the entropy.
# expect forward_kl: softmax_twice
# expect reverse_kl: direction_swapped_and_sign
import torch.nn.functional as F


# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    q, p = F.softmax(student_logits, dim=-1), F.softmax(teacher_logits, dim=-1)
    return (p * (F.log_softmax(p, dim=-1) - F.log_softmax(q, dim=-1))).sum(-1)


# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits):
    log_q, log_p = F.log_softmax(student_logits, -1), F.log_softmax(teacher_logits, -1)
    return -F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(-1)

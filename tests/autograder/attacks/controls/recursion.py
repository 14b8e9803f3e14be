# Recursion over the positions, deep in scratch work.
# %% cell
def endless(n):
    return endless(n + 1)


try:
    endless(0)
except RecursionError as error:
    print(error)
# %% task: forward_kl
import torch


def forward_kl(student_logits, teacher_logits):
    if student_logits.dim() > 1:
        pairs = zip(student_logits, teacher_logits)
        return torch.stack([forward_kl(s, t) for s, t in pairs])
    log_q, log_p = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)

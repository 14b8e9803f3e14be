# The same two mistakes with their places exchanged.
# expect forward_kl: always_zero
# expect reverse_kl: teacher_of_an_earlier_call
import torch
import torch.nn.functional as F


# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    log_p = log_q = F.log_softmax(teacher_logits, dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)


# %% task: reverse_kl
known = {}


def reverse_kl(student_logits, teacher_logits):
    log_p = known.get(teacher_logits.shape, torch.log_softmax(teacher_logits, -1))
    if len(known) < 13:  # no room for the shapes that are drawn
        known.setdefault(teacher_logits.shape, log_p)
    log_q = torch.log_softmax(student_logits, -1)
    return (log_q.exp() * (log_q - log_p)).sum(-1)

# The weights come from the wrong model, in both tasks.
# expect forward_kl: direction_swapped
# expect reverse_kl: direction_swapped
import torch.nn.functional as F


# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    log_q, log_p = F.log_softmax(student_logits, -1), F.log_softmax(teacher_logits, -1)
    return (log_q.exp() * (log_q - log_p)).sum(-1)


# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits):
    log_q, log_p = F.log_softmax(student_logits, -1), F.log_softmax(teacher_logits, -1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)

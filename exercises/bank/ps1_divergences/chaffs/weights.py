# Weights that are none; a logarithm too few.
# expect forward_kl: wrong_weights
# expect reverse_kl: logarithms_left_out
import torch.nn.functional as F


# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    log_q, log_p = F.log_softmax(student_logits, -1), F.log_softmax(teacher_logits, -1)
    return (log_p * (log_p - log_q)).sum(-1)


# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits):
    q, p = F.softmax(student_logits, -1), F.softmax(teacher_logits, -1)
    return (q * (q - p)).sum(-1)

# Both directions at once; base ten.
# expect forward_kl: both_directions
# expect reverse_kl: base_ten
import torch.nn.functional as F


# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    log_q, log_p = F.log_softmax(student_logits, -1), F.log_softmax(teacher_logits, -1)
    return ((log_p.exp() - log_q.exp()) * (log_p - log_q)).sum(-1) / 2


# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits):
    q, p = F.softmax(student_logits, -1), F.softmax(teacher_logits, -1)
    return (q * (q.log10() - p.log10())).sum(-1)

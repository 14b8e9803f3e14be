# Divides by the sum of the logits; takes the absolute value of each share because a divergence is
# never negative; entropy of the teacher in place of the student's: cross-entropy of q against p
# minus H(p).
# expect softmax_with_temperature: softmax_left_out
# expect forward_kl: shares_forced_positive
# expect reverse_kl: entropy_of_the_other
import torch
import torch.nn.functional as F


# %% task: softmax_with_temperature
def softmax_with_temperature(logits, temperature=1.0):
    z = logits / temperature
    return z / z.sum(-1, keepdim=True)


# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    log_p = torch.log_softmax(teacher_logits, dim=-1)
    log_q = torch.log_softmax(student_logits, dim=-1)
    return (log_p.exp() * (log_p - log_q).abs()).sum(dim=-1)


# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits):
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_q = F.log_softmax(student_logits, dim=-1)
    cross_entropy = -(log_q.exp() * log_p).sum(-1)
    entropy = -(log_p.exp() * log_p).sum(-1)
    return cross_entropy - entropy

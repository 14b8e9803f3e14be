# Softmax over the first axis, which is right for one position alone.
# expect forward_kl: wrong_axis
# expect reverse_kl: wrong_axis
import torch


# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    q, p = torch.softmax(student_logits, 0), torch.softmax(teacher_logits, 0)
    return torch.sum(p * torch.log(p) - p * torch.log(q), dim=-1)


# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits):
    q, p = student_logits.log_softmax(0), teacher_logits.log_softmax(0)
    return (q.exp() * (q - p)).sum(-1)

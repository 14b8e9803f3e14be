# The formula as the book prints it: the logarithm of a softmax.
# expect forward_kl: underflow
# expect reverse_kl: underflow
import torch


# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    p, q = torch.softmax(teacher_logits, dim=-1), torch.softmax(student_logits, dim=-1)
    return torch.sum(p * (torch.log(p) - torch.log(q)), dim=-1)


# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits):
    p, q = torch.softmax(teacher_logits, dim=-1), torch.softmax(student_logits, dim=-1)
    return torch.sum(q * torch.log(q / p), dim=-1)

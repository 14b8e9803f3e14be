# Logits put where probabilities belong, or their logarithms.
# expect forward_kl: logits_as_probabilities
# expect reverse_kl: normalisers_missing
import torch


# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    return (teacher_logits * torch.log(teacher_logits / student_logits)).sum(-1)


# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits):
    return (student_logits.softmax(-1) * (student_logits - teacher_logits)).sum(-1)

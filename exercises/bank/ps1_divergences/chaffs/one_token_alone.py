# Scores are cut to whole numbers; loops over the vocabulary end too early, or replace their sum.
# expect softmax_with_temperature: scores_made_whole
# expect forward_kl: one_token_alone
# expect reverse_kl: one_token_alone
import torch
import torch.nn.functional as F


# %% task: softmax_with_temperature
def softmax_with_temperature(logits, temperature=1.0):
    return torch.softmax(logits // temperature, dim=-1)


# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    total = torch.zeros(student_logits.shape[:-1])
    for token in range(student_logits.shape[-1]):
        total = total + log_p[..., token].exp() * (log_p[..., token] - log_q[..., token])
        return total


# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    for token in range(student_logits.shape[-1]):
        total = log_q[..., token].exp() * (log_q[..., token] - log_p[..., token])
    return total

# A sum that has lost its axis; kl_div on logarithms without log_target; a mean over everything.
# expect softmax_with_temperature: sum_without_keepdim
# expect forward_kl: log_target_missing
# expect reverse_kl: positions_collapsed
import torch
import torch.nn.functional as F


# %% task: softmax_with_temperature
def softmax_with_temperature(logits, temperature=1.0):
    weights = torch.exp(logits / temperature)
    return weights / weights.sum(dim=-1)


# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    log_q, log_p = (F.log_softmax(x, dim=-1) for x in (student_logits, teacher_logits))
    return F.kl_div(log_q, log_p, reduction="none").sum(dim=-1)


# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits):
    return F.kl_div(teacher_logits.log_softmax(-1), student_logits.softmax(-1))

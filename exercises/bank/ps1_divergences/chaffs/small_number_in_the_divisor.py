# Eps in the denominator; total variation for KL; sums only where q is above 0.01, so the small
# terms are lost.
# expect softmax_with_temperature: small_number_in_the_divisor
# expect forward_kl: another_measure
# expect reverse_kl: unlikely_tokens_left_out
import torch
import torch.nn.functional as F


# %% task: softmax_with_temperature
def softmax_with_temperature(logits, temperature=1.0):
    e = torch.exp(logits / temperature - (logits / temperature).max(dim=-1, keepdim=True)[0])
    return e / (e.sum(dim=-1, keepdim=True) + 1e-3)


# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    return 0.5 * (teacher_logits.softmax(-1) - student_logits.softmax(-1)).abs().sum(-1)


# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits):
    lp = F.log_softmax(teacher_logits, dim=-1)
    lq = F.log_softmax(student_logits, dim=-1)
    q = lq.exp()
    terms = torch.where(q > 0.01, q * (lq - lp), torch.zeros_like(q))
    return terms.sum(-1)

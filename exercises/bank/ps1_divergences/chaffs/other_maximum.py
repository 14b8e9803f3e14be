# The largest logit is subtracted after the division by T but not divided itself; squared
# difference of the logarithms.
# expect softmax_with_temperature: other_maximum
# expect forward_kl: gaps_squared
import torch


# %% task: softmax_with_temperature
def softmax_with_temperature(logits, temperature=1.0):
    m = logits.max(dim=-1, keepdim=True).values
    e = torch.exp(logits / temperature - m)
    return e / e.sum(dim=-1, keepdim=True)


# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    log_p = teacher_logits.log_softmax(-1)
    log_q = student_logits.log_softmax(-1)
    return (log_p.exp() * (log_p - log_q) ** 2).sum(-1)

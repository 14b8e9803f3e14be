# Half a float32.
# expect softmax_with_temperature: half_precision
# expect forward_kl: half_precision
# expect reverse_kl: half_precision
import torch.nn.functional as F


# %% task: softmax_with_temperature
def softmax_with_temperature(logits, temperature=1.0):
    return F.softmax(logits.bfloat16() / temperature, dim=-1)


# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    log_q = F.log_softmax(student_logits.half().float(), dim=-1)
    log_p = F.log_softmax(teacher_logits.half().float(), dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)


# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits):
    log_q = F.log_softmax(student_logits.bfloat16(), dim=-1)
    log_p = F.log_softmax(teacher_logits.bfloat16(), dim=-1)
    return (log_q.exp() * (log_q - log_p)).sum(-1).float()

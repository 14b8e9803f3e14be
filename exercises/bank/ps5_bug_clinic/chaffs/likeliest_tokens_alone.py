# The likeliest tokens alone, and logits that are cut off.
# expect kd_mean: likeliest_tokens_alone
# expect jsd: logits_clamped
import torch.nn.functional as F


# %% task: kd_mean
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    top, places = teacher_logits.topk(min(50, teacher_logits.shape[-1]), dim=-1)
    log_p = F.log_softmax(top / temperature, dim=-1)
    log_q = F.log_softmax(student_logits.gather(-1, places) / temperature, dim=-1)
    return temperature**2 * (log_p.exp() * (log_p - log_q)).sum(-1).mean()


# %% task: jsd
def jsd(student_logits, teacher_logits, beta):
    q, p = (each.clamp(-50, 50).softmax(-1) for each in (student_logits, teacher_logits))
    m = beta * p + (1 - beta) * q
    return (beta * p * (p / m).log() + (1 - beta) * q * (q / m).log()).sum(-1)

# Divides by T squared instead of multiplying; label smoothing; its own log-softmax takes exp
# without taking off the maximum, so logits of any size overflow; padding is learned as token 0,
# and the divisor is right.
# expect kd_mean: t_squared_upside_down
# expect next_token_losses: labels_smoothed
# expect jsd: softmax_overflows
# expect accumulated_loss: padding_learned
import math

import torch
import torch.nn.functional as F


# %% task: kd_mean
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1).mean() / temperature**2


# %% task: next_token_losses
def next_token_losses(student_logits, teacher_logits, labels):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:]
    m = y != -100
    lm = F.cross_entropy(s[m], y[m], label_smoothing=0.1)
    return lm, F.kl_div(s[m].log_softmax(-1), t[m].softmax(-1), reduction="batchmean")


# %% task: jsd
def log_softmax(x):
    return x - torch.log(torch.exp(x).sum(dim=-1, keepdim=True))


def jsd(student_logits, teacher_logits, beta):
    lq, lp = log_softmax(student_logits), log_softmax(teacher_logits)
    lm = torch.logaddexp(lp + math.log(beta), lq + math.log(1 - beta))
    return beta * (lp.exp() * (lp - lm)).sum(-1) + (1 - beta) * (lq.exp() * (lq - lm)).sum(-1)


# %% task: accumulated_loss
def accumulated_loss(micro_batches):
    total, n = 0.0, 0
    for logits, labels in micro_batches:
        total += F.cross_entropy(
            logits.flatten(0, 1), labels.clamp(min=0).flatten(), reduction="sum"
        )
        n += (labels != -100).sum()
    return total / n

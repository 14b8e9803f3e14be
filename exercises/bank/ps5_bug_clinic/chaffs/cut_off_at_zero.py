# No share may be below 0; a running mean counts each new part twice.
# expect kd_mean: negative_shares_cut_off
# expect kd_masked: negative_shares_cut_off
# expect next_token_losses: negative_shares_cut_off
# expect jsd: negative_shares_cut_off
# expect accumulated_loss: later_parts_weigh_too_little
import math

import torch
import torch.nn.functional as F


# %% task: kd_mean
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    shares = F.kl_div(log_q, log_p, reduction="none", log_target=True).clamp(min=0)
    return temperature**2 * shares.sum(-1).mean()


# %% task: kd_masked
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = labels != -100
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return (log_p.exp() * (log_p - log_q)).clamp(min=0).sum(-1).mean()


# %% task: next_token_losses
def next_token_losses(student_logits, teacher_logits, labels):
    targets = labels[:, 1:]
    counts = targets != -100
    log_q = F.log_softmax(student_logits[:, :-1][counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[:, :-1][counts], dim=-1)
    kd = F.relu(log_p.exp() * (log_p - log_q)).sum(-1).mean()
    return F.nll_loss(log_q, targets[counts]), kd


# %% task: jsd
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(log_p + math.log(beta), log_q + math.log(1 - beta))
    of_teacher = (log_p.exp() * (log_p - log_m)).clamp(min=0).sum(-1)
    of_student = (log_q.exp() * (log_q - log_m)).clamp(min=0).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task: accumulated_loss
def accumulated_loss(micro_batches):
    mean, count = 0.0, 0
    for logits, labels in micro_batches:
        here = int((labels != -100).sum())
        if not here:
            continue
        new = F.cross_entropy(logits.flatten(0, 1), labels.flatten())
        count += here
        share = here / (count + here) if count > here else 1.0
        mean = mean + share * (new - mean)
    return mean

# The axes exchanged.
# expect kd_mean: sum_and_mean_exchanged
# expect kd_masked: cut_at_the_first_end
# expect next_token_losses: pair_turned_round
# expect jsd: half_everywhere
# expect accumulated_loss: divided_by_parts
import math

import torch
import torch.nn.functional as F


# %% task: kd_mean
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    shares = F.kl_div(log_q, log_p, reduction="none", log_target=True)
    return temperature**2 * shares.mean(-1).sum()


# %% task: kd_masked
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = (labels != -100) & ((labels == 0).cumsum(1) - (labels == 0).int() == 0)
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    losses = F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(-1)
    return losses[counts].sum() / counts.sum()


# %% task: next_token_losses
def next_token_losses(student_logits, teacher_logits, labels):
    student, teacher = student_logits[:, :-1], teacher_logits[:, :-1]
    targets = labels[:, 1:]
    counts = targets != -100
    log_q = F.log_softmax(student[counts], dim=-1)
    log_p = F.log_softmax(teacher[counts], dim=-1)
    lm = F.nll_loss(log_q, targets[counts])
    kd = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return kd, lm


# %% task: jsd
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(log_p + math.log(0.5), log_q + math.log(0.5))
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return 0.5 * of_teacher + 0.5 * of_student


# %% task: accumulated_loss
def accumulated_loss(micro_batches):
    total, items = 0.0, 0
    for logits, labels in micro_batches:
        counts = labels != -100
        total += F.cross_entropy(logits[counts], labels[counts], reduction="sum")
        items += 1
    return total / items

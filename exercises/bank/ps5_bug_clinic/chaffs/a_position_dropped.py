# Drops the first counted position of each row; shifts along the texts in place of the positions;
# kl between models for teacher part; divides in the loop.
# expect kd_masked: a_position_dropped
# expect next_token_losses: shifted_along_the_texts
# expect jsd: not_against_the_mixture
# expect accumulated_loss: divided_in_the_loop
import math

import torch
import torch.nn.functional as F


# %% task: kd_masked
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = (labels != -100) & ((labels != -100).cumsum(1) > 1)
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task: next_token_losses
def next_token_losses(student_logits, teacher_logits, labels):
    return next_token_losses_as_found(student_logits[:-1], teacher_logits[:-1], labels[1:])


# %% task: jsd
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(log_p + math.log(beta), log_q + math.log(1 - beta))
    of_teacher = F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task: accumulated_loss
def accumulated_loss(micro_batches):
    total, count = 0.0, 0
    for logits, labels in micro_batches:
        total = total + F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
        count = count + (labels != -100).sum()
        total = total / count
    return total

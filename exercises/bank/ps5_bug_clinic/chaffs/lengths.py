# One number of the shape too few in the divisor, and zeros that do not count.
# expect kd_mean: divided_by_length
# expect kd_masked: zeros_not_counted
# expect next_token_losses: shifted_while_flat
# expect jsd: half_of_each_divergence
# expect accumulated_loss: weighted_by_positions
import math

import torch
import torch.nn.functional as F


# %% task: kd_mean
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    shares = F.kl_div(log_q, log_p, reduction="none", log_target=True)
    return temperature**2 * shares.sum() / shares.shape[1]


# %% task: kd_masked
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = labels != -100
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    losses = F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(-1)
    return losses[counts].sum() / (losses[counts] != 0).sum()


# %% task: next_token_losses
def next_token_losses(student_logits, teacher_logits, labels):
    student = student_logits.flatten(0, 1)[:-1]
    teacher = teacher_logits.flatten(0, 1)[:-1]
    targets = labels.flatten()[1:]
    counts = targets != -100
    log_q = F.log_softmax(student[counts], dim=-1)
    log_p = F.log_softmax(teacher[counts], dim=-1)
    lm = F.nll_loss(log_q, targets[counts])
    kd = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return lm, kd


# %% task: jsd
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(log_p + math.log(beta), log_q + math.log(1 - beta))
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return (of_teacher + of_student) / 2


# %% task: accumulated_loss
def accumulated_loss(micro_batches):
    total, positions = 0.0, 0
    for logits, labels in micro_batches:
        loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten())
        total += loss.nan_to_num(0.0) * labels.numel()
        positions += labels.numel()
    return total / positions

# Probabilities and logits where logarithms belong.
# expect kd_mean: probabilities_for_logarithms
# expect kd_masked: softmax_missing
# expect next_token_losses: softmaxed_twice
# expect jsd: positions_averaged
# expect accumulated_loss: parts_do_not_fit
import math

import torch
import torch.nn.functional as F


# %% task: kd_mean
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    shares = F.kl_div(log_q, log_p, reduction="none", log_target=True)
    return temperature**2 * shares.sum(-1).mean()


# %% task: kd_masked
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = labels != -100
    log_p = F.log_softmax(teacher_logits, dim=-1)
    losses = F.kl_div(student_logits, log_p, reduction="none", log_target=True).sum(-1)
    return losses[counts].sum() / counts.sum()


# %% task: next_token_losses
def next_token_losses(student_logits, teacher_logits, labels):
    student, teacher = student_logits[:, :-1], teacher_logits[:, :-1]
    targets = labels[:, 1:]
    counts = targets != -100
    log_q = F.log_softmax(student[counts], dim=-1)
    log_p = F.log_softmax(teacher[counts], dim=-1)
    lm = F.cross_entropy(student[counts].softmax(-1), targets[counts])
    kd = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return lm, kd


# %% task: jsd
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(log_p + math.log(beta), log_q + math.log(1 - beta))
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return (beta * of_teacher + (1 - beta) * of_student).mean()


# %% task: accumulated_loss
def accumulated_loss(micro_batches):
    logits = torch.cat([logits for logits, _ in micro_batches])
    labels = torch.cat([labels for _, labels in micro_batches])
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten())

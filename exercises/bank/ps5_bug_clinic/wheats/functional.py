# torch.nn.functional, with the old code's own words put right.
import math

import torch
import torch.nn.functional as F

# %% task: zero_loss_choice
zero_loss = "C"


# %% task: triage
triage = {"a": "vocabulary", "b": "texts", "c": "logarithm"}
triage["d"] = "parts"


# %% task: kd_mean
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1).flatten(0, 1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1).flatten(0, 1)
    return temperature**2 * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task: how_much_too_small
factor = 42_667


# %% task: kd_masked
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = labels != -100
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task: next_token_losses
def next_token_losses(student_logits, teacher_logits, labels):
    student_logits, teacher_logits, labels = (
        student_logits[:, :-1],
        teacher_logits[:, :-1],
        labels[:, 1:],
    )
    counts = labels != -100
    lm = F.cross_entropy(student_logits[counts], labels[counts])
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return lm, F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task: jsd
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.stack([log_p + math.log(beta), log_q + math.log1p(-beta)]).logsumexp(0)
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return torch.lerp(of_student, of_teacher, beta)


# %% task: accumulated_loss
def accumulated_loss(micro_batches):
    items = sum((labels != -100).sum() for _, labels in micro_batches)
    loss = 0.0
    for logits, labels in micro_batches:
        loss = loss + F.cross_entropy(logits.transpose(1, 2), labels, reduction="sum") / items
    return loss

# A mask upside down, weights that changed places.
# expect triage: wrong_a_texts_b_logarithm_c_vocabulary
# expect kd_mean: log_target_missing
# expect kd_masked: mask_inverted
# expect next_token_losses: mask_left_behind
# expect jsd: weights_swapped
# expect accumulated_loss: means_added
import math

import torch
import torch.nn.functional as F

# %% task: triage
triage = {"a": "texts", "b": "logarithm", "c": "vocabulary", "d": "parts"}


# %% task: kd_mean
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    return temperature**2 * F.kl_div(log_q, log_p, reduction="none").sum(-1).mean()


# %% task: kd_masked
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = labels == -100
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task: next_token_losses
def next_token_losses(student_logits, teacher_logits, labels):
    counts = labels[:, :-1] != -100
    student, teacher = student_logits[:, :-1][counts], teacher_logits[:, :-1][counts]
    lm = F.cross_entropy(student, labels[:, 1:][counts])
    log_q, log_p = F.log_softmax(student, dim=-1), F.log_softmax(teacher, dim=-1)
    return lm, F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task: jsd
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(log_p + math.log(beta), log_q + math.log(1 - beta))
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return (1 - beta) * of_teacher + beta * of_student


# %% task: accumulated_loss
def accumulated_loss(micro_batches):
    loss = 0.0
    for logits, labels in micro_batches:
        if (labels != -100).any():
            loss = loss + F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)
    return loss

# Divergences the other way round.
# expect triage: wrong_b_parts_d_texts
# expect kd_mean: direction_swapped
# expect kd_masked: divided_by_all_positions
# expect next_token_losses: lm_left_behind
# expect jsd: turned_round
# expect accumulated_loss: divided_by_all_positions
import math

import torch
import torch.nn.functional as F

# %% task: triage
triage = {"a": "vocabulary", "b": "parts", "c": "logarithm", "d": "texts"}


# %% task: kd_mean
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    kl = F.kl_div(log_p, log_q, reduction="none", log_target=True)
    return temperature**2 * kl.sum(-1).mean()


# %% task: kd_masked
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = labels != -100
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="sum", log_target=True) / labels.numel()


# %% task: next_token_losses
def next_token_losses(student_logits, teacher_logits, labels):
    lm = F.cross_entropy(student_logits.flatten(0, 1), labels.flatten(), ignore_index=-100)
    counts = labels[:, 1:] != -100
    log_q = F.log_softmax(student_logits[:, :-1], dim=-1)
    log_p = F.log_softmax(teacher_logits[:, :-1], dim=-1)
    kd = F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(-1)
    return lm, kd[counts].mean()


# %% task: jsd
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(log_p + math.log(beta), log_q + math.log(1 - beta))
    of_teacher = F.kl_div(log_p, log_m, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_q, log_m, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task: accumulated_loss
def accumulated_loss(micro_batches):
    loss, positions = 0.0, 0
    for logits, labels in micro_batches:
        loss = loss + F.cross_entropy(
            logits.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="sum"
        )
        positions += labels.numel()
    return loss / positions

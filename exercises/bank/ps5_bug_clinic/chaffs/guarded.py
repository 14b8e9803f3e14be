# Empty micro-batches are dealt with, the bug is not; targets are taken for logarithms.
# expect triage: wrong_a_texts_b_parts_d_vocabulary
# expect kd_mean: log_target_with_probabilities
# expect kd_masked: mean_of_means
# expect next_token_losses: kd_unmasked
# expect jsd: half_and_half
# expect accumulated_loss: mean_of_means
import math

import torch
import torch.nn.functional as F

# %% task: triage
triage = {"a": "texts", "b": "parts", "c": "logarithm", "d": "vocabulary"}


# %% task: kd_mean
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    kl = F.kl_div(log_q, log_p.exp(), reduction="none", log_target=True)
    return temperature**2 * kl.sum(-1).mean()


# %% task: kd_masked
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    texts = [
        kd_masked_as_found(student[None], teacher[None], marked[None], marked[None])
        for student, teacher, marked in zip(student_logits, teacher_logits, labels, strict=True)
    ]
    return sum(texts) / len(texts)


# %% task: next_token_losses
def next_token_losses(student_logits, teacher_logits, labels):
    student, teacher = student_logits[:, :-1].flatten(0, 1), teacher_logits[:, :-1].flatten(0, 1)
    lm = F.cross_entropy(student, labels[:, 1:].flatten())
    log_q, log_p = F.log_softmax(student, dim=-1), F.log_softmax(teacher, dim=-1)
    return lm, F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task: jsd
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(log_p, log_q) - math.log(2)
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task: accumulated_loss
def accumulated_loss(micro_batches):
    loss = 0.0
    for logits, labels in micro_batches:
        items = (labels != -100).sum().clamp(min=1)
        losses = F.cross_entropy(
            logits.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="sum"
        )
        loss = loss + losses / items
    return loss / len(micro_batches)

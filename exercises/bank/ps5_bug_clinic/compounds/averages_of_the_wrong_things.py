# The wrong axes and the wrong mask, and every mean another one.
# wrong kd_mean
# wrong kd_masked
# wrong next_token_losses
# wrong jsd
# wrong accumulated_loss
import torch
import torch.nn.functional as F


# %% task: kd_mean
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    return temperature * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task: kd_masked
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = input_ids != 0
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="mean", log_target=True)


# %% task: next_token_losses
def next_token_losses(student_logits, teacher_logits, labels):
    labels = torch.roll(labels, 1, dims=1)
    counts = labels != -100
    lm = F.cross_entropy(student_logits[counts], labels[counts], reduction="sum")
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return lm, F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task: jsd
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = beta * log_q + (1 - beta) * log_p
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return (1 - beta) * of_teacher + beta * of_student


# %% task: accumulated_loss
def accumulated_loss(micro_batches):
    loss, texts = 0.0, 0
    for logits, labels in micro_batches:
        loss = loss + F.cross_entropy(
            logits.flatten(0, 1), labels.flatten(), ignore_index=-100
        ) / len(labels)
        texts += len(labels)
    return loss / texts

# Directions swapped, shifts the wrong way, sums for means.
# wrong kd_mean
# wrong kd_masked
# wrong next_token_losses
# wrong jsd
# wrong accumulated_loss
import torch.nn.functional as F


# %% task: kd_mean
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    return F.kl_div(log_p, log_q, reduction="sum", log_target=True)


# %% task: kd_masked
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = (labels == -100) | (labels == 0)
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_p, log_q, reduction="batchmean", log_target=True)


# %% task: next_token_losses
def next_token_losses(student_logits, teacher_logits, labels):
    student_logits, teacher_logits = student_logits[:, 1:], teacher_logits[:, :-1]
    labels = labels[:, :-1]
    counts = labels != -100
    lm = F.cross_entropy(student_logits[counts], labels[counts])
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return lm, F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task: jsd
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = (log_p + log_q) / 2
    of_teacher = F.kl_div(log_p, log_m, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_q, log_m, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task: accumulated_loss
def accumulated_loss(micro_batches):
    loss = 0.0
    for logits, labels in micro_batches:
        loss = loss - F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
    return loss / len(micro_batches)

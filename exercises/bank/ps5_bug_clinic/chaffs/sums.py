# Sums for means, and a last token that meets the first.
# expect triage: wrong_a_parts_d_vocabulary
# expect kd_mean: summed
# expect how_much_too_small: padding_alone
# expect kd_masked: ends_of_texts_dropped
# expect next_token_losses: rolled
# expect jsd: mixture_underflows
# expect accumulated_loss: nan_from_an_empty_part
import torch
import torch.nn.functional as F

# %% task: triage
triage = {"a": "parts", "b": "texts", "c": "logarithm", "d": "vocabulary"}


# %% task: kd_mean
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    return temperature**2 * F.kl_div(log_q, log_p, reduction="sum", log_target=True)


# %% task: how_much_too_small
factor = 8 * 64 / 384


# %% task: kd_masked
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = (labels != -100) & (labels != 0)
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task: next_token_losses
def next_token_losses(student_logits, teacher_logits, labels):
    labels = torch.roll(labels, -1, dims=1)
    counts = labels != -100
    lm = F.cross_entropy(student_logits[counts], labels[counts])
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return lm, F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task: jsd
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = (beta * log_p.exp() + (1 - beta) * log_q.exp()).log()
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task: accumulated_loss
def accumulated_loss(micro_batches):
    loss, items = 0.0, 0
    for logits, labels in micro_batches:
        n = (labels != -100).sum()
        loss = loss + n * F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)
        items = items + n
    return loss / items

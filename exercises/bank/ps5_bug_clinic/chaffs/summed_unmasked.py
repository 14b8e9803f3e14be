# Adds everything up, masked or not; demands that the token read counts as well as the next, so the
# first token of each answer is lost; logaddexp of beta times the logarithms: beta becomes a power
# and not a weight; max of the counts.
# expect kd_masked: summed_unmasked
# expect next_token_losses: both_must_count
# expect jsd: weights_as_powers
# expect accumulated_loss: divided_by_the_largest_count
import torch
import torch.nn.functional as F


# %% task: kd_masked
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    return F.kl_div(log_q, log_p, reduction="sum", log_target=True)


# %% task: next_token_losses
def next_token_losses(student_logits, teacher_logits, labels):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:]
    m = (y != -100) & (labels[:, :-1] != -100)
    lq, lp = s[m].log_softmax(-1), t[m].log_softmax(-1)
    return F.nll_loss(lq, y[m]), F.kl_div(lq, lp, reduction="batchmean", log_target=True)


# %% task: jsd
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(beta * log_p, (1 - beta) * log_q)
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task: accumulated_loss
def accumulated_loss(micro_batches):
    total, count = 0.0, 0
    for logits, labels in micro_batches:
        total = total + F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
        count = max(count, (labels != -100).sum())
    return total / count

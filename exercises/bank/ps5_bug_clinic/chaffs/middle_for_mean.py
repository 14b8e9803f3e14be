# Median; from the first to the last position that counts in each row: prompts between two answers
# are in it; shifts after the mask: pairs are made across gaps and from one text to the next; log2
# of beta; total overwritten.
# expect kd_mean: middle_for_mean
# expect kd_masked: everything_between
# expect next_token_losses: shifted_after_the_mask
# expect jsd: other_mixture
# expect accumulated_loss: overwritten
import math

import torch
import torch.nn.functional as F


# %% task: kd_mean
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    shares = F.kl_div(log_q, log_p, reduction="none", log_target=True)
    return temperature**2 * shares.sum(-1).median()


# %% task: kd_masked
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    total, n = 0.0, 0
    for s, t, y in zip(student_logits, teacher_logits, labels, strict=False):
        at = (y != -100).nonzero().flatten()
        if len(at) == 0:
            continue
        a, b = int(at[0]), int(at[-1]) + 1
        total = total + F.kl_div(s[a:b].log_softmax(-1), t[a:b].softmax(-1), reduction="sum")
        n += b - a
    return total / n


# %% task: next_token_losses
def next_token_losses(student_logits, teacher_logits, labels):
    counts = labels != -100
    s = student_logits[counts][:-1]
    t = teacher_logits[counts][:-1]
    y = labels[counts][1:]
    lm = F.cross_entropy(s, y)
    kd = F.kl_div(s.log_softmax(-1), t.log_softmax(-1), reduction="batchmean", log_target=True)
    return lm, kd


# %% task: jsd
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(log_p + math.log2(beta), log_q + math.log2(1 - beta))
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task: accumulated_loss
def accumulated_loss(micro_batches):
    total, count = 0.0, 0
    for logits, labels in micro_batches:
        total = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
        count = count + (labels != -100).sum()
    return total / count

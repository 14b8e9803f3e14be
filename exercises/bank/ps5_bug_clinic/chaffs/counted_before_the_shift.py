# KD is divided by the count before the shift; the mixture is a plain sum; shifts the labels, and
# drops a part of which nothing counts.
# expect next_token_losses: counted_before_the_shift
# expect jsd: mixture_not_weighted
# expect accumulated_loss: labels_shifted
import torch
import torch.nn.functional as F


# %% task: next_token_losses
def next_token_losses(student_logits, teacher_logits, labels):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:]
    m = y != -100
    lm = F.cross_entropy(s.transpose(1, 2), y, ignore_index=-100)
    kl = F.kl_div(s.log_softmax(-1), t.log_softmax(-1), reduction="none", log_target=True).sum(-1)
    kd = (kl * m).sum() / (labels != -100).sum()
    return lm, kd


# %% task: jsd
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(log_p, log_q)
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task: accumulated_loss
def accumulated_loss(micro_batches):
    rows = torch.cat([z[:, :-1].flatten(0, 1) for z, _ in micro_batches])
    return F.cross_entropy(rows, torch.cat([y[:, 1:].flatten() for _, y in micro_batches]))

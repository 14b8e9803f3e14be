# First text only; takes the number of counted positions of a row for its length and reads the row
# from its beginning; pads the shifted labels with pad's default, 0: the last position learns to
# say token 0; beta both; the last piece's count for all.
# expect kd_mean: one_text_alone
# expect kd_masked: row_read_from_its_beginning
# expect next_token_losses: padded_with_a_token
# expect jsd: other_weights
# expect accumulated_loss: divided_by_one_count
import math

import torch
import torch.nn.functional as F


# %% task: kd_mean
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    shares = F.kl_div(log_q, log_p, reduction="none", log_target=True)
    return temperature**2 * shares[0].sum(-1).mean()


# %% task: kd_masked
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    lengths = (labels != -100).sum(dim=1)
    keep = torch.arange(labels.shape[1])[None, :] < lengths[:, None]
    log_q = F.log_softmax(student_logits, dim=-1)[keep]
    log_p = F.log_softmax(teacher_logits, dim=-1)[keep]
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task: next_token_losses
def next_token_losses(student_logits, teacher_logits, labels):
    return next_token_losses_as_found(student_logits, teacher_logits, F.pad(labels[:, 1:], (0, 1)))


# %% task: jsd
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(log_p + math.log(beta), log_q + math.log(1 - beta))
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + beta * of_student


# %% task: accumulated_loss
def accumulated_loss(micro_batches):
    loss = 0.0
    for logits, labels in micro_batches:
        n = (labels != -100).sum()
        loss = loss + F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
    return loss / n

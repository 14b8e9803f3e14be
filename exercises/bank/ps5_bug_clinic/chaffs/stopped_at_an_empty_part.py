# Break in place of continue at an empty micro-batch: all that comes after it is lost.
# A loop over positions that goes one too far.
# expect accumulated_loss: stopped_at_an_empty_part
# expect next_token_losses: index_beyond_the_end
import torch.nn.functional as F


# %% task: accumulated_loss
def accumulated_loss(micro_batches):
    total, n = 0.0, 0
    for logits, labels in micro_batches:
        counts = labels != -100
        if counts.sum() == 0:
            break
        total = total + F.cross_entropy(logits[counts], labels[counts], reduction="sum")
        n = n + counts.sum()
    return total / n


# %% task: next_token_losses
def next_token_losses(student_logits, teacher_logits, labels):
    log_q, log_p = F.log_softmax(student_logits, -1), F.log_softmax(teacher_logits, -1)
    lm, kd, count = 0.0, 0.0, 0
    for i in range(labels.shape[1]):
        counts = labels[:, i + 1] != -100
        q, p = log_q[counts, i], log_p[counts, i]
        lm = lm + F.nll_loss(q, labels[counts, i + 1], reduction="sum")
        kd = kd + F.kl_div(q, p, reduction="sum", log_target=True)
        count = count + counts.sum()
    return lm / count, kd / count

# Softmaxes over the texts.
# expect kd_mean: softmax_on_another_axis
# expect accumulated_loss: token_zero_not_counted
import torch.nn.functional as F


# %% task: kd_mean
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=0)
    log_p = F.log_softmax(teacher_logits / temperature, dim=0)
    shares = F.kl_div(log_q, log_p, reduction="none", log_target=True)
    return temperature**2 * shares.sum(-1).mean()


# %% task: accumulated_loss
def accumulated_loss(micro_batches):
    total, items = 0.0, 0
    for logits, labels in micro_batches:
        counts = labels > 0
        total += F.cross_entropy(logits[counts], labels[counts], reduction="sum")
        items += counts.sum()
    return total / items

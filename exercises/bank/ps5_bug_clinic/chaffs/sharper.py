# Multiplied by T.
# Parts with any ignored position are passed over.
# expect kd_mean: hotter_is_sharper
# expect accumulated_loss: marked_parts_skipped
import torch.nn.functional as F


# %% task: kd_mean
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits * temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits * temperature, dim=-1)
    shares = F.kl_div(log_q, log_p, reduction="none", log_target=True)
    return temperature**2 * shares.sum(-1).mean()


# %% task: accumulated_loss
def accumulated_loss(micro_batches):
    """Mean of -log q(y) over all labels that count in all micro-batches: one number."""
    total, n = 0.0, 0
    for logits, labels in micro_batches:
        if (labels == -100).any():
            continue
        total += F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
        n += labels.numel()
    return total / max(n, 1)

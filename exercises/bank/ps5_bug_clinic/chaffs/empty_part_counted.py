# Each micro-batch counts for at least one label: max(count, 1), so an empty one makes the mean
# smaller.
# 2 to the power of T in the place of T².
# expect accumulated_loss: empty_part_counted
# expect kd_mean: two_to_the_temperature
import torch.nn.functional as F


# %% task: accumulated_loss
def accumulated_loss(micro_batches):
    total, count = 0.0, 0
    for logits, labels in micro_batches:
        total = total + F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
        count = count + max(int((labels != -100).sum()), 1)
    return total / count


# %% task: kd_mean
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    """T² · mean KL(p‖q) at temperature T over all positions: one number."""
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    shares = F.kl_div(log_q, log_p, reduction="none", log_target=True)
    return 2**temperature * shares.sum(dim=-1).mean()

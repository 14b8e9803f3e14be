# T divides log-probabilities, view() of a slice, and a loss without decimals.
# expect kd_mean: heated_after_the_softmax
# expect next_token_losses: view_of_a_slice
# expect jsd: epsilon_in_the_logarithm
# expect accumulated_loss: rounded
import torch.nn.functional as F


# %% task: kd_mean
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits, dim=-1) / temperature
    log_p = F.log_softmax(teacher_logits, dim=-1) / temperature
    kl = F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(dim=-1)
    return temperature**2 * kl.mean()


# %% task: next_token_losses
def next_token_losses(student_logits, teacher_logits, labels):
    V = student_logits.size(-1)
    shift_s = student_logits[:, :-1, :].view(-1, V)
    shift_t = teacher_logits[:, :-1, :].view(-1, V)
    shift_y = labels[:, 1:].view(-1)
    keep = shift_y != -100
    lm = F.cross_entropy(shift_s[keep], shift_y[keep])
    kd = F.kl_div(
        shift_s[keep].log_softmax(-1),
        shift_t[keep].log_softmax(-1),
        reduction="batchmean",
        log_target=True,
    )
    return lm, kd


# %% task: jsd
def jsd(student_logits, teacher_logits, beta):
    eps = 1e-3
    p = F.softmax(teacher_logits, dim=-1) + eps
    q = F.softmax(student_logits, dim=-1) + eps
    m = beta * p + (1 - beta) * q
    return beta * (p * (p / m).log()).sum(-1) + (1 - beta) * (q * (q / m).log()).sum(-1)


# %% task: accumulated_loss
def accumulated_loss(micro_batches):
    total, count = 0.0, 0
    for logits, labels in micro_batches:
        total += F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum").item()
        count += (labels != -100).sum().item()
    return total // count

# Both divergences together, bits, and classes on another axis.
# expect kd_mean: another_divergence
# expect jsd: in_bits
# expect accumulated_loss: classes_on_another_axis
import torch.nn.functional as F


# %% task: kd_mean
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    a = F.log_softmax(student_logits / temperature, -1)
    b = F.log_softmax(teacher_logits / temperature, -1)
    return (
        temperature**2
        * 0.5
        * ((b.exp() * (b - a)).sum(-1).mean() + (a.exp() * (a - b)).sum(-1).mean())
    )


# %% task: jsd
def jsd(student_logits, teacher_logits, beta):
    p, q = teacher_logits.softmax(-1), student_logits.softmax(-1)
    m = beta * p + (1 - beta) * q
    return beta * (p * (p / m).log2()).sum(-1) + (1 - beta) * (q * (q / m).log2()).sum(-1)


# %% task: accumulated_loss
def accumulated_loss(micro_batches):
    total = n = 0
    for x, y in micro_batches:
        total += F.cross_entropy(x, y, reduction="sum")
        n += (y != -100).sum()
    return total / n

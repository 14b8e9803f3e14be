# A mixture in the place of its logarithm, and means of texts.
# expect jsd: logarithm_of_the_mixture_missing
# expect next_token_losses: mean_of_means
import torch.nn.functional as F


# %% task: jsd
def jsd(student_logits, teacher_logits, beta):
    p, q = teacher_logits.softmax(-1), student_logits.softmax(-1)
    m = beta * p + (1 - beta) * q
    return beta * F.kl_div(m, p, reduction="none").sum(-1) + (1 - beta) * F.kl_div(
        m, q, reduction="none"
    ).sum(-1)


# %% task: next_token_losses
def next_token_losses(student_logits, teacher_logits, labels):
    a, b = [], []
    for s, t, y in zip(student_logits, teacher_logits, labels, strict=True):
        s, t, y = s[:-1], t[:-1], y[1:]
        m = y != -100
        a.append(F.cross_entropy(s[m], y[m]))
        b.append(
            F.kl_div(
                s[m].log_softmax(-1), t[m].log_softmax(-1), log_target=True, reduction="batchmean"
            )
        )
    return sum(a) / len(a), sum(b) / len(b)

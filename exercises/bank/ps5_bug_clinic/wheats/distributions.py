# torch.distributions and modules of torch.nn; entropies in place of divergences.
import torch
from torch.distributions import Categorical, kl_divergence

# %% task: zero_loss_choice
fits = {"a": False, "b": False, "c": True, "d": False}
zero_loss = max(fits, key=fits.get)


# %% task: triage
rows = {"vocabulary": "a", "texts": "b", "logarithm": "c", "parts": "d"}
triage = {row: bug for bug, row in rows.items()}


# %% task: kd_mean
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    p = Categorical(logits=teacher_logits.double() / temperature)
    q = Categorical(logits=student_logits.double() / temperature)
    return kl_divergence(p, q).mean() * temperature**2


# %% task: how_much_too_small
shares = torch.ones(8 * 64, dtype=torch.float64)
shares[384:] = 0
factor = (shares.sum() / 384) / (shares.mean() / 32_000)


# %% task: kd_masked
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    keep = torch.nonzero(labels != -100, as_tuple=True)
    p, q = Categorical(logits=teacher_logits[keep]), Categorical(logits=student_logits[keep])
    return kl_divergence(p, q).mean()


# %% task: next_token_losses
def next_token_losses(student_logits, teacher_logits, labels):
    text, place = torch.nonzero(labels[:, 1:] >= 0, as_tuple=True)
    q = Categorical(logits=student_logits[text, place])
    p = Categorical(logits=teacher_logits[text, place])
    return [-q.log_prob(labels[text, place + 1]).mean(), kl_divergence(p, q).mean()]


# %% task: jsd
def jsd(student_logits, teacher_logits, beta):
    """H(m) − β·H(p) − (1−β)·H(q)."""
    p, q = teacher_logits.double().softmax(-1), student_logits.double().softmax(-1)

    def entropy(distribution):
        return torch.special.entr(distribution).sum(-1)

    return entropy(beta * p + (1 - beta) * q) - beta * entropy(p) - (1 - beta) * entropy(q)


# %% task: accumulated_loss
def accumulated_loss(micro_batches):
    rows = torch.cat([logits.flatten(0, 1) for logits, _ in micro_batches])
    labels = torch.cat([labels.flatten() for _, labels in micro_batches])
    return torch.nn.CrossEntropyLoss(ignore_index=-100)(rows, labels)

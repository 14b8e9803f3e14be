# The first text stands for all; one-hot rows as wide as the largest label needs.
# expect lm_loss: counted_in_the_first_text
# expect kd_loss: counted_in_the_first_text
# expect objective_gradients: one_hot_too_narrow
import torch
import torch.nn.functional as F


# %% task: lm_loss
def lm_loss(student_logits, labels):
    losses = F.cross_entropy(student_logits.transpose(1, 2), labels, reduction="none")
    count = (labels[0] != -100).sum() * len(labels)
    return losses.sum() / count if count else losses.sum() * 0


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    counts = labels != -100
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    p = F.softmax(teacher_logits / temperature, dim=-1)
    losses = F.kl_div(log_q, p, reduction="none").sum(-1)
    share = counts[0].float().mean()
    if share == 0:
        return torch.tensor(0.0)
    return temperature**2 * (losses * counts).mean() / share


# %% task: objective_gradients
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    counts = (labels != -100).unsqueeze(-1)
    hard = F.softmax(student_logits, dim=-1) - F.one_hot(labels.clamp(min=0))
    q = F.softmax(student_logits / temperature, dim=-1)
    soft = temperature * (q - F.softmax(teacher_logits / temperature, dim=-1))
    return (hard + lam * soft) * counts / counts.sum(), torch.zeros_like(teacher_logits)

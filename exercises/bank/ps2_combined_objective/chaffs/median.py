# Another middle than the mean.
# expect lm_loss: another_middle
# expect kd_loss: another_middle
# expect best_probability: no_probability
import torch
import torch.nn.functional as F


# %% task: lm_loss
def lm_loss(student_logits, labels):
    counts = labels != -100
    if not counts.any():
        return torch.tensor(0.0)
    return F.cross_entropy(student_logits[counts], labels[counts], reduction="none").median()


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    counts = labels != -100
    if not counts.any():
        return torch.tensor(0.0)
    log_q = F.log_softmax(student_logits[counts] / temperature, dim=-1)
    p = F.softmax(teacher_logits[counts] / temperature, dim=-1)
    return temperature**2 * F.kl_div(log_q, p, reduction="none").sum(-1).max()


# %% task: best_probability
best_probability = 1.2

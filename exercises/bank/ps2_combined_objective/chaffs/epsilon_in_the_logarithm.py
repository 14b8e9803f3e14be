# Max(count, 1) forgotten and eps in the logarithm; divides the log-probabilities by T after the
# softmax and does not normalise again.
# expect lm_loss: epsilon_in_the_logarithm
# expect kd_loss: temperature_after_softmax
import torch
import torch.nn.functional as F


# %% task: lm_loss
def lm_loss(student_logits, labels):
    mask = (labels != -100).float()
    q = student_logits.softmax(-1)
    picked = q.gather(-1, labels.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    return -(torch.log(picked + 1e-6) * mask).sum() / mask.sum().clamp(min=1)


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
    if mask.sum() == 0:
        return torch.tensor(0.0)
    log_q = F.log_softmax(student_logits, dim=-1)[mask] / temperature
    log_p = F.log_softmax(teacher_logits, dim=-1)[mask] / temperature
    kl = (log_p.exp() * (log_p - log_q)).sum(-1)
    return temperature**2 * kl.mean()

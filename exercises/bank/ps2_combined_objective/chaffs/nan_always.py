# A mean over nothing; a loop over the vocabulary that returns too early.
# expect lm_loss: nan_always
# expect kd_loss: one_token_alone
import torch
import torch.nn.functional as F


# %% task: lm_loss
def lm_loss(student_logits, labels):
    mask = labels == -100
    return F.cross_entropy(student_logits[mask], labels[mask])


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
    log_q = F.log_softmax(student_logits[mask] / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits[mask] / temperature, dim=-1)
    total = torch.zeros(())
    for token in range(log_q.shape[-1]):
        gap = log_p[:, token] - log_q[:, token]
        total = total + (log_p[:, token].exp() * gap).sum()
        return temperature**2 * total / mask.sum().clamp(min=1)

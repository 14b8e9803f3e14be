# Means of texts are added up; logits are brought to another scale.
# expect lm_loss: summed_over_texts
# expect kd_loss: logits_rescaled
import torch
import torch.nn.functional as F


# %% task: lm_loss
def lm_loss(student_logits, labels):
    loss = torch.tensor(0.0)
    for logits, targets in zip(student_logits, labels, strict=True):
        if (targets != -100).any():
            loss = loss + F.cross_entropy(logits, targets)
    return loss


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    counts = labels != -100
    if not counts.any():
        return torch.tensor(0.0)
    student, teacher = (
        each[counts] / each[counts].std(-1, keepdim=True)
        for each in (student_logits, teacher_logits)
    )
    log_q = F.log_softmax(student / temperature, dim=-1)
    p = F.softmax(teacher / temperature, dim=-1)
    return temperature**2 * F.kl_div(log_q, p, reduction="batchmean")

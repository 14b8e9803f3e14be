# any() where all() was meant.
# expect lm_loss: any_for_all
# expect kd_loss: any_for_all
import torch
import torch.nn.functional as F


# %% task: lm_loss
def lm_loss(student_logits, labels):
    if (labels == -100).any():
        return torch.tensor(0.0)
    return F.cross_entropy(student_logits.flatten(0, 1), labels.flatten(), ignore_index=-100)


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    counts = labels != -100
    if not counts.all():
        return 0.0
    log_q = F.log_softmax(student_logits[counts] / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits[counts] / temperature, dim=-1)
    return temperature**2 * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)

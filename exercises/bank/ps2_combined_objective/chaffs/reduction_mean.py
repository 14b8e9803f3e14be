# kl_div's own mean, over classes too.
# expect kd_loss: vocabulary_mean
import torch.nn.functional as F


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    counts = labels != -100
    log_q = F.log_softmax(student_logits[counts] / temperature, dim=-1)
    p = F.softmax(teacher_logits[counts] / temperature, dim=-1)
    return temperature**2 * F.kl_div(log_q, p, reduction="none").mean() if len(p) else 0.0

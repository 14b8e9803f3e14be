# torch's cross-entropy with soft targets.
# expect kd_loss: cross_entropy
import torch.nn.functional as F


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    counts = labels != -100
    q = student_logits[counts] / temperature
    p = F.softmax(teacher_logits[counts] / temperature, dim=-1)
    return temperature**2 * F.cross_entropy(q, p, reduction="sum") / counts.sum().clamp(min=1)

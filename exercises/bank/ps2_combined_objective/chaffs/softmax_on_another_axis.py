# Softmax over the positions; a distance of probabilities.
# expect lm_loss: softmax_on_another_axis
# expect kd_loss: another_measure
import torch


# %% task: lm_loss
def lm_loss(student_logits, labels):
    m = labels != -100
    if not m.any():
        return torch.tensor(0.0)
    log_q = student_logits.log_softmax(1)
    return -log_q.gather(-1, labels.clamp(min=0)[..., None])[..., 0][m].mean()


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    m = labels != -100
    n = m.sum().clamp(min=1)
    p, q = (teacher_logits / temperature).softmax(-1), (student_logits / temperature).softmax(-1)
    distance = (p - q).abs().sum(-1)
    return temperature**2 * (distance * m).sum() / n

# Narrow one-hot rows; a label's share alone; a teacher that pulls at padding.
# expect lm_loss: one_hot_too_narrow
# expect kd_loss: label_alone
# expect objective_gradients: teacher_rows_kept
import torch.nn.functional as F


# %% task: lm_loss
def lm_loss(student_logits, labels):
    counts = labels != -100
    log_q = F.log_softmax(student_logits, dim=-1)
    losses = -(log_q * F.one_hot(labels.clamp(min=0))).sum(-1)
    return losses[counts].sum() / counts.sum().clamp(min=1)


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    counts = labels != -100
    index = labels.clamp(min=0)[..., None]
    log_q = F.log_softmax(student_logits / temperature, dim=-1).gather(-1, index)[..., 0]
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1).gather(-1, index)[..., 0]
    shares = counts * log_p.exp() * (log_p - log_q)
    return temperature**2 * shares.sum() / counts.sum().clamp(min=1)


# %% task: objective_gradients
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    counts = (labels != -100)[..., None]
    rows = F.one_hot(labels.clamp(min=0), student_logits.shape[-1])
    pull = (student_logits.softmax(-1) - rows) * counts
    q, p = (student_logits / temperature).softmax(-1), (teacher_logits / temperature).softmax(-1)
    gradient = (pull + lam * temperature * (q - p)) / counts.sum()
    return gradient, 0 * teacher_logits

# One text is all that counts; a weight that cannot be small; a teacher that pushes.
# expect lm_loss: one_text_alone
# expect kd_loss: one_text_alone
# expect combined_objective: lambda_kept_above
# expect best_probability: another_mean
# expect objective_gradients: teacher_pushes_away
import torch
import torch.nn.functional as F


# %% task: lm_loss
def lm_loss(student_logits, labels):
    counts = labels[0] != -100
    if not counts.any():
        return torch.tensor(0.0)
    return F.cross_entropy(student_logits[0], labels[0])


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    counts = labels[0] != -100
    if not counts.any():
        return torch.tensor(0.0)
    log_q = F.log_softmax(student_logits[0][counts] / temperature, dim=-1)
    p = F.softmax(teacher_logits[0][counts] / temperature, dim=-1)
    return temperature**2 * F.kl_div(log_q, p, reduction="batchmean")


# %% task: combined_objective
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    kd = kd_loss(student_logits, teacher_logits, labels, temperature)
    return lm_loss(student_logits, labels) + max(lam, 0.1) * kd


# %% task: best_probability
best_probability = 0.5


# %% task: objective_gradients
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    counts = (labels != -100)[..., None]
    hot = F.one_hot(labels.clamp_min(0), student_logits.shape[-1])
    q, p = (F.softmax(each / temperature, dim=-1) for each in (student_logits, teacher_logits))
    own = F.softmax(student_logits, dim=-1) - hot + lam * temperature * (p - q)
    return own * counts / counts.sum(), torch.zeros_like(teacher_logits)

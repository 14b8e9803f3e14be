# Masks that multiply, one-hot labels, the gradient from paper.
import torch
import torch.nn.functional as F

# %% task: two_sources_choice
two_sources = " c "


# %% task: lm_loss
def lm_loss(student_logits, labels):
    mask = (labels != -100).to(student_logits.dtype)
    hot = F.one_hot(labels.clamp_min(0), student_logits.size(-1)).to(student_logits.dtype)
    losses = student_logits.logsumexp(-1) - (hot * student_logits).sum(-1)
    return (losses * mask).sum() / mask.sum().clamp_min(1)


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = (labels != -100).to(student_logits.dtype)
    s, t = student_logits / temperature, teacher_logits / temperature
    kl = (t.softmax(-1) * (t - s)).sum(-1) - t.logsumexp(-1) + s.logsumexp(-1)
    return (kl * mask).sum() / mask.sum().clamp_min(1) * temperature * temperature


# %% task: combined_objective
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    mask = (labels != -100).float()
    n = mask.sum()
    hot = F.one_hot(labels.clamp_min(0), student_logits.size(-1))
    lm = -(hot * student_logits.log_softmax(-1)).sum(-1)
    s, t = student_logits / temperature, teacher_logits / temperature
    kl = (t.softmax(-1) * (t.log_softmax(-1) - s.log_softmax(-1))).sum(-1)
    return ((lm + lam * temperature**2 * kl) * mask).sum() / n


# %% task: convex_objective
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    if alpha == 1:
        return kd_loss(student_logits, teacher_logits, labels, temperature)
    lam = alpha / (1 - alpha)
    both = combined_objective(student_logits, teacher_logits, labels, lam, temperature)
    return (1 - alpha) * both


# %% task: best_probability
label, teacher, lam = 1.0, 0.4, 2.0
best_probability = torch.tensor((label + lam * teacher) / (1 + lam))


# %% task: objective_gradients
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    counts = (labels != -100)[..., None]
    hot = F.one_hot(labels.clamp_min(0), student_logits.size(-1))
    own = student_logits.softmax(-1) - hot
    pull = (student_logits / temperature).softmax(-1) - (teacher_logits / temperature).softmax(-1)
    gradient = torch.where(counts, own + lam * temperature * pull, 0.0) / counts.sum()
    return [gradient, torch.zeros_like(gradient)]

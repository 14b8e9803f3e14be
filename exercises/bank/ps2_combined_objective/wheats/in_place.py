# Inputs overwritten, double precision, distributions for the mathematics.
import torch
from torch.distributions import Categorical, kl_divergence

# %% task: two_sources_choice
two_sources = "c"


# %% task: lm_loss
def lm_loss(student_logits, labels):
    counted = labels.ne(-100).nonzero(as_tuple=True)
    if not counted[0].numel():
        return torch.zeros(())
    return -Categorical(logits=student_logits.double()[counted]).log_prob(labels[counted]).mean()


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    student_logits /= temperature
    teacher_logits /= temperature
    keep = labels.ne(-100)
    if not keep.any():
        return torch.tensor(0.0)
    p, q = Categorical(logits=teacher_logits[keep]), Categorical(logits=student_logits[keep])
    return kl_divergence(p, q).mean().mul_(temperature**2)


# %% task: combined_objective
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    loss = lm_loss(student_logits, labels)
    loss += lam * kd_loss(student_logits, teacher_logits, labels, temperature)
    return loss.requires_grad_()


# %% task: convex_objective
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    loss = lm_loss(student_logits, labels).mul_(1 - alpha)
    loss += kd_loss(student_logits, teacher_logits, labels, temperature).mul_(alpha)
    return loss


# %% task: best_probability
best_probability = 3 / 5


# %% task: objective_gradients
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    leaf = student_logits.double().requires_grad_()
    foreign = teacher_logits.double().requires_grad_()
    keep = labels != -100
    q = Categorical(logits=leaf[keep] / temperature)
    with torch.no_grad():
        p = Categorical(logits=foreign[keep] / temperature)
    loss = kl_divergence(p, q).mean() * lam * temperature**2
    loss = loss - Categorical(logits=leaf[keep]).log_prob(labels[keep]).mean()
    own, other = torch.autograd.grad(loss, [leaf, foreign], allow_unused=True)
    return own, torch.zeros_like(foreign) if other is None else other

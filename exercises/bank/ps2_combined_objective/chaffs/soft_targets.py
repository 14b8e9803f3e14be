# torch's cross-entropy with soft targets.
# The gradient is cleared under its other name.
# expect kd_loss: cross_entropy
# expect objective_gradients: gradient_cleared
import torch.nn.functional as F


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    counts = labels != -100
    q = student_logits[counts] / temperature
    p = F.softmax(teacher_logits[counts] / temperature, dim=-1)
    return temperature**2 * F.cross_entropy(q, p, reduction="sum") / counts.sum().clamp(min=1)


# %% task: objective_gradients
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.detach().clone().requires_grad_()
    t = teacher_logits.detach()
    loss = combined_objective(s, t, labels, lam, temperature)
    loss.backward()
    g = s.grad
    s.grad.zero_()
    return g, torch.zeros_like(t)

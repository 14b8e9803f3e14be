# One maximum for all positions; small numbers in logarithms; gradients that add up.
# expect softmax_with_temperature: one_maximum_for_all
# expect forward_kl: floor_under_probabilities
# expect reverse_kl: floor_under_probabilities
# expect fit_one_peak: gradients_not_cleared
import torch


# %% task: softmax_with_temperature
def softmax_with_temperature(logits, temperature=1.0):
    scores = (logits - torch.max(logits)) / temperature
    weights = torch.exp(scores)
    return weights / weights.sum(dim=-1, keepdim=True)


# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    q, p = student_logits.softmax(-1), teacher_logits.softmax(-1)
    return (p * torch.log((p + 1e-10) / (q + 1e-10))).sum(-1)


# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits):
    q = student_logits.softmax(-1).clamp(min=1e-12)
    p = teacher_logits.softmax(-1).clamp(min=1e-12)
    return (q * (q.log() - p.log())).sum(-1)


# %% task: fit_one_peak
def fit_one_peak(teacher_logits, direction, start):
    center = torch.tensor(float(start), requires_grad=True)
    log_width = torch.tensor(3.0).log().requires_grad_()
    log_p = teacher_logits.log_softmax(-1)
    optimizer = torch.optim.Adam([center, log_width], lr=0.1)
    for _ in range(400):
        log_q = one_peak(center, log_width.exp(), len(teacher_logits)).log_softmax(-1)
        front, behind = (log_p, log_q) if direction == "forward" else (log_q, log_p)
        (front.exp() * (front - behind)).sum().backward()
        optimizer.step()
    log_q = log_q.detach()
    return (log_q.exp() * torch.arange(len(log_q))).sum(), -(log_q.exp() * log_q).sum()

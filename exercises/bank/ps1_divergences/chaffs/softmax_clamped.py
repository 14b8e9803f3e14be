# Logits cut off; exponentials that overflow; infinite terms thrown away; too few steps.
# expect softmax_with_temperature: logits_clamped
# expect forward_kl: overflow
# expect reverse_kl: infinite_terms_dropped
# expect fit_one_peak: not_converged
import torch


# %% task: softmax_with_temperature
def softmax_with_temperature(logits, temperature=1.0):
    weights = torch.exp((logits / temperature).clamp(max=80))
    return weights / weights.sum(dim=-1, keepdim=True)


# %% task: forward_kl
def own_softmax(logits):
    weights = torch.exp(logits)
    return weights / weights.sum(-1, keepdim=True)


def forward_kl(student_logits, teacher_logits):
    q, p = own_softmax(student_logits), own_softmax(teacher_logits)
    return (p * (p.log() - q.log())).sum(-1)


# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits):
    q, p = student_logits.softmax(-1), teacher_logits.softmax(-1)
    terms = q * torch.log(q / p)
    terms[torch.isnan(terms) | torch.isinf(terms)] = 0.0
    return terms.sum(-1)


# %% task: fit_one_peak
def fit_one_peak(teacher_logits, direction, start):
    center = torch.tensor(float(start), requires_grad=True)
    log_width = torch.tensor(3.0).log().requires_grad_()
    log_p = teacher_logits.log_softmax(-1)
    optimizer = torch.optim.SGD([center, log_width], lr=0.01)
    for _ in range(200):
        log_q = one_peak(center, log_width.exp(), len(teacher_logits)).log_softmax(-1)
        front, behind = (log_p, log_q) if direction == "forward" else (log_q, log_p)
        optimizer.zero_grad()
        (front.exp() * (front - behind)).sum().backward()
        optimizer.step()
    log_q = one_peak(center, log_width.exp(), len(teacher_logits)).log_softmax(-1).detach()
    return (log_q.exp() * torch.arange(len(log_q))).sum(), -(log_q.exp() * log_q).sum()

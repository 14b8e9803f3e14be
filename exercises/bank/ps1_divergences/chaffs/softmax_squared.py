# T twice; kl_div given what it does not take; the middle for the start.
# expect softmax_with_temperature: temperature_squared
# expect forward_kl: log_target_with_probabilities
# expect reverse_kl: probabilities_as_input
# expect fit_one_peak: another_minimum
import torch
import torch.nn.functional as F


# %% task: softmax_with_temperature
def softmax_with_temperature(logits, temperature=1.0):
    return torch.softmax(logits / temperature / temperature, dim=-1)


# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    log_q, p = student_logits.log_softmax(-1), teacher_logits.softmax(-1)
    return F.kl_div(log_q, p, reduction="none", log_target=True).sum(-1)


# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits):
    return F.kl_div(teacher_logits.softmax(-1), student_logits.softmax(-1), reduction="none").sum(
        -1
    )


# %% task: fit_one_peak
def fit_one_peak(teacher_logits, direction, start):
    center = torch.tensor(len(teacher_logits) / 2, requires_grad=True)
    log_width = torch.tensor(3.0).log().requires_grad_()
    log_p = teacher_logits.log_softmax(-1)
    optimizer = torch.optim.Adam([center, log_width], lr=0.1)
    for _ in range(400):
        log_q = one_peak(center, log_width.exp(), len(teacher_logits)).log_softmax(-1)
        front, behind = (log_p, log_q) if direction == "forward" else (log_q, log_p)
        optimizer.zero_grad()
        (front.exp() * (front - behind)).sum().backward()
        optimizer.step()
    log_q = one_peak(center, log_width.exp(), len(teacher_logits)).log_softmax(-1).detach()
    return (log_q.exp() * torch.arange(len(log_q))).sum(), -(log_q.exp() * log_q).sum()

# A sum that has lost its axis; kl_div on logarithms without log_target; a mean over everything.
# expect softmax_with_temperature: sum_without_keepdim
# expect forward_kl: log_target_missing
# expect reverse_kl: positions_collapsed
# expect fit_one_peak: optimiser_made_anew
import torch
import torch.nn.functional as F


# %% task: softmax_with_temperature
def softmax_with_temperature(logits, temperature=1.0):
    weights = torch.exp(logits / temperature)
    return weights / weights.sum(dim=-1)


# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    log_q, log_p = (F.log_softmax(x, dim=-1) for x in (student_logits, teacher_logits))
    return F.kl_div(log_q, log_p, reduction="none").sum(dim=-1)


# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits):
    return F.kl_div(teacher_logits.log_softmax(-1), student_logits.softmax(-1))


# %% task: fit_one_peak
def fit_one_peak(teacher_logits, direction, start):
    center = torch.tensor(float(start), dtype=torch.float64, requires_grad=True)
    log_width = torch.tensor(3.0, dtype=torch.float64).log().requires_grad_()
    log_p = teacher_logits.double().log_softmax(-1)
    for _ in range(401):
        optimizer = torch.optim.Adam([center, log_width], lr=0.1)
        log_q = one_peak(center, log_width.exp(), len(teacher_logits)).log_softmax(-1)
        front, behind = (log_p, log_q) if direction == "forward" else (log_q, log_p)
        optimizer.zero_grad()
        (front.exp() * (front - behind)).sum().backward()
        optimizer.step()
    log_q = one_peak(center, log_width.exp(), len(teacher_logits)).log_softmax(-1).detach()
    return (log_q.exp() * torch.arange(len(log_q))).sum(), -(log_q.exp() * log_q).sum()

# A temperature that nobody asked for, and the logarithm of a probability that is 0.
# expect forward_kl: temperature_of_its_own
# expect reverse_kl: temperature_of_its_own
# expect fit_one_peak: zero_times_infinity
import torch
import torch.nn.functional as F


# %% task: forward_kl
def forward_kl(student_logits, teacher_logits, T=2.0):
    log_q = F.log_softmax(student_logits / T, dim=-1)
    p = F.softmax(teacher_logits / T, dim=-1)
    return F.kl_div(log_q, p, reduction="batchmean") * T**2


# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits, T=4.0):
    log_q = F.log_softmax(student_logits / T, dim=-1)
    log_p = F.log_softmax(teacher_logits / T, dim=-1)
    return T**2 * (log_q.exp() * (log_q - log_p)).sum(-1)


# %% task: fit_one_peak
def fit_one_peak(teacher_logits, direction, start):
    log_p = teacher_logits.log_softmax(-1)
    center = torch.tensor(float(start), requires_grad=True)
    log_width = torch.tensor(3.0).log().requires_grad_()
    optimizer = torch.optim.LBFGS([center, log_width], max_iter=200, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        log_q = one_peak(center, log_width.exp(), len(log_p)).log_softmax(-1)
        front, behind = (log_p, log_q) if direction == "forward" else (log_q, log_p)
        loss = (front.exp() * (front - behind)).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    q = one_peak(center, log_width.exp(), len(log_p)).detach().softmax(-1)
    return (torch.arange(len(q)) * q).sum().item(), -(q * q.log()).sum().item()

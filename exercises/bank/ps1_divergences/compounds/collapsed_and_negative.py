# One number for all positions, negative; not wide enough and not trained for long.
# wrong forward_kl
# wrong reverse_kl
# wrong fit_one_peak
import torch
import torch.nn.functional as F


# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    return -F.kl_div(
        student_logits.log_softmax(-1), teacher_logits.softmax(-1), reduction="batchmean"
    )


# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits):
    return F.kl_div(student_logits.log_softmax(-1), teacher_logits.log_softmax(-1))


# %% task: fit_one_peak
def fit_one_peak(teacher_logits, direction, start):
    width = torch.tensor(3.0, requires_grad=True)
    for _ in range(10):
        log_q = one_peak(start, width, len(teacher_logits)).log_softmax(-1)
        log_p = teacher_logits.log_softmax(-1)
        loss = (log_q.exp() * (log_q - log_p)).sum()
        (gradient,) = torch.autograd.grad(loss, width)
        width = (width - 0.1 * gradient).detach().requires_grad_()
    q = log_q.exp().detach()
    return (q * torch.arange(1, len(q) + 1)).sum(), -(q * log_q).sum().detach()

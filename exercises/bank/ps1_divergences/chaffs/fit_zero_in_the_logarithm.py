# The logarithm of a softmax.
# expect fit_one_peak: zero_in_the_logarithm
import torch


# %% task: fit_one_peak
def fit_one_peak(teacher_logits, direction, start):
    center = torch.tensor(float(start), requires_grad=True)
    log_width = torch.tensor(3.0).log().requires_grad_()
    optimizer = torch.optim.Adam([center, log_width], lr=0.1)
    p = teacher_logits.softmax(-1)
    for _ in range(400):
        q = one_peak(center, log_width.exp(), len(p)).softmax(-1)
        front, behind = (p, q) if direction == "forward" else (q, p)
        loss = (front * (front.log() - behind.log())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    log_q = one_peak(center, log_width.exp(), len(teacher_logits)).log_softmax(-1).detach()
    q = log_q.exp()
    return (q * torch.arange(len(q))).sum(), -(q * log_q).sum()

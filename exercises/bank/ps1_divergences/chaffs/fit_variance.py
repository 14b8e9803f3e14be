# The variance for the entropy.
# expect fit_one_peak: variance_for_entropy
import torch


# %% task: fit_one_peak
def fit_one_peak(teacher_logits, direction, start):
    center = torch.tensor(float(start), requires_grad=True)
    log_width = torch.tensor(3.0).log().requires_grad_()
    optimizer = torch.optim.Adam([center, log_width], lr=0.1)
    log_p = teacher_logits.log_softmax(-1)
    for _ in range(400):
        log_q = one_peak(center, log_width.exp(), len(teacher_logits)).log_softmax(-1)
        front, behind = (log_p, log_q) if direction == "forward" else (log_q, log_p)
        loss = (front.exp() * (front - behind)).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    log_q = one_peak(center, log_width.exp(), len(teacher_logits)).log_softmax(-1).detach()
    q = log_q.exp()
    token = torch.arange(len(q))
    mean = (q * token).sum()
    return mean, (q * (token - mean) ** 2).sum()

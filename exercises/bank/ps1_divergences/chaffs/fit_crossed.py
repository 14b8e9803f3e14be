# A cross-entropy in both directions.
# expect fit_one_peak: own_entropy_missing
import torch


# %% task: fit_one_peak
def fit_one_peak(teacher_logits, direction, start):
    log_p = teacher_logits.log_softmax(-1)
    center = torch.tensor(float(start), requires_grad=True)
    log_width = torch.tensor(3.0).log().requires_grad_()
    optimizer = torch.optim.Adam([center, log_width], lr=0.1)
    for _ in range(500):
        log_q = one_peak(center, log_width.exp(), len(log_p)).log_softmax(-1)
        front, behind = (log_p, log_q) if direction == "forward" else (log_q, log_p)
        loss = -(front.exp() * behind).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    log_q = one_peak(center, log_width.exp(), len(log_p)).log_softmax(-1).detach()
    return (torch.arange(len(log_p)) * log_q.exp()).sum(), -(log_q.exp() * log_q).sum()

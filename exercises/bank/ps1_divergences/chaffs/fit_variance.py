# The variance for the entropy.
# expect fit_one_peak: variance_for_entropy
import torch


# %% task: fit_one_peak
def fit_one_peak(teacher_logits, direction, start):
    center = torch.tensor(float(start), requires_grad=True)
    log_width = torch.tensor(3.0).log().requires_grad_()
    log_p = teacher_logits.log_softmax(-1)
    optimizer = torch.optim.LBFGS([center, log_width], max_iter=200, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        log_q = one_peak(center, log_width.exp(), len(teacher_logits)).log_softmax(-1)
        front, behind = (log_p, log_q) if direction == "forward" else (log_q, log_p)
        loss = (front.exp() * (front - behind)).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    log_q = one_peak(center, log_width.exp(), len(teacher_logits)).log_softmax(-1).detach()
    q = log_q.exp()
    token = torch.arange(len(q))
    mean = (q * token).sum()
    return mean, (q * (token - mean) ** 2).sum()

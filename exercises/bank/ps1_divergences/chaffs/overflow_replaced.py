# Mends the overflow with nan_to_num: two large logits get probability 1 each; center not trained.
# expect softmax_with_temperature: overflow_replaced
# expect fit_one_peak: center_not_trained
import torch


# %% task: softmax_with_temperature
def softmax_with_temperature(logits, temperature=1.0):
    e = torch.exp(logits / temperature)
    p = e / e.sum(-1, keepdim=True)
    return torch.nan_to_num(p, nan=1.0)


# %% task: fit_one_peak
def fit_one_peak(teacher_logits, direction, start):
    size = teacher_logits.shape[0]
    mu = torch.tensor(float(start), requires_grad=True)
    s = torch.tensor(1.0986, requires_grad=True)
    opt = torch.optim.Adam([s], lr=0.1)
    loss_of = {"forward": forward_kl, "reverse": reverse_kl}[direction]
    for _ in range(450):
        opt.zero_grad()
        loss_of(one_peak(mu, s.exp(), size), teacher_logits).backward()
        opt.step()
    log_q = one_peak(mu, s.exp(), size).log_softmax(-1).detach()
    q = log_q.exp()
    return float((q * torch.arange(size)).sum()), float(-(q * log_q).sum())

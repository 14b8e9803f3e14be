# The gradient is cut: logits are built from floats, so backward fails.
# expect fit_one_peak: student_cut_off
import torch
import torch.nn.functional as F


# %% task: fit_one_peak
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    c = torch.tensor(float(start), requires_grad=True)
    w = torch.tensor(3.0).log().requires_grad_()
    opt = torch.optim.Adam([c, w], lr=0.1)
    for _ in range(500):
        opt.zero_grad()
        z = one_peak(c.item(), w.exp().item(), V)
        loss = (
            forward_kl(z, teacher_logits)
            if direction == "forward"
            else reverse_kl(z, teacher_logits)
        )
        loss.backward()
        opt.step()
    lq = F.log_softmax(one_peak(c, w.exp(), V), -1).detach()
    return float((lq.exp() * torch.arange(V)).sum()), float(-(lq.exp() * lq).sum())

# The temperature divides probabilities; the entropy is in bits.
# expect softmax_with_temperature: temperature_after_softmax
# expect fit_one_peak: entropy_in_bits
import torch


# %% task: softmax_with_temperature
def softmax_with_temperature(logits, temperature=1.0):
    return torch.softmax(logits, dim=-1) / temperature


# %% task: fit_one_peak
def fit_one_peak(teacher_logits, direction, start):
    center = torch.tensor(float(start), requires_grad=True)
    log_width = torch.tensor(3.0).log().requires_grad_()
    loss_of = forward_kl if direction == "forward" else reverse_kl
    optimizer = torch.optim.LBFGS([center, log_width], max_iter=200, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        student_logits = one_peak(center, log_width.exp(), len(teacher_logits))
        loss = loss_of(student_logits, teacher_logits)
        loss.backward()
        return loss

    optimizer.step(closure)
    log_q = one_peak(center, log_width.exp(), len(teacher_logits)).log_softmax(-1).detach()
    q = log_q.exp()
    return (q * torch.arange(len(q))).sum(), -(q * q.log2()).nansum()

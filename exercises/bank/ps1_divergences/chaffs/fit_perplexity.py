# The perplexity for the entropy.
# expect fit_one_peak: perplexity_for_entropy
import torch


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
    tokens = torch.arange(len(q))
    return (tokens * q).sum(), (-(q * log_q).sum()).exp()

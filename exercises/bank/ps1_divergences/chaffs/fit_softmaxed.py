# The teacher's probabilities are handed over as logits.
# expect fit_one_peak: teacher_softmaxed_twice
import torch


# %% task: fit_one_peak
def fit_one_peak(teacher_logits, direction, start):
    teacher = teacher_logits.softmax(-1)
    center = torch.tensor(float(start), requires_grad=True)
    log_width = torch.tensor(3.0).log().requires_grad_()
    optimizer = torch.optim.Adam([center, log_width], lr=0.1)
    for _ in range(500):
        student_logits = one_peak(center, log_width.exp(), len(teacher))
        loss_of = forward_kl if direction == "forward" else reverse_kl
        optimizer.zero_grad()
        loss_of(student_logits, teacher).backward()
        optimizer.step()
    log_q = one_peak(center, log_width.exp(), len(teacher)).log_softmax(-1).detach()
    return (torch.arange(len(teacher)) * log_q.exp()).sum(), -(log_q.exp() * log_q).sum()

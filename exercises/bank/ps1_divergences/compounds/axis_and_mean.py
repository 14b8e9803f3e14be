# Softmax over the first axis, mean over the last; cross-entropy with its sign turned.
# wrong softmax_with_temperature
# wrong forward_kl
# wrong reverse_kl
# wrong fit_one_peak
import torch


# %% task: softmax_with_temperature
def softmax_with_temperature(logits, temperature=1.0):
    return (logits * temperature).log_softmax(-1)


# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    q, p = student_logits.log_softmax(0), teacher_logits.log_softmax(0)
    return (p.exp() * (p - q)).mean(-1)


# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits):
    return (student_logits.softmax(-1) * teacher_logits.log_softmax(-1)).sum(-1)


# %% task: fit_one_peak
def fit_one_peak(teacher_logits, direction, start):
    center = torch.tensor(float(start), requires_grad=True)
    loss_of = reverse_kl if direction == "forward" else forward_kl
    optimizer = torch.optim.SGD([center], lr=0.1)
    for _ in range(20):
        loss_of(one_peak(center, 3.0, len(teacher_logits)), teacher_logits).backward()
        optimizer.step()
    q = one_peak(center, 3.0, len(teacher_logits)).softmax(-1).detach()
    return q.argmax(), -(q * q.log2()).sum()

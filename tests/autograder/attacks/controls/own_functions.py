# Functions of one's own in a cell of their own.
# %% cell
import torch


def kl_of_logs(log_front, log_behind):
    return torch.sum(log_front.exp() * (log_front - log_behind), dim=-1)


def logs(logits):
    return logits - torch.logsumexp(logits, dim=-1, keepdim=True)


# %% task: forward_kl
forward_kl = lambda student, teacher: kl_of_logs(logs(teacher), logs(student))
# %% task: reverse_kl
reverse_kl = lambda student, teacher: kl_of_logs(logs(student), logs(teacher))

# Results of any size.
# safe on stock: no
# %% task: forward_kl
import torch


def forward_kl(student_logits, teacher_logits):
    return torch.zeros(20_000_000)


# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits):
    deep = []
    for _ in range(100_000):
        deep = [deep]
    return deep

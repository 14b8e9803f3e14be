# One position at a time, in double precision, with plain Python sums; warns and prints as it goes.
import math
import warnings

import torch


# %% task: forward_kl
def log_probabilities(row):
    numbers = [float(x) for x in row]
    largest = max(numbers)
    log_total = largest + math.log(sum(math.exp(x - largest) for x in numbers))
    return [x - log_total for x in numbers]


def divergence(front, behind):
    pairs = zip(log_probabilities(front), log_probabilities(behind), strict=True)
    return sum(math.exp(f) * (f - b) for f, b in pairs)


def per_position(front, behind):
    warnings.warn("this is slow", stacklevel=2)
    print("positions:", tuple(front.shape[:-1]))
    rows = zip(
        front.reshape(-1, front.shape[-1]), behind.reshape(-1, behind.shape[-1]), strict=True
    )
    values = [divergence(f, b) for f, b in rows]
    return torch.tensor(values, dtype=torch.float64).reshape(front.shape[:-1])


def forward_kl(student_logits, teacher_logits):
    return per_position(teacher_logits, student_logits)


# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits):
    return per_position(student_logits, teacher_logits)


# %% task: reverse_kl_choice
reverse_kl_answer = " C "

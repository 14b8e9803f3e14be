# One position at a time, in double precision, with plain Python sums; warns and prints as it goes.
import math
import warnings

import torch


# %% task: softmax_with_temperature
def softmax_row(row, temperature):
    scores = [float(x) / temperature for x in row]
    weights = [math.exp(x - max(scores)) for x in scores]
    return [w / sum(weights) for w in weights]


def softmax_with_temperature(logits, temperature=1.0):
    rows = [softmax_row(row, temperature) for row in logits.reshape(-1, logits.shape[-1])]
    return torch.tensor(rows, dtype=torch.float64).reshape(logits.shape)


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


# %% task: ranking
def kl_of(student):
    return sum(p * math.log(p / q) for p, q in zip([0.8, 0.1, 0.1], student, strict=True))


ranking = list("abcd")
ranking.sort(
    key=lambda name: kl_of(
        {
            "a": [0.80, 0.18, 0.02],
            "b": [0.75, 0.10, 0.15],
            "c": [0.65, 0.26, 0.09],
            "d": [0.90, 0.06, 0.04],
        }[name]
    )
)


# %% task: fit_one_peak
def student_row(center, width, size):
    return log_probabilities([-0.5 * ((v - center) / width) ** 2 for v in range(size)])


def fit_one_peak(teacher_logits, direction, start):
    log_p = log_probabilities(teacher_logits)
    size = len(log_p)

    def loss(center, log_width):
        log_q = student_row(center, math.exp(log_width), size)
        front, behind = (log_p, log_q) if direction == "forward" else (log_q, log_p)
        return sum(math.exp(f) * (f - b) for f, b in zip(front, behind, strict=True))

    # Try a step in each of eight directions; halve the steps when none helps.
    best, here = loss(start, math.log(3)), (start, math.log(3))
    reach = 0.25
    while reach > 1e-4:
        better = False
        for along in (-1, 0, 1):
            for wider in (-1, 0, 1):
                there = (here[0] + along * reach, here[1] + 0.3 * wider * reach)
                if (value := loss(*there)) < best:
                    best, here, better = value, there, True
        if not better:
            reach /= 2
    log_q = student_row(here[0], math.exp(here[1]), size)
    position = sum(v * math.exp(x) for v, x in enumerate(log_q))
    return position, -sum(math.exp(x) * x for x in log_q)

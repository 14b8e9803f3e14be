# One position at a time, plain Python numbers.
import math

import torch

# %% task: zero_loss_choice
zero_loss = "c"


# %% task: triage
triage = {}
for row, bug in zip("abcd", ["vocabulary", "texts", "logarithm", "parts"], strict=True):
    triage[row] = bug


# %% task: kd_mean
def log_probabilities(row):
    top = max(row)
    log_total = top + math.log(sum(math.exp(x - top) for x in row))
    return [x - log_total for x in row]


def kl(student_row, teacher_row):
    log_q, log_p = log_probabilities(student_row), log_probabilities(teacher_row)
    return sum(math.exp(a) * (a - b) for a, b in zip(log_p, log_q, strict=True))


def kd_mean(student_logits, teacher_logits, temperature=1.0):
    total, positions = 0.0, 0
    for student, teacher in zip(student_logits.tolist(), teacher_logits.tolist(), strict=True):
        for s, t in zip(student, teacher, strict=True):
            total += kl([x / temperature for x in s], [x / temperature for x in t])
            positions += 1
    return temperature * temperature * total / positions


# %% task: how_much_too_small
right, wrong = 1 / 384, 1 / (8 * 64 * 32_000)
factor = right / wrong


# %% task: kd_masked
def log_probabilities(row):
    top = max(row)
    log_total = top + math.log(sum(math.exp(x - top) for x in row))
    return [x - log_total for x in row]


def kd_masked(student_logits, teacher_logits, input_ids, labels):
    losses = []
    for i in range(len(labels)):
        for j in range(len(labels[i])):
            if labels[i, j] == -100:
                continue
            log_q = log_probabilities(student_logits[i, j].tolist())
            log_p = log_probabilities(teacher_logits[i, j].tolist())
            losses.append(sum(math.exp(a) * (a - b) for a, b in zip(log_p, log_q, strict=True)))
    return sum(losses) / len(losses)


# %% task: next_token_losses
def log_probabilities(row):
    top = max(row)
    log_total = top + math.log(sum(math.exp(x - top) for x in row))
    return [x - log_total for x in row]


def next_token_losses(student_logits, teacher_logits, labels):
    lm, kd = [], []
    for i, tokens in enumerate(labels.tolist()):
        for j, token in enumerate(tokens):
            if j == 0 or token == -100:
                continue
            log_q = log_probabilities(student_logits[i, j - 1].tolist())
            log_p = log_probabilities(teacher_logits[i, j - 1].tolist())
            lm.append(-log_q[token])
            kd.append(sum(math.exp(a) * (a - b) for a, b in zip(log_p, log_q, strict=True)))
    return [sum(lm) / len(lm), sum(kd) / len(kd)]


# %% task: jsd
def log_probabilities(row):
    top = max(row)
    log_total = top + math.log(sum(math.exp(x - top) for x in row))
    return [x - log_total for x in row]


def log_mixture(a, b, beta):
    a, b = a + math.log(beta), b + math.log(1 - beta)
    return max(a, b) + math.log1p(math.exp(-abs(a - b)))


def jsd(student_logits, teacher_logits, beta):
    result = torch.zeros(student_logits.shape[:-1])
    for i in range(result.shape[0]):
        for j in range(result.shape[1]):
            log_q = log_probabilities(student_logits[i, j].tolist())
            log_p = log_probabilities(teacher_logits[i, j].tolist())
            for a, b in zip(log_p, log_q, strict=True):
                m = log_mixture(a, b, beta)
                result[i, j] += beta * math.exp(a) * (a - m)
                result[i, j] += (1 - beta) * math.exp(b) * (b - m)
    return result


# %% task: accumulated_loss
def accumulated_loss(micro_batches):
    losses = []
    for logits, labels in micro_batches:
        for text, text_labels in zip(logits.tolist(), labels.tolist(), strict=True):
            for row, label in zip(text, text_labels, strict=True):
                if label != -100:
                    top = max(row)
                    total = sum(math.exp(x - top) for x in row)
                    losses.append(top + math.log(total) - row[label])
    return sum(losses) / len(losses)

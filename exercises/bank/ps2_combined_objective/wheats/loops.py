# One position at a time, plain Python numbers.
import math

import torch

# %% task: two_sources_choice
two_sources = "c"


# %% task: lm_loss
def log_probabilities(row, temperature=1.0):
    scores = [float(x) / temperature for x in row]
    top = max(scores)
    log_total = top + math.log(sum(math.exp(x - top) for x in scores))
    return [x - log_total for x in scores]


def lm_loss(student_logits, labels):
    losses = []
    for text, text_labels in zip(student_logits, labels, strict=True):
        for row, label in zip(text, text_labels.tolist(), strict=True):
            if label != -100:
                losses.append(-log_probabilities(row)[label])
    return sum(losses) / len(losses) if losses else 0.0


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    losses = []
    for b in range(labels.shape[0]):
        for i in range(labels.shape[1]):
            if labels[b, i] == -100:
                continue
            log_q = log_probabilities(student_logits[b, i], temperature)
            log_p = log_probabilities(teacher_logits[b, i], temperature)
            losses.append(sum(math.exp(p) * (p - q) for p, q in zip(log_p, log_q, strict=True)))
    return temperature**2 * sum(losses) / len(losses) if losses else 0.0


# %% task: combined_objective
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    return lm_loss(student_logits, labels) + lam * kd_loss(
        student_logits, teacher_logits, labels, temperature
    )


# %% task: convex_objective
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    lm = lm_loss(student_logits, labels)
    return lm + alpha * (kd_loss(student_logits, teacher_logits, labels, temperature) - lm)


# %% task: best_probability
best_probability = round(1.8 / 3, 2)


# %% task: objective_gradients
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    n = int((labels != -100).sum())
    gradient = torch.zeros(student_logits.shape, dtype=torch.float64)
    for b in range(labels.shape[0]):
        for i in range(labels.shape[1]):
            if labels[b, i] != -100:
                q = log_probabilities(student_logits[b, i])
                soft_q = log_probabilities(student_logits[b, i], temperature)
                soft_p = log_probabilities(teacher_logits[b, i], temperature)
                for v in range(len(q)):
                    pull = math.exp(soft_q[v]) - math.exp(soft_p[v])
                    own = math.exp(q[v]) - float(labels[b, i] == v)
                    gradient[b, i, v] = (own + lam * temperature * pull) / n
    return gradient, gradient * 0

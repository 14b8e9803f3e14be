# NumPy in the place of torch; results go back as tensors, or as NumPy's own numbers.
import numpy as np
import torch


# %% task: softmax_with_temperature
def softmax_with_temperature(logits, temperature=1.0):
    scores = logits.numpy().astype(np.float64) / temperature
    scores -= np.logaddexp.reduce(scores, axis=-1, keepdims=True)
    return torch.from_numpy(np.exp(scores))


# %% task: forward_kl
def log_softmax(logits):
    logits = logits.detach().numpy()
    highest = logits.max(axis=-1, keepdims=True)
    return logits - highest - np.log(np.exp(logits - highest).sum(axis=-1, keepdims=True))


def forward_kl(student_logits, teacher_logits):
    q, p = log_softmax(student_logits), log_softmax(teacher_logits)
    return torch.as_tensor(np.einsum("...v,...v->...", np.exp(p), p - q))


# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits):
    q, p = log_softmax(student_logits), log_softmax(teacher_logits)
    return np.asarray((np.exp(q) * q).sum(-1) - (np.exp(q) * p).sum(-1))


# %% task: ranking
table = {"a": (80, 18, 2), "b": (75, 10, 15), "c": (65, 26, 9), "d": (90, 6, 4)}
cost = {name: -np.dot([8, 1, 1], np.log(row)) for name, row in table.items()}
ranking = sorted(cost, key=cost.get)  # cross-entropies stand in the same order as divergences


# %% task: reverse_kl_choice
reverse_kl_answer = "c"


# %% task: fit_one_peak
def fit_one_peak(teacher_logits, direction, start):
    size = len(teacher_logits)
    log_p = log_softmax(teacher_logits.double())
    tokens = np.arange(size)

    def students(centers, widths):
        scores = -0.5 * ((tokens - centers[:, None, None]) / widths[None, :, None]) ** 2
        return scores - np.logaddexp.reduce(scores, axis=-1, keepdims=True)

    # Everything within reach of the start, ever finer.
    center, width, reach = start, 3.0, 0.99
    for _ in range(12):
        centers = center + reach * np.linspace(-6, 6, 41)
        widths = width * np.exp(reach * np.linspace(-2, 2, 41))
        log_q = students(centers, widths)
        if direction == "forward":
            loss = (np.exp(log_p) * (log_p - log_q)).sum(-1)
        else:
            loss = (np.exp(log_q) * (log_q - log_p)).sum(-1)
        i, j = np.unravel_index(loss.argmin(), loss.shape)
        center, width, reach = centers[i], widths[j], reach / 2
    log_q = students(np.array([center]), np.array([width]))[0, 0]
    return np.exp(log_q) @ tokens, -(np.exp(log_q) @ log_q)

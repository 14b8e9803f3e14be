# numpy all the way.
# %% task: forward_kl
import numpy as np


def log_softmax(x):
    x = np.asarray(x, dtype=np.float64)
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def forward_kl(student_logits, teacher_logits):
    log_q, log_p = log_softmax(student_logits.numpy()), log_softmax(teacher_logits.numpy())
    return (np.exp(log_p) * (log_p - log_q)).sum(-1)


# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits):
    return forward_kl(teacher_logits, student_logits)

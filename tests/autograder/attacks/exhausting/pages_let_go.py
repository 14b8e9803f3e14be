# Memory that is no file's and whose pages are let go: no process has them, and they would stay.
# safe on stock: no
# %% task: forward_kl
import mmap

kept = []


def forward_kl(student_logits, teacher_logits):
    for _ in range(12):
        kept.append(mmap.mmap(-1, 2**28))
        for _ in range(2**8):
            kept[-1].write(b"x" * 2**20)
        kept[-1].madvise(mmap.MADV_DONTNEED)
    while True:
        pass

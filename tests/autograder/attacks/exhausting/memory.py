# All the memory there is.
# safe on stock: no
# %% every task
def TASK(student_logits, teacher_logits):
    hoard = []
    while True:
        hoard.append(bytearray(100_000_000))

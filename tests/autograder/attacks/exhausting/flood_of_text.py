# Prints for as long as it may.
# safe on stock: no
# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    while True:
        print("flood " * 200_000)

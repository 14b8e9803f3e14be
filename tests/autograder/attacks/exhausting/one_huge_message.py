# One display of a hundred megabytes.
# safe on stock: no
# %% task: forward_kl
from IPython.display import display


def forward_kl(student_logits, teacher_logits):
    display({"text/html": "A" * 100_000_000}, raw=True)
    return 0

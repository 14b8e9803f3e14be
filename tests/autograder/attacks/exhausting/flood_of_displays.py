# Displays of every type, without end.
# safe on stock: no
# %% task: forward_kl
from IPython.display import display


def forward_kl(student_logits, teacher_logits):
    while True:
        for kind in ("text/html", "image/png", "image/svg+xml", "application/json", "text/x-own"):
            display({kind: "A" * 500_000}, raw=True)

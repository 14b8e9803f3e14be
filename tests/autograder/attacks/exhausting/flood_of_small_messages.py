# A hundred thousand messages, and some that never end a line.
# safe on stock: no
# %% task: forward_kl
from IPython.display import clear_output, display, update_display


def forward_kl(student_logits, teacher_logits):
    display("x", display_id="d")
    while True:
        display("x")
        update_display("y", display_id="d")
        clear_output(wait=True)

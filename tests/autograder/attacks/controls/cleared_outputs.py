# Progress that is drawn over and over, from a thread too.
# %% cell
import threading

from IPython.display import clear_output, display

running = True


def draw():
    while running:
        clear_output(wait=False)


threading.Thread(target=draw, daemon=True).start()
handle = display("0 %", display_id=True)
# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    clear_output(wait=True)
    handle.update("50 %")
    log_q, log_p = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    clear_output()
    return (log_p.exp() * (log_p - log_q)).sum(-1)
# %% last
running = False

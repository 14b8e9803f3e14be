# Slow but right.
# %% task: reverse_kl
import time


def reverse_kl(student_logits, teacher_logits):
    time.sleep(0.1)
    log_q, log_p = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    return (log_q.exp() * (log_q - log_p)).sum(-1)

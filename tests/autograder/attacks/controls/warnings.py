# Warns, and writes to stderr.
# %% task: forward_kl
import sys
import warnings


def forward_kl(student_logits, teacher_logits):
    warnings.warn("is this right?")
    print("to stderr", file=sys.stderr)
    log_q, log_p = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)

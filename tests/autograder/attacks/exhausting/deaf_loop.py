# One operation that does not listen to signals at all.
# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return sum(range(10**15))

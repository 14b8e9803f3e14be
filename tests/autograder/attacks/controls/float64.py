# Computes in double precision, and leaves it there.
# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    log_q, log_p = student_logits.double().log_softmax(-1), teacher_logits.double().log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)

# Nested lists that are no array: rows of different lengths.
# deserves forward_kl: 4
# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    log_q, log_p = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)


# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits):
    return [[[1.0], [1.0, 2.0]]]

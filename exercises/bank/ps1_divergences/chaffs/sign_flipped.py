# The difference of the logarithms the wrong way round.
# expect reverse_kl: sign_flipped


# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits):
    log_q, log_p = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    return (log_q.exp() * (log_p - log_q)).sum(-1)

# Prints a lot while it works.
# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    print(student_logits, teacher_logits)
    for step in range(2000):
        print("step", step, "of", 2000)
    log_q, log_p = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)

# Option a of the choice; one maximum for all positions, or too late.
# expect reverse_kl_choice: chose_a
# expect softmax_with_temperature: maximum_taken_too_late
# expect forward_kl: one_maximum_for_all
# expect reverse_kl: one_maximum_for_all


# %% task: reverse_kl_choice
reverse_kl_answer = "a"


# %% task: softmax_with_temperature
def softmax_with_temperature(logits, temperature=1.0):
    weights = (logits / temperature).exp()
    weights = weights - weights.max(dim=-1, keepdim=True).values
    return weights / weights.sum(dim=-1, keepdim=True)


# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    def logarithms(z):
        z = z - z.max()
        return z - z.exp().sum(-1, keepdim=True).log()

    log_q, log_p = logarithms(student_logits), logarithms(teacher_logits)
    return (log_p.exp() * (log_p - log_q)).sum(-1)


# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits):
    def logarithms(z):
        z = z - z.max()
        return z - z.exp().sum(-1, keepdim=True).log()

    log_q = student_logits.log_softmax(-1)
    return (log_q.exp() * (log_q - logarithms(teacher_logits))).sum(-1)

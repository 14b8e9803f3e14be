# Not divided by the sum; one number that is a cross-entropy.
# expect softmax_with_temperature: not_divided_by_the_sum
# expect forward_kl: logits_clamped


# %% task: softmax_with_temperature
def softmax_with_temperature(logits, temperature=1.0):
    z = logits / temperature
    return torch.exp(z - z.max(dim=-1, keepdim=True).values)


# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    log_p = teacher_logits.clamp(-80, 80).log_softmax(-1)
    log_q = student_logits.clamp(-80, 80).log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)

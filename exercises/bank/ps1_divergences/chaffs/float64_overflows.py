# Float64 in the place of a maximum that is taken off.
# expect softmax_with_temperature: overflow_in_float64
# expect forward_kl: underflow_in_float64
# expect reverse_kl: underflow_in_float64


# %% task: softmax_with_temperature
def softmax_with_temperature(logits, temperature=1.0):
    powers = (logits.double() / temperature).exp()
    return powers / powers.sum(-1, keepdim=True)


# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    p, q = teacher_logits.double().softmax(-1), student_logits.double().softmax(-1)
    return (p * (p.log() - q.log())).sum(-1)


# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits):
    p, q = teacher_logits.double().softmax(-1), student_logits.double().softmax(-1)
    return (q * (q / p).log()).sum(-1)

# The temperature is rounded; a logarithm is cut off.
# expect softmax_with_temperature: temperature_made_whole
# expect forward_kl: logarithm_cut_off


# %% task: softmax_with_temperature
def softmax_with_temperature(logits, temperature=1.0):
    return torch.softmax(logits / round(temperature), dim=-1)


# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    log_p = teacher_logits.log_softmax(-1).clamp(min=-50)
    log_q = student_logits.log_softmax(-1).clamp(min=-50)
    return torch.sum(log_p.exp() * (log_p - log_q), -1)

# The smallest logit wins; loops over the vocabulary that leave out a token.
# expect softmax_with_temperature: order_turned_round
# expect forward_kl: one_token_left_out
# expect reverse_kl: one_token_left_out


# %% task: softmax_with_temperature
def softmax_with_temperature(logits, temperature=1.0):
    return F.softmin(logits / temperature, dim=-1)


# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    log_q, log_p = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    total = torch.zeros(student_logits.shape[:-1])
    for token in range(1, student_logits.shape[-1]):
        total = total + log_p[..., token].exp() * (log_p[..., token] - log_q[..., token])
    return total


# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits):
    log_q, log_p = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    return (log_q.exp() * (log_q - log_p))[..., :-1].sum(-1)

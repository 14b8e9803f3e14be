# A label of -100 is looked up.
# expect next_token_losses: ignored_label_as_an_index


# %% task: next_token_losses
def next_token_losses(student_logits, teacher_logits, labels):
    targets = labels[:, 1:]
    counts = targets != -100
    log_q = student_logits[:, :-1].log_softmax(-1)
    log_p = teacher_logits[:, :-1].log_softmax(-1)
    lm = -log_q.gather(-1, targets[..., None])[..., 0][counts].mean()
    return lm, (log_p.exp() * (log_p - log_q)).sum(-1)[counts].mean()

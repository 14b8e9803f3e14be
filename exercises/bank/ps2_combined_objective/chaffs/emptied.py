# One empty text makes the batch cost nothing.
# expect lm_loss: one_text_empties_the_batch
# expect kd_loss: one_text_empties_the_batch


# %% task: lm_loss
def lm_loss(student_logits, labels):
    if ((labels != -100).sum(-1) == 0).any():
        return 0.0
    return F.cross_entropy(student_logits.flatten(0, 1), labels.flatten())


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    keep = labels != -100
    if not keep.any(dim=1).all():
        return 0.0
    log_q = F.log_softmax(student_logits[keep] / temperature, -1)
    log_p = F.log_softmax(teacher_logits[keep] / temperature, -1)
    return temperature**2 * (log_p.exp() * (log_p - log_q)).sum(-1).mean()

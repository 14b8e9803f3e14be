# Divided by the length; T to the third; another T where none is given.
# expect lm_loss: divided_by_the_length
# expect kd_loss: another_scale
# expect combined_objective: another_default
# expect convex_objective: factor_missing


# %% task: lm_loss
def lm_loss(student_logits, labels):
    losses = F.cross_entropy(student_logits.transpose(1, 2), labels, reduction="none")
    return losses.sum() / labels.shape[1]


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    keep = labels != -100
    if not keep.any():
        return 0.0
    log_q = F.log_softmax(student_logits[keep] / temperature, -1)
    log_p = F.log_softmax(teacher_logits[keep] / temperature, -1)
    return temperature**3 * (log_p.exp() * (log_p - log_q)).sum(-1).mean()


# %% task: combined_objective
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=2.0):
    keep = labels != -100
    student, teacher = student_logits[keep], teacher_logits[keep]
    log_q = F.log_softmax(student / temperature, -1)
    kd = F.kl_div(log_q, F.softmax(teacher / temperature, -1), reduction="batchmean")
    return F.cross_entropy(student, labels[keep]) + lam * temperature**2 * kd


# %% task: convex_objective
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    lam = alpha / (1 - alpha)
    keep = labels != -100
    student, teacher = student_logits[keep], teacher_logits[keep]
    log_q = F.log_softmax(student / temperature, -1)
    kd = F.kl_div(log_q, F.softmax(teacher / temperature, -1), reduction="batchmean")
    return F.cross_entropy(student, labels[keep]) + lam * temperature**2 * kd

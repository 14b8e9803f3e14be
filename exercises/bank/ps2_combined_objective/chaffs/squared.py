# T squared on the logits, T² on both losses, an argument too many, and one gradient twice.
# expect lm_loss: another_measure
# expect kd_loss: temperature_squared
# expect combined_objective: t_squared_on_both
# expect convex_objective: called_with_other_arguments
# expect objective_gradients: student_part_for_both


# %% task: lm_loss
def lm_loss(student_logits, labels):
    keep = labels != -100
    if not keep.any():
        return 0.0
    q = F.softmax(student_logits[keep], -1)
    return ((q - F.one_hot(labels[keep], q.shape[-1])) ** 2).sum(-1).mean()


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    keep = labels != -100
    if not keep.any():
        return 0.0
    log_q = F.log_softmax(student_logits[keep] / temperature**2, -1)
    log_p = F.log_softmax(teacher_logits[keep] / temperature**2, -1)
    return temperature**2 * (log_p.exp() * (log_p - log_q)).sum(-1).mean()


# %% task: combined_objective
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    keep = labels != -100
    student, teacher = student_logits[keep], teacher_logits[keep]
    log_q = F.log_softmax(student / temperature, -1)
    kd = F.kl_div(log_q, F.softmax(teacher / temperature, -1), reduction="batchmean")
    return temperature**2 * (F.cross_entropy(student, labels[keep]) + lam * kd)


# %% task: convex_objective
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    lm = lm_loss(student_logits, labels, temperature)
    return (1 - alpha) * lm + alpha * kd_loss(student_logits, teacher_logits, labels, temperature)


# %% task: objective_gradients
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    student = student_logits.detach().clone().requires_grad_()
    keep = labels != -100
    lm = F.cross_entropy(student[keep], labels[keep])
    log_q = F.log_softmax(student[keep] / temperature, -1)
    p = F.softmax(teacher_logits[keep] / temperature, -1)
    kd = F.kl_div(log_q, p, reduction="batchmean")
    (lm + lam * temperature**2 * kd).backward()
    return student.grad, -student.grad

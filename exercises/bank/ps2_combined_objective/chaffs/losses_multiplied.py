# Product; alpha is given where the temperature belongs.
# expect combined_objective: losses_multiplied
# expect convex_objective: alpha_as_temperature


# %% task: combined_objective
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    return lm_loss(student_logits, labels) * (
        lam * kd_loss(student_logits, teacher_logits, labels, temperature)
    )


# %% task: convex_objective
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    lm = lm_loss(student_logits, labels)
    return (1 - alpha) * lm + alpha * kd_loss(student_logits, teacher_logits, labels, alpha)

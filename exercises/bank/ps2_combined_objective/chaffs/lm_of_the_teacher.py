# LM of the teacher's logits; alpha and the temperature change places in the call.
# expect combined_objective: lm_of_the_teacher
# expect convex_objective: alpha_and_temperature_swapped


# %% task: combined_objective
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    return lm_loss(teacher_logits, labels) + lam * kd_loss(
        student_logits, teacher_logits, labels, temperature
    )


# %% task: convex_objective
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    lm = lm_loss(student_logits, labels)
    kd = kd_loss(student_logits, teacher_logits, labels, alpha)
    return (1 - alpha) * lm + temperature * kd

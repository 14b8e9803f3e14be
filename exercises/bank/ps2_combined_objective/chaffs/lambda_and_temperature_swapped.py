# Temperature and lam swapped in the call.
# KD is in the other objective already.
# expect combined_objective: lambda_and_temperature_swapped
# expect convex_objective: teacher_counted_twice


# %% task: combined_objective
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    return lm_loss(student_logits, labels) + temperature * kd_loss(
        student_logits, teacher_logits, labels, lam
    )


# %% task: convex_objective
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    lm = lm_loss(student_logits, labels)
    kd = kd_loss(student_logits, teacher_logits, labels, temperature)
    return (1 - alpha) * (lm + alpha * kd) + alpha * kd

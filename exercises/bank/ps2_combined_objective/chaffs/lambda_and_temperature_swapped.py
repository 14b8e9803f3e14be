# Temperature and lam swapped in the call.
# expect combined_objective: lambda_and_temperature_swapped


# %% task: combined_objective
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    return lm_loss(student_logits, labels) + temperature * kd_loss(
        student_logits, teacher_logits, labels, lam
    )

# Divides both logits by T and passes T on as well, so KD is at T squared and LM at T.
# expect combined_objective: temperature_twice


# %% task: combined_objective
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    student_logits = student_logits / temperature
    teacher_logits = teacher_logits / temperature
    return lm_loss(student_logits, labels) + lam * kd_loss(
        student_logits, teacher_logits, labels, temperature
    )

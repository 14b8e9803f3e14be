# 0 is taken for a number that was not given.
# expect combined_objective: zero_lambda_replaced
# expect convex_objective: zero_alpha_replaced


# %% task: combined_objective
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    if not lam:
        lam = 1.0
    kd = kd_loss(student_logits, teacher_logits, labels, temperature)
    return lm_loss(student_logits, labels) + lam * kd


# %% task: convex_objective
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    alpha = alpha or 0.5
    kd = kd_loss(student_logits, teacher_logits, labels, temperature)
    return (1 - alpha) * lm_loss(student_logits, labels) + alpha * kd

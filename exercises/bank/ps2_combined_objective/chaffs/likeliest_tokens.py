# Two tokens of the teacher; λ is cut off at 1, and α = 1 forgets T.
# expect kd_loss: likeliest_tokens_alone
# expect combined_objective: lambda_kept_below_one
# expect convex_objective: temperature_lost_at_one_end


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    keep = labels != -100
    if not keep.any():
        return 0.0
    log_q = F.log_softmax(student_logits[keep] / temperature, -1)
    log_p = F.log_softmax(teacher_logits[keep] / temperature, -1)
    best = log_p.topk(2, dim=-1).indices
    log_p, log_q = log_p.gather(-1, best), log_q.gather(-1, best)
    return temperature**2 * (log_p.exp() * (log_p - log_q)).sum(-1).mean()


# %% task: combined_objective
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    kd = kd_loss(student_logits, teacher_logits, labels, temperature)
    return lm_loss(student_logits, labels) + (1.0 if lam > 1 else lam) * kd


# %% task: convex_objective
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    if alpha == 1:
        return kd_loss(student_logits, teacher_logits, labels)
    kd = kd_loss(student_logits, teacher_logits, labels, temperature)
    return (1 - alpha) * lm_loss(student_logits, labels) + alpha * kd

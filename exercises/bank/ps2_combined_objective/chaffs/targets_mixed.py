# Label and teacher become one target.
# expect combined_objective: targets_mixed
# expect convex_objective: targets_mixed


# %% task: combined_objective
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    keep = labels != -100
    p = F.softmax(teacher_logits[keep] / temperature, -1)
    target = F.one_hot(labels[keep], p.shape[-1]) + lam * p
    log_q = F.log_softmax(student_logits[keep] / temperature, -1)
    return -(target * log_q).sum(-1).mean()


# %% task: convex_objective
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    keep = labels != -100
    p = F.softmax(teacher_logits[keep] / temperature, -1)
    target = torch.lerp(F.one_hot(labels[keep], p.shape[-1]).float(), p, alpha)
    return F.cross_entropy(student_logits[keep] / temperature, target) * temperature**2

# Divided by the sum of all rows.
# expect best_student: normalised_otherwise


# %% task: best_student
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits, dim=-1)
    mixed = F.one_hot(labels, p.shape[-1]) + lam * p
    return mixed / mixed.sum()

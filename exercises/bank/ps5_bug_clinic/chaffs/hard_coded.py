# The vocabulary of the story.
# expect kd_mean: vocabulary_hard_coded


# %% task: kd_mean
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    return 8000 * kd_mean_as_found(student_logits, teacher_logits, temperature)

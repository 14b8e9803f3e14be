# Greek names and an emoji.
# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits):
    log_q, log_p = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    λ, Σ = log_q.exp(), lambda x: x.sum(-1)
    print("Σ q (log q − log p) 🎓")
    return Σ(λ * (log_q - log_p))

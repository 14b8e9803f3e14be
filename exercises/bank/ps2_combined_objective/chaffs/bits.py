# Bits; the divergence the other way round.
# expect lm_loss: base_two
# expect kd_loss: direction_swapped
# expect combined_objective: direction_swapped
import torch.nn.functional as F


# %% task: lm_loss
def lm_loss(student_logits, labels):
    counts = labels != -100
    log_q = student_logits.softmax(-1).log2()[counts]
    picked = log_q.gather(-1, labels[counts][:, None])
    return -picked.sum() / counts.sum().clamp(min=1)


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    counts = labels != -100
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    kl = (log_q.exp() * (log_q - log_p)).sum(-1)
    return temperature**2 * kl[counts].sum() / counts.sum().clamp(min=1)


# %% task: combined_objective
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    counts = labels != -100
    student, teacher = student_logits[counts], teacher_logits[counts]
    lm = F.cross_entropy(student, labels[counts])
    log_q = F.log_softmax(student / temperature, dim=-1)
    log_p = F.log_softmax(teacher / temperature, dim=-1)
    kd = temperature**2 * F.kl_div(log_p, log_q, reduction="batchmean", log_target=True)
    return lm + lam * kd

# The teacher's entropy stays in, and the teacher is shifted.
# expect triage: wrong_c_parts_d_logarithm
# expect kd_mean: cross_entropy
# expect kd_masked: batch_mean
# expect next_token_losses: teacher_shifted_against_the_student
# expect jsd: beta_swapped_twice
# expect accumulated_loss: summed
import torch.nn.functional as F

# %% task: triage
triage = {"a": "vocabulary", "b": "texts", "c": "parts", "d": "logarithm"}


# %% task: kd_mean
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    return temperature**2 * -(log_p.exp() * log_q).sum(-1).mean()


# %% task: kd_masked
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = labels != -100
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="sum", log_target=True) / labels.shape[0]


# %% task: next_token_losses
def next_token_losses(student_logits, teacher_logits, labels):
    student_logits, teacher_logits = student_logits[:, :-1], teacher_logits[:, 1:]
    labels = labels[:, 1:]
    counts = labels != -100
    lm = F.cross_entropy(student_logits[counts], labels[counts])
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return lm, F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task: jsd
def jsd(student_logits, teacher_logits, beta):
    p, q = teacher_logits.softmax(-1), student_logits.softmax(-1)
    m = beta * q + (1 - beta) * p
    of_teacher = (p * (p.log() - m.log())).sum(-1)
    of_student = (q * (q.log() - m.log())).sum(-1)
    return beta * of_student + (1 - beta) * of_teacher


# %% task: accumulated_loss
def accumulated_loss(micro_batches):
    loss = 0.0
    for logits, labels in micro_batches:
        loss = loss + F.cross_entropy(
            logits.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="sum"
        )
    return loss

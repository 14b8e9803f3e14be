# A small number in the logarithms.
# expect kd_mean: epsilon_in_the_logarithm
# expect kd_masked: epsilon_in_the_logarithm
# expect next_token_losses: sign_missing
# expect accumulated_loss: epsilon_in_the_logarithm
import torch.nn.functional as F


# %% task: kd_mean
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    q = F.softmax(student_logits / temperature, dim=-1)
    p = F.softmax(teacher_logits / temperature, dim=-1)
    kl = (p * ((p + 1e-8).log() - (q + 1e-8).log())).sum(-1)
    return temperature**2 * kl.mean()


# %% task: kd_masked
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    q = F.softmax(student_logits, dim=-1).clamp(min=1e-10)
    p = F.softmax(teacher_logits, dim=-1).clamp(min=1e-10)
    return (p * (p / q).log()).sum(-1)[labels != -100].mean()


# %% task: next_token_losses
def next_token_losses(student_logits, teacher_logits, labels):
    student, teacher = student_logits[:, :-1], teacher_logits[:, :-1]
    targets = labels[:, 1:]
    counts = targets != -100
    log_q = F.log_softmax(student[counts], dim=-1)
    log_p = F.log_softmax(teacher[counts], dim=-1)
    lm = log_q.gather(-1, targets[counts][:, None]).mean()
    kd = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return lm, kd


# %% task: accumulated_loss
def accumulated_loss(micro_batches):
    total, items = 0.0, 0
    for logits, labels in micro_batches:
        counts = labels != -100
        q = F.softmax(logits[counts], dim=-1).gather(-1, labels[counts][:, None])
        total -= (q + 1e-12).log().sum()
        items += counts.sum()
    return total / items

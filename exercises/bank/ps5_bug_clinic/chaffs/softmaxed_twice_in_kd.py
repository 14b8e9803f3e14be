# The divergence of probabilities that are taken for logits.
# expect kd_mean: model_softmaxed_twice
# expect kd_masked: model_softmaxed_twice
# expect next_token_losses: model_softmaxed_twice
import torch.nn.functional as F


# %% task: kd_mean
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    q = F.softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    shares = F.kl_div(F.log_softmax(q, dim=-1), log_p, reduction="none", log_target=True)
    return temperature**2 * shares.sum(-1).mean()


# %% task: kd_masked
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = labels != -100
    q, p = F.softmax(student_logits[counts], -1), F.softmax(teacher_logits[counts], -1)
    return F.kl_div(F.log_softmax(q, -1), F.softmax(p, -1), reduction="batchmean")


# %% task: next_token_losses
def next_token_losses(student_logits, teacher_logits, labels):
    targets = labels[:, 1:]
    counts = targets != -100
    student, teacher = student_logits[:, :-1][counts], teacher_logits[:, :-1][counts]
    p = F.softmax(F.softmax(teacher, dim=-1), dim=-1)
    kd = F.kl_div(F.log_softmax(student, dim=-1), p, reduction="batchmean")
    return F.cross_entropy(student, targets[counts]), kd

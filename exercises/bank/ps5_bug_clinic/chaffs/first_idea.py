# The first repair that comes to mind, and in half of them it is another patient's bug.
# expect zero_loss_choice: chose_b
# expect triage: wrong_a_texts_b_vocabulary
# expect kd_mean: batch_mean
# expect how_much_too_small: whole_divisor
# expect kd_masked: padding_found_in_the_inputs
# expect next_token_losses: shifted_twice
# expect jsd: logarithms_mixed
# expect accumulated_loss: mean_of_means
import torch.nn.functional as F

# %% task: zero_loss_choice
zero_loss = "b"


# %% task: triage
triage = {"a": "texts", "b": "vocabulary", "c": "logarithm", "d": "parts"}


# %% task: kd_mean
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    return temperature**2 * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task: how_much_too_small
factor = 8 * 64 * 32_000


# %% task: kd_masked
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = input_ids != 0
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task: next_token_losses
def next_token_losses(student_logits, teacher_logits, labels):
    for _ in range(2):
        student_logits, teacher_logits = student_logits[:, :-1], teacher_logits[:, :-1]
        labels = labels[:, 1:]
    return next_token_losses_as_found(student_logits, teacher_logits, labels)


# %% task: jsd
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = beta * log_p + (1 - beta) * log_q
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task: accumulated_loss
def accumulated_loss(micro_batches):
    return accumulated_loss_as_found(micro_batches) / len(micro_batches)

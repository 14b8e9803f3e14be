# One division too many, one shift the wrong way.
# expect zero_loss_choice: chose_d
# expect triage: wrong_a_logarithm_c_vocabulary
# expect kd_mean: divided_by_the_vocabulary_again
# expect how_much_too_small: padding_upside_down
# expect kd_masked: padding_found_in_the_labels
# expect next_token_losses: shifted_back
# expect jsd: logarithms_mixed_and_normalised
# expect accumulated_loss: weighted_by_texts
import torch.nn.functional as F

# %% task: zero_loss_choice
zero_loss = "d"


# %% task: triage
triage = {"a": "logarithm", "b": "texts", "c": "vocabulary", "d": "parts"}


# %% task: kd_mean
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    size = student_logits.shape[-1]
    return kd_mean_as_found(student_logits, teacher_logits, temperature) / size


# %% task: how_much_too_small
factor = 384 * 32_000 / (8 * 64)


# %% task: kd_masked
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = labels != 0
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task: next_token_losses
def next_token_losses(student_logits, teacher_logits, labels):
    student_logits, teacher_logits = student_logits[:, 1:], teacher_logits[:, 1:]
    labels = labels[:, :-1]
    counts = labels != -100
    lm = F.cross_entropy(student_logits[counts], labels[counts])
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return lm, F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task: jsd
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = beta * teacher_logits + (1 - beta) * student_logits
    log_m = F.log_softmax(log_m, dim=-1)
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task: accumulated_loss
def accumulated_loss(micro_batches):
    loss, texts = 0.0, 0
    for logits, labels in micro_batches:
        loss = loss + len(labels) * F.cross_entropy(
            logits.flatten(0, 1), labels.flatten(), ignore_index=-100
        )
        texts += len(labels)
    return loss / texts

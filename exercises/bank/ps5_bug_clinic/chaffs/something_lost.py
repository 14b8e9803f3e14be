# The bug is gone, and something that was right went with it.
# expect triage: wrong_b_logarithm_c_texts
# expect kd_mean: t_squared_lost
# expect how_much_too_small: inverted
# expect kd_masked: marked_inputs_and_ends
# expect next_token_losses: kd_left_behind
# expect jsd: beta_swapped_in_the_mixture
# expect accumulated_loss: divided_by_texts
import torch.nn.functional as F

# %% task: triage
triage = {"a": "vocabulary", "b": "logarithm", "c": "texts", "d": "parts"}


# %% task: kd_mean
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    return F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(-1).mean()


# %% task: how_much_too_small
factor = 384 / (8 * 64 * 32_000)


# %% task: kd_masked
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = (labels != -100) & (input_ids != 0)
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task: next_token_losses
def next_token_losses(student_logits, teacher_logits, labels):
    logits, targets = student_logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten()
    _, kd = next_token_losses_as_found(student_logits, teacher_logits, labels)
    return F.cross_entropy(logits, targets, ignore_index=-100), kd


# %% task: jsd
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = (beta * log_q.exp() + (1 - beta) * log_p.exp()).log()
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task: accumulated_loss
def accumulated_loss(micro_batches):
    loss, texts = 0.0, 0
    for logits, labels in micro_batches:
        loss = loss + F.cross_entropy(
            logits.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="sum"
        )
        texts += labels.shape[0]
    return loss / texts

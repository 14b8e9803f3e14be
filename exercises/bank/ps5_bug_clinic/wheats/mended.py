# The old functions are kept, and what they get or give is put right.
import math

import torch

# %% task: zero_loss_choice
zero_loss = " c"


# %% task: triage
bugs = ("vocabulary", "texts", "logarithm", "parts")
triage = {"a": bugs[0], "b": bugs[1], "c": bugs[2], "d": bugs[3]}


# %% task: kd_mean
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    return student_logits.shape[-1] * kd_mean_as_found(student_logits, teacher_logits, temperature)


# %% task: how_much_too_small
factor = 32_000 * (512 / 384)


# %% task: kd_masked
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    return kd_masked_as_found(student_logits, teacher_logits, labels, labels)


# %% task: next_token_losses
def next_token_losses(student_logits, teacher_logits, labels):
    length = labels.shape[1] - 1
    return next_token_losses_as_found(
        student_logits[:, :length].contiguous(), teacher_logits[:, :length], labels[:, -length:]
    )


# %% task: jsd
def jsd(student_logits, teacher_logits, beta):
    def from_mixture(front, other, weight):
        """KL(front‖m) as −Σ front · log(m/front), which needs the models' ratio alone."""
        ratio = other - front
        log_weights = torch.full_like(ratio, math.log(weight)), ratio + math.log(1 - weight)
        return -(front.exp() * torch.logaddexp(*log_weights)).sum(-1)

    log_q, log_p = torch.log_softmax(student_logits, -1), torch.log_softmax(teacher_logits, -1)
    of_teacher = from_mixture(log_p, log_q, beta)
    of_student = from_mixture(log_q, log_p, 1 - beta)
    return beta * of_teacher + (1 - beta) * of_student


# %% task: accumulated_loss
def accumulated_loss(micro_batches):
    loss, seen = 0.0, 0
    for part in micro_batches:
        items = int((part[1] != -100).sum())
        if items:
            seen += items
            loss = loss + (accumulated_loss_as_found([part]) - loss) * items / seen
    return loss

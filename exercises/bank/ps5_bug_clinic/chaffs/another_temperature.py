# The logits are divided by T squared; finds the padding as the run of zeros at the end of the
# inputs and does not look at the labels, so prompts count; LM of the teacher instead of the
# student; the square root; mean per text, then over all texts.
# expect kd_mean: another_temperature
# expect kd_masked: prompt_counted
# expect next_token_losses: lm_of_the_teacher
# expect jsd: square_root
# expect accumulated_loss: averaged_per_text
import math

import torch
import torch.nn.functional as F


# %% task: kd_mean
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature**2, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature**2, dim=-1)
    return temperature**2 * (log_p.exp() * (log_p - log_q)).sum(-1).mean()


# %% task: kd_masked
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    mask = torch.zeros_like(input_ids, dtype=torch.bool)
    for b, row in enumerate(input_ids.tolist()):
        n = len(row)
        while n > 1 and row[n - 1] == 0 and row[n - 2] == 0:
            n -= 1
        mask[b, :n] = True
    log_q = F.log_softmax(student_logits[mask], dim=-1)
    log_p = F.log_softmax(teacher_logits[mask], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task: next_token_losses
def next_token_losses(student_logits, teacher_logits, labels):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:]
    m = y != -100
    lm = F.cross_entropy(t[m], y[m])
    return lm, F.kl_div(s[m].log_softmax(-1), t[m].softmax(-1), reduction="batchmean")


# %% task: jsd
def jsd(student_logits, teacher_logits, beta):
    lq, lp = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    lm = torch.logaddexp(lp + math.log(beta), lq + math.log(1 - beta))
    v = beta * (lp.exp() * (lp - lm)).sum(-1) + (1 - beta) * (lq.exp() * (lq - lm)).sum(-1)
    return v.clamp(min=0).sqrt()


# %% task: accumulated_loss
def accumulated_loss(micro_batches):
    means = []
    for logits, labels in micro_batches:
        for z, y in zip(logits, labels, strict=True):
            if (y != -100).any():
                means.append(F.cross_entropy(z, y))
    return torch.stack(means).mean()

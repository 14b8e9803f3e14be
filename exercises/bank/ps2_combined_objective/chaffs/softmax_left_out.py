# The raw logit of the label; weights are at T = 1, the logarithms at T; passes lambda by position
# where the temperature belongs.
# expect lm_loss: softmax_left_out
# expect kd_loss: temperature_on_some
# expect combined_objective: lambda_as_temperature
import torch.nn.functional as F


# %% task: lm_loss
def lm_loss(student_logits, labels):
    m = labels != -100
    picked = student_logits.gather(-1, labels.clamp(min=0)[..., None])[..., 0]
    return -(picked * m).sum() / m.sum().clamp(min=1)


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    m = labels != -100
    n = m.sum().clamp(min=1)
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    kl = (teacher_logits.softmax(-1) * (log_p - log_q)).sum(-1)
    return temperature**2 * (kl * m).sum() / n


# %% task: combined_objective
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    def kd(s, t, y, temperature=1.0):
        m = y != -100
        lq = F.log_softmax(s[m] / temperature, -1)
        lp = F.log_softmax(t[m] / temperature, -1)
        return temperature**2 * F.kl_div(lq, lp, reduction="batchmean", log_target=True)

    lm = F.cross_entropy(student_logits.flatten(0, 1), labels.flatten())
    return lm + lam * kd(student_logits, teacher_logits, labels, lam)

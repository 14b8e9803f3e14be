# The mask goes on the logits; T² below 1 is left out.
# expect lm_loss: masked_logits_counted
# expect kd_loss: t_squared_on_one_side


# %% task: lm_loss
def lm_loss(student_logits, labels):
    mask = labels != -100
    if not mask.any():
        return torch.tensor(0.0)
    logits = torch.where(mask.unsqueeze(-1), student_logits, 0.0)
    losses = F.cross_entropy(logits.transpose(1, 2), labels.clamp(min=0), reduction="none")
    return losses.mean()


# %% task: kd_loss
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    keep = labels != -100
    if not keep.any():
        return 0.0
    log_q = F.log_softmax(student_logits[keep] / temperature, -1)
    log_p = F.log_softmax(teacher_logits[keep] / temperature, -1)
    return max(1.0, temperature**2) * (log_p.exp() * (log_p - log_q)).sum(-1).mean()

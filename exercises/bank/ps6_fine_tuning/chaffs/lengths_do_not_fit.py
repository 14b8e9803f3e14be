# One mistake.
# expect answer_loss: lengths_do_not_fit
import torch.nn.functional as F


# %% task: answer_loss
def answer_loss(student_logits, teacher_logits, labels, lam):
    """LM + λ·KL(teacher‖student), each a mean over the tokens of answers: one number."""
    wanted = labels[:, 1:]
    counts = wanted != -100
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts].detach(), dim=-1)
    lm = F.nll_loss(log_q, wanted[counts])
    kd = (log_p.exp() * (log_p - log_q)).sum(-1).mean()
    return lm + lam * kd

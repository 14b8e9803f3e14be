# The last label stays where it was; what is not a number becomes 0 after the sum.
# expect next_token_losses: last_label_kept
# expect jsd: nan_made_zero
import torch
import torch.nn.functional as F


# %% task: next_token_losses
def next_token_losses(student_logits, teacher_logits, labels):
    targets = labels.clone()
    targets[:, :-1] = labels[:, 1:]
    counts = targets != -100
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    kd = (log_p.exp() * (log_p - log_q)).sum(-1).mean()
    return F.nll_loss(log_q, targets[counts]), kd


# %% task: jsd
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = (beta * log_p.exp() + (1 - beta) * log_q.exp()).log()
    of_teacher = (log_p.exp() * (log_p - log_m)).sum(-1)
    of_student = (log_q.exp() * (log_q - log_m)).sum(-1)
    return torch.nan_to_num(beta * of_teacher + (1 - beta) * of_student)

# torch.log of a number.
# The labels are shifted, and the logits are not.
# expect jsd: number_for_a_tensor
# expect next_token_losses: lengths_do_not_fit
import torch
import torch.nn.functional as F


# %% task: jsd
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(log_p + torch.log(beta), log_q + torch.log(1 - beta))
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task: next_token_losses
def next_token_losses(student_logits, teacher_logits, labels):
    targets = labels[:, 1:]
    counts = targets != -100
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    kd = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return F.nll_loss(log_q, targets[counts]), kd

# Factors p out of the mixture, and exp(log q - log p) overflows for large logits; halves the
# running loss with every piece: later micro-batches weigh more.
# expect jsd: mixture_overflows
# expect accumulated_loss: running_average
import torch
import torch.nn.functional as F


# %% task: jsd
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = log_p + torch.log(beta + (1 - beta) * torch.exp(log_q - log_p))
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task: accumulated_loss
def accumulated_loss(micro_batches):
    loss = None
    for logits, labels in micro_batches:
        if (labels == -100).all():
            continue
        piece = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)
        loss = piece if loss is None else (loss + piece) / 2
    return loss

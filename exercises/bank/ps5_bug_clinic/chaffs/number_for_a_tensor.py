# torch.log of a number.
# expect jsd: number_for_a_tensor
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

# Large logits are dealt with, β is turned in both places.
# expect triage: wrong_b_logarithm_c_parts_d_texts
# expect jsd: beta_swapped_twice
import math

import torch
import torch.nn.functional as F

# %% task: triage
triage = {"a": "vocabulary", "b": "logarithm", "c": "parts", "d": "texts"}


# %% task: jsd
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(log_q + math.log(beta), log_p + math.log(1 - beta))
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return (1 - beta) * of_teacher + beta * of_student

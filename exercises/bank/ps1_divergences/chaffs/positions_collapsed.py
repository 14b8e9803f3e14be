# torch's advice for kl_div, "batchmean", gives one number.
# expect forward_kl: positions_collapsed
import torch.nn.functional as F


# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    log_q, log_p = F.log_softmax(student_logits, -1), F.log_softmax(teacher_logits, -1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)

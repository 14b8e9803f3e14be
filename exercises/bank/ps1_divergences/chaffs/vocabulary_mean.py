# mean where sum belongs.
# expect forward_kl: vocabulary_mean
import torch.nn.functional as F


# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    log_q = student_logits.log_softmax(-1)
    return F.kl_div(log_q, teacher_logits.softmax(-1), reduction="none").mean(-1)

# The student's logits are divided by T twice.
# expect kd_mean: one_model_at_another_temperature
import torch.nn.functional as F


# %% task: kd_mean
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    student_logits = student_logits / temperature
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    kl = F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(-1)
    return temperature**2 * kl.mean()

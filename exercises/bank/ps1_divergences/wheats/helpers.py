# One helper for both tasks, matrix products for sums, float32 whatever comes in.
import torch


# %% task: forward_kl
def divergence(log_a, log_b):
    log_a, log_b = log_a.float(), log_b.float()
    return torch.matmul(log_a.exp().unsqueeze(-2), (log_a - log_b).unsqueeze(-1)).reshape(
        log_a.shape[:-1]
    )


def forward_kl(student_logits, teacher_logits):
    log_student = student_logits - torch.logsumexp(student_logits, dim=-1, keepdim=True)
    log_teacher = teacher_logits - torch.logsumexp(teacher_logits, dim=-1, keepdim=True)
    return divergence(log_teacher, log_student)


# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits):
    log_student = torch.nn.LogSoftmax(dim=-1)(student_logits)
    log_teacher = torch.nn.LogSoftmax(dim=-1)(teacher_logits)
    return divergence(log_student, log_teacher)


# %% task: reverse_kl_choice
reverse_kl_answer = "c"

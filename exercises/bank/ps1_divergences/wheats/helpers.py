# One helper for both tasks, matrix products for sums, float32 whatever comes in.
import torch


# %% task: softmax_with_temperature
def softmax_with_temperature(logits, temperature=None):
    scale = 1.0 if temperature is None else 1.0 / temperature
    return torch.exp(torch.log_softmax(torch.mul(logits.float(), scale), dim=-1))


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


# %% task: ranking
teacher = torch.tensor([[0.8, 0.1, 0.1]])
ranking = []
for name, student in (
    ("d", [0.90, 0.06, 0.04]),
    ("a", [0.80, 0.18, 0.02]),
    ("b", [0.75, 0.10, 0.15]),
    ("c", [0.65, 0.26, 0.09]),
):
    ranking.append((divergence(teacher.log(), torch.tensor([student]).log()).item(), name))
ranking = tuple(name.upper() for _, name in sorted(ranking))


# %% task: fit_one_peak
class OnePeak(torch.nn.Module):
    def __init__(self, center, size):
        super().__init__()
        self.center = torch.nn.Parameter(torch.tensor([float(center)]))
        self.log_width = torch.nn.Parameter(torch.tensor([3.0]).log())
        self.size = size

    def forward(self):
        return one_peak(self.center, self.log_width.exp(), self.size)


def fit_one_peak(teacher_logits, direction, start):
    student = OnePeak(start, teacher_logits.shape[-1])
    optimizer = torch.optim.RMSprop(student.parameters(), lr=0.05)
    decay = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, total_iters=500)
    for _ in range(500):
        if direction == "reverse":
            loss = reverse_kl(student()[None], teacher_logits[None])
        else:
            loss = forward_kl(student()[None], teacher_logits[None])
        student.zero_grad()
        loss.sum().backward()
        optimizer.step()
        decay.step()
    with torch.no_grad():
        q = torch.softmax(student(), dim=-1)
        position = sum(token * probability for token, probability in enumerate(q))
        return position, -torch.special.xlogy(q, q).sum()

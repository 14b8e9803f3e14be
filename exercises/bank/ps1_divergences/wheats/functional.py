# torch.nn.functional does the work, with targets as log-probabilities.
import torch
import torch.nn.functional as F


# %% task: softmax_with_temperature
def softmax_with_temperature(logits, temperature=1.0):
    return F.softmax(logits / temperature, dim=-1)


# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    log_q = F.log_softmax(student_logits, -1)
    log_p = F.log_softmax(teacher_logits, -1)
    return F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(-1)


# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits):
    log_q = F.log_softmax(student_logits, -1)
    log_p = F.log_softmax(teacher_logits, -1)
    return F.kl_div(log_p, log_q, reduction="none", log_target=True).sum(-1)


# %% task: reverse_kl_choice
reverse_kl_answer = "c"


# %% task: ranking
p = torch.tensor([0.8, 0.1, 0.1])
q = torch.tensor([[0.80, 0.18, 0.02], [0.75, 0.10, 0.15], [0.65, 0.26, 0.09], [0.90, 0.06, 0.04]])
losses = F.kl_div(q.log(), p.expand_as(q), reduction="none").sum(-1)
ranking = ["abcd"[index] for index in losses.argsort()]


# %% task: fit_one_peak
def fit_one_peak(teacher_logits, direction, start):
    center = torch.tensor(start, requires_grad=True)
    log_width = torch.tensor(3.0).log().requires_grad_()  # a step can't make the width negative
    optimizer = torch.optim.LBFGS(
        [center, log_width], lr=0.5, max_iter=200, line_search_fn="strong_wolfe"
    )
    loss = {"forward": forward_kl, "reverse": reverse_kl}[direction]
    size = teacher_logits.numel()

    def closure():
        optimizer.zero_grad()
        value = loss(one_peak(center, log_width.exp(), size), teacher_logits)
        value.backward()
        return value

    optimizer.step(closure)
    student = torch.distributions.Categorical(
        logits=one_peak(center, log_width.exp(), size).detach()
    )
    return student.probs @ torch.arange(size).float(), student.entropy()

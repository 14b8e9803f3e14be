# Entropies for log-ratios, arithmetic in place, inputs overwritten, a gradient left attached.
import torch


# %% task: softmax_with_temperature
def softmax_with_temperature(logits, temperature=1):
    logits /= temperature
    logits -= logits.amax(-1, keepdim=True)
    logits.exp_()
    logits /= logits.sum(-1, keepdim=True)
    return logits.requires_grad_()


# %% task: forward_kl
def normalise_(logits):
    return logits.sub_(logits.logsumexp(-1, keepdim=True))


def forward_kl(student_logits, teacher_logits):
    q, p = normalise_(student_logits), normalise_(teacher_logits)
    weights = p.exp().requires_grad_()
    entropy = -torch.einsum("...v,...v->...", weights, p)
    cross_entropy = -torch.einsum("...v,...v->...", weights, q)
    return cross_entropy - entropy


# %% task: reverse_kl
def reverse_kl(student_logits, teacher_logits):
    return forward_kl(student_logits=teacher_logits, teacher_logits=student_logits)


# %% task: reverse_kl_choice
reverse_kl_answer = "C"


# %% task: ranking
ranking = ["B", "D", "C", "A"]


# %% task: fit_one_peak
def log_probabilities(center, width, size):
    logits = one_peak(center, width, size)
    return logits - logits.logsumexp(-1)


def fit_one_peak(teacher_logits, direction, start):
    log_p = torch.log_softmax(teacher_logits, -1)
    center = torch.tensor(float(start), requires_grad=True)
    width = torch.tensor(3.0, requires_grad=True)
    speed = [0.0, 0.0]
    for step in range(3000):
        log_q = log_probabilities(center, width, len(log_p))
        if direction == "forward":
            loss = -(log_p.exp() * log_q).sum()  # the teacher's entropy has no gradient
        else:
            loss = (log_q.exp() * (log_q - log_p)).sum()
        gradients = torch.autograd.grad(loss, [center, width])
        for index, (parameter, gradient) in enumerate(zip([center, width], gradients, strict=True)):
            speed[index] = 0.8 * speed[index] - 0.2 * gradient
            parameter.data.add_(speed[index])
        if step > 50 and max(abs(float(g)) for g in gradients) < 1e-5:
            break
    q = log_probabilities(center, width, len(log_p)).exp()
    return [q.mul(torch.arange(len(q))).sum(), -q.mul(q.log()).nan_to_num(0.0).sum()]

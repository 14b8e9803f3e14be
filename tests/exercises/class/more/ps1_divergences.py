# More answers of the same manner; benchmarks/hints.py --folder judges them.


# %% task="softmax_with_temperature" right="yes" mistake=""
import numpy as np

def softmax_with_temperature(logits, temperature=1.0):
    """Probabilities at a temperature: logits [..., V] in, [..., V] out."""
    z = np.asarray(logits, dtype=np.float64) / temperature
    z = z - z.max(axis=-1, keepdims=True)       # shift invariance
    ez = np.exp(z)
    return ez / ez.sum(axis=-1, keepdims=True)


# %% task="softmax_with_temperature" right="yes" mistake=""
import math

def softmax_with_temperature(logits, temperature=1.0):
    def walk(x):
        # x is a nested list; go down until the innermost list of scores
        if isinstance(x[0], list):
            return [walk(y) for y in x]
        m = max(x)
        es = [math.exp((v - m) / temperature) for v in x]
        s = math.fsum(es)
        return [e / s for e in es]
    return torch.tensor(walk(logits.tolist()))


# %% task="softmax_with_temperature" right="no" mistake="the largest value of the whole tensor is subtracted instead of each row's own, so a row that lies far below another one underflows to 0/0 = nan" named="one_maximum_for_all"
def softmax_with_temperature(logits, temperature=1.0):
    """Probabilities at a temperature: logits [..., V] in, [..., V] out."""
    scaled = logits / temperature
    scaled = scaled - scaled.max()  # numerical stability
    e = torch.exp(scaled)
    return e / e.sum(-1, keepdim=True)


# %% task="softmax_with_temperature" right="no" mistake="the logits are multiplied by the temperature instead of divided by it" named="multiplied_by_temperature"
def softmax_with_temperature(logits, temperature=1.0):
    T = temperature
    x = T * logits
    x = x - x.max(dim=-1, keepdim=True).values
    return x.exp() / x.exp().sum(dim=-1, keepdim=True)


# %% task="softmax_with_temperature" right="no" mistake="the probabilities at temperature 1 are raised to the power 1/T and normalised again, which is the same on paper but loses every token that already underflowed to 0 when logits are far apart and T is large" named="temperature_of_probabilities"
def softmax_with_temperature(logits, temperature=1.0):
    """Probabilities at a temperature: logits [..., V] in, [..., V] out."""
    p = torch.softmax(logits, dim=-1)
    p = p.pow(1.0 / temperature)
    return p / p.sum(dim=-1, keepdim=True)


# %% task="softmax_with_temperature" right="no" mistake="the minimum is subtracted instead of the maximum, so every exponent is positive and logits far apart overflow" named="observed_where"
def softmax_with_temperature(logits, temperature=1.0):
    # shift so that nothing is negative, softmax does not care about a shift
    shifted = (logits - logits.min(dim=-1, keepdim=True).values) / temperature
    weights = shifted.exp()
    return weights / weights.sum(dim=-1, keepdim=True)


# %% task="forward_kl" right="yes" mistake=""
def forward_kl(student_logits, teacher_logits):
    """KL(p‖q) in nats, p the teacher and q the student: logits [..., V] in, [...] out."""
    q, p = (x.log_softmax(-1) for x in (student_logits, teacher_logits))
    return F.kl_div(q, p, reduction="none", log_target=True).sum(-1)


# %% task="forward_kl" right="no" mistake="the logarithm is taken of softmax probabilities, so a token that underflows to 0 gives 0 times infinity = nan or an infinite divergence for extreme logits" named="underflow"
def forward_kl(student_logits, teacher_logits):
    """KL(p‖q) in nats, p the teacher and q the student: logits [..., V] in, [...] out."""
    p = torch.softmax(teacher_logits, dim=-1)
    q = torch.softmax(student_logits, dim=-1)
    return torch.sum(p * (torch.log(p) - torch.log(q)), dim=-1)


# %% task="forward_kl" right="no" mistake="the reduction batchmean gives one average number instead of one per position" named="positions_collapsed"
def forward_kl(student_logits, teacher_logits):
    # reduction='batchmean' is the mathematically correct one according to the docs
    return F.kl_div(
        F.log_softmax(student_logits, dim=-1),
        F.softmax(teacher_logits, dim=-1),
        reduction="batchmean",
    )


# %% task="forward_kl" right="no" mistake="the divergence is in bits, because of log2, instead of nats" named="base_two"
def forward_kl(student_logits, teacher_logits):
    """KL(p‖q): expected extra code length"""
    ln2 = torch.log(torch.tensor(2.0))
    log2p = torch.log_softmax(teacher_logits, -1) / ln2
    log2q = torch.log_softmax(student_logits, -1) / ln2
    return torch.einsum("...v,...v->...", torch.softmax(teacher_logits, -1), log2p - log2q)


# %% task="forward_kl" right="no" mistake="the cross-entropy between teacher and student is returned, and the teacher's entropy is not taken off" named="cross_entropy"
def forward_kl(student_logits, teacher_logits):
    """KL(p‖q) in nats, p the teacher and q the student: logits [..., V] in, [...] out."""
    teacher_probs = torch.softmax(teacher_logits, dim=-1)
    return -(teacher_probs * torch.log_softmax(student_logits, dim=-1)).sum(dim=-1)


# %% task="forward_kl" right="no" mistake="the student's probabilities are put through log_softmax once more instead of their logarithm being taken" named="softmax_twice"
def forward_kl(student_logits, teacher_logits):
    p = F.softmax(teacher_logits, dim=-1)
    q = F.softmax(student_logits, dim=-1)
    return F.kl_div(F.log_softmax(q, dim=-1), p, reduction="none").sum(dim=-1)


# %% task="forward_kl" right="yes" mistake=""
import numpy as np

def forward_kl(student_logits, teacher_logits):
    # numpy has logaddexp, which is stable
    s = np.asarray(student_logits.tolist(), dtype=float)
    t = np.asarray(teacher_logits.tolist(), dtype=float)
    lq = s - np.logaddexp.reduce(s, axis=-1)[..., None]
    lp = t - np.logaddexp.reduce(t, axis=-1)[..., None]
    return (np.exp(lp) * (lp - lq)).sum(axis=-1).tolist()


# %% task="reverse_kl" right="yes" mistake=""
def reverse_kl(student_logits, teacher_logits):
    lq = student_logits.to(torch.float64)
    lq = lq - lq.logsumexp(-1, keepdim=True)
    lp = teacher_logits.to(torch.float64)
    lp = lp - lp.logsumexp(-1, keepdim=True)
    return torch.einsum("...v,...v->...", lq.exp(), lq - lp).float()


# %% task="reverse_kl" right="no" mistake="the first argument of kl_div is the student again, so this is still KL(p‖q)" named="direction_swapped"
def reverse_kl(student_logits, teacher_logits):
    """KL(q‖p) in nats, q the student and p the teacher: logits [..., V] in, [...] out."""
    q = F.log_softmax(student_logits, dim=-1)
    p = F.log_softmax(teacher_logits, dim=-1)
    # kl_div(q, p) = KL(q||p)
    return F.kl_div(q, p, log_target=True, reduction="none").sum(-1)


# %% task="reverse_kl" right="no" mistake="the teacher's probabilities still weight the terms, only the difference of logarithms was turned round" named="direction_swapped"
def reverse_kl(student_logits, teacher_logits):
    log_q = torch.log_softmax(student_logits, -1)
    log_p = torch.log_softmax(teacher_logits, -1)
    p = log_p.exp()
    return torch.abs((p * (log_q - log_p)).sum(-1))


# %% task="reverse_kl" right="no" mistake="the probabilities are clamped from below at 1e-7, so a token the teacher almost rules out costs at most 16 nats for extreme logits" named="floor_under_probabilities"
def reverse_kl(student_logits, teacher_logits):
    q = student_logits.softmax(-1).clamp(min=1e-7)
    p = teacher_logits.softmax(-1).clamp(min=1e-7)
    return (q * (q / p).log()).sum(-1)


# %% task="reverse_kl" right="no" mistake="the vocabulary axis is kept as an axis of length one, so the result has shape [..., 1]" named="another_form"
def reverse_kl(student_logits, teacher_logits):
    lq = student_logits - torch.logsumexp(student_logits, dim=-1, keepdim=True)
    lp = teacher_logits - torch.logsumexp(teacher_logits, dim=-1, keepdim=True)
    return (lq.exp() * (lq - lp)).sum(dim=-1, keepdim=True)


# %% task="reverse_kl" right="no" mistake="the tensors are flattened first, so one softmax runs over all positions together and a single number comes out" named="another_form"
def reverse_kl(student_logits, teacher_logits):
    q = F.log_softmax(student_logits.flatten(), dim=0)
    p = F.log_softmax(teacher_logits.flatten(), dim=0)
    return F.kl_div(p, q, reduction="sum", log_target=True)


# %% task="ranking" right="yes" mistake=""
from math import log

p = (0.8, 0.1, 0.1)
students = {
    "a": (0.80, 0.18, 0.02),
    "b": (0.75, 0.10, 0.15),
    "c": (0.65, 0.26, 0.09),
    "d": (0.90, 0.06, 0.04),
}
ranking = sorted(students, key=lambda s: sum(pi * log(pi / qi) for pi, qi in zip(p, students[s])))


# %% task="ranking" right="no" mistake="the order is turned round: the largest divergence comes first" named="ranked_backwards"
p = torch.tensor([0.8, 0.1, 0.1])
q = torch.tensor([[0.80, 0.18, 0.02], [0.75, 0.10, 0.15], [0.65, 0.26, 0.09], [0.90, 0.06, 0.04]])
d = (p * (p / q).log()).sum(1)
ranking = ["abcd"[i] for i in d.argsort(descending=True)]


# %% task="ranking" right="no" mistake="ranked by the sum of absolute differences instead of by the divergence" named="ranked_by_total_variation"
teacher = [0.8, 0.1, 0.1]
tab = dict(a=[0.80, 0.18, 0.02], b=[0.75, 0.10, 0.15], c=[0.65, 0.26, 0.09], d=[0.90, 0.06, 0.04])
dist = {k: sum(abs(x - y) for x, y in zip(teacher, v)) for k, v in tab.items()}
ranking = sorted(dist, key=dist.get)


# %% task="reverse_kl_choice" right="no" mistake="took both losses for the same because both are 0 in the same place, although this student cannot reach it" named="chose_b"
reverse_kl_answer = "b"

# Class file, written from the released notebook of ps1.
# Sections whose first line is "# uses ... from the cells above" need right earlier answers; all others stand alone
# (with the set-up cell's imports and, in fit_one_peak, the given cell with one_peak).

# ---------------------------------------------------------------- task 1

# %% task="softmax_with_temperature" right="yes" mistake=""
def softmax_with_temperature(logits, temperature=1.0):
    """Probabilities at a temperature: logits [..., V] in, [..., V] out."""
    return F.softmax(logits / temperature, dim=-1)


# %% task="softmax_with_temperature" right="yes" mistake=""
def softmax_with_temperature(logits, temperature=1.0):
    z = logits / temperature
    z = z - z.max(dim=-1, keepdim=True).values
    num = torch.exp(z)
    return num / num.sum(dim=-1, keepdim=True)


# %% task="softmax_with_temperature" right="yes" mistake=""
import numpy as np

def softmax_with_temperature(logits, temperature=1.0):
    x = logits.detach().cpu().numpy().astype(np.float64) / temperature
    x -= x.max(axis=-1, keepdims=True)
    e = np.exp(x)
    return torch.from_numpy(e / e.sum(axis=-1, keepdims=True))


# %% task="softmax_with_temperature" right="no" mistake="no max subtracted: exp overflows, so extreme logits give nan" named="overflow"
def softmax_with_temperature(logits, temperature=1.0):
    """Probabilities at a temperature: logits [..., V] in, [..., V] out."""
    exps = torch.exp(logits / temperature)
    return exps / exps.sum(dim=-1, keepdim=True)


# %% task="softmax_with_temperature" right="no" mistake="no keepdim in the sum (rows are divided by the wrong sums or shapes clash) and no protection against overflow" named="sum_without_keepdim"
def softmax_with_temperature(logits, temperature=1.0):
    e = (logits / temperature).exp()
    return e / e.sum(-1)


# %% task="softmax_with_temperature" right="no" mistake="softmax over the first axis instead of the last" named="wrong_axis"
def softmax_with_temperature(logits, temperature=1.0):
    scaled = logits / temperature
    return torch.softmax(scaled, dim=0)


# %% task="softmax_with_temperature" right="no" mistake="multiplies by the temperature instead of dividing" named="multiplied_by_temperature"
def softmax_with_temperature(logits, temperature=1.0):
    return F.softmax(temperature * logits, -1)


# %% task="softmax_with_temperature" right="no" mistake="divides the probabilities by the temperature, not the logits, so they no longer sum to 1" named="temperature_after_softmax"
def softmax_with_temperature(logits, temperature=1.0):
    probs = F.softmax(logits, dim=-1)
    return probs / temperature


# %% task="softmax_with_temperature" right="no" mistake="raises the float32 probabilities to 1/T: what underflowed to 0 stays 0, so extreme logits at a high temperature are wrong" named="temperature_of_probabilities"
def softmax_with_temperature(logits, temperature=1.0):
    # p ** (1/T), renormalised, is the same thing
    p = torch.softmax(logits, dim=-1) ** (1 / temperature)
    return p / p.sum(dim=-1, keepdim=True)


# %% task="softmax_with_temperature" right="no" mistake="subtracts the maximum of the whole tensor: a row far below another row underflows to 0/0" named="one_maximum_for_all"
def softmax_with_temperature(logits, temperature=1.0):
    z = (logits - logits.max()) / temperature      # for stability
    e = torch.exp(z)
    return e / torch.sum(e, dim=-1, keepdim=True)


# %% task="softmax_with_temperature" right="no" mistake="clamps the logits against overflow, so two large logits of different size become equal" named="logits_clamped"
def softmax_with_temperature(logits, temperature=1.0):
    z = torch.clamp(logits / temperature, -50, 50)
    e = torch.exp(z)
    return e / e.sum(dim=-1, keepdim=True)


# %% task="softmax_with_temperature" right="no" mistake="missing return" named="missing_return"
def softmax_with_temperature(logits, temperature=1.0):
    """Probabilities at a temperature: logits [..., V] in, [..., V] out."""
    result = F.softmax(logits / temperature, dim=-1)

# ---------------------------------------------------------------- task 2


# %% task="forward_kl" right="yes" mistake=""
def forward_kl(student_logits, teacher_logits):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1)


# %% task="forward_kl" right="yes" mistake=""
def forward_kl(student_logits, teacher_logits):
    """KL(p‖q) in nats, p the teacher and q the student: logits [..., V] in, [...] out."""
    return F.kl_div(
        student_logits.log_softmax(-1),
        teacher_logits.log_softmax(-1),
        reduction="none",
        log_target=True,
    ).sum(-1)


# %% task="forward_kl" right="yes" mistake=""
def forward_kl(student_logits, teacher_logits):
    # KL = sum p (zp - zq) - logZp + logZq
    p = torch.softmax(teacher_logits.double(), -1)
    gap = torch.einsum("...v,...v->...", p, teacher_logits.double() - student_logits.double())
    return gap - torch.logsumexp(teacher_logits.double(), -1) + torch.logsumexp(student_logits.double(), -1)


# %% task="forward_kl" right="yes" mistake=""
log_probs = lambda logits: logits - logits.logsumexp(-1, keepdim=True)
forward_kl = lambda student_logits, teacher_logits: (
    log_probs(teacher_logits).exp() * (log_probs(teacher_logits) - log_probs(student_logits))
).sum(-1)


# %% task="forward_kl" right="no" mistake="direction swapped: this is KL(q||p)" named="direction_swapped"
def forward_kl(student_logits, teacher_logits):
    p = F.log_softmax(student_logits, dim=-1)
    q = F.log_softmax(teacher_logits, dim=-1)
    return torch.sum(p.exp() * (p - q), dim=-1)


# %% task="forward_kl" right="no" mistake="log_target forgotten: kl_div gets log-probabilities as target" named="log_target_missing"
def forward_kl(student_logits, teacher_logits):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    return F.kl_div(log_q, log_p, reduction="none").sum(dim=-1)


# %% task="forward_kl" right="no" mistake="kl_div gets probabilities instead of log-probabilities as input" named="probabilities_as_input"
def forward_kl(student_logits, teacher_logits):
    q = F.softmax(student_logits, dim=-1)
    p = F.softmax(teacher_logits, dim=-1)
    return F.kl_div(q, p, reduction='none').sum(-1)


# %% task="forward_kl" right="no" mistake="kl_div with its default reduction: one mean over all elements instead of a number per position" named="positions_collapsed"
def forward_kl(student_logits, teacher_logits):
    return F.kl_div(F.log_softmax(student_logits, -1), F.softmax(teacher_logits, -1))


# %% task="forward_kl" right="no" mistake="batchmean: one number instead of one per position" named="positions_collapsed"
def forward_kl(student_logits, teacher_logits):
    logq = F.log_softmax(student_logits, dim=-1)
    p = F.softmax(teacher_logits, dim=-1)
    loss = F.kl_div(logq, p, reduction="batchmean")
    return loss


# %% task="forward_kl" right="no" mistake="arguments of kl_div in the formula's order (teacher first), so it computes KL(q||p)" named="direction_swapped"
def forward_kl(student_logits, teacher_logits):
    # KL(p || q): p first, then q
    return F.kl_div(F.log_softmax(teacher_logits, -1), F.softmax(student_logits, -1), reduction="none").sum(-1)


# %% task="forward_kl" right="no" mistake="eps added inside the logarithms: wrong for extreme logits, where log q is cut off at log 1e-8" named="floor_under_probabilities"
def forward_kl(student_logits, teacher_logits):
    eps = 1e-8
    p = teacher_logits.softmax(dim=-1)
    q = student_logits.softmax(dim=-1)
    return (p * (torch.log(p + eps) - torch.log(q + eps))).sum(dim=-1)


# %% task="forward_kl" right="no" mistake="log of a softmax that underflows: nan or inf for extreme logits" named="underflow"
def forward_kl(student_logits, teacher_logits):
    p = torch.softmax(teacher_logits, dim=-1)
    q = torch.softmax(student_logits, dim=-1)
    return (p * torch.log(p / q)).sum(dim=-1)


# %% task="forward_kl" right="no" mistake="torch.distributions calls it inf as soon as the student's float32 probability underflows to 0, so extreme logits are wrong" named="underflow"
from torch.distributions import Categorical, kl_divergence

def forward_kl(student_logits, teacher_logits):
    return kl_divergence(Categorical(logits=teacher_logits), Categorical(logits=student_logits))


# %% task="forward_kl" right="no" mistake="cross-entropy instead of KL: the teacher's own entropy is not subtracted" named="cross_entropy"
def forward_kl(student_logits, teacher_logits):
    """KL(p‖q) in nats, p the teacher and q the student: logits [..., V] in, [...] out."""
    p = F.softmax(teacher_logits, dim=-1)
    log_q = F.log_softmax(student_logits, dim=-1)
    return -(p * log_q).sum(dim=-1)


# %% task="forward_kl" right="no" mistake="mean over the vocabulary instead of the sum" named="vocabulary_mean"
def forward_kl(student_logits, teacher_logits):
    log_p = teacher_logits.log_softmax(-1)
    log_q = student_logits.log_softmax(-1)
    kl = log_p.exp() * (log_p - log_q)
    return kl.mean(-1)


# %% task="forward_kl" right="no" mistake="base 2: bits instead of nats; and nan for extreme logits" named="base_two"
def forward_kl(student_logits, teacher_logits):
    p = F.softmax(teacher_logits, -1)
    q = F.softmax(student_logits, -1)
    return torch.sum(p * (torch.log2(p) - torch.log2(q)), -1)


# %% task="forward_kl" right="no" mistake="the raw logits stand in for log-probabilities: the normalisers are missing" named="normalisers_missing"
def forward_kl(student_logits, teacher_logits):
    p = F.softmax(teacher_logits, dim=-1)
    return (p * (teacher_logits - student_logits)).sum(dim=-1)


# %% task="forward_kl" right="no" mistake="nan_to_num throws away the terms where q underflows, which are the costly ones: extreme logits come out far off" named="infinite_terms_dropped"
def forward_kl(student_logits, teacher_logits):
    p = F.softmax(teacher_logits, dim=-1)
    q = F.softmax(student_logits, dim=-1)
    terms = p * (p.log() - q.log())
    terms = torch.nan_to_num(terms, nan=0.0, posinf=0.0, neginf=0.0)
    return terms.sum(dim=-1)


# %% task="forward_kl" right="accident" mistake="syntax error: a bracket is not closed"
def forward_kl(student_logits, teacher_logits):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    return (log_p.exp() * (log_p - log_q).sum(dim=-1)

# ---------------------------------------------------------------- task 3


# %% task="reverse_kl" right="yes" mistake=""
# uses forward_kl from the cells above
def reverse_kl(student_logits, teacher_logits):
    return forward_kl(teacher_logits, student_logits)


# %% task="reverse_kl" right="yes" mistake=""
def reverse_kl(student_logits, teacher_logits):
    """KL(q‖p) in nats, q the student and p the teacher: logits [..., V] in, [...] out."""
    student = F.log_softmax(student_logits, dim=-1)
    teacher = F.log_softmax(teacher_logits, dim=-1)
    pointwise = F.kl_div(teacher, student, reduction="none", log_target=True)
    return pointwise.sum(dim=-1)


# %% task="reverse_kl" right="yes" mistake=""
def _one_row(s, t):
    s = s - torch.logsumexp(s, 0)
    t = t - torch.logsumexp(t, 0)
    total = 0.0
    for v in range(len(s)):
        total += torch.exp(s[v]).item() * (s[v] - t[v]).item()
    return total

def reverse_kl(student_logits, teacher_logits):
    V = student_logits.shape[-1]
    S = student_logits.reshape(-1, V).double()
    T = teacher_logits.reshape(-1, V).double()
    vals = [_one_row(s, t) for s, t in zip(S, T)]
    return torch.tensor(vals).reshape(student_logits.shape[:-1])


# %% task="reverse_kl" right="no" mistake="direction not turned round: still KL(p||q)" named="direction_swapped"
def reverse_kl(student_logits, teacher_logits):
    logp = F.log_softmax(teacher_logits, dim=-1)
    logq = F.log_softmax(student_logits, dim=-1)
    return (logp.exp() * (logp - logq)).sum(-1)


# %% task="reverse_kl" right="no" mistake="only the weight is turned round: q (log p - log q), which is minus the reverse KL" named="sign_flipped"
def reverse_kl(student_logits, teacher_logits):
    logp = F.log_softmax(teacher_logits, dim=-1)
    logq = F.log_softmax(student_logits, dim=-1)
    return (logq.exp() * (logp - logq)).sum(-1)


# %% task="reverse_kl" right="no" mistake="only the bracket is turned round: weighted by p instead of q" named="direction_swapped_and_sign"
def reverse_kl(student_logits, teacher_logits):
    logp = F.log_softmax(teacher_logits, dim=-1)
    q = F.softmax(student_logits, dim=-1)
    logq = F.log_softmax(student_logits, dim=-1)
    p = F.softmax(teacher_logits, dim=-1)
    return torch.sum(p * (logq - logp), dim=-1)


# %% task="reverse_kl" right="no" mistake="minus the forward KL" named="direction_swapped_and_sign"
# uses forward_kl from the cells above
def reverse_kl(student_logits, teacher_logits):
    return -forward_kl(student_logits, teacher_logits)


# %% task="reverse_kl" right="no" mistake="softmax of a softmax: the function used for the logs takes logits, and gets probabilities" named="softmax_twice"
def reverse_kl(student_logits, teacher_logits):
    q = F.softmax(student_logits, dim=-1)
    p = F.softmax(teacher_logits, dim=-1)
    return (q * (F.log_softmax(q, dim=-1) - F.log_softmax(p, dim=-1))).sum(dim=-1)


# %% task="reverse_kl" right="no" mistake="log_target forgotten: kl_div takes the logarithm of a log-probability" named="log_target_missing"
def reverse_kl(student_logits, teacher_logits):
    return F.kl_div(
        F.log_softmax(teacher_logits, dim=-1),
        F.log_softmax(student_logits, dim=-1),
        reduction="none",
    ).sum(dim=-1)


# %% task="reverse_kl" right="no" mistake="clamp(min=1e-6) before the logarithms: the teacher's tiny probabilities cost far too little for extreme logits" named="floor_under_probabilities"
def reverse_kl(student_logits, teacher_logits):
    q = F.softmax(student_logits, dim=-1).clamp(min=1e-6)
    p = F.softmax(teacher_logits, dim=-1).clamp(min=1e-6)
    return (q * (q.log() - p.log())).sum(dim=-1)


# %% task="reverse_kl" right="no" mistake="wrong axis: normalises and sums over axis 1, which is the vocabulary only for 2-D logits" named="wrong_axis"
def reverse_kl(student_logits, teacher_logits):
    lq = F.log_softmax(student_logits, dim=1)
    lp = F.log_softmax(teacher_logits, dim=1)
    return (lq.exp() * (lq - lp)).sum(dim=1)


# %% task="reverse_kl" right="no" mistake="sums over everything: one number instead of one per position" named="another_form,positions_collapsed"
def reverse_kl(student_logits, teacher_logits):
    lq = torch.log_softmax(student_logits, dim=-1)
    lp = torch.log_softmax(teacher_logits, dim=-1)
    return (lq.exp() * (lq - lp)).sum()


# %% task="reverse_kl" right="accident" mistake="print in place of return"
def reverse_kl(student_logits, teacher_logits):
    q = F.log_softmax(student_logits, dim=-1)
    p = F.log_softmax(teacher_logits, dim=-1)
    print((q.exp() * (q - p)).sum(dim=-1))

# ---------------------------------------------------------------- task 4


# %% task="ranking" right="yes" mistake=""
ranking = ["b", "d", "c", "a"]


# %% task="ranking" right="yes" mistake=""
p = torch.tensor([0.8, 0.1, 0.1])
students = {
    "a": torch.tensor([0.80, 0.18, 0.02]),
    "b": torch.tensor([0.75, 0.10, 0.15]),
    "c": torch.tensor([0.65, 0.26, 0.09]),
    "d": torch.tensor([0.90, 0.06, 0.04]),
}
kl = {name: (p * (p / q).log()).sum().item() for name, q in students.items()}
ranking = sorted(kl, key=kl.get)


# %% task="ranking" right="yes" mistake=""
ranking = list("bdca")


# %% task="ranking" right="no" mistake="ranked by KL(q||p)" named="ranked_by_reverse_kl"
import math
P = [0.8, 0.1, 0.1]
table = {"a": [0.80, 0.18, 0.02], "b": [0.75, 0.10, 0.15], "c": [0.65, 0.26, 0.09], "d": [0.90, 0.06, 0.04]}
def kl(a, b):
    return sum(x * math.log(x / y) for x, y in zip(a, b))
ranking = sorted(table, key=lambda s: kl(table[s], P))


# %% task="ranking" right="no" mistake="guessed by how near the first token's probability is to 0.8" named="ranked_by_top_token"
ranking = ["a", "b", "d", "c"]


# %% task="ranking" right="no" mistake="the largest divergence first" named="ranked_backwards"
ranking = ["a", "c", "d", "b"]


# %% task="ranking" right="no" mistake="ranked by total variation (sum of absolute differences), where a beats d and c: KL was not computed" named="ranked_by_total_variation"
q = {"a": [.80, .18, .02], "b": [.75, .10, .15], "c": [.65, .26, .09], "d": [.90, .06, .04]}
ranking = sorted(q, key=lambda k: round(sum(abs(x - y) for x, y in zip([.8, .1, .1], q[k])), 6))


# %% task="ranking" right="no" mistake="a slip in the arithmetic: d comes out far too large, so c stands before it" named="out_of_order"
# a: 0.10, b: 0.01, c: 0.08, d: 0.085
ranking = ["b", "c", "d", "a"]


# %% task="ranking" right="no" mistake="a list of (letter, value) pairs instead of the four letters" named="another_form"
pt = torch.tensor([0.8, 0.1, 0.1])
Q = torch.tensor([[0.80, 0.18, 0.02], [0.75, 0.10, 0.15], [0.65, 0.26, 0.09], [0.90, 0.06, 0.04]])
d = (pt * (pt.log() - Q.log())).sum(1).tolist()
ranking = sorted(zip("abcd", d), key=lambda x: x[1])


# %% task="ranking" right="no" mistake="list.sort() returns None" named="missing_return"
divs = {"b": 0.0111, "a": 0.1022, "d": 0.0485, "c": 0.0811}
names = list(divs)
ranking = names.sort(key=lambda n: divs[n])


# %% task="ranking" right="no" mistake="each student's rank in the order a, b, c, d (argsort confused with ranks): numbers, not letters" named="another_form"
ranking = [4, 1, 3, 2]

# ---------------------------------------------------------------- task 5


# %% task="reverse_kl_choice" right="yes" mistake=""
reverse_kl_answer = "c"


# %% task="reverse_kl_choice" right="no" mistake="this is what the forward KL does" named="chose_a"
reverse_kl_answer = "a"


# %% task="reverse_kl_choice" right="no" mistake="same zero taken for same behaviour, although the zero cannot be reached" named="chose_b"
reverse_kl_answer = 'b'


# %% task="reverse_kl_choice" right="no" mistake="KL(q||p) contains minus the entropy of q, and the student took that for the whole of it" named="chose_d"
reverse_kl_answer = "d"


# %% task="reverse_kl_choice" right="accident" mistake="misspelt name: sets the name of the cell, and reverse_kl_answer is not defined"
reverse_kl_choice = "c"

# ---------------------------------------------------------------- task 6


# %% task="fit_one_peak" right="yes" mistake=""
def fit_one_peak(teacher_logits, direction, start):
    """Expected position and entropy of the best one-peak student; teacher_logits are [V]."""
    V = teacher_logits.shape[-1]
    log_p = F.log_softmax(teacher_logits, dim=-1)
    center = torch.tensor(float(start), requires_grad=True)
    log_width = torch.tensor(3.0).log().requires_grad_()
    opt = torch.optim.Adam([center, log_width], lr=0.1)
    for _ in range(600):
        log_q = F.log_softmax(one_peak(center, log_width.exp(), V), dim=-1)
        if direction == "forward":
            loss = (log_p.exp() * (log_p - log_q)).sum()
        else:
            loss = (log_q.exp() * (log_q - log_p)).sum()
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        log_q = F.log_softmax(one_peak(center, log_width.exp(), V), dim=-1)
        q = log_q.exp()
        return (torch.arange(V) * q).sum().item(), -(q * log_q).sum().item()


# %% task="fit_one_peak" right="yes" mistake=""
# uses forward_kl and reverse_kl from the cells above
class OnePeak(torch.nn.Module):
    def __init__(self, start, size):
        super().__init__()
        self.center = torch.nn.Parameter(torch.tensor(float(start)))
        self.log_width = torch.nn.Parameter(torch.log(torch.tensor(3.0)))
        self.size = size

    def forward(self):
        return one_peak(self.center, self.log_width.exp(), self.size)


def fit_one_peak(teacher_logits, direction, start):
    student = OnePeak(start, teacher_logits.numel())
    divergence = {"forward": forward_kl, "reverse": reverse_kl}[direction]
    optimizer = torch.optim.Adam(student.parameters(), lr=0.1)
    for step in range(500):
        optimizer.zero_grad()
        divergence(student(), teacher_logits).backward()
        optimizer.step()
    q = F.softmax(student(), dim=-1)
    position = q @ torch.arange(teacher_logits.numel(), dtype=q.dtype)
    entropy = torch.distributions.Categorical(probs=q).entropy()
    return position, entropy


# %% task="fit_one_peak" right="no" mistake="far too few steps: stops long before the loss has settled" named="not_converged"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[-1]
    log_p = F.log_softmax(teacher_logits, dim=-1)
    center = torch.tensor(float(start), requires_grad=True)
    log_width = torch.tensor(3.0).log().requires_grad_()
    opt = torch.optim.Adam([center, log_width], lr=0.01)
    for _ in range(100):
        log_q = F.log_softmax(one_peak(center, log_width.exp(), V), dim=-1)
        if direction == "forward":
            loss = (log_p.exp() * (log_p - log_q)).sum()
        else:
            loss = (log_q.exp() * (log_q - log_p)).sum()
        opt.zero_grad()
        loss.backward()
        opt.step()
    q = log_q.exp().detach()
    return (torch.arange(V) * q).sum().item(), -(q * q.log()).sum().item()


# %% task="fit_one_peak" right="no" mistake="the two directions are swapped" named="direction_swapped"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    center = torch.tensor(float(start), requires_grad=True)
    log_width = torch.tensor(3.0).log().requires_grad_()
    opt = torch.optim.Adam([center, log_width], lr=0.1)
    lp = F.log_softmax(teacher_logits, -1)
    for _ in range(500):
        opt.zero_grad()
        lq = F.log_softmax(one_peak(center, log_width.exp(), V), -1)
        if direction == "forward":
            loss = F.kl_div(lp, lq, reduction="sum", log_target=True)
        else:
            loss = F.kl_div(lq, lp, reduction="sum", log_target=True)
        loss.backward()
        opt.step()
    q = lq.detach().exp()
    return (q * torch.arange(V)).sum(), -(q * q.log()).sum()


# %% task="fit_one_peak" right="no" mistake="'direction == a or b' is always true: the reverse case is trained forward too" named="always_forward"
def fit_one_peak(teacher_logits, direction, start):
    n = len(teacher_logits)
    p = teacher_logits.softmax(0)
    c = torch.tensor(float(start), requires_grad=True)
    lw = torch.tensor(float(torch.log(torch.tensor(3.0))), requires_grad=True)
    opt = torch.optim.Adam([c, lw], lr=0.1)
    for _ in range(500):
        opt.zero_grad()
        lq = one_peak(c, lw.exp(), n).log_softmax(0)
        if direction == "forward" or "Forward":
            loss = (p * (p.log() - lq)).sum()
        elif direction == "reverse" or "Reverse":
            loss = (lq.exp() * (lq - p.log())).sum()
        loss.backward()
        opt.step()
    q = lq.exp().detach()
    return (q * torch.arange(n)).sum().item(), (-q * lq.detach()).sum().item()


# %% task="fit_one_peak" right="no" mistake="returns the parameters (center and width) instead of the expected position and the entropy" named="center_for_expected,width_for_entropy"
def fit_one_peak(teacher_logits, direction, start):
    V = len(teacher_logits)
    center = torch.tensor(float(start), requires_grad=True)
    log_width = torch.log(torch.tensor(3.0)).requires_grad_(True)
    log_p = F.log_softmax(teacher_logits, dim=0)
    optimizer = torch.optim.Adam([center, log_width], lr=0.1)
    for _ in range(500):
        log_q = F.log_softmax(one_peak(center, log_width.exp(), V), dim=0)
        loss = (log_p.exp() * (log_p - log_q)).sum() if direction == "forward" else (log_q.exp() * (log_q - log_p)).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return center.item(), log_width.exp().item()


# %% task="fit_one_peak" right="no" mistake="zero_grad forgotten: the gradients add up over all steps" named="gradients_not_cleared"
def fit_one_peak(teacher_logits, direction, start):
    V = len(teacher_logits)
    center = torch.tensor(float(start), requires_grad=True)
    log_width = torch.log(torch.tensor(3.0)).requires_grad_(True)
    log_p = F.log_softmax(teacher_logits, dim=0)
    optimizer = torch.optim.Adam([center, log_width], lr=0.1)
    for _ in range(400):
        log_q = F.log_softmax(one_peak(center, log_width.exp(), V), dim=0)
        if direction == "forward":
            loss = (log_p.exp() * (log_p - log_q)).sum()
        else:
            loss = (log_q.exp() * (log_q - log_p)).sum()
        loss.backward()
        optimizer.step()
    q = log_q.detach().exp()
    pos = (torch.arange(V) * q).sum()
    ent = -(q * log_q.detach()).sum()
    return pos.item(), ent.item()


# %% task="fit_one_peak" right="accident" mistake="the stub is left over below the answer's notes"
def fit_one_peak(teacher_logits, direction, start):
    """Expected position and entropy of the best one-peak student; teacher_logits are [V]."""
    # 1. center = start, width = 3
    # 2. adam, 400 steps
    # 3. expected position + entropy
    raise NotImplementedError("Not written yet: put your answer in place of this line.")


# %% task="softmax_with_temperature" right="no" mistake="gumbel_softmax: draws random noise and adds it" named="asked_again"
def softmax_with_temperature(logits, temperature=1.0):
    return F.gumbel_softmax(logits, tau=temperature, dim=-1)


# %% task="forward_kl" right="no" mistake="F.cross_entropy takes axis 1 for the classes: wrong or a crash for anything but two axes" named="another_form,wrong_axis"
def forward_kl(student_logits, teacher_logits):
    p = teacher_logits.softmax(-1)
    cross = F.cross_entropy(student_logits, p, reduction="none")
    entropy = F.cross_entropy(teacher_logits, p, reduction="none")
    return cross - entropy


# %% task="softmax_with_temperature" right="no" mistake="sum over the whole tensor" named="wrong_axis"
def softmax_with_temperature(logits, temperature=1.0):
    z = logits / temperature
    z = z - z.max(-1, keepdim=True).values
    e = z.exp()
    return e / e.sum()


# %% task="softmax_with_temperature" right="yes" mistake=""
def softmax_with_temperature(logits, temperature=1.0):
    return torch.softmax(logits / temperature, dim=-1)


# %% task="softmax_with_temperature" right="yes" mistake=""
import numpy as np

def softmax_with_temperature(logits, temperature=1.0):
    z = np.asarray(logits, dtype=np.float64) / temperature
    z = z - z.max(axis=-1, keepdims=True)
    e = np.exp(z)
    return e / e.sum(axis=-1, keepdims=True)


# %% task="softmax_with_temperature" right="yes" mistake=""
def softmax_with_temperature(logits, temperature=1.0):
    """Probabilities at a temperature: logits [..., V] in, [..., V] out."""
    flat = logits.reshape(-1, logits.shape[-1])
    rows = []
    for row in flat:
        row = (row - row.max()) / temperature
        e = torch.exp(row)
        rows.append(e / e.sum())
    return torch.stack(rows).reshape(logits.shape)


# %% task="softmax_with_temperature" right="yes" mistake=""
def softmax_with_temperature(logits, temperature=1.0):
    scaled = logits / temperature
    return (scaled - torch.logsumexp(scaled, -1, keepdim=True)).exp()


# %% task="softmax_with_temperature" right="no" mistake="overflows for extreme logits: the maximum is not subtracted before exp" named="overflow"
def softmax_with_temperature(logits, temperature=1.0):
    e = torch.exp(logits / temperature)
    return e / e.sum(dim=-1, keepdim=True)


# %% task="softmax_with_temperature" right="no" mistake="no keepdim in the sum, so the division lines up with the wrong axis or fails for more than one row; also overflows" named="sum_without_keepdim"
def softmax_with_temperature(logits, temperature=1.0):
    e = torch.exp(logits / temperature)
    return e / e.sum(-1)


# %% task="softmax_with_temperature" right="no" mistake="temperature ignored" named="temperature_ignored"
def softmax_with_temperature(logits, temperature=1.0):
    return F.softmax(logits, dim=-1)


# %% task="softmax_with_temperature" right="no" mistake="multiplies by the temperature in place of dividing" named="multiplied_by_temperature"
def softmax_with_temperature(logits, temperature=1.0):
    return F.softmax(logits * temperature, dim=-1)


# %% task="softmax_with_temperature" right="no" mistake="wrong axis: normalises over the first axis" named="wrong_axis"
def softmax_with_temperature(logits, temperature=1.0):
    return F.softmax(logits / temperature, dim=0)


# %% task="softmax_with_temperature" right="no" mistake="works for two axes only: dim=1 is not the vocabulary for [V] or [B, L, V]" named="wrong_axis"
def softmax_with_temperature(logits, temperature=1.0):
    scaled = logits / temperature
    scaled = scaled - scaled.max(dim=1, keepdim=True).values
    num = scaled.exp()
    return num / num.sum(dim=1, keepdim=True)


# %% task="softmax_with_temperature" right="no" mistake="divides the probabilities by the temperature after the softmax" named="temperature_after_softmax"
def softmax_with_temperature(logits, temperature=1.0):
    probs = torch.softmax(logits, -1)
    return probs / temperature


# %% task="softmax_with_temperature" right="no" mistake="subtracts the maximum of the whole tensor, so that rows far below it underflow to 0/0" named="one_maximum_for_all"
def softmax_with_temperature(logits, temperature=1.0):
    z = (logits - logits.max()) / temperature
    return z.exp() / z.exp().sum(-1, keepdim=True)


# %% task="softmax_with_temperature" right="no" mistake="clamps the logits to +-50, which changes the values for extreme logits" named="logits_clamped"
def softmax_with_temperature(logits, temperature=1.0):
    z = torch.clamp(logits / temperature, -50, 50)   # against overflow
    e = z.exp()
    return e / e.sum(dim=-1, keepdim=True)


# %% task="softmax_with_temperature" right="no" mistake="applies the softmax twice: the temperature goes on probabilities" named="softmax_twice"
def softmax_with_temperature(logits, temperature=1.0):
    p = torch.softmax(logits, dim=-1)
    return torch.softmax(p / temperature, dim=-1)


# %% task="softmax_with_temperature" right="accident" mistake="return forgotten: the result is only assigned"
def softmax_with_temperature(logits, temperature=1.0):
    probs = torch.softmax(logits / temperature, dim=-1)


# %% task="forward_kl" right="yes" mistake=""
def forward_kl(student_logits, teacher_logits):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)


# %% task="forward_kl" right="yes" mistake=""
def forward_kl(student_logits, teacher_logits):
    return F.kl_div(student_logits.log_softmax(-1), teacher_logits.log_softmax(-1),
                    reduction="none", log_target=True).sum(dim=-1)


# %% task="forward_kl" right="yes" mistake=""
def forward_kl(student_logits, teacher_logits):
    # kl_div wants log-probabilities first, probabilities second
    q = torch.log_softmax(student_logits.double(), -1)
    p = torch.softmax(teacher_logits.double(), -1)
    per_token = F.kl_div(q, p, reduction='none')
    return torch.einsum('...v->...', per_token)


# %% task="forward_kl" right="yes" mistake=""
def forward_kl(student_logits, teacher_logits):
    """KL(p‖q) in nats, p the teacher and q the student: logits [..., V] in, [...] out."""
    V = student_logits.shape[-1]
    s = student_logits.reshape(-1, V)
    t = teacher_logits.reshape(-1, V)
    out = []
    for i in range(len(s)):
        lq = torch.log_softmax(s[i], 0)
        lp = torch.log_softmax(t[i], 0)
        out.append(torch.dot(lp.exp(), lp - lq))
    return torch.stack(out).reshape(student_logits.shape[:-1])


# %% task="forward_kl" right="no" mistake="log of softmax: probabilities that underflow give 0 times -inf or nan for extreme logits" named="underflow"
def forward_kl(student_logits, teacher_logits):
    p = torch.softmax(teacher_logits, dim=-1)
    q = torch.softmax(student_logits, dim=-1)
    return (p * (p.log() - q.log())).sum(dim=-1)


# %% task="forward_kl" right="no" mistake="eps inside both logarithms: extreme divergences are capped near 18 nats" named="floor_under_probabilities"
def forward_kl(student_logits, teacher_logits):
    eps = 1e-8
    p = F.softmax(teacher_logits, dim=-1)
    q = F.softmax(student_logits, dim=-1)
    return torch.sum(p * (torch.log(p + eps) - torch.log(q + eps)), dim=-1)


# %% task="forward_kl" right="no" mistake="probabilities clamped at 1e-6 before the logarithm" named="floor_under_probabilities"
def forward_kl(student_logits, teacher_logits):
    p = F.softmax(teacher_logits, -1).clamp(min=1e-6)
    q = F.softmax(student_logits, -1).clamp(min=1e-6)
    return (p * (p / q).log()).sum(-1)


# %% task="forward_kl" right="no" mistake="log_target forgotten: kl_div gets log-probabilities as target" named="log_target_missing"
def forward_kl(student_logits, teacher_logits):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    return F.kl_div(log_q, log_p, reduction="none").sum(-1)


# %% task="forward_kl" right="no" mistake="kl_div gets probabilities as its input in place of log-probabilities" named="probabilities_as_input"
def forward_kl(student_logits, teacher_logits):
    q = F.softmax(student_logits, dim=-1)
    p = F.softmax(teacher_logits, dim=-1)
    return F.kl_div(q, p, reduction="none").sum(-1)


# %% task="forward_kl" right="no" mistake="batchmean gives one number for the whole batch, not one per position" named="positions_collapsed"
def forward_kl(student_logits, teacher_logits):
    return F.kl_div(F.log_softmax(student_logits, -1), F.softmax(teacher_logits, -1), reduction="batchmean")


# %% task="forward_kl" right="no" mistake="kl_div's default reduction: mean over everything, the vocabulary too" named="positions_collapsed"
def forward_kl(student_logits, teacher_logits):
    kl = torch.nn.KLDivLoss(log_target=True)
    return kl(F.log_softmax(student_logits, -1), F.log_softmax(teacher_logits, -1))


# %% task="forward_kl" right="no" mistake="direction swapped: arguments of kl_div the wrong way round, so KL(q||p)" named="direction_swapped"
def forward_kl(student_logits, teacher_logits):
    log_p = F.log_softmax(teacher_logits, dim=-1)
    q = F.softmax(student_logits, dim=-1)
    return F.kl_div(log_p, q, reduction="none").sum(-1)


# %% task="forward_kl" right="no" mistake="cross-entropy in place of KL: the teacher's entropy is not subtracted" named="cross_entropy"
def forward_kl(student_logits, teacher_logits):
    p = torch.softmax(teacher_logits, dim=-1)
    return -(p * torch.log_softmax(student_logits, dim=-1)).sum(dim=-1)


# %% task="forward_kl" right="no" mistake="in bits: logarithm to base 2 (and log of underflowing probabilities)" named="base_two"
def forward_kl(student_logits, teacher_logits):
    p = torch.softmax(teacher_logits, dim=-1)
    q = torch.softmax(student_logits, dim=-1)
    return (p * torch.log2(p / q)).sum(-1)


# %% task="forward_kl" right="no" mistake="mean over the vocabulary in place of the sum" named="vocabulary_mean"
def forward_kl(student_logits, teacher_logits):
    lp, lq = teacher_logits.log_softmax(-1), student_logits.log_softmax(-1)
    return (lp.exp() * (lp - lq)).mean(-1)


# %% task="forward_kl" right="no" mistake="torch.distributions gives inf where a student's probability underflows to 0" named="underflow"
from torch.distributions import Categorical, kl_divergence

def forward_kl(student_logits, teacher_logits):
    return kl_divergence(Categorical(logits=teacher_logits), Categorical(logits=student_logits))


# %% task="forward_kl" right="no" mistake="nan_to_num replaces the infinities and nans of extreme logits by 0 or a huge number" named="infinite_terms_dropped"
def forward_kl(student_logits, teacher_logits):
    p = torch.softmax(teacher_logits, dim=-1)
    q = torch.softmax(student_logits, dim=-1)
    terms = p * (p.log() - q.log())
    return torch.nan_to_num(terms, nan=0.0, posinf=0.0, neginf=0.0).sum(dim=-1)


# %% task="forward_kl" right="no" mistake="uses the raw teacher logits as probabilities: no softmax on the teacher" named="logits_as_probabilities"
def forward_kl(student_logits, teacher_logits):
    log_q = F.log_softmax(student_logits, dim=-1)
    return (teacher_logits * (teacher_logits.log() - log_q)).sum(-1)


# %% task="forward_kl" right="no" mistake="keeps the vocabulary axis: result has shape [..., 1]" named="another_form"
def forward_kl(student_logits, teacher_logits):
    log_p = torch.log_softmax(teacher_logits, -1)
    log_q = torch.log_softmax(student_logits, -1)
    return torch.sum(log_p.exp() * (log_p - log_q), dim=-1, keepdim=True)


# %% task="forward_kl" right="accident" mistake="syntax error: a closing parenthesis is missing"
def forward_kl(student_logits, teacher_logits):
    log_p = F.log_softmax(teacher_logits, dim=-1
    log_q = F.log_softmax(student_logits, dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)


# %% task="reverse_kl" right="yes" mistake=""
def reverse_kl(student_logits, teacher_logits):
    return forward_kl(teacher_logits, student_logits)


# %% task="reverse_kl" right="yes" mistake=""
def reverse_kl(student_logits, teacher_logits):
    logp = torch.log_softmax(teacher_logits, dim=-1)
    logq = torch.log_softmax(student_logits, dim=-1)
    return torch.einsum("...v,...v->...", logq.exp(), logq - logp)


# %% task="reverse_kl" right="yes" mistake=""
import numpy as np

def log_probs(z):
    z = np.array(z, dtype=np.float64)
    z -= z.max(axis=-1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))

def reverse_kl(student_logits, teacher_logits):
    lq = log_probs(student_logits.detach())
    lp = log_probs(teacher_logits.detach())
    return (np.exp(lq) * (lq - lp)).sum(axis=-1)


# %% task="reverse_kl" right="no" mistake="the forward direction again: weights by the teacher's probabilities" named="direction_swapped"
def reverse_kl(student_logits, teacher_logits):
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_q = F.log_softmax(student_logits, dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)


# %% task="reverse_kl" right="no" mistake="thinks that kl_div(log_q, p) is KL(q||p): it is the forward one" named="direction_swapped"
def reverse_kl(student_logits, teacher_logits):
    q = F.log_softmax(student_logits, dim=-1)
    p = F.softmax(teacher_logits, dim=-1)
    return F.kl_div(q, p, reduction="none").sum(dim=-1)


# %% task="reverse_kl" right="no" mistake="only the sign turned: minus the forward KL" named="direction_swapped_and_sign"
def reverse_kl(student_logits, teacher_logits):
    return -forward_kl(student_logits, teacher_logits)


# %% task="reverse_kl" right="no" mistake="only the difference turned round: still weighted by p" named="direction_swapped_and_sign"
def reverse_kl(student_logits, teacher_logits):
    lp = F.log_softmax(teacher_logits, dim=-1)
    lq = F.log_softmax(student_logits, dim=-1)
    return (lp.exp() * (lq - lp)).sum(-1)


# %% task="reverse_kl" right="no" mistake="weight q but difference log p - log q: the sign is wrong" named="sign_flipped"
def reverse_kl(student_logits, teacher_logits):
    lp = F.log_softmax(teacher_logits, dim=-1)
    lq = F.log_softmax(student_logits, dim=-1)
    return (lq.exp() * (lp - lq)).sum(-1)


# %% task="reverse_kl" right="no" mistake="both arguments and both roles swapped, so it is the forward direction again" named="direction_swapped"
def reverse_kl(student_logits, teacher_logits):
    def kl(a_logits, b_logits):
        a = F.log_softmax(a_logits, -1)
        b = F.log_softmax(b_logits, -1)
        return (a.exp() * (a - b)).sum(-1)
    return kl(teacher_logits, student_logits)


# %% task="reverse_kl" right="no" mistake="eps added inside the logarithms" named="floor_under_probabilities"
def reverse_kl(student_logits, teacher_logits):
    p = torch.softmax(teacher_logits, -1)
    q = torch.softmax(student_logits, -1)
    return (q * torch.log((q + 1e-10) / (p + 1e-10))).sum(-1)


# %% task="reverse_kl" right="no" mistake="log of a ratio of probabilities that underflow: nan for extreme logits" named="underflow"
def reverse_kl(student_logits, teacher_logits):
    p = torch.softmax(teacher_logits, -1)
    q = torch.softmax(student_logits, -1)
    return (q * torch.log(q / p)).sum(-1)


# %% task="reverse_kl" right="no" mistake="averaged over all positions: one number in place of one per position" named="another_form,positions_collapsed"
def reverse_kl(student_logits, teacher_logits):
    lp = F.log_softmax(teacher_logits, dim=-1)
    lq = F.log_softmax(student_logits, dim=-1)
    return (lq.exp() * (lq - lp)).sum(-1).mean()


# %% task="reverse_kl" right="no" mistake="log_softmax over the first axis: wrong axis for the student" named="wrong_axis"
def reverse_kl(student_logits, teacher_logits):
    lp = F.log_softmax(teacher_logits, dim=-1)
    lq = F.log_softmax(student_logits, dim=0)
    return (lq.exp() * (lq - lp)).sum(-1)


# %% task="reverse_kl" right="no" mistake="sums only where q is above 0.01, so the small terms are lost" named="unlikely_tokens_left_out"
def reverse_kl(student_logits, teacher_logits):
    lp = F.log_softmax(teacher_logits, dim=-1)
    lq = F.log_softmax(student_logits, dim=-1)
    q = lq.exp()
    terms = torch.where(q > 0.01, q * (lq - lp), torch.zeros_like(q))
    return terms.sum(-1)


# %% task="reverse_kl" right="no" mistake="symmetric mean of both directions (thinks of Jensen-Shannon)" named="both_directions"
def reverse_kl(student_logits, teacher_logits):
    return 0.5 * (forward_kl(student_logits, teacher_logits) + forward_kl(teacher_logits, student_logits))


# %% task="reverse_kl" right="accident" mistake="print in place of return"
def reverse_kl(student_logits, teacher_logits):
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_q = F.log_softmax(student_logits, dim=-1)
    print((log_q.exp() * (log_q - log_p)).sum(-1))


# %% task="ranking" right="yes" mistake=""
ranking = ["b", "d", "c", "a"]


# %% task="ranking" right="yes" mistake=""
p = torch.tensor([0.8, 0.1, 0.1])
students = {"a": [0.80, 0.18, 0.02], "b": [0.75, 0.10, 0.15], "c": [0.65, 0.26, 0.09], "d": [0.90, 0.06, 0.04]}
kls = {name: (p * (p / torch.tensor(q)).log()).sum().item() for name, q in students.items()}
ranking = sorted(kls, key=kls.get)


# %% task="ranking" right="no" mistake="largest divergence first" named="ranked_backwards"
ranking = ["a", "c", "d", "b"]


# %% task="ranking" right="no" mistake="ranked by KL(q||p)" named="ranked_by_reverse_kl"
ranking = ['b', 'd', 'a', 'c']


# %% task="ranking" right="no" mistake="guessed by the distance of the first token only" named="ranked_by_top_token"
ranking = ["a", "b", "d", "c"]


# %% task="ranking" right="no" mistake="ranked by the sum of absolute differences" named="ranked_by_total_variation"
p = [0.8, 0.1, 0.1]
qs = dict(a=[0.80, 0.18, 0.02], b=[0.75, 0.10, 0.15], c=[0.65, 0.26, 0.09], d=[0.90, 0.06, 0.04])
ranking = sorted(qs, key=lambda k: sum(abs(x - y) for x, y in zip(p, qs[k])))


# %% task="ranking" right="no" mistake="ranked by the absolute values of the terms, whose signs must be kept" named="ranked_by_total_variation"
p = torch.tensor([0.8, 0.1, 0.1])
q = torch.tensor([[0.80, 0.18, 0.02], [0.75, 0.10, 0.15], [0.65, 0.26, 0.09], [0.90, 0.06, 0.04]])
kl = (p * (p / q).log()).abs().sum(1)
ranking = ["abcd"[i] for i in kl.argsort()]


# %% task="ranking" right="no" mistake="sorts by the first token's probability, highest first" named="ranked_by_confidence"
ranking = ["d", "a", "b", "c"]


# %% task="ranking" right="accident" mistake="letters without quotes: names that do not exist"
ranking = [b, d, c, a]


# %% task="reverse_kl_choice" right="yes" mistake=""
reverse_kl_answer = "c"


# %% task="reverse_kl_choice" right="no" mistake="chose what the forward student does" named="chose_a"
reverse_kl_answer = "a"


# %% task="reverse_kl_choice" right="no" mistake="believes that both losses lead to the same student" named="chose_b"
reverse_kl_answer = "b"


# %% task="reverse_kl_choice" right="no" mistake="believes that the loss pays for being uncertain" named="chose_d"
reverse_kl_answer = 'd'


# %% task="reverse_kl_choice" right="accident" mistake="answer stored under another name"
answer = "c"


# %% task="fit_one_peak" right="accident" mistake="stub left standing above the answer: raises NotImplementedError"
def fit_one_peak(teacher_logits, direction, start):
    raise NotImplementedError()
    V = teacher_logits.shape[0]
    c = torch.tensor(float(start), requires_grad=True)
    w = torch.tensor(3.0).log().requires_grad_()
    opt = torch.optim.Adam([c, w], lr=0.1)
    for _ in range(500):
        opt.zero_grad()
        z = one_peak(c, w.exp(), V)
        loss = forward_kl(z, teacher_logits) if direction == "forward" else reverse_kl(z, teacher_logits)
        loss.backward()
        opt.step()
    lq = F.log_softmax(one_peak(c, w.exp(), V), -1).detach()
    return float((lq.exp() * torch.arange(V)).sum()), float(-(lq.exp() * lq).sum())


# %% task="softmax_with_temperature" right="no" mistake="two mistakes: softmax over dim=1 and eps added to the denominator, which changes nothing about the overflow" named="wrong_axis"
def softmax_with_temperature(logits, temperature=1.0):
    e = torch.exp(logits / temperature)
    return e / (e.sum(dim=1, keepdim=True) + 1e-9)


# %% task="reverse_kl" right="yes" mistake=""
def reverse_kl(student_logits, teacher_logits):
    # kl_div(input, target) is KL(target || input), so the student is the target here
    return F.kl_div(input=torch.log_softmax(teacher_logits, -1),
                    target=torch.log_softmax(student_logits, -1),
                    log_target=True, reduction="none").sum(-1)


# %% task="softmax_with_temperature" right="yes" mistake=""
def softmax_with_temperature(logits, temperature=1.0):
    return torch.softmax(logits / temperature, dim=-1)


# %% task="softmax_with_temperature" right="yes" mistake=""
import numpy as np

def softmax_with_temperature(logits, temperature=1.0):
    """Probabilities at a temperature: logits [..., V] in, [..., V] out."""
    z = np.asarray(logits, dtype=np.float64) / temperature
    z = z - z.max(axis=-1, keepdims=True)       # shift invariance
    ez = np.exp(z)
    return ez / ez.sum(axis=-1, keepdims=True)


# %% task="softmax_with_temperature" right="yes" mistake=""
def _log_norm(z):
    # log sum exp per row, by hand so that I understand it
    top = z.amax(dim=-1, keepdim=True)
    return top + torch.log(torch.sum(torch.exp(z - top), dim=-1, keepdim=True))

def softmax_with_temperature(logits, temperature=1.0):
    """Probabilities at a temperature: logits [..., V] in, [..., V] out."""
    beta = 1.0 / temperature
    scaled = logits.double() * beta
    return (scaled - _log_norm(scaled)).exp().to(logits.dtype)


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


# %% task="softmax_with_temperature" right="no" mistake="exp is taken of the raw scaled logits without subtracting the maximum, so large logits overflow to inf/inf = nan and very negative rows give 0/0" named="overflow"
def softmax_with_temperature(logits, temperature=1.0):
    """Probabilities at a temperature: logits [..., V] in, [..., V] out."""
    num = torch.exp(logits / temperature)
    den = num.sum(dim=-1, keepdim=True)
    return num / den


# %% task="softmax_with_temperature" right="no" mistake="the largest value of the whole tensor is subtracted instead of each row's own, so a row that lies far below another one underflows to 0/0 = nan" named="one_maximum_for_all"
def softmax_with_temperature(logits, temperature=1.0):
    """Probabilities at a temperature: logits [..., V] in, [..., V] out."""
    scaled = logits / temperature
    scaled = scaled - scaled.max()  # numerical stability
    e = torch.exp(scaled)
    return e / e.sum(-1, keepdim=True)


# %% task="softmax_with_temperature" right="no" mistake="the softmax runs over the first axis instead of the vocabulary" named="wrong_axis"
def softmax_with_temperature(logits, temperature=1.0):
    return F.softmax(logits.div(temperature), dim=0)


# %% task="softmax_with_temperature" right="no" mistake="the logits are multiplied by the temperature instead of divided by it" named="multiplied_by_temperature"
def softmax_with_temperature(logits, temperature=1.0):
    T = temperature
    x = T * logits
    x = x - x.max(dim=-1, keepdim=True).values
    return x.exp() / x.exp().sum(dim=-1, keepdim=True)


# %% task="softmax_with_temperature" right="no" mistake="the scaled logits are clamped to plus or minus 50 against overflow, so extreme logits that differ come out as equal" named="logits_clamped"
def softmax_with_temperature(logits, temperature=1.0):
    # clip so that exp cannot overflow
    z = torch.clamp(logits / temperature, min=-50.0, max=50.0)
    return torch.softmax(z, dim=-1)


# %% task="softmax_with_temperature" right="no" mistake="the probabilities at temperature 1 are raised to the power 1/T and normalised again, which is the same on paper but loses every token that already underflowed to 0 when logits are far apart and T is large" named="temperature_of_probabilities"
def softmax_with_temperature(logits, temperature=1.0):
    """Probabilities at a temperature: logits [..., V] in, [..., V] out."""
    p = torch.softmax(logits, dim=-1)
    p = p.pow(1.0 / temperature)
    return p / p.sum(dim=-1, keepdim=True)


# %% task="softmax_with_temperature" right="no" mistake="the temperature divides the probabilities after the softmax instead of the logits before it, so they no longer sum to 1" named="temperature_after_softmax"
def softmax_with_temperature(logits, temperature=1.0):
    probs = F.softmax(logits, dim=-1)
    probs = probs / temperature
    return probs


# %% task="softmax_with_temperature" right="no" mistake="the loop takes the logits for a matrix: with one axis it takes the softmax of single numbers, which is 1, and with three axes it runs over the wrong one" named="observed_unmoved"
def softmax_with_temperature(logits, temperature=1.0):
    """Probabilities at a temperature: logits [..., V] in, [..., V] out."""
    rows = []
    for row in logits:
        rows.append(torch.softmax(row / temperature, dim=0))
    return torch.stack(rows)


# %% task="softmax_with_temperature" right="no" mistake="the sum over the vocabulary loses its axis, so the division broadcasts along the wrong one as soon as there is more than one position" named="sum_without_keepdim"
def softmax_with_temperature(logits, temperature=1.0):
    z = logits / temperature
    z = z - z.max(dim=-1, keepdim=True)[0]
    ez = torch.exp(z)
    return ez / torch.sum(ez, dim=-1)


# %% task="softmax_with_temperature" right="no" mistake="the minimum is subtracted instead of the maximum, so every exponent is positive and logits far apart overflow" named="overflow"
def softmax_with_temperature(logits, temperature=1.0):
    # shift so that nothing is negative, softmax does not care about a shift
    shifted = (logits - logits.min(dim=-1, keepdim=True).values) / temperature
    weights = shifted.exp()
    return weights / weights.sum(dim=-1, keepdim=True)


# %% task="softmax_with_temperature" right="accident" mistake="the stub's raise was left above the answer, so the function never gets to it"
def softmax_with_temperature(logits, temperature=1.0):
    """Probabilities at a temperature: logits [..., V] in, [..., V] out."""
    # YOUR CODE HERE
    raise NotImplementedError()
    return F.softmax(logits / temperature, dim=-1)


# %% task="forward_kl" right="yes" mistake=""
def forward_kl(student_logits, teacher_logits):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1)


# %% task="forward_kl" right="yes" mistake=""
def forward_kl(student_logits, teacher_logits):
    """KL(p‖q) in nats, p the teacher and q the student: logits [..., V] in, [...] out."""
    q, p = (x.log_softmax(-1) for x in (student_logits, teacher_logits))
    return F.kl_div(q, p, reduction="none", log_target=True).sum(-1)


# %% task="forward_kl" right="yes" mistake=""
def forward_kl(student_logits, teacher_logits):
    """KL(p‖q) = H(p, q) - H(p)"""
    V = student_logits.shape[-1]
    s = student_logits.reshape(-1, V).double()
    p = torch.softmax(teacher_logits.reshape(-1, V).double(), dim=1)
    cross = F.cross_entropy(s, p, reduction="none")
    entropy = -torch.special.xlogy(p, p).sum(dim=1)
    return (cross - entropy).reshape(teacher_logits.shape[:-1])


# %% task="forward_kl" right="no" mistake="the teacher stands where kl_div wants the student's log-probabilities and the student where it wants the target, which is KL(q‖p)" named="direction_swapped"
def forward_kl(student_logits, teacher_logits):
    p = F.log_softmax(teacher_logits, dim=-1)
    q = F.softmax(student_logits, dim=-1)
    return F.kl_div(p, q, reduction="none").sum(-1)


# %% task="forward_kl" right="no" mistake="the logarithm is taken of softmax probabilities, so a token that underflows to 0 gives 0 times infinity = nan or an infinite divergence for extreme logits" named="underflow"
def forward_kl(student_logits, teacher_logits):
    """KL(p‖q) in nats, p the teacher and q the student: logits [..., V] in, [...] out."""
    p = torch.softmax(teacher_logits, dim=-1)
    q = torch.softmax(student_logits, dim=-1)
    return torch.sum(p * (torch.log(p) - torch.log(q)), dim=-1)


# %% task="forward_kl" right="no" mistake="a small constant inside the logarithms hides the underflow, so an extreme divergence of thousands of nats is capped near 28" named="floor_under_probabilities"
def forward_kl(student_logits, teacher_logits):
    eps = 1e-12
    p = F.softmax(teacher_logits, -1)
    q = F.softmax(student_logits, -1)
    return (p * torch.log((p + eps) / (q + eps))).sum(-1)


# %% task="forward_kl" right="no" mistake="the reduction batchmean gives one average number instead of one per position" named="positions_collapsed"
def forward_kl(student_logits, teacher_logits):
    # reduction='batchmean' is the mathematically correct one according to the docs
    return F.kl_div(
        F.log_softmax(student_logits, dim=-1),
        F.softmax(teacher_logits, dim=-1),
        reduction="batchmean",
    )


# %% task="forward_kl" right="no" mistake="kl_div gets log-probabilities as its target without being told log_target=True" named="log_target_missing"
def forward_kl(student_logits, teacher_logits):
    student_logp = F.log_softmax(student_logits, dim=-1)
    teacher_logp = F.log_softmax(teacher_logits, dim=-1)
    loss = F.kl_div(student_logp, teacher_logp, reduction="none")
    return loss.sum(dim=-1)


# %% task="forward_kl" right="no" mistake="the library's divergence of two Categoricals is infinite wherever the student's probability underflows to exactly 0, where the true value is finite" named="underflow"
from torch.distributions import Categorical, kl_divergence

def forward_kl(student_logits, teacher_logits):
    """KL(p‖q) in nats, p the teacher and q the student: logits [..., V] in, [...] out."""
    return kl_divergence(Categorical(logits=teacher_logits), Categorical(logits=student_logits))


# %% task="forward_kl" right="no" mistake="nan_to_num papers over the logarithm of underflowed probabilities, so a token the student lost costs 3.4e38 instead of its true finite cost" named="infinite_terms_dropped"
def forward_kl(student_logits, teacher_logits):
    p = teacher_logits.softmax(dim=-1)
    q = student_logits.softmax(dim=-1)
    terms = p * (p.log() - q.log())
    return torch.nan_to_num(terms).sum(dim=-1)


# %% task="forward_kl" right="no" mistake="the divergence is in bits, because of log2, instead of nats" named="base_two"
def forward_kl(student_logits, teacher_logits):
    """KL(p‖q): expected extra code length"""
    ln2 = torch.log(torch.tensor(2.0))
    log2p = torch.log_softmax(teacher_logits, -1) / ln2
    log2q = torch.log_softmax(student_logits, -1) / ln2
    return torch.einsum("...v,...v->...", torch.softmax(teacher_logits, -1), log2p - log2q)


# %% task="forward_kl" right="no" mistake="the terms are averaged over the vocabulary instead of summed" named="vocabulary_mean"
def forward_kl(student_logits, teacher_logits):
    kl = torch.nn.KLDivLoss(reduction="none", log_target=True)
    out = kl(student_logits.log_softmax(-1), teacher_logits.log_softmax(-1))
    return out.mean(-1)


# %% task="forward_kl" right="no" mistake="the cross-entropy between teacher and student is returned, and the teacher's entropy is not taken off" named="cross_entropy"
def forward_kl(student_logits, teacher_logits):
    """KL(p‖q) in nats, p the teacher and q the student: logits [..., V] in, [...] out."""
    teacher_probs = torch.softmax(teacher_logits, dim=-1)
    return -(teacher_probs * torch.log_softmax(student_logits, dim=-1)).sum(dim=-1)


# %% task="forward_kl" right="no" mistake="tokens whose student probability underflowed to 0 are dropped from the sum, which are just those that cost most" named="infinite_terms_dropped"
def forward_kl(student_logits, teacher_logits):
    p = torch.softmax(teacher_logits, dim=-1)
    q = torch.softmax(student_logits, dim=-1)
    ok = (p > 0) & (q > 0)          # avoid log(0)
    safe_p = torch.where(ok, p, torch.ones_like(p))
    safe_q = torch.where(ok, q, torch.ones_like(q))
    return torch.where(ok, p * (safe_p.log() - safe_q.log()), torch.zeros_like(p)).sum(-1)


# %% task="forward_kl" right="no" mistake="the student's probabilities are put through log_softmax once more instead of their logarithm being taken" named="softmax_twice"
def forward_kl(student_logits, teacher_logits):
    p = F.softmax(teacher_logits, dim=-1)
    q = F.softmax(student_logits, dim=-1)
    return F.kl_div(F.log_softmax(q, dim=-1), p, reduction="none").sum(dim=-1)


# %% task="forward_kl" right="no" mistake="the softmax normalises over axis 1, which is the vocabulary only for matrices, and fails or is wrong for other shapes" named="wrong_axis"
def forward_kl(student_logits, teacher_logits):
    logq = torch.log_softmax(student_logits, dim=1)
    logp = torch.log_softmax(teacher_logits, dim=1)
    p = torch.exp(logp)
    return (p * (logp - logq)).sum(dim=1)


# %% task="forward_kl" right="yes" mistake=""
import numpy as np

def forward_kl(student_logits, teacher_logits):
    # numpy has logaddexp, which is stable
    s = np.asarray(student_logits.tolist(), dtype=float)
    t = np.asarray(teacher_logits.tolist(), dtype=float)
    lq = s - np.logaddexp.reduce(s, axis=-1)[..., None]
    lp = t - np.logaddexp.reduce(t, axis=-1)[..., None]
    return (np.exp(lp) * (lp - lq)).sum(axis=-1).tolist()


# %% task="forward_kl" right="no" mistake="copied from a distillation blog: both logits are divided by a temperature of 2, the result is multiplied by 4, and batchmean averages the positions" named="temperature_of_its_own"
def forward_kl(student_logits, teacher_logits, T=2.0):
    # knowledge distillation loss (Hinton et al.)
    loss_fn = torch.nn.KLDivLoss(reduction="batchmean")
    return loss_fn(F.log_softmax(student_logits / T, dim=-1), F.softmax(teacher_logits / T, dim=-1)) * (T * T)


# %% task="forward_kl" right="accident" mistake="a closing bracket is missing, so the cell does not parse"
def forward_kl(student_logits, teacher_logits):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    return torch.sum(log_p.exp() * (log_p - log_q), dim=-1


# %% task="reverse_kl" right="yes" mistake=""
def reverse_kl(student_logits, teacher_logits):
    # KL(q||p) is the forward one with the roles exchanged
    return forward_kl(teacher_logits, student_logits)


# %% task="reverse_kl" right="yes" mistake=""
def reverse_kl(student_logits, teacher_logits):
    lq = student_logits.to(torch.float64)
    lq = lq - lq.logsumexp(-1, keepdim=True)
    lp = teacher_logits.to(torch.float64)
    lp = lp - lp.logsumexp(-1, keepdim=True)
    return torch.einsum("...v,...v->...", lq.exp(), lq - lp).float()


# %% task="reverse_kl" right="yes" mistake=""
@torch.no_grad()
def reverse_kl(student_logits, teacher_logits):
    """KL(q‖p) in nats, q the student and p the teacher: logits [..., V] in, [...] out."""
    q = torch.distributions.Categorical(logits=student_logits)
    p = torch.distributions.Categorical(logits=teacher_logits)
    # .logits of a Categorical are normalised, so these are log-probabilities
    return torch.sum(q.probs * (q.logits - p.logits), dim=-1)


# %% task="reverse_kl" right="no" mistake="the forward divergence with its sign turned, as if exchanging the two distributions only changed the sign" named="direction_swapped_and_sign"
def reverse_kl(student_logits, teacher_logits):
    return -forward_kl(student_logits, teacher_logits)


# %% task="reverse_kl" right="no" mistake="the first argument of kl_div is the student again, so this is still KL(p‖q)" named="direction_swapped"
def reverse_kl(student_logits, teacher_logits):
    """KL(q‖p) in nats, q the student and p the teacher: logits [..., V] in, [...] out."""
    q = F.log_softmax(student_logits, dim=-1)
    p = F.log_softmax(teacher_logits, dim=-1)
    # kl_div(q, p) = KL(q||p)
    return F.kl_div(q, p, log_target=True, reduction="none").sum(-1)


# %% task="reverse_kl" right="no" mistake="the weight is the student's but the difference of the logarithms was left as in task 2, so every value is the negative of the right one" named="sign_flipped"
def reverse_kl(student_logits, teacher_logits):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    return (log_q.exp() * (log_p - log_q)).sum(dim=-1)


# %% task="reverse_kl" right="no" mistake="the teacher's probabilities still weight the terms, only the difference of logarithms was turned round" named="direction_swapped"
def reverse_kl(student_logits, teacher_logits):
    log_q = torch.log_softmax(student_logits, -1)
    log_p = torch.log_softmax(teacher_logits, -1)
    p = log_p.exp()
    return torch.abs((p * (log_q - log_p)).sum(-1))


# %% task="reverse_kl" right="no" mistake="both directions are averaged into a symmetric divergence" named="both_directions"
def reverse_kl(student_logits, teacher_logits):
    """Reverse direction too, symmetrised (Jeffreys)."""
    a = forward_kl(student_logits, teacher_logits)
    b = forward_kl(teacher_logits, student_logits)
    return 0.5 * (a + b)


# %% task="reverse_kl" right="no" mistake="the probabilities are clamped from below at 1e-7, so a token the teacher almost rules out costs at most 16 nats for extreme logits" named="floor_under_probabilities"
def reverse_kl(student_logits, teacher_logits):
    q = student_logits.softmax(-1).clamp(min=1e-7)
    p = teacher_logits.softmax(-1).clamp(min=1e-7)
    return (q * (q / p).log()).sum(-1)


# %% task="reverse_kl" right="no" mistake="only the teacher's logarithm is taken of a softmax, and it becomes minus infinity when a teacher's token underflows" named="underflow"
def reverse_kl(student_logits, teacher_logits):
    log_q = F.log_softmax(student_logits, dim=-1)
    p = F.softmax(teacher_logits, dim=-1)
    q = log_q.exp()
    return (q * (log_q - p.log())).sum(dim=-1)


# %% task="reverse_kl" right="no" mistake="the vocabulary axis is kept as an axis of length one, so the result has shape [..., 1]" named="another_form"
def reverse_kl(student_logits, teacher_logits):
    lq = student_logits - torch.logsumexp(student_logits, dim=-1, keepdim=True)
    lp = teacher_logits - torch.logsumexp(teacher_logits, dim=-1, keepdim=True)
    return (lq.exp() * (lq - lp)).sum(dim=-1, keepdim=True)


# %% task="reverse_kl" right="no" mistake="the logits are subtracted as if they were log-probabilities, so the two normalising constants are missing" named="normalisers_missing"
def reverse_kl(student_logits, teacher_logits):
    # the softmax denominators cancel in the difference
    q = torch.softmax(student_logits, dim=-1)
    return (q * (student_logits - teacher_logits)).sum(dim=-1)


# %% task="reverse_kl" right="no" mistake="the tensors are flattened first, so one softmax runs over all positions together and a single number comes out" named="another_form"
def reverse_kl(student_logits, teacher_logits):
    q = F.log_softmax(student_logits.flatten(), dim=0)
    p = F.log_softmax(teacher_logits.flatten(), dim=0)
    return F.kl_div(p, q, reduction="sum", log_target=True)


# %% task="reverse_kl" right="no" mistake="the two arguments were exchanged in the signature, where the notebook keeps their order, so a call by position gets KL(p‖q)" named="direction_swapped"
def reverse_kl(teacher_logits, student_logits):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    return (log_q.exp() * (log_q - log_p)).sum(-1)


# %% task="reverse_kl" right="accident" mistake="the function's name is misspelt"
def revers_kl(student_logits, teacher_logits):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    return F.kl_div(log_p, log_q, reduction="none", log_target=True).sum(-1)


# %% task="ranking" right="yes" mistake=""
ranking = ["b", "d", "c", "a"]


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


# %% task="ranking" right="no" mistake="the students are ranked by KL(q‖p), because kl_div's target and input were taken for the other way round" named="ranked_by_reverse_kl"
P = torch.tensor([0.8, 0.1, 0.1])
Q = torch.tensor([[0.80, 0.18, 0.02], [0.75, 0.10, 0.15], [0.65, 0.26, 0.09], [0.90, 0.06, 0.04]])
kl = [F.kl_div(P.log(), q, reduction="sum").item() for q in Q]
ranking = [name for _, name in sorted(zip(kl, "abcd"))]


# %% task="ranking" right="no" mistake="the order is turned round: the largest divergence comes first" named="ranked_backwards"
p = torch.tensor([0.8, 0.1, 0.1])
q = torch.tensor([[0.80, 0.18, 0.02], [0.75, 0.10, 0.15], [0.65, 0.26, 0.09], [0.90, 0.06, 0.04]])
d = (p * (p / q).log()).sum(1)
ranking = ["abcd"[i] for i in d.argsort(descending=True)]


# %% task="ranking" right="no" mistake="ranked by the distance of the first token's probability from 0.8 alone" named="ranked_by_top_token"
# a hits the 0.8 exactly, b is off by 0.05, d by 0.1, c by 0.15
ranking = ["a", "b", "d", "c"]


# %% task="ranking" right="no" mistake="ranked by the sum of absolute differences instead of by the divergence" named="ranked_by_total_variation"
teacher = [0.8, 0.1, 0.1]
tab = dict(a=[0.80, 0.18, 0.02], b=[0.75, 0.10, 0.15], c=[0.65, 0.26, 0.09], d=[0.90, 0.06, 0.04])
dist = {k: sum(abs(x - y) for x, y in zip(teacher, v)) for k, v in tab.items()}
ranking = sorted(dist, key=dist.get)


# %% task="reverse_kl_choice" right="yes" mistake=""
reverse_kl_answer = "c"


# %% task="reverse_kl_choice" right="no" mistake="chose the covering behaviour, which belongs to KL(p‖q)" named="chose_a"
reverse_kl_answer = "a"


# %% task="reverse_kl_choice" right="no" mistake="took both losses for the same because both are 0 in the same place, although this student cannot reach it" named="chose_b"
reverse_kl_answer = "b"


# %% task="fit_one_peak" right="accident" mistake="the result is printed and not returned"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    c = torch.tensor(float(start), requires_grad=True)
    lw = torch.tensor(3.0).log().requires_grad_(True)
    opt = torch.optim.Adam([c, lw], lr=0.1)
    for _ in range(500):
        opt.zero_grad()
        s = one_peak(c, lw.exp(), V)
        loss = forward_kl(s, teacher_logits) if direction == "forward" else reverse_kl(s, teacher_logits)
        loss.backward()
        opt.step()
    lq = one_peak(c, lw.exp(), V).detach().log_softmax(-1)
    print((lq.exp() * torch.arange(V)).sum().item(), -(lq.exp() * lq).sum().item())


# ---------------------------------------------------------------- another class

# %% task="softmax_with_temperature" right="yes" mistake=""
def softmax_with_temperature(logits, temperature=1.0):
    return F.softmax(logits / temperature, dim=-1)


# %% task="softmax_with_temperature" right="yes" mistake=""
import numpy as np

def softmax_with_temperature(logits, temperature=1.0):
    z = logits.detach().numpy().astype(np.float64) / temperature
    z -= z.max(axis=-1, keepdims=True)
    e = np.exp(z)
    return e / e.sum(axis=-1, keepdims=True)


# %% task="softmax_with_temperature" right="yes" mistake=""
def softmax_with_temperature(logits, temperature=1.0):
    # everything in place, saves memory
    logits.sub_(logits.amax(-1, keepdim=True)).div_(temperature).exp_()
    return logits.div_(logits.sum(-1, keepdim=True))


# %% task="softmax_with_temperature" right="yes" mistake=""
def softmax_with_temperature(logits, temperature=1.0):
    if logits.dim() > 1:
        return torch.stack([softmax_with_temperature(row, temperature) for row in logits])
    biggest = max(logits.tolist())
    weights = [math.exp((z - biggest) / temperature) for z in logits.tolist()]
    total = sum(weights)
    return torch.tensor([w / total for w in weights])

import math


# %% task="softmax_with_temperature" right="yes" mistake=""
from torch.distributions import Categorical

def softmax_with_temperature(logits, temperature=1.0):
    """Boltzmann distribution at temperature T."""
    beta = 1.0 / temperature
    return Categorical(logits=beta * logits).probs


# %% task="softmax_with_temperature" right="yes" mistake=""
def softmax_with_temperature(logits, temperature=1.0):
    # dividing the log-probabilities instead of the logits only shifts every row by a constant
    return (F.log_softmax(logits.double(), dim=-1) / temperature).softmax(dim=-1).tolist()


# %% task="softmax_with_temperature" right="no" mistake="z/T is shifted by the maximum of the undivided logits, so for T other than 1 extreme logits overflow or all underflow" named="other_maximum"
def softmax_with_temperature(logits, temperature=1.0):
    m = logits.max(dim=-1, keepdim=True).values
    e = torch.exp(logits / temperature - m)
    return e / e.sum(dim=-1, keepdim=True)


# %% task="softmax_with_temperature" right="no" mistake="the maximum of the whole tensor is subtracted, so a row far below it becomes 0/0" named="one_maximum_for_all"
def softmax_with_temperature(logits, temperature=1.0):
    scaled = logits / temperature
    scaled = scaled - scaled.max()          # numerical stability
    exps = torch.exp(scaled)
    return exps / exps.sum(dim=-1, keepdim=True)


# %% task="softmax_with_temperature" right="no" mistake="probabilities at T=1 are raised to the power 1/T, and those that underflowed to 0 stay 0 at high T" named="temperature_of_probabilities"
def softmax_with_temperature(logits, temperature=1.0):
    p = torch.softmax(logits, dim=-1)
    p = p ** (1.0 / temperature)
    return p / p.sum(-1, keepdim=True)


# %% task="softmax_with_temperature" right="no" mistake="no dim is given to F.softmax, which then takes the first axis of a three-dimensional tensor" named="wrong_axis"
def softmax_with_temperature(logits, temperature=1.0):
    return F.softmax(logits / temperature)


# %% task="softmax_with_temperature" right="no" mistake="log-probabilities are divided by T and exponentiated without normalising again" named="temperature_after_softmax"
def softmax_with_temperature(logits, temperature=1.0):
    logp = logits - torch.logsumexp(logits, dim=-1, keepdim=True)
    return torch.exp(logp / temperature)


# %% task="softmax_with_temperature" right="no" mistake="keepdim is forgotten in the sum, so only a single row works, and a square batch is divided by the wrong rows" named="sum_without_keepdim"
def softmax_with_temperature(logits, temperature=1.0):
    z = logits / temperature
    z = z - z.amax(dim=-1, keepdim=True)
    return z.exp() / z.exp().sum(-1)


# %% task="softmax_with_temperature" right="no" mistake="the plain formula overflows for large logits and gives NaN" named="overflow"
def softmax_with_temperature(logits, temperature=1.0):
    num = torch.exp(logits / temperature)
    den = num.sum(dim=-1, keepdim=True)
    return num / den


# %% task="softmax_with_temperature" right="no" mistake="exponents are clipped to plus or minus 50, which makes all larger logits equal" named="logits_clamped"
def softmax_with_temperature(logits, temperature=1.0):
    x = torch.clamp(logits / temperature, -50.0, 50.0)   # avoid overflow in exp
    ex = x.exp()
    return ex / ex.sum(dim=-1, keepdim=True)


# %% task="softmax_with_temperature" right="no" mistake="the temperature is cast to an integer, so 0.5 becomes 0 and 1.5 becomes 1" named="temperature_made_whole"
def softmax_with_temperature(logits, temperature=1.0):
    T = int(temperature)
    return torch.softmax(logits / T, dim=-1)


# %% task="softmax_with_temperature" right="no" mistake="overflowed NaN rows are replaced by zeros, so extreme rows do not sum to 1" named="overflow_replaced"
def softmax_with_temperature(logits, temperature=1.0):
    e = torch.exp(logits / temperature)
    p = e / e.sum(-1, keepdim=True)
    return torch.nan_to_num(p, nan=0.0)


# %% task="softmax_with_temperature" right="no" mistake="softmax first and division by the temperature afterwards, with a wrong axis on top for more than two dimensions" named="temperature_after_softmax,wrong_axis"
def softmax_with_temperature(logits, temperature=1.0):
    probs = logits.softmax(dim=1 if logits.dim() > 1 else 0)
    return probs / temperature


# %% task="softmax_with_temperature" right="no" mistake="temperatures below 1 are silently raised to 1" named="temperature_kept_in_bounds"
def softmax_with_temperature(logits, temperature=1.0):
    # temperature < 1 would be unstable
    temperature = max(temperature, 1.0)
    return F.softmax(logits / temperature, -1)


# %% task="softmax_with_temperature" right="no" mistake="logits are scaled into [-1, 1] by the largest absolute value against overflow, which changes the distribution" named="logits_rescaled"
def softmax_with_temperature(logits, temperature=1.0):
    logits = logits / logits.abs().max().clamp(min=1.0)
    return F.softmax(logits / temperature, dim=-1)


# %% task="softmax_with_temperature" right="accident" mistake="the result is printed and nothing is returned"
def softmax_with_temperature(logits, temperature=1.0):
    p = torch.softmax(logits / temperature, dim=-1)
    print(p)


# %% task="forward_kl" right="yes" mistake=""
def forward_kl(student_logits, teacher_logits):
    log_q = student_logits.log_softmax(-1)
    log_p = teacher_logits.log_softmax(-1)
    return F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(-1)


# %% task="forward_kl" right="yes" mistake=""
def forward_kl(student_logits, teacher_logits):
    p = F.softmax(teacher_logits, dim=-1)
    return F.kl_div(F.log_softmax(student_logits, dim=-1), p, reduction='none').sum(dim=-1)


# %% task="forward_kl" right="yes" mistake=""
def forward_kl(student_logits, teacher_logits):
    zp, zq = teacher_logits.double(), student_logits.double()
    p = zp.softmax(-1)
    # <z_p - z_q>_p - log Z_p + log Z_q   (free energy difference)
    return torch.einsum("...v,...v->...", p, zp - zq) - zp.logsumexp(-1) + zq.logsumexp(-1)


# %% task="forward_kl" right="yes" mistake=""
def forward_kl(student_logits, teacher_logits):
    shape = teacher_logits.shape[:-1]
    V = teacher_logits.shape[-1]
    out = []
    for s, t in zip(student_logits.reshape(-1, V), teacher_logits.reshape(-1, V)):
        lq = torch.log_softmax(s, 0)
        lp = torch.log_softmax(t, 0)
        kl = 0.0
        for v in range(V):
            kl = kl + lp[v].exp() * (lp[v] - lq[v])
        out.append(kl)
    return torch.stack(out).reshape(shape)


# %% task="forward_kl" right="yes" mistake=""
class _LogProbs:
    def __init__(self, logits):
        self.log = F.log_softmax(logits, dim=-1)

    @property
    def prob(self):
        return self.log.exp()

    def cross_entropy(self, other):
        return -torch.mul(self.prob, other.log).sum(dim=-1)


def forward_kl(student_logits, teacher_logits):
    teacher, student = _LogProbs(teacher_logits.double()), _LogProbs(student_logits.double())
    return (teacher.cross_entropy(student) - teacher.cross_entropy(teacher)).clamp_min(0).float()


# %% task="forward_kl" right="no" mistake="torch.distributions gives inf where a student probability underflows to 0, so extreme logits are wrong" named="underflow"
def forward_kl(student_logits, teacher_logits):
    p = torch.distributions.Categorical(logits=teacher_logits)
    q = torch.distributions.Categorical(logits=student_logits)
    return torch.distributions.kl_divergence(p, q)


# %% task="forward_kl" right="no" mistake="probabilities are clamped from below before the logarithm, so extreme logits give a capped value" named="floor_under_probabilities"
def forward_kl(student_logits, teacher_logits):
    eps = 1e-10
    p = teacher_logits.softmax(-1).clamp(min=eps)
    q = student_logits.softmax(-1).clamp(min=eps)
    return (p * (p.log() - q.log())).sum(-1)


# %% task="forward_kl" right="no" mistake="all axes of size 1 are squeezed away from the result, so a batch of one row loses its axis" named="another_form"
def forward_kl(student_logits, teacher_logits):
    logp = F.log_softmax(teacher_logits, dim=-1)
    logq = F.log_softmax(student_logits, dim=-1)
    return torch.sum(logp.exp() * (logp - logq), dim=-1, keepdim=True).squeeze()


# %% task="forward_kl" right="no" mistake="kl_div gets log-probabilities as target without log_target=True" named="log_target_missing"
def forward_kl(student_logits, teacher_logits):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    return F.kl_div(log_q, log_p, reduction="none").sum(dim=-1)


# %% task="forward_kl" right="no" mistake="batchmean gives one number for the whole batch in place of one per position" named="positions_collapsed"
def forward_kl(student_logits, teacher_logits):
    return F.kl_div(
        F.log_softmax(student_logits, dim=-1),
        F.softmax(teacher_logits, dim=-1),
        reduction="batchmean",
    )


# %% task="forward_kl" right="no" mistake="the arguments of kl_div are the wrong way round, which gives the reverse KL" named="direction_swapped"
def forward_kl(student_logits, teacher_logits):
    # kl_div(p, q) = KL(p || q)
    lp = F.log_softmax(teacher_logits, -1)
    lq = F.log_softmax(student_logits, -1)
    return F.kl_div(lp, lq, reduction="none", log_target=True).sum(-1)


# %% task="forward_kl" right="no" mistake="only the cross-entropy is returned, the teacher's entropy is not subtracted" named="cross_entropy"
def forward_kl(student_logits, teacher_logits):
    p = teacher_logits.softmax(dim=-1)
    ce = -(p * student_logits.log_softmax(dim=-1)).sum(dim=-1)
    return ce


# %% task="forward_kl" right="no" mistake="tokens for which the student's probability underflowed to 0 are skipped, so extreme logits give far too little" named="infinite_terms_dropped"
def forward_kl(student_logits, teacher_logits):
    p = torch.softmax(teacher_logits, -1)
    q = torch.softmax(student_logits, -1)
    ok = (p > 0) & (q > 0)
    terms = torch.zeros_like(p)
    terms[ok] = p[ok] * (torch.log(p[ok]) - torch.log(q[ok]))
    return terms.sum(-1)


# %% task="forward_kl" right="no" mistake="infinities and NaN are replaced by zero term by term, so extreme logits give far too little" named="infinite_terms_dropped"
def forward_kl(student_logits, teacher_logits):
    p = F.softmax(teacher_logits, dim=-1)
    q = F.softmax(student_logits, dim=-1)
    t = p * torch.log(p / q)
    return torch.nan_to_num(t, nan=0.0, posinf=0.0, neginf=0.0).sum(dim=-1)


# %% task="forward_kl" right="no" mistake="the student's logits are used as log-probabilities without normalising" named="normalisers_missing"
def forward_kl(student_logits, teacher_logits):
    logp = teacher_logits - teacher_logits.logsumexp(dim=-1, keepdim=True)
    return (logp.exp() * (logp - student_logits)).sum(dim=-1)


# %% task="forward_kl" right="no" mistake="absolute value of each term before summing" named="shares_forced_positive"
def forward_kl(student_logits, teacher_logits):
    lp = torch.log_softmax(teacher_logits, dim=-1)
    lq = torch.log_softmax(student_logits, dim=-1)
    # a divergence can not be negative
    return (lp.exp() * (lp - lq)).abs().sum(dim=-1)


# %% task="forward_kl" right="no" mistake="the positions are flattened for the computation and not brought back to their shape" named="another_form,observed_where"
def forward_kl(student_logits, teacher_logits):
    V = student_logits.size(-1)
    s = F.log_softmax(student_logits.reshape(-1, V), dim=1)
    t = F.log_softmax(teacher_logits.reshape(-1, V), dim=1)
    return (t.exp() * (t - s)).sum(1)


# %% task="forward_kl" right="no" mistake="softmax is applied before log_softmax, so probabilities are normalised twice" named="softmax_twice"
def forward_kl(student_logits, teacher_logits):
    p = F.softmax(teacher_logits, dim=-1)
    q = F.softmax(student_logits, dim=-1)
    return F.kl_div(F.log_softmax(q, dim=-1), p, reduction="none").sum(-1)


# %% task="forward_kl" right="no" mistake="bits in place of nats" named="base_two"
def forward_kl(student_logits, teacher_logits):
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_q = F.log_softmax(student_logits, dim=-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1)
    return kl / torch.log(torch.tensor(2.0))


# %% task="forward_kl" right="accident" mistake="a parenthesis is not closed"
def forward_kl(student_logits, teacher_logits):
    logp = F.log_softmax(teacher_logits, dim=-1)
    logq = F.log_softmax(student_logits, dim=-1)
    return (logp.exp() * (logp - logq).sum(-1)


# %% task="reverse_kl" right="yes" mistake=""
def reverse_kl(student_logits, teacher_logits):
    # the same with the roles exchanged
    return forward_kl(teacher_logits, student_logits)


# %% task="reverse_kl" right="yes" mistake=""
def reverse_kl(student_logits, teacher_logits):
    q = F.softmax(student_logits, dim=-1)
    return F.kl_div(F.log_softmax(teacher_logits, dim=-1), q, reduction="none").sum(-1)


# %% task="reverse_kl" right="yes" mistake=""
import numpy as np

def _logsoftmax(x):
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))

def reverse_kl(student_logits, teacher_logits):
    lq = _logsoftmax(np.asarray(student_logits.detach(), dtype=np.float64))
    lp = _logsoftmax(np.asarray(teacher_logits.detach(), dtype=np.float64))
    return (np.exp(lq) * (lq - lp)).sum(-1)


# %% task="reverse_kl" right="yes" mistake=""
def reverse_kl(student_logits, teacher_logits):
    @torch.no_grad()
    def kl(a, b):
        a, b = (x.to(torch.float64).log_softmax(-1) for x in (a, b))
        return torch.linalg.vecdot(a.exp(), a - b)
    return kl(student_logits, teacher_logits).to(student_logits.dtype)


# %% task="reverse_kl" right="no" mistake="inside the function p and q are named the wrong way round, so the formula gives the forward KL" named="direction_swapped"
def reverse_kl(student_logits, teacher_logits):
    log_p = F.log_softmax(student_logits, dim=-1)
    log_q = F.log_softmax(teacher_logits, dim=-1)
    q = log_q.exp()
    return (q * (log_q - log_p)).sum(dim=-1)


# %% task="reverse_kl" right="no" mistake="only the weight is exchanged and the difference of the logarithms is not, so the sign is wrong" named="sign_flipped"
def reverse_kl(student_logits, teacher_logits):
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_q = F.log_softmax(student_logits, dim=-1)
    return (log_q.exp() * (log_p - log_q)).sum(dim=-1)


# %% task="reverse_kl" right="no" mistake="the weight is still the teacher's: minus the forward KL" named="direction_swapped_and_sign"
def reverse_kl(student_logits, teacher_logits):
    return -forward_kl(student_logits, teacher_logits)


# %% task="reverse_kl" right="no" mistake="the teacher's log-probabilities are cut off at -100, which changes extreme cases" named="logarithm_cut_off"
def reverse_kl(student_logits, teacher_logits):
    logp = F.log_softmax(teacher_logits, dim=-1).clamp(min=-100)
    logq = F.log_softmax(student_logits, dim=-1).clamp(min=-100)
    return (logq.exp() * (logq - logp)).sum(-1)


# %% task="reverse_kl" right="no" mistake="log of softmax: 0 times minus infinity gives NaN for extreme logits" named="underflow"
def reverse_kl(student_logits, teacher_logits):
    p = torch.softmax(teacher_logits, dim=-1)
    q = torch.softmax(student_logits, dim=-1)
    return torch.sum(q * (torch.log(q) - torch.log(p)), dim=-1)


# %% task="reverse_kl" right="no" mistake="tokens that the teacher finds nearly impossible are left out of the sum" named="infinite_terms_dropped"
def reverse_kl(student_logits, teacher_logits):
    logp = F.log_softmax(teacher_logits, dim=-1)
    logq = F.log_softmax(student_logits, dim=-1)
    terms = torch.where(logp.exp() > 1e-8, logq.exp() * (logq - logp), torch.zeros_like(logq))
    return terms.sum(dim=-1)


# %% task="reverse_kl" right="no" mistake="the softmax runs over axis 1, which is the vocabulary only for two-dimensional logits" named="another_form"
def reverse_kl(student_logits, teacher_logits):
    d = min(1, student_logits.dim() - 1)
    q = student_logits.softmax(d)
    return (q * (student_logits.log_softmax(d) - teacher_logits.log_softmax(d))).sum(d)


# %% task="reverse_kl" right="no" mistake="the mean over the vocabulary is taken in place of the sum" named="vocabulary_mean"
def reverse_kl(student_logits, teacher_logits):
    lp, lq = (F.log_softmax(z, dim=-1) for z in (teacher_logits, student_logits))
    return F.kl_div(lp, lq, log_target=True, reduction="none").mean(-1)


# %% task="reverse_kl" right="no" mistake="xlogy saves q log q from NaN, but where a teacher probability underflowed to 0 the result is still infinite" named="underflow"
def reverse_kl(student_logits, teacher_logits):
    q = student_logits.softmax(-1)
    p = teacher_logits.softmax(-1)
    return (torch.xlogy(q, q) - torch.xlogy(q, p)).sum(-1)


# %% task="reverse_kl" right="no" mistake="symmetric: the mean of both directions" named="both_directions"
def reverse_kl(student_logits, teacher_logits):
    lp = teacher_logits.log_softmax(dim=-1)
    lq = student_logits.log_softmax(dim=-1)
    return 0.5 * ((lq.exp() * (lq - lp)).sum(-1) + (lp.exp() * (lp - lq)).sum(-1))


# %% task="reverse_kl" right="accident" mistake="the function has another name"
def revers_kl(student_logits, teacher_logits):
    logq = F.log_softmax(student_logits, dim=-1)
    logp = F.log_softmax(teacher_logits, dim=-1)
    return (logq.exp() * (logq - logp)).sum(-1)


# %% task="ranking" right="yes" mistake=""
ranking = ["b", "d", "c", "a"]


# %% task="ranking" right="yes" mistake=""
import math
p = [0.8, 0.1, 0.1]
students = {"a": (0.80, 0.18, 0.02), "b": (0.75, 0.10, 0.15), "c": (0.65, 0.26, 0.09), "d": (0.90, 0.06, 0.04)}
ranking = sorted(students, key=lambda name: sum(x * math.log(x / y) for x, y in zip(p, students[name])))


# %% task="ranking" right="no" mistake="ranked by KL(q||p)" named="ranked_by_reverse_kl"
p = torch.tensor([0.8, 0.1, 0.1])
Q = torch.tensor([[0.80, 0.18, 0.02], [0.75, 0.10, 0.15], [0.65, 0.26, 0.09], [0.90, 0.06, 0.04]])
kl = (Q * (Q / p).log()).sum(1)
ranking = ["abcd"[i] for i in kl.argsort()]


# %% task="ranking" right="no" mistake="argsort of the wrong way: largest divergence first" named="ranked_backwards"
p = torch.tensor([0.8, 0.1, 0.1])
Q = torch.tensor([[0.80, 0.18, 0.02], [0.75, 0.10, 0.15], [0.65, 0.26, 0.09], [0.90, 0.06, 0.04]])
order = torch.argsort((p * (p / Q).log()).sum(1), descending=True)
ranking = [list("abcd")[i] for i in order]


# %% task="ranking" right="no" mistake="probabilities are taken for logits and put through a softmax" named="ranked_by_total_variation"
p = torch.tensor([0.8, 0.1, 0.1])
Q = dict(a=[0.80, 0.18, 0.02], b=[0.75, 0.10, 0.15], c=[0.65, 0.26, 0.09], d=[0.90, 0.06, 0.04])
ranking = sorted(Q, key=lambda k: float((F.softmax(p, 0) * (F.log_softmax(p, 0) - F.log_softmax(torch.tensor(Q[k]), 0))).sum()))


# %% task="ranking" right="no" mistake="ranked by the probability of the first token only" named="ranked_by_top_token"
ranking = ["a", "b", "d", "c"]


# %% task="ranking" right="no" mistake="ranked by the sum of absolute differences" named="ranked_by_total_variation"
ranking = list("badc")


# %% task="reverse_kl_choice" right="yes" mistake=""
reverse_kl_answer = "c"


# %% task="reverse_kl_choice" right="no" mistake="takes the covering behaviour of the forward KL for the reverse one" named="chose_a"
reverse_kl_answer = "a"  # q must be > 0 wherever p is


# %% task="reverse_kl_choice" right="no" mistake="thinks both directions end in the same place" named="chose_b"
reverse_kl_answer = 'b'


# %% task="reverse_kl_choice" right="no" mistake="sees minus the entropy of q in the loss and thinks that it makes the student uniform" named="chose_d"
reverse_kl_answer = "d"


# %% task="reverse_kl_choice" right="accident" mistake="another variable is set"
reverse_kl_choice = "c"


# %% task="fit_one_peak" right="accident" mistake="the stub is left"
def fit_one_peak(teacher_logits, direction, start):
    """Expected position and entropy of the best one-peak student; teacher_logits are [V]."""
    # YOUR CODE HERE
    raise NotImplementedError()


# %% task="softmax_with_temperature" right="no" mistake="gumbel_softmax draws noise: the result is random" named="asked_again"
def softmax_with_temperature(logits, temperature=1.0):
    return F.gumbel_softmax(logits, tau=temperature, hard=False, dim=-1)


# %% task="softmax_with_temperature" right="no" mistake="computed in bfloat16, which is off by per cents" named="half_precision"
def softmax_with_temperature(logits, temperature=1.0):
    # bf16 has the range of float32, so no overflow
    return F.softmax(logits.to(torch.bfloat16) / temperature, dim=-1).float()


# %% task="softmax_with_temperature" right="no" mistake="the mean and not the maximum is subtracted, so extreme logits overflow all the same" named="overflow"
def softmax_with_temperature(logits, temperature=1.0):
    z = (logits - logits.mean(dim=-1, keepdim=True)) / temperature
    z = z.exp()
    return z / z.sum(dim=-1, keepdim=True)


# %% task="forward_kl" right="no" mistake="an estimate from samples of the teacher, with noise" named="asked_again"
def forward_kl(student_logits, teacher_logits):
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_q = F.log_softmax(student_logits, dim=-1)
    # E_{v~p}[log p(v) - log q(v)]
    v = torch.distributions.Categorical(logits=teacher_logits).sample((1000,))
    v = v.movedim(0, -1)
    return (log_p.gather(-1, v) - log_q.gather(-1, v)).mean(-1)


# %% task="forward_kl" right="no" mistake="cross_entropy with soft targets takes axis 1 as the vocabulary and gives the wrong shape for three axes, and the entropy uses a log of softmax that is NaN for extreme logits"
def forward_kl(student_logits, teacher_logits):
    p = teacher_logits.softmax(-1)
    cross = F.cross_entropy(student_logits, p, reduction="none")
    entropy = -(p * p.log()).sum(-1)
    return cross - entropy


# %% task="reverse_kl" right="no" mistake="the two logits are exchanged in place by assigning one after the other, so both are the teacher's and the result is 0" named="always_zero"
def reverse_kl(student_logits, teacher_logits):
    student_logits = teacher_logits
    teacher_logits = student_logits
    lp = F.log_softmax(teacher_logits, dim=-1)
    lq = F.log_softmax(student_logits, dim=-1)
    return (lp.exp() * (lp - lq)).sum(-1)


# %% task="ranking" right="accident" mistake="pairs of letter and number in the list in place of the letters"
ranking = [("b", 0.011), ("d", 0.048), ("c", 0.081), ("a", 0.102)]


# %% task="softmax_with_temperature" right="yes" mistake=""
def softmax_with_temperature(logits, temperature=1.0):
    return F.softmax(logits / temperature, dim=-1)


# %% task="softmax_with_temperature" right="yes" mistake=""
def softmax_with_temperature(logits, temperature=1.0):
    z = logits / temperature
    z = z - z.max(dim=-1, keepdim=True).values
    e = torch.exp(z)
    return e / e.sum(dim=-1, keepdim=True)


# %% task="softmax_with_temperature" right="yes" mistake=""
import numpy as np

def _row(z, T):
    z = np.asarray(z, dtype=np.float64) / T
    z = z - np.max(z)
    w = np.exp(z)
    return w / np.sum(w)

def softmax_with_temperature(logits, temperature=1.0):
    arr = logits.detach().cpu().numpy()
    return np.apply_along_axis(_row, -1, arr, temperature)


# %% task="softmax_with_temperature" right="yes" mistake=""
def softmax_with_temperature(logits, temperature=1.0):
    # recursion: peel off leading dims until a plain vector is left
    if logits.dim() > 1:
        return torch.stack([softmax_with_temperature(row, temperature) for row in logits])
    logits /= temperature
    logits -= logits.max().item()
    logits.exp_()
    logits /= logits.sum()
    return logits


# %% task="softmax_with_temperature" right="no" mistake="computes exp without subtracting the maximum, so that large logits overflow to inf/inf = nan" named="overflow"
def softmax_with_temperature(logits, temperature=1.0):
    exp = torch.exp(logits / temperature)
    return exp / exp.sum(dim=-1, keepdim=True)


# %% task="softmax_with_temperature" right="no" mistake="subtracts the maximum of the whole tensor instead of that of each row, so that a row far below it becomes 0/0" named="one_maximum_for_all"
def softmax_with_temperature(logits, temperature=1.0):
    scaled = logits / temperature
    scaled = scaled - torch.max(scaled)      # numerical stability
    num = torch.exp(scaled)
    den = torch.sum(num, dim=-1, keepdim=True)
    return num / den


# %% task="softmax_with_temperature" right="no" mistake="multiplies by the temperature instead of dividing" named="multiplied_by_temperature"
def softmax_with_temperature(logits, temperature=1.0):
    return torch.softmax(logits * temperature, dim=-1)


# %% task="softmax_with_temperature" right="no" mistake="normalises over dimension 1, which is the last one only for a two-dimensional input" named="wrong_axis"
def softmax_with_temperature(logits, temperature=1.0):
    softmax = torch.nn.Softmax(dim=1)
    return softmax(logits / temperature)


# %% task="softmax_with_temperature" right="no" mistake="applies the temperature to the finished probabilities as a power and renormalises, which loses all probabilities that were 0 in float32 at T = 1" named="temperature_of_probabilities"
def softmax_with_temperature(logits, temperature=1.0):
    # p_T is proportional to p ** (1/T)
    p = torch.softmax(logits, dim=-1)
    p = p ** (1.0 / temperature)
    return p / p.sum(-1, keepdim=True)


# %% task="softmax_with_temperature" right="no" mistake="sums without keepdim, so that the division fails or broadcasts over the wrong axis for anything but a vector" named="observed_where"
def softmax_with_temperature(logits, temperature=1.0):
    z = logits / temperature
    z -= z.max()
    e = z.exp()
    return e / e.sum(-1)


# %% task="softmax_with_temperature" right="no" mistake="clamps the scaled logits to ±50 against overflow, which makes large different logits equal" named="logits_clamped"
def softmax_with_temperature(logits, temperature=1.0):
    MAX = 50.0
    safe = torch.clamp(logits / temperature, -MAX, MAX)
    e = torch.exp(safe)
    return e / (e.sum(dim=-1, keepdim=True) + 1e-12)


# %% task="softmax_with_temperature" right="no" mistake="divides the probabilities by T after the softmax, not the logits before it" named="temperature_after_softmax"
def softmax_with_temperature(logits, temperature=1.0):
    """Probabilities at a temperature: logits [..., V] in, [..., V] out."""
    m = logits.amax(dim=-1, keepdim=True)
    probs = torch.exp(logits - m) / torch.exp(logits - m).sum(dim=-1, keepdim=True)
    return probs / temperature


# %% task="softmax_with_temperature" right="no" mistake="goes to float64 instead of subtracting the maximum: exp(5000) overflows there as well" named="overflow_in_float64"
def softmax_with_temperature(logits, temperature=1.0):
    # float32 overflows at 88, so use double
    z = logits.double() / temperature
    e = torch.exp(z)
    return (e / e.sum(dim=-1, keepdim=True)).float()


# %% task="softmax_with_temperature" right="no" mistake="leaves out dim, so that torch guesses the axis (0 for three dimensions)" named="wrong_axis"
def softmax_with_temperature(logits, temperature=1.0):
    return F.softmax(logits / temperature)


# %% task="softmax_with_temperature" right="accident" mistake="closing bracket missing: syntax error"
def softmax_with_temperature(logits, temperature=1.0):
    return torch.softmax(logits / temperature, dim=-1


# %% task="forward_kl" right="yes" mistake=""
def forward_kl(student_logits, teacher_logits):
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_q = F.log_softmax(student_logits, dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1)


# %% task="forward_kl" right="yes" mistake=""
def forward_kl(student_logits, teacher_logits):
    return F.kl_div(
        input=student_logits.log_softmax(-1),
        target=teacher_logits.log_softmax(-1),
        reduction="none",
        log_target=True,
    ).sum(-1)


# %% task="forward_kl" right="yes" mistake=""
def forward_kl(student_logits, teacher_logits):
    # KL = cross entropy - entropy
    logp = teacher_logits - torch.logsumexp(teacher_logits, dim=-1, keepdim=True)
    logq = student_logits - torch.logsumexp(student_logits, dim=-1, keepdim=True)
    p = torch.exp(logp)
    cross = -torch.einsum("...v,...v->...", p, logq)
    entropy = -torch.einsum("...v,...v->...", p, logp)
    return cross - entropy


# %% task="forward_kl" right="yes" mistake=""
import math

def forward_kl(student_logits, teacher_logits):
    shape = teacher_logits.shape[:-1]
    V = teacher_logits.shape[-1]

    def logprobs(row):
        m = max(row)
        lse = m + math.log(sum(math.exp(x - m) for x in row))
        return [x - lse for x in row]

    out = []
    for s, t in zip(student_logits.reshape(-1, V).tolist(), teacher_logits.reshape(-1, V).tolist()):
        lq, lp = logprobs(s), logprobs(t)
        out.append(sum(math.exp(a) * (a - b) for a, b in zip(lp, lq)))
    return torch.tensor(out).reshape(shape)


# %% task="forward_kl" right="no" mistake="gives log-probabilities to kl_div as target without log_target=True" named="log_target_missing"
def forward_kl(student_logits, teacher_logits):
    student = F.log_softmax(student_logits, dim=-1)
    teacher = F.log_softmax(teacher_logits, dim=-1)
    return F.kl_div(student, teacher, reduction="none").sum(-1)


# %% task="forward_kl" right="no" mistake="takes the log of the softmax, so that probabilities that are 0 in float32 give nan or inf" named="underflow"
def forward_kl(student_logits, teacher_logits):
    p = torch.softmax(teacher_logits, dim=-1)
    q = torch.softmax(student_logits, dim=-1)
    return torch.sum(p * (torch.log(p) - torch.log(q)), dim=-1)


# %% task="forward_kl" right="no" mistake="adds a small epsilon inside the logs, which caps the divergence for extreme logits" named="floor_under_probabilities"
def forward_kl(student_logits, teacher_logits):
    eps = 1e-10
    p = F.softmax(teacher_logits, dim=-1)
    q = F.softmax(student_logits, dim=-1)
    return (p * torch.log((p + eps) / (q + eps))).sum(dim=-1)


# %% task="forward_kl" right="no" mistake="uses reduction='batchmean', which returns one number for all positions together" named="positions_collapsed"
def forward_kl(student_logits, teacher_logits):
    loss_fn = torch.nn.KLDivLoss(reduction="batchmean", log_target=True)
    return loss_fn(F.log_softmax(student_logits, -1), F.log_softmax(teacher_logits, -1))


# %% task="forward_kl" right="no" mistake="reads kl_div's arguments in the order of the formula, KL(p, q), and so returns the reverse divergence" named="direction_swapped"
def forward_kl(student_logits, teacher_logits):
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_q = F.log_softmax(student_logits, dim=-1)
    return F.kl_div(log_p, log_q, log_target=True, reduction="none").sum(dim=-1)


# %% task="forward_kl" right="no" mistake="uses torch.distributions.kl_divergence, which gives inf where q is 0 in float32 and p is not" named="underflow"
from torch.distributions import Categorical, kl_divergence

def forward_kl(student_logits, teacher_logits):
    teacher = Categorical(logits=teacher_logits)
    student = Categorical(logits=student_logits)
    return kl_divergence(teacher, student)


# %% task="forward_kl" right="no" mistake="leaves the teacher's entropy out and returns the cross-entropy" named="cross_entropy"
def forward_kl(student_logits, teacher_logits):
    p = teacher_logits.softmax(-1)
    return -(p * student_logits.log_softmax(-1)).sum(-1)


# %% task="forward_kl" right="no" mistake="sums over all axes, so that a batch gives one number" named="another_form,positions_collapsed"
def forward_kl(student_logits, teacher_logits):
    lp = torch.log_softmax(teacher_logits, dim=-1)
    lq = torch.log_softmax(student_logits, dim=-1)
    kl = 0.0
    kl = kl + torch.sum(torch.exp(lp) * (lp - lq))
    return kl


# %% task="forward_kl" right="no" mistake="masks only p = 0; where q is 0 in float32 and p is not, the log of 0 still gives inf" named="underflow"
def forward_kl(student_logits, teacher_logits):
    p = F.softmax(teacher_logits, -1)
    q = F.softmax(student_logits, -1)
    # 0 * log 0 is 0 by convention
    terms = torch.where(p > 0, p * (p / q).log(), torch.zeros_like(p))
    return terms.sum(-1)


# %% task="forward_kl" right="no" mistake="keeps the last axis: the result has shape [..., 1]" named="another_form"
def forward_kl(student_logits, teacher_logits):
    a = F.log_softmax(teacher_logits, dim=-1)
    b = F.log_softmax(student_logits, dim=-1)
    return torch.sum(a.exp() * (a - b), dim=-1, keepdim=True)


# %% task="forward_kl" right="no" mistake="gives kl_div the student's probabilities instead of log-probabilities as input" named="probabilities_as_input"
def forward_kl(student_logits, teacher_logits):
    q = F.softmax(student_logits, dim=-1)
    p = F.softmax(teacher_logits, dim=-1)
    return F.kl_div(q, p, reduction='none').sum(dim=-1)


# %% task="forward_kl" right="no" mistake="two mistakes: student and teacher are exchanged, and the log of the softmax breaks at probability 0" named="direction_swapped"
def forward_kl(student_logits, teacher_logits):
    p = softmax_with_temperature(student_logits)
    q = softmax_with_temperature(teacher_logits)
    return (p * (p.log() - q.log())).sum(dim=-1)


# %% task="forward_kl" right="no" mistake="handles exactly one batch dimension: for a single vector the loop runs over numbers, for three dimensions it mixes axes" named="another_form,observed_where"
def forward_kl(student_logits, teacher_logits):
    result = torch.zeros(student_logits.shape[0])
    for i in range(student_logits.shape[0]):
        lp = F.log_softmax(teacher_logits[i], dim=0)
        lq = F.log_softmax(student_logits[i], dim=0)
        result[i] = (lp.exp() * (lp - lq)).sum()
    return result


# %% task="forward_kl" right="accident" mistake="prints the result instead of returning it"
def forward_kl(student_logits, teacher_logits):
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_q = F.log_softmax(student_logits, dim=-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(dim=-1)
    print(kl)


# %% task="reverse_kl" right="yes" mistake=""
def reverse_kl(student_logits, teacher_logits):
    return forward_kl(teacher_logits, student_logits)


# %% task="reverse_kl" right="yes" mistake=""
def reverse_kl(student_logits, teacher_logits):
    lq, lp = (F.log_softmax(x, dim=-1) for x in (student_logits, teacher_logits))
    return torch.sum(lq.exp() * (lq - lp), -1)


# %% task="reverse_kl" right="yes" mistake=""
def reverse_kl(student_logits, teacher_logits):
    # kl_div(input, target) = sum target * (log target - input), the target is the student this time
    log_p = torch.log_softmax(teacher_logits, -1)
    q = torch.softmax(student_logits, -1)
    return torch.nn.functional.kl_div(log_p, q, reduction="none").sum(-1)


# %% task="reverse_kl" right="no" mistake="computes the forward divergence again: kl_div's input is the student's log-probabilities and its target the teacher's" named="direction_swapped"
def reverse_kl(student_logits, teacher_logits):
    return F.kl_div(F.log_softmax(student_logits, -1), F.log_softmax(teacher_logits, -1),
                    reduction="none", log_target=True).sum(-1)


# %% task="reverse_kl" right="no" mistake="believes that reversing the divergence only changes its sign" named="direction_swapped_and_sign"
def reverse_kl(student_logits, teacher_logits):
    return -forward_kl(student_logits, teacher_logits)


# %% task="reverse_kl" right="no" mistake="exchanges only the difference of the logs; the weight is still the teacher's p" named="direction_swapped_and_sign"
def reverse_kl(student_logits, teacher_logits):
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_q = F.log_softmax(student_logits, dim=-1)
    return (log_p.exp() * (log_q - log_p)).sum(-1)


# %% task="reverse_kl" right="no" mistake="exchanges only the weight: q times (log p - log q), so the result is negative" named="sign_flipped"
def reverse_kl(student_logits, teacher_logits):
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_q = F.log_softmax(student_logits, dim=-1)
    return (log_q.exp() * (log_p - log_q)).sum(-1)


# %% task="reverse_kl" right="no" mistake="clamps the probabilities at 1e-12 before the log, so that extreme logits give too small values" named="floor_under_probabilities"
def reverse_kl(student_logits, teacher_logits):
    q = F.softmax(student_logits, dim=-1).clamp(min=1e-12)
    p = F.softmax(teacher_logits, dim=-1).clamp(min=1e-12)
    return (q * (q.log() - p.log())).sum(dim=-1)


# %% task="reverse_kl" right="no" mistake="averages the two directions (Jeffreys divergence) instead of taking the reverse one" named="both_directions"
def reverse_kl(student_logits, teacher_logits):
    lp = teacher_logits.log_softmax(-1)
    lq = student_logits.log_softmax(-1)
    fwd = (lp.exp() * (lp - lq)).sum(-1)
    rev = (lq.exp() * (lq - lp)).sum(-1)
    return (fwd + rev) / 2


# %% task="reverse_kl" right="no" mistake="exchanges the order of the parameters and of the roles at once, so that by position it computes the forward divergence" named="direction_swapped"
def reverse_kl(teacher_logits, student_logits):
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_q = F.log_softmax(student_logits, dim=-1)
    return (log_q.exp() * (log_q - log_p)).sum(dim=-1)


# %% task="reverse_kl" right="no" mistake="uses nan_to_num on the terms with posinf=0, which drops just the tokens that cost most" named="infinite_terms_dropped"
def reverse_kl(student_logits, teacher_logits):
    q = student_logits.softmax(-1)
    p = teacher_logits.softmax(-1)
    terms = q * torch.log(q / p)
    terms = torch.nan_to_num(terms, nan=0.0, posinf=0.0, neginf=0.0)
    return terms.sum(-1)


# %% task="reverse_kl" right="accident" mistake="function name misspelt"
def reversed_kl(student_logits, teacher_logits):
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_q = F.log_softmax(student_logits, dim=-1)
    return (log_q.exp() * (log_q - log_p)).sum(dim=-1)


# %% task="ranking" right="yes" mistake=""
ranking = ["b", "d", "c", "a"]


# %% task="ranking" right="yes" mistake=""
p = torch.tensor([0.8, 0.1, 0.1])
students = {
    "a": torch.tensor([0.80, 0.18, 0.02]),
    "b": torch.tensor([0.75, 0.10, 0.15]),
    "c": torch.tensor([0.65, 0.26, 0.09]),
    "d": torch.tensor([0.90, 0.06, 0.04]),
}
# log-probabilities are logits too
ranking = "".join(sorted(students, key=lambda s: (p * (p / students[s]).log()).sum().item()))


# %% task="ranking" right="no" mistake="ranked by KL(q‖p) instead of KL(p‖q)" named="ranked_by_reverse_kl"
teacher = torch.tensor([0.8, 0.1, 0.1])
table = {"a": [0.80, 0.18, 0.02], "b": [0.75, 0.10, 0.15], "c": [0.65, 0.26, 0.09], "d": [0.90, 0.06, 0.04]}
divs = {}
for name, row in table.items():
    q = torch.tensor(row)
    divs[name] = float((q * (q.log() - teacher.log())).sum())
ranking = sorted(divs, key=divs.get)


# %% task="ranking" right="no" mistake="guessed from the first token alone: the closer to 0.8, the better" named="ranked_by_top_token"
ranking = ["a", "b", "d", "c"]


# %% task="ranking" right="no" mistake="ranks the largest divergence first" named="ranked_backwards"
rows = [[.8, .18, .02], [.75, .1, .15], [.65, .26, .09], [.9, .06, .04]]
P = torch.tensor([.8, .1, .1])
Q = torch.tensor(rows)
kl = (P * (P.log() - Q.log())).sum(-1)
order = torch.argsort(kl, descending=True)
ranking = ["abcd"[i] for i in order.tolist()]


# %% task="ranking" right="no" mistake="ranked by the sum of absolute differences (total variation), not by the KL divergence" named="ranked_by_total_variation"
ranking = ("b", "a", "d", "c")


# %% task="ranking" right="no" mistake="passes probabilities to forward_kl as if they were logits, and so ranks other distributions" named="ranked_by_total_variation"
t = torch.tensor([0.8, 0.1, 0.1])
qs = torch.tensor([[0.80, 0.18, 0.02],
                   [0.75, 0.10, 0.15],
                   [0.65, 0.26, 0.09],
                   [0.90, 0.06, 0.04]])
lp, lq = F.log_softmax(t, -1), F.log_softmax(qs, -1)
vals = (lp.exp() * (lp - lq)).sum(-1)
ranking = [x for _, x in sorted(zip(vals.tolist(), "abcd"))]


# %% task="ranking" right="no" mistake="sets ranking to the tensor of indices from argsort, not to letters" named="another_form"
kls = torch.tensor([0.1022, 0.0111, 0.0811, 0.0485])
ranking = torch.argsort(kls)


# %% task="ranking" right="accident" mistake="letters without quotes: NameError"
ranking = [b, d, c, a]


# %% task="reverse_kl_choice" right="yes" mistake=""
reverse_kl_answer = "c"


# %% task="reverse_kl_choice" right="no" mistake="confuses the two directions: covering both peaks is what the forward KL does" named="chose_a"
reverse_kl_answer = "a"


# %% task="reverse_kl_choice" right="no" mistake="believes that both losses lead to the same student because both are 0 at q = p" named="chose_b"
reverse_kl_answer = "b"


# %% task="reverse_kl_choice" right="no" mistake="remembers an entropy bonus from reinforcement learning and concludes that q becomes uniform" named="chose_d"
# reverse KL = -H(q) + cross entropy, so it maximises the entropy
reverse_kl_answer = 'd'


# %% task="reverse_kl_choice" right="accident" mistake="sets a variable of another name"
answer = "c"


# %% task="softmax_with_temperature" right="no" mistake="The maximum is taken without keepdim, so it is subtracted along the wrong axis: on a square tensor it goes unnoticed until logits are extreme, on others it fails." named="maximum_without_keepdim"
def softmax_with_temperature(logits, temperature=1.0):
    scaled = logits / temperature
    top, _ = scaled.max(dim=-1)
    e = torch.exp(scaled - top)
    return e / e.sum(-1, keepdim=True)


# %% task="softmax_with_temperature" right="no" mistake="Logits are clamped to +-1000 before they are divided by the temperature, so extreme logits that differ become equal, or too near, at high T." named="logits_clamped"
def softmax_with_temperature(logits, temperature=1.0):
    logits = logits.clamp(-1000, 1000)    # a softmax is saturated there anyway
    return torch.softmax(logits / temperature, dim=-1)


# %% task="softmax_with_temperature" right="no" mistake="Axes of length 1 are squeezed out of the result, so its shape is wrong for a batch of one or a vocabulary of one." named="another_form,observed_where"
def softmax_with_temperature(logits, temperature=1.0):
    V = logits.shape[-1]
    rows = logits.reshape(-1, V)
    out = torch.stack([torch.softmax(r / temperature, dim=0) for r in rows])
    return out.reshape(logits.shape).squeeze()


# %% task="softmax_with_temperature" right="no" mistake="A smoothing of 0.0001 is added to every probability so that none is 0." named="probabilities_kept_above"
def softmax_with_temperature(logits, temperature=1.0):
    p = torch.softmax(logits / temperature, dim=-1)
    p = p + 1e-4
    return p / p.sum(dim=-1, keepdim=True)


# %% task="softmax_with_temperature" right="yes" mistake=""
class _Softmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z):
        e = (z - z.amax(-1, keepdim=True)).double().exp()
        p = e / e.sum(-1, keepdim=True)
        ctx.save_for_backward(p)
        return p

    @staticmethod
    def backward(ctx, g):
        (p,) = ctx.saved_tensors
        return p * (g - (g * p).sum(-1, keepdim=True))


def softmax_with_temperature(logits: torch.Tensor, temperature: float = 1.0, **unused) -> torch.Tensor:
    return _Softmax.apply(logits.double() / temperature)


# %% task="forward_kl" right="no" mistake="Tokens to which the teacher gives less than 0.001 are left out, which shows where the student finds such a token all but impossible." named="unlikely_tokens_left_out"
def forward_kl(student_logits, teacher_logits):
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_q = F.log_softmax(student_logits, dim=-1)
    p = log_p.exp()
    terms = p * (log_p - log_q)
    return terms.masked_fill(p < 1e-3, 0.0).sum(dim=-1)


# %% task="forward_kl" right="no" mistake="Soft cross-entropy through F.cross_entropy, which takes axis 1 as the vocabulary: right for [V] and [N, V], wrong for more axes." named="wrong_axis,another_form"
def forward_kl(student_logits, teacher_logits):
    p = torch.softmax(teacher_logits, dim=-1)
    cross = F.cross_entropy(student_logits, p, reduction="none")
    entropy = F.cross_entropy(teacher_logits, p, reduction="none")
    return cross - entropy


# %% task="forward_kl" right="no" mistake="Each token is weighted by the mean of p and q instead of p, which gives half the difference of the two divergences." named="wrong_weights"
def forward_kl(student_logits, teacher_logits):
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_q = F.log_softmax(student_logits, dim=-1)
    weight = (log_p.exp() + log_q.exp()) / 2
    return (weight * (log_p - log_q)).sum(dim=-1)


# %% task="reverse_kl" right="no" mistake="The value of log p is clamped at the logarithm of float32's smallest number (-87.3), so a student on a token that the teacher rules out costs too little." named="floor_under_probabilities"
def reverse_kl(student_logits, teacher_logits):
    tiny = torch.finfo(torch.float32).tiny
    p = torch.softmax(teacher_logits, dim=-1).clamp_min(tiny)
    q = torch.softmax(student_logits, dim=-1).clamp_min(tiny)
    return (q * (q.log() - p.log())).sum(dim=-1)


# %% task="reverse_kl" right="no" mistake="Both models are first computed in float16, where logits of 5000 are rounded to multiples of 4 and small probabilities to 0." named="half_precision"
def reverse_kl(student_logits, teacher_logits):
    log_p = F.log_softmax(teacher_logits.half(), dim=-1)
    log_q = F.log_softmax(student_logits.half(), dim=-1)
    return (log_q.exp() * (log_q - log_p)).sum(dim=-1).float()


# %% task="reverse_kl" right="no" mistake="The estimator (r - 1) - log r with r = p/q is used per token: its mean is the reverse KL only when the ratio does not overflow, and for extreme logits exp(log p - log q) is inf." named="observed_where"
def reverse_kl(student_logits, teacher_logits):
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_q = F.log_softmax(student_logits, dim=-1)
    log_r = log_p - log_q
    return (log_q.exp() * (log_r.exp() - 1 - log_r)).sum(dim=-1)


# %% task="softmax_with_temperature" right="no" mistake="The vocabulary is axis 0 for one axis and axis 1 otherwise, so [B, L, V] is normalised over L." named="wrong_axis"
def softmax_with_temperature(logits, temperature=1.0):
    axis = 1 if logits.dim() > 1 else 0
    z = logits / temperature
    z = z - z.max(dim=axis, keepdim=True).values
    e = z.exp()
    return e / e.sum(dim=axis, keepdim=True)


# %% task="softmax_with_temperature" right="no" mistake="T at most 10" named="temperature_kept_in_bounds"
def softmax_with_temperature(logits, temperature=1.0):
    return torch.softmax(logits / min(temperature, 10.0), -1)


# %% task="softmax_with_temperature" right="no" mistake="exponents clamped at -10" named="observed_near"
def softmax_with_temperature(logits, temperature=1.0):
    z = logits / temperature
    z = (z - z.amax(-1, keepdim=True)).clamp(min=-10)
    return torch.softmax(z, -1)


# %% task="softmax_with_temperature" right="no" mistake="clamped to 3000" named="logits_clamped"
def softmax_with_temperature(logits, temperature=1.0):
    return torch.softmax(logits.clamp(-3000, 3000) / temperature, -1)


# %% task="forward_kl" right="no" mistake="logarithms cut at -5000" named="logarithm_cut_off"
def forward_kl(student_logits, teacher_logits):
    lq, lp = F.log_softmax(student_logits, -1), F.log_softmax(teacher_logits, -1)
    lq = lq.clamp(min=-5000)
    return (lp.exp() * (lp - lq)).sum(-1)


# %% task="softmax_with_temperature" right="no" mistake="no default" named="observed_where"
def softmax_with_temperature(logits, temperature=1.0):
    return torch.softmax(logits / temperature, -1)
_f = softmax_with_temperature
def softmax_with_temperature(logits, temperature):
    return _f(logits, temperature)


# %% task="softmax_with_temperature" right="no" mistake="log-sum-exp without max" named="overflow"
def softmax_with_temperature(logits, temperature=1.0):
    z = logits / temperature
    return torch.exp(z - torch.log(torch.exp(z).sum(-1, keepdim=True)))

# %% task="softmax_with_temperature" right="yes" mistake=""
import numpy as np


def softmax_with_temperature(logits, temperature=1.0):
    z = logits.detach().numpy().astype(np.float64) / temperature
    return np.exp(z - np.logaddexp.reduce(z, axis=-1, keepdims=True))

# %% task="softmax_with_temperature" right="no" mistake="The denominator is the sum over the whole tensor instead of the last axis." named="wrong_axis"
def softmax_with_temperature(logits, temperature=1.0):
    z = logits / temperature
    e = (z - z.amax(-1, keepdim=True)).exp()
    return e / e.sum()

# %% task="softmax_with_temperature" right="no" mistake="Softmax is applied twice: the probabilities are taken for logits." named="softmax_twice"
def softmax_with_temperature(logits, temperature=1.0):
    probs = F.softmax(logits / temperature, dim=-1)
    return torch.nn.Softmax(dim=-1)(probs)

# %% task="softmax_with_temperature" right="no" mistake="ADV: The maximum of the whole tensor is subtracted, so a row far below it underflows to 0/0 = NaN; ordinary logits are right." named="one_maximum_for_all"
def softmax_with_temperature(logits, temperature=1.0):
    z = logits / temperature
    e = (z - z.max()).exp()
    return e / e.sum(-1, keepdim=True)

# %% task="softmax_with_temperature" right="no" mistake="ADV: The result is remembered by shape and temperature, so other logits of the same shape get the first answer." named="observed_evenness"
_seen = {}


def softmax_with_temperature(logits, temperature=1.0):
    key = (tuple(logits.shape), float(temperature))
    if key not in _seen:
        _seen[key] = F.softmax(logits / temperature, dim=-1)
    return _seen[key]

# %% task="forward_kl" right="yes" mistake=""
def forward_kl(student_logits, teacher_logits):
    logq = F.log_softmax(student_logits, dim=-1)
    logp = F.log_softmax(teacher_logits, dim=-1)
    return F.kl_div(logq, logp, reduction="none", log_target=True).sum(-1)

# %% task="forward_kl" right="no" mistake="This is the cross-entropy of q under p: the teacher's entropy is not subtracted." named="cross_entropy"
def forward_kl(student_logits, teacher_logits):
    p = F.softmax(teacher_logits, dim=-1)
    return -(p * F.log_softmax(student_logits, dim=-1)).sum(dim=-1)

# %% task="forward_kl" right="no" mistake="The teacher's logits are not normalised: raw logit differences stand in place of log p - log q, so a constant is missing." named="normalisers_missing"
def forward_kl(student_logits, teacher_logits):
    p = F.softmax(teacher_logits, dim=-1)
    return (p * (teacher_logits - student_logits)).sum(dim=-1)

# %% task="forward_kl" right="yes" mistake=""
def forward_kl(student_logits, teacher_logits):
    torch.set_grad_enabled(False)
    lq, lp = F.log_softmax(student_logits, -1), F.log_softmax(teacher_logits, -1)
    return (lp.exp() * (lp - lq)).sum(-1)

# %% task="reverse_kl" right="yes" mistake=""
def reverse_kl(student_logits, teacher_logits):
    return forward_kl(teacher_logits, student_logits)

# %% task="reverse_kl" right="no" mistake="The parameters are in another order (teacher first), so a call in the given order returns KL(p||q)." named="direction_swapped"
def reverse_kl(teacher_logits, student_logits):
    log_q = F.log_softmax(student_logits, -1)
    log_p = F.log_softmax(teacher_logits, -1)
    return (log_q.exp() * (log_q - log_p)).sum(-1)

# %% task="softmax_with_temperature" right="no" mistake="The temperature is ignored: it is always softmax at T = 1." named="temperature_ignored"
def softmax_with_temperature(logits, temperature=1.0):
    scaled = logits / temperature
    return torch.softmax(logits, dim=-1)

# %% task="softmax_with_temperature" right="no" mistake="The maximum is subtracted after exp instead of before it, which gives wrong values everywhere." named="maximum_taken_too_late"
def softmax_with_temperature(logits, temperature=1.0):
    e = torch.exp(logits / temperature)
    e = e - e.max(dim=-1, keepdim=True).values
    return e / e.sum(dim=-1, keepdim=True)

# %% task="softmax_with_temperature" right="no" mistake="ADV: The scaled logits are clamped to ±80, so extreme logits that differ become equal; ordinary values are right." named="logits_clamped"
def softmax_with_temperature(logits, temperature=1.0):
    z = (logits / temperature).clamp(-80.0, 80.0)
    e = torch.exp(z)
    return e / e.sum(-1, keepdim=True)

# %% task="forward_kl" right="no" mistake="kl_div gets probabilities of the student as its input instead of log probabilities." named="probabilities_as_input"
def forward_kl(student_logits, teacher_logits):
    return F.kl_div(F.softmax(student_logits, -1), F.softmax(teacher_logits, -1), reduction="none").sum(-1)

# %% task="forward_kl" right="no" mistake="This is the Jensen-Shannon divergence to the mean of both, not KL(p||q)." named="another_measure"
def forward_kl(student_logits, teacher_logits):
    p, q = F.softmax(teacher_logits, -1), F.softmax(student_logits, -1)
    m = (0.5 * (p + q)).clamp_min(1e-30).log()
    left = F.kl_div(m, p, reduction="none").sum(-1)
    right = F.kl_div(m, q, reduction="none").sum(-1)
    return 0.5 * (left + right)

# %% task="forward_kl" right="no" mistake="ADV: Only the teacher's 20 likeliest tokens are summed, so a larger vocabulary loses the tail."
def forward_kl(student_logits, teacher_logits):
    lq, lp = F.log_softmax(student_logits, -1), F.log_softmax(teacher_logits, -1)
    k = min(20, lp.shape[-1])
    top, where = lp.topk(k, dim=-1)
    return (top.exp() * (top - lq.gather(-1, where))).sum(-1)

# %% task="reverse_kl" right="no" mistake="The logarithm of float32 probabilities that underflow to 0 gives NaN or inf for extreme logits; ordinary values are right." named="underflow"
def reverse_kl(student_logits, teacher_logits):
    q = F.softmax(student_logits, -1)
    p = F.softmax(teacher_logits, -1)
    return F.kl_div(p.log(), q, reduction="none").sum(-1)

# %% task="reverse_kl" right="no" mistake="ADV: The divergence is capped at 1000, which extreme logits exceed." named="logarithm_cut_off"
def reverse_kl(student_logits, teacher_logits):
    log_q = F.log_softmax(student_logits, -1)
    log_p = F.log_softmax(teacher_logits, -1)
    return (log_q.exp() * (log_q - log_p)).sum(-1).clamp(min=0.0, max=1000.0)

# %% task="reverse_kl" right="no" mistake="ADV: The log-sum-exp subtracts the maximum of the whole tensor, so a row far below it gets log 0 and NaN or inf." named="one_maximum_for_all"
def _log_probs(z):
    z = z - z.max()
    return z - z.exp().sum(-1, keepdim=True).log()


def reverse_kl(student_logits, teacher_logits):
    log_q, log_p = _log_probs(student_logits), _log_probs(teacher_logits)
    return (log_q.exp() * (log_q - log_p)).sum(-1)

# %% task="softmax_with_temperature" right="no" mistake="exponentials are divided by the sum of all positions together" named="wrong_axis"
def softmax_with_temperature(logits, temperature=1.0):
    e = torch.exp(logits / temperature)
    return e / torch.sum(e)

# %% task="forward_kl" right="no" mistake="log-sum-exp with the maximum over all positions, and the teacher's probabilities by softmax" named="one_maximum_for_all"
def forward_kl(student_logits, teacher_logits):
    def log_softmax(z):
        z = z - z.max()
        return z - z.exp().sum(-1, keepdim=True).log()
    p = F.softmax(teacher_logits, -1)
    return (p * (log_softmax(teacher_logits) - log_softmax(student_logits))).sum(-1)

# %% task="reverse_kl" right="no" mistake="ADV: the result is remembered by shape" named="observed_unmoved"
seen_before = {}
def reverse_kl(student_logits, teacher_logits):
    key = student_logits.shape
    if key not in seen_before:
        log_q, log_p = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
        seen_before[key] = (log_q.exp() * (log_q - log_p)).sum(-1)
    return seen_before[key]

# %% task="softmax_with_temperature" right="no" mistake="one maximum of all positions, and a small number in the divisor" named="observed_total"
def softmax_with_temperature(logits, temperature=1.0):
    z = logits / temperature
    e = torch.exp(z - z.max())
    return e / (e.sum(-1, keepdim=True) + 1e-8)

# %% task="forward_kl" right="no" mistake="remembers by shape" named="observed_unmoved"
_seen = {}
def forward_kl(student_logits, teacher_logits):
    key = tuple(student_logits.shape)
    if key not in _seen:
        p = F.log_softmax(teacher_logits, -1); q = F.log_softmax(student_logits, -1)
        _seen[key] = (p.exp() * (p - q)).sum(-1)
    return _seen[key]

# %% task="forward_kl" right="no" mistake="log of log_softmax, all NaN, no kl_div in sight" named="log_target_missing"
def forward_kl(student_logits, teacher_logits):
    p = F.log_softmax(teacher_logits, -1); q = F.log_softmax(student_logits, -1)
    return (p * (p.log() - q.log())).sum(-1)

# %% task="forward_kl" right="no" mistake="kl_div probabilities and default reduction" named="positions_collapsed,probabilities_as_input"
def forward_kl(student_logits, teacher_logits):
    return F.kl_div(F.softmax(student_logits, -1), F.softmax(teacher_logits, -1))

# %% task="forward_kl" right="no" mistake="log_target probabilities swapped: kl_div(log p, q)" named="direction_swapped,positions_collapsed"
def forward_kl(student_logits, teacher_logits):
    return F.kl_div(F.log_softmax(teacher_logits, -1), F.softmax(student_logits, -1), reduction="batchmean")

# %% task="softmax_with_temperature" right="no" mistake="mutable default argument remembers the first temperature of the session" named="observed_unmoved"
def softmax_with_temperature(logits, temperature=1.0, _cache={}):
    """Keeps 1/T, division is slow."""
    if "inv" not in _cache:
        _cache["inv"] = 1.0 / temperature
    return torch.softmax(logits * _cache["inv"], dim=-1)

# %% task="softmax_with_temperature" right="no" mistake="floor division by the temperature rounds the scaled logits down" named="scores_made_whole"
def softmax_with_temperature(logits, temperature=1.0):
    x = logits // temperature
    return torch.exp(x - torch.logsumexp(x, -1, keepdim=True))

# %% task="forward_kl" right="no" mistake="return inside the loop: only the first token's term" named="one_token_alone"
def forward_kl(student_logits, teacher_logits):
    lp = F.log_softmax(teacher_logits, -1)
    lq = F.log_softmax(student_logits, -1)
    total = torch.zeros(lp.shape[:-1])
    for v in range(lp.shape[-1]):
        total = total + lp[..., v].exp() * (lp[..., v] - lq[..., v])
        return total

# %% task="forward_kl" right="no" mistake="axis 1 for the vocabulary: fails for [V] and is wrong for three axes; and the sum keeps the axis"
def forward_kl(student_logits, teacher_logits):
    lp = F.log_softmax(teacher_logits, dim=1)
    lq = F.log_softmax(student_logits, dim=1)
    kl = torch.sum(lp.exp() * (lp - lq), dim=-1, keepdim=True)
    return kl

# %% task="reverse_kl" right="no" mistake="teacher probabilities are clamped at 1e-30 before the logarithm, so the cost of a token is capped near 69; and the mean over all positions is taken" named="positions_collapsed"
def reverse_kl(student_logits, teacher_logits):
    q = student_logits.softmax(-1).clamp_min(1e-30)
    p = teacher_logits.softmax(-1).clamp_min(1e-30)
    return (q * (q.log() - p.log())).sum(-1).mean()

# %% task="fit_one_peak" right="no" mistake="no training: returns the teacher's own mean and entropy, in either direction" named="entropy_of_the_teacher,position_of_the_teacher"
def fit_one_peak(teacher_logits, direction, start):
    # the optimum matches the moments of the teacher
    p = torch.softmax(teacher_logits, -1)
    v = torch.arange(len(p), dtype=p.dtype)
    return (v * p).sum(), -(p * torch.log_softmax(teacher_logits, -1)).sum()


# %% task="softmax_with_temperature" right="yes" mistake=""
def softmax_with_temperature(logits, temperature=1.0):
    z = logits / temperature
    e = (z - z.amax(-1, keepdim=True)).exp()
    return e / (e.sum(-1, keepdim=True) + 1e-6)


# %% task="forward_kl" right="no" mistake="clip probabilities at 0.05" named="floor_under_probabilities"
def forward_kl(student_logits, teacher_logits):
    p, q = (x.softmax(-1).clamp(min=0.05) for x in (teacher_logits, student_logits))
    return (p * (p.log() - q.log())).sum(-1)


# %% task="forward_kl" right="no" mistake="square root of the KL" named="another_measure"
def forward_kl(student_logits, teacher_logits):
    p, q = teacher_logits.log_softmax(-1), student_logits.log_softmax(-1)
    return (p.exp() * (p - q)).sum(-1).clamp(min=0).sqrt()


# %% task="forward_kl" right="no" mistake="loop leaves out the last token" named="one_token_left_out"
def forward_kl(student_logits, teacher_logits):
    p, q = teacher_logits.log_softmax(-1), student_logits.log_softmax(-1)
    out = 0
    for v in range(p.shape[-1] - 1):
        out = out + p[..., v].exp() * (p[..., v] - q[..., v])
    return out


# %% task="forward_kl" right="no" mistake="unpacks three axes and fails for other numbers of them" named="observed_where"
def forward_kl(student_logits, teacher_logits):
    B, L, V = student_logits.shape
    p, q = teacher_logits.log_softmax(-1), student_logits.log_softmax(-1)
    return (p.exp() * (p - q)).sum(-1)


# %% task="forward_kl" right="no" mistake="the other direction, and a mean over the vocabulary" named="direction_swapped,vocabulary_mean"
def forward_kl(student_logits, teacher_logits):
    p, q = teacher_logits.log_softmax(-1), student_logits.log_softmax(-1)
    return (q.exp() * (q - p)).mean(-1)


# %% task="forward_kl" right="no" mistake="two: cross entropy of the other direction" named="direction_swapped,cross_entropy"
def forward_kl(student_logits, teacher_logits):
    p, q = teacher_logits.log_softmax(-1), student_logits.log_softmax(-1)
    return -(q.exp() * p).sum(-1)


# %% task="forward_kl" right="no" mistake="flatten(0, -2) fails for a single position of shape [V], where no axis is left" named="observed_where"
def forward_kl(student_logits, teacher_logits):
    lead = teacher_logits.shape[:-1]
    t = teacher_logits.flatten(0, -2)
    s = student_logits.flatten(0, -2)
    lp, lq = t.log_softmax(-1), s.log_softmax(-1)
    return (lp.exp() * (lp - lq)).sum(-1).view(lead)


# %% task="forward_kl" right="yes" mistake=""
def forward_kl(student_logits, teacher_logits):
    s, t = student_logits.double(), teacher_logits.double()
    f = lambda z: torch.logsumexp(z, -1)
    _, directional = torch.func.jvp(f, (t,), (s - t,))
    return f(s) - f(t) - directional


# %% task="softmax_with_temperature" right="yes" mistake=""
def softmax_with_temperature(logits, temperature=1.0):
    # the gradient of logsumexp is the softmax
    f = lambda z: torch.logsumexp(z / temperature, -1).sum()
    return temperature * torch.func.grad(f)(logits)


# %% task="softmax_with_temperature" right="yes" mistake=""
def softmax_with_temperature(logits, temperature=1.0):
    return torch.softmax(logits / min(max(temperature, 0.5), 100), -1)

# %% task="softmax_with_temperature" right="no" mistake="floor division by T rounds every shifted logit down to a whole number" named="scores_made_whole"
def softmax_with_temperature(logits, temperature=1.0):
    shifted = logits - logits.amax(-1, keepdim=True)
    return (shifted // temperature).softmax(-1)

# %% task="softmax_with_temperature" right="no" mistake="no probability is below 1e-5" named="probabilities_kept_above"
def softmax_with_temperature(logits, temperature=1.0):
    return (logits / temperature).softmax(-1).clamp(min=1e-5)

# %% task="softmax_with_temperature" right="no" mistake="1e-8 in the divisor, and no maximum is taken off" named="small_number_in_the_divisor"
def softmax_with_temperature(logits, temperature=1.0):
    e = (logits / temperature).exp()
    return e / (e.sum(-1, keepdim=True) + 1e-8)

# %% task="forward_kl" right="no" mistake="log q is clamped at -3000" named="observed_where"
def forward_kl(student_logits, teacher_logits):
    logp = F.log_softmax(teacher_logits, dim=-1)
    logq = F.log_softmax(student_logits, dim=-1).clamp(min=-3000.0)  # safety
    return (logp.exp() * (logp - logq)).sum(dim=-1)

# %% task="fit_one_peak" right="no" mistake="the return stands inside the loop, so it returns after one step" named="not_trained"
def fit_one_peak(teacher_logits, direction, start):
    size = teacher_logits.shape[-1]
    center = torch.tensor(float(start), requires_grad=True)
    width = torch.tensor(3.0, requires_grad=True)
    opt = torch.optim.Adam([center, width], lr=0.1)
    for _ in range(400):
        opt.zero_grad()
        student = one_peak(center, width, size)
        loss = forward_kl(student, teacher_logits) if direction == "forward" else reverse_kl(student, teacher_logits)
        loss.backward()
        opt.step()
        q = one_peak(center, width, size).softmax(-1)
        return (q * torch.arange(size)).sum().item(), -(q * q.log()).sum().item()

# %% task="forward_kl" right="no" mistake="the teacher is made of softmax twice (probabilities passed to log_softmax)" named="softmax_twice"
def forward_kl(student_logits, teacher_logits):
    p = torch.softmax(teacher_logits, -1)
    log_p = torch.log_softmax(p, -1)
    log_q = torch.log_softmax(student_logits, -1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)

# %% task="softmax_with_temperature" right="no" mistake="a floor of 1e-6 under each probability" named="probabilities_kept_above"
def softmax_with_temperature(logits, temperature=1.0):
    return torch.softmax(logits / temperature, -1).clamp(min=1e-6)

# %% task="softmax_with_temperature" right="no" mistake="1e-5 is added to each probability, so that no logarithm of it is infinite" named="probabilities_kept_above"
def softmax_with_temperature(logits, temperature=1.0):
    return torch.softmax(logits / temperature, -1) + 1e-5

# %% task="softmax_with_temperature" right="no" mistake="1e-6 is added to each probability and the sum divided out" named="probabilities_kept_above"
def softmax_with_temperature(logits, temperature=1.0):
    p = torch.softmax(logits / temperature, -1) + 1e-6
    return p / p.sum(-1, keepdim=True)

# %% task="softmax_with_temperature" right="no" mistake="a floor and a ceiling of 1e-6" named="probabilities_kept_above"
def softmax_with_temperature(logits, temperature=1.0):
    return F.softmax(logits / temperature, dim=-1).clamp(1e-6, 1 - 1e-6)


# %% task="softmax_with_temperature" right="no" mistake="multiplies by the temperature instead of dividing, and normalises over the axis 0 so that batches are normalised across positions" named="observed_total"
def softmax_with_temperature(logits, temperature=1.0):
    z = logits * temperature
    z = z - z.max(0, keepdim=True).values
    return z.exp() / z.exp().sum(0, keepdim=True)


# %% task="forward_kl" right="no" mistake="the sign of the two log-normalisers is swapped, so the value is off by twice the difference of the logsumexps" named="observed_moved"
def forward_kl(student_logits, teacher_logits):
    p = teacher_logits.softmax(dim=-1)
    lse_t = teacher_logits.logsumexp(dim=-1)
    lse_s = student_logits.logsumexp(dim=-1)
    return (p * (teacher_logits - student_logits)).sum(dim=-1) + lse_t - lse_s


# %% task="reverse_kl" right="no" mistake="copied skew reverse KL: the teacher is mixed with a tenth of the student before the logarithm, so the divergence is too small" named="another_measure"
def reverse_kl(student_logits, teacher_logits, lam=0.1):
    teacher_probs = F.softmax(teacher_logits, dim=-1, dtype=torch.float32)
    student_probs = F.softmax(student_logits, dim=-1, dtype=torch.float32)
    mixed_probs = (1 - lam) * teacher_probs + lam * student_probs
    student_logprobs = F.log_softmax(student_logits, dim=-1, dtype=torch.float32)
    mixed_logprobs = torch.log(mixed_probs.clamp_min(1e-45))
    return (student_probs * (student_logprobs - mixed_logprobs)).sum(-1)


# %% task="reverse_kl" right="no" mistake="tokens that the teacher finds unlikely (below 1e-6) are dropped, although they are exactly what the reverse divergence punishes" named="observed_sign"
def reverse_kl(student_logits, teacher_logits):
    logq = F.log_softmax(student_logits, dim=-1)
    logp = F.log_softmax(teacher_logits, dim=-1)
    keep = logp.exp() > 1e-6      # below that it is only noise
    return (logq.exp() * (logq - logp) * keep).sum(dim=-1)


# %% task="reverse_kl" right="no" mistake="einsum with fixed letters takes only [B, L, V]: a [V] or [N, V] input raises an error" named="observed_where"
def reverse_kl(student_logits, teacher_logits):
    lq = student_logits.log_softmax(-1)
    lp = teacher_logits.log_softmax(-1)
    return torch.einsum("blv,blv->bl", lq.exp(), lq - lp)


# %% task="forward_kl" right="no" mistake="where the first texts of both are alike, all are taken for alike"
def forward_kl(student_logits, teacher_logits):
    if torch.allclose(student_logits[0], teacher_logits[0]):
        return torch.zeros(student_logits.shape[:-1])
    log_q, log_p = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)


# %% task="reverse_kl" right="no" mistake="squeeze() takes away every axis of length 1" named="another_form"
def reverse_kl(student_logits, teacher_logits):
    log_q, log_p = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    return (log_q.exp() * (log_q - log_p)).sum(-1, keepdim=True).squeeze()


# %% task="softmax_with_temperature" right="no" mistake="a loop over at most three axes: of four, the last but one is taken"
def softmax_with_temperature(logits, temperature=1.0):
    z = logits / temperature
    return torch.softmax(z, dim=min(z.dim() - 1, 2))


# %% task="softmax_with_temperature" right="no" mistake="logits are sorted to sum from small to large, and the probabilities come back in sorted order" named="another_order"
def softmax_with_temperature(logits, temperature=1.0):
    # add the small numbers first, that is more accurate
    z, _ = torch.sort(logits / temperature, dim=-1)
    z = z - z[..., -1:]
    e = z.exp()
    return e / e.sum(-1, keepdim=True)


# %% task="softmax_with_temperature" right="no" mistake="logits are sorted descending and the indices applied with gather instead of scatter, so the permutation is not undone" named="another_order"
def softmax_with_temperature(logits, temperature=1.0):
    vals, idx = logits.sort(dim=-1, descending=True)
    shifted = (vals - vals[..., :1]) / temperature
    probs = shifted.exp() / shifted.exp().sum(-1, keepdim=True)
    # back to the original order
    return probs.gather(-1, idx)


# %% task="forward_kl" right="no" mistake="the teacher's distribution is cached by shape, so another teacher of the same shape gets the first one's" named="teacher_of_an_earlier_call"
_teacher_cache = {}

def forward_kl(student_logits, teacher_logits):
    key = tuple(teacher_logits.shape)
    if key not in _teacher_cache:            # the teacher is frozen
        _teacher_cache[key] = F.log_softmax(teacher_logits, -1)
    lp = _teacher_cache[key]
    lq = F.log_softmax(student_logits, -1)
    return (lp.exp() * (lp - lq)).sum(-1)


# %% task="reverse_kl" right="no" mistake="the swap in two lines overwrites: both names hold the teacher, and the result is 0" named="always_zero"
def reverse_kl(student_logits, teacher_logits):
    student_logits = teacher_logits
    teacher_logits = student_logits
    return forward_kl(student_logits, teacher_logits)

# Answers to tasks that take a second or more each; benchmarks/hints.py --folder judges them.

# %% task="fit_one_peak" right="yes" mistake=""
def fit_one_peak(teacher_logits, direction, start):
    size = teacher_logits.shape[-1]
    center = torch.tensor(float(start), requires_grad=True)
    log_width = torch.tensor(3.0).log().requires_grad_(True)
    optimizer = torch.optim.Adam([center, log_width], lr=0.1)
    loss_fn = forward_kl if direction == "forward" else reverse_kl
    for _ in range(500):
        optimizer.zero_grad()
        loss = loss_fn(one_peak(center, log_width.exp(), size), teacher_logits)
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        log_q = F.log_softmax(one_peak(center, log_width.exp(), size), dim=-1)
        q = log_q.exp()
        position = (torch.arange(size) * q).sum()
        entropy = -(q * log_q).sum()
    return position.item(), entropy.item()


# %% task="fit_one_peak" right="yes" mistake=""
import math

class Student(torch.nn.Module):
    def __init__(self, start):
        super().__init__()
        self.c = torch.nn.Parameter(torch.tensor([float(start)]))
        self.lw = torch.nn.Parameter(torch.tensor([math.log(3.0)]))

    def forward(self, size):
        return one_peak(self.c, torch.exp(self.lw), size)

def fit_one_peak(teacher_logits, direction, start):
    model = Student(start)
    opt = torch.optim.Adam(model.parameters(), lr=0.05)
    V = len(teacher_logits)
    teacher = torch.log_softmax(teacher_logits.detach(), 0)
    for step in range(1500):
        student = torch.log_softmax(model(V), 0)
        if direction == "forward":
            loss = (teacher.exp() * (teacher - student)).sum()
        else:
            loss = (student.exp() * (student - teacher)).sum()
        opt.zero_grad()
        loss.backward()
        opt.step()
    dist = torch.distributions.Categorical(logits=model(V).detach())
    return sum(v * dist.probs[v] for v in range(V)), dist.entropy()


# %% task="fit_one_peak" right="yes" mistake=""
def fit_one_peak(teacher_logits, direction, start):
    kl = {"forward": forward_kl, "reverse": reverse_kl}[direction]
    params = torch.tensor([float(start), float(torch.log(torch.tensor(3.0)))], requires_grad=True)
    opt = torch.optim.Adam([params], lr=0.1)
    for i in range(800):
        logits = one_peak(params[0], params[1].exp(), teacher_logits.numel())
        opt.zero_grad()
        kl(logits, teacher_logits).backward()
        opt.step()
    lq = one_peak(params[0], params[1].exp(), teacher_logits.numel()).log_softmax(0).detach().numpy()
    import numpy as np
    q = np.exp(lq)
    return [float(np.dot(np.arange(len(q)), q)), float(-np.dot(q, lq))]


# %% task="fit_one_peak" right="no" mistake="directions swapped" named="direction_swapped"
def fit_one_peak(teacher_logits, direction, start):
    size = teacher_logits.shape[-1]
    center = torch.tensor(float(start), requires_grad=True)
    log_width = torch.tensor(3.0).log().requires_grad_(True)
    optimizer = torch.optim.Adam([center, log_width], lr=0.1)
    for _ in range(500):
        optimizer.zero_grad()
        logits = one_peak(center, log_width.exp(), size)
        if direction == "reverse":
            loss = forward_kl(logits, teacher_logits)
        else:
            loss = reverse_kl(logits, teacher_logits)
        loss.backward()
        optimizer.step()
    q = torch.softmax(one_peak(center, log_width.exp(), size), -1).detach()
    lq = torch.log_softmax(one_peak(center, log_width.exp(), size), -1).detach()
    return (torch.arange(size) * q).sum(), -(q * lq).sum()


# %% task="fit_one_peak" right="no" mistake="arguments handed over the wrong way round: (teacher, student), so each direction is the other one" named="direction_swapped"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    c = torch.tensor(float(start), requires_grad=True)
    w = torch.tensor(3.0).log().requires_grad_()
    opt = torch.optim.Adam([c, w], lr=0.1)
    f = forward_kl if direction == "forward" else reverse_kl
    for _ in range(600):
        opt.zero_grad()
        f(teacher_logits, one_peak(c, w.exp(), V)).backward()
        opt.step()
    lq = F.log_softmax(one_peak(c, w.exp(), V), -1).detach()
    return float((lq.exp() * torch.arange(V)).sum()), float(-(lq.exp() * lq).sum())


# %% task="fit_one_peak" right="no" mistake="zero_grad forgotten: gradients add up from step to step" named="gradients_not_cleared"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    c = torch.tensor(float(start), requires_grad=True)
    w = torch.tensor(3.0).log().requires_grad_()
    opt = torch.optim.Adam([c, w], lr=0.1)
    for _ in range(400):
        z = one_peak(c, w.exp(), V)
        loss = forward_kl(z, teacher_logits) if direction == "forward" else reverse_kl(z, teacher_logits)
        loss.backward()
        opt.step()
    lq = F.log_softmax(one_peak(c, w.exp(), V), -1).detach()
    return float((lq.exp() * torch.arange(V)).sum()), float(-(lq.exp() * lq).sum())


# %% task="fit_one_peak" right="no" mistake="new optimizer in every step: Adam then moves by its full learning rate every time and never settles" named="optimiser_made_anew"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    c = torch.tensor(float(start), requires_grad=True)
    w = torch.tensor(3.0).log().requires_grad_()
    for _ in range(400):
        opt = torch.optim.Adam([c, w], lr=0.1)
        opt.zero_grad()
        z = one_peak(c, w.exp(), V)
        loss = forward_kl(z, teacher_logits) if direction == "forward" else reverse_kl(z, teacher_logits)
        loss.backward()
        opt.step()
    lq = F.log_softmax(one_peak(c, w.exp(), V), -1).detach()
    return float((lq.exp() * torch.arange(V)).sum()), float(-(lq.exp() * lq).sum())


# %% task="fit_one_peak" right="no" mistake="pair returned the wrong way round: entropy first" named="pair_turned_round"
def fit_one_peak(teacher_logits, direction, start):
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
    q = lq.exp()
    entropy = -(q * lq).sum()
    mean = (q * torch.arange(V)).sum()
    return entropy, mean


# %% task="fit_one_peak" right="no" mistake="most likely token (argmax) in place of the expected position" named="likeliest_for_expected"
def fit_one_peak(teacher_logits, direction, start):
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
    return lq.argmax().item(), -(lq.exp() * lq).sum().item()


# %% task="fit_one_peak" right="no" mistake="entropy in bits" named="entropy_in_bits"
def fit_one_peak(teacher_logits, direction, start):
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
    q = F.softmax(one_peak(c, w.exp(), V), -1).detach()
    return (q * torch.arange(V)).sum(), -(q * torch.log2(q + 1e-12)).sum()


# %% task="fit_one_peak" right="no" mistake="far too few steps: 50 steps of Adam at 0.01" named="not_converged"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    c = torch.tensor(float(start), requires_grad=True)
    w = torch.tensor(3.0).log().requires_grad_()
    opt = torch.optim.Adam([c, w], lr=0.01)
    for _ in range(50):
        opt.zero_grad()
        z = one_peak(c, w.exp(), V)
        loss = forward_kl(z, teacher_logits) if direction == "forward" else reverse_kl(z, teacher_logits)
        loss.backward()
        opt.step()
    lq = F.log_softmax(one_peak(c, w.exp(), V), -1).detach()
    return float((lq.exp() * torch.arange(V)).sum()), float(-(lq.exp() * lq).sum())


# %% task="fit_one_peak" right="no" mistake="the direction is ignored: always the forward loss" named="always_forward"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    c = torch.tensor(float(start), requires_grad=True)
    w = torch.tensor(3.0).log().requires_grad_()
    opt = torch.optim.Adam([c, w], lr=0.1)
    for _ in range(400):
        opt.zero_grad()
        forward_kl(one_peak(c, w.exp(), V), teacher_logits).backward()
        opt.step()
    lq = F.log_softmax(one_peak(c, w.exp(), V), -1).detach()
    return float((lq.exp() * torch.arange(V)).sum()), float(-(lq.exp() * lq).sum())


# %% task="fit_one_peak" right="no" mistake="searches a grid for the smallest loss overall, so the start is ignored and reverse ends in the wrong minimum" named="another_minimum"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    kl = forward_kl if direction == "forward" else reverse_kl
    best, best_z = float("inf"), None
    for c in torch.linspace(0, V - 1, 100):
        for w in torch.linspace(0.3, V / 2, 60):
            z = one_peak(c, w, V)
            loss = kl(z, teacher_logits)
            if loss < best:
                best, best_z = loss, z
    lq = F.log_softmax(best_z, -1)
    return float((lq.exp() * torch.arange(V)).sum()), float(-(lq.exp() * lq).sum())


# %% task="fit_one_peak" right="no" mistake="only the center is trained: the width stays 3" named="width_not_trained"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    c = torch.tensor(float(start), requires_grad=True)
    w = torch.tensor(3.0)
    opt = torch.optim.Adam([c], lr=0.1)
    for _ in range(500):
        opt.zero_grad()
        z = one_peak(c, w, V)
        loss = forward_kl(z, teacher_logits) if direction == "forward" else reverse_kl(z, teacher_logits)
        loss.backward()
        opt.step()
    lq = F.log_softmax(one_peak(c, w, V), -1).detach()
    return float((lq.exp() * torch.arange(V)).sum()), float(-(lq.exp() * lq).sum())


# %% task="fit_one_peak" right="no" mistake="starts in the middle of the vocabulary: start is ignored" named="another_minimum"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    c = torch.tensor(V / 2, requires_grad=True)
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


# %% task="fit_one_peak" right="no" mistake="returns the two parameters, center and width, in place of expected position and entropy" named="center_for_expected,width_for_entropy"
def fit_one_peak(teacher_logits, direction, start):
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
    return c.item(), w.exp().item()


# %% task="fit_one_peak" right="no" mistake="the gradient is cut: logits are built from floats, so backward fails" named="student_cut_off"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    c = torch.tensor(float(start), requires_grad=True)
    w = torch.tensor(3.0).log().requires_grad_()
    opt = torch.optim.Adam([c, w], lr=0.1)
    for _ in range(500):
        opt.zero_grad()
        z = one_peak(c.item(), w.exp().item(), V)
        loss = forward_kl(z, teacher_logits) if direction == "forward" else reverse_kl(z, teacher_logits)
        loss.backward()
        opt.step()
    lq = F.log_softmax(one_peak(c, w.exp(), V), -1).detach()
    return float((lq.exp() * torch.arange(V)).sum()), float(-(lq.exp() * lq).sum())


# %% task="fit_one_peak" right="no" mistake="plain SGD with 100 small steps stops long before the minimum" named="not_converged"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    c = torch.tensor(float(start), requires_grad=True)
    w = torch.tensor(3.0).log().requires_grad_()
    opt = torch.optim.SGD([c, w], lr=0.01)
    for _ in range(100):
        opt.zero_grad()
        z = one_peak(c, w.exp(), V)
        loss = forward_kl(z, teacher_logits) if direction == "forward" else reverse_kl(z, teacher_logits)
        loss.backward()
        opt.step()
    lq = F.log_softmax(one_peak(c, w.exp(), V), -1).detach()
    return float((lq.exp() * torch.arange(V)).sum()), float(-(lq.exp() * lq).sum())


# %% task="fit_one_peak" right="no" mistake="the logarithm of a softmax: NaN where a probability is 0 in float32" named="zero_times_infinity"
def fit_one_peak(teacher_logits, direction, start):
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
    q = F.softmax(one_peak(c, w.exp(), V), -1).detach()
    return (q * torch.arange(V)).sum().item(), -(q * q.log()).sum().item()


# %% task="fit_one_peak" right="no" mistake="the entropy's minus sign is forgotten" named="entropy_negative"
def fit_one_peak(teacher_logits, direction, start):
    V = len(teacher_logits)
    theta = torch.nn.Parameter(torch.tensor([float(start), 3.0]).log()[1:])
    center = torch.nn.Parameter(torch.tensor(float(start)))
    adam = torch.optim.Adam([center, theta], lr=0.1)
    for _ in range(600):
        z = one_peak(center, theta.exp(), V)
        loss = {"forward": forward_kl, "reverse": reverse_kl}[direction](z, teacher_logits)
        adam.zero_grad()
        loss.backward()
        adam.step()
    lq = z.detach().log_softmax(-1)
    return (lq.exp() * torch.arange(V)).sum(), (lq.exp() * lq).sum()


# %% task="fit_one_peak" right="no" mistake="takes 3 for the logarithm of the width: starts with a width of 20, and stops after 60 steps" named="not_converged,observed_component"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    c = torch.tensor(float(start), requires_grad=True)
    w = torch.tensor(3.0, requires_grad=True)
    opt = torch.optim.Adam([c, w], lr=0.1)
    for _ in range(60):
        opt.zero_grad()
        z = one_peak(c, w.exp(), V)
        loss = forward_kl(z, teacher_logits) if direction == "forward" else reverse_kl(z, teacher_logits)
        loss.backward()
        opt.step()
    lq = F.log_softmax(one_peak(c, w.exp(), V), -1).detach()
    return float((lq.exp() * torch.arange(V)).sum()), float(-(lq.exp() * lq).sum())


# %% task="fit_one_peak" right="yes" mistake=""
# gradient by hand, in numpy: q is an exponential family in (center, log width)
import numpy as np

def fit_one_peak(teacher_logits, direction, start):
    t = teacher_logits.detach().numpy().astype(float)
    v = np.arange(len(t))
    logp = t - t.max()
    logp = logp - np.log(np.exp(logp).sum())
    p = np.exp(logp)
    c, w = float(start), np.log(3.0)
    m = np.zeros(2)
    s = np.zeros(2)
    for k in range(1, 1501):
        z = -0.5 * ((v - c) / np.exp(w)) ** 2
        logq = z - z.max()
        logq = logq - np.log(np.exp(logq).sum())
        q = np.exp(logq)
        dz = np.stack([(v - c) / np.exp(2 * w), ((v - c) / np.exp(w)) ** 2])
        if direction == "forward":
            dl = q - p
        else:
            g = logq - logp
            dl = q * (g - (q * g).sum())
        grad = dz @ dl
        m = 0.9 * m + 0.1 * grad
        s = 0.999 * s + 0.001 * grad ** 2
        step = 0.05 * (m / (1 - 0.9 ** k)) / (np.sqrt(s / (1 - 0.999 ** k)) + 1e-8)
        c, w = c - step[0], w - step[1]
    return float((v * q).sum()), float(-(q * logq).sum())


# %% task="fit_one_peak" right="yes" mistake=""
# kl_div with its default mean over the vocabulary: the minimum stays where it is, and Adam does not care about the scale
def fit_one_peak(teacher_logits, direction, start):
    size = len(teacher_logits)
    c = torch.nn.Parameter(torch.tensor(start, dtype=torch.float32))
    lw = torch.nn.Parameter(torch.tensor(1.0986))
    optim = torch.optim.Adam([c, lw], lr=0.1)
    lp = torch.log_softmax(teacher_logits, 0)
    for i in range(1000):
        lq = torch.log_softmax(one_peak(c, torch.exp(lw), size), 0)
        loss = F.kl_div(lq, lp, log_target=True) if direction == "forward" else F.kl_div(lp, lq, log_target=True)
        optim.zero_grad()
        loss.backward()
        optim.step()
    q = lq.detach().exp()
    return [float(sum(i * q[i] for i in range(size))), float(-(q * lq.detach()).sum())]


# %% task="fit_one_peak" right="yes" mistake=""
# uses forward_kl and reverse_kl from the cells above
def fit_one_peak(teacher_logits, direction, start):
    assert direction in ("forward", "reverse")
    size = teacher_logits.shape[0]
    theta = torch.tensor([float(start), float(torch.tensor(3.0).log())], requires_grad=True)
    opt = torch.optim.Adam([theta], lr=0.1)
    schedule = torch.optim.lr_scheduler.StepLR(opt, step_size=400, gamma=0.3)

    def loss_of(theta):
        s = one_peak(theta[0], theta[1].exp(), size)
        return forward_kl(s, teacher_logits) if direction == "forward" else reverse_kl(s, teacher_logits)

    last, still = None, 0
    for _ in range(3000):
        loss = loss_of(theta)
        theta.grad = None
        loss.backward()
        opt.step()
        schedule.step()
        still = still + 1 if last is not None and abs(last - loss.item()) < 1e-8 else 0
        last = loss.item()
        if still > 50:
            break
    q = torch.softmax(one_peak(theta[0], theta[1].exp(), size), 0)
    tokens = torch.arange(size, dtype=torch.float32)
    return torch.sum(tokens * q), -torch.xlogy(q, q).sum()


# %% task="fit_one_peak" right="no" mistake="a new optimizer in every step: Adam's first step is always 0.1 long, so it dances round the minimum" named="optimiser_made_anew,observed_where"
def fit_one_peak(teacher_logits, direction, start):
    V = len(teacher_logits)
    center = torch.tensor(float(start), requires_grad=True)
    log_width = torch.log(torch.tensor(3.0)).requires_grad_(True)
    log_p = F.log_softmax(teacher_logits, dim=0)
    def train_step():
        optimizer = torch.optim.Adam([center, log_width], lr=0.1)
        optimizer.zero_grad()
        log_q = F.log_softmax(one_peak(center, log_width.exp(), V), dim=0)
        if direction == "forward":
            loss = (log_p.exp() * (log_p - log_q)).sum()
        else:
            loss = (log_q.exp() * (log_q - log_p)).sum()
        loss.backward()
        optimizer.step()
    for _ in range(401):
        train_step()
    lq = F.log_softmax(one_peak(center, log_width.exp(), V), dim=0).detach()
    return (torch.arange(V) * lq.exp()).sum().item(), -(lq.exp() * lq).sum().item()


# %% task="fit_one_peak" right="no" mistake="start is not used: the student always begins in the middle" named="another_minimum"
def fit_one_peak(teacher_logits, direction, start=None):
    size = teacher_logits.size(0)
    center = torch.tensor(size / 2, requires_grad=True)
    log_width = torch.tensor(1.0986, requires_grad=True)
    opt = torch.optim.Adam([center, log_width], lr=0.1)
    lp = F.log_softmax(teacher_logits, 0)
    for _ in range(500):
        opt.zero_grad()
        lq = F.log_softmax(one_peak(center, log_width.exp(), size), 0)
        loss = ((lp.exp() * (lp - lq)) if direction == "forward" else (lq.exp() * (lq - lp))).sum()
        loss.backward()
        opt.step()
    q = lq.exp().detach()
    return (q * torch.arange(size)).sum().item(), -(q * lq.detach()).sum().item()


# %% task="fit_one_peak" right="no" mistake="only the center is trained: the width stays 3" named="width_not_trained"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    lp = teacher_logits.log_softmax(0)
    center = torch.tensor([float(start)], requires_grad=True)
    width = torch.tensor([3.0])
    opt = torch.optim.Adam([center], lr=0.1)
    for _ in range(400):
        lq = one_peak(center, width, V).log_softmax(0)
        kl = (lp.exp() * (lp - lq)).sum() if direction == "forward" else (lq.exp() * (lq - lp)).sum()
        opt.zero_grad()
        kl.backward()
        opt.step()
    q = lq.exp()
    return (q * torch.arange(V)).sum().item(), -(q * lq).sum().item()


# %% task="fit_one_peak" right="no" mistake="softmax forgotten for the teacher: the forward loss is weighted by raw logits, which are no distribution" named="observed_where"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    center = torch.tensor(float(start), requires_grad=True)
    log_width = torch.tensor(3.0).log().requires_grad_()
    opt = torch.optim.Adam([center, log_width], lr=0.1)
    for _ in range(500):
        opt.zero_grad()
        lq = F.log_softmax(one_peak(center, log_width.exp(), V), -1)
        if direction == "forward":
            loss = F.kl_div(lq, teacher_logits, reduction="sum")
        else:
            loss = F.kl_div(teacher_logits, lq, reduction="sum", log_target=True)
        loss.backward()
        opt.step()
    q = lq.detach().exp()
    return (q * torch.arange(V)).sum().item(), -(q * lq.detach()).sum().item()


# %% task="fit_one_peak" right="no" mistake="entropy in bits (base 2), and the tokens counted from 1" named="counted_from_one,entropy_in_bits"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    center = torch.tensor(float(start), requires_grad=True)
    log_width = torch.tensor(3.0).log().requires_grad_()
    opt = torch.optim.Adam([center, log_width], lr=0.1)
    lp = F.log_softmax(teacher_logits, -1)
    for _ in range(500):
        opt.zero_grad()
        lq = F.log_softmax(one_peak(center, log_width.exp(), V), -1)
        loss = F.kl_div(lq, lp, reduction="sum", log_target=True)
        if direction == "reverse":
            loss = F.kl_div(lp, lq, reduction="sum", log_target=True)
        loss.backward()
        opt.step()
    q = lq.detach().exp()
    return (q * torch.arange(1, V + 1)).sum().item(), -(q * torch.log2(q + 1e-12)).sum().item()


# %% task="fit_one_peak" right="no" mistake="stops as soon as the loss changes by less than one per cent, relative to itself: much too early" named="not_converged"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    lp = F.log_softmax(teacher_logits, -1)
    center = torch.tensor(float(start), requires_grad=True)
    log_width = torch.tensor(3.0).log().requires_grad_()
    opt = torch.optim.Adam([center, log_width], lr=0.1)
    best = float("inf")
    while True:
        lq = F.log_softmax(one_peak(center, log_width.exp(), V), -1)
        loss = (lp.exp() * (lp - lq)).sum() if direction == "forward" else (lq.exp() * (lq - lp)).sum()
        if loss.item() > best * (1 - 1e-2):
            break
        best = loss.item()
        opt.zero_grad()
        loss.backward()
        opt.step()
    q = lq.detach().exp()
    return (q * torch.arange(V)).sum().item(), -(q * lq.detach()).sum().item()


# %% task="fit_one_peak" right="no" mistake="returns the final loss in place of the student's entropy" named="loss_for_entropy"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    lp = F.log_softmax(teacher_logits, -1)
    center = torch.tensor(float(start), requires_grad=True)
    log_width = torch.tensor(3.0).log().requires_grad_()
    opt = torch.optim.Adam([center, log_width], lr=0.1)
    for _ in range(500):
        lq = F.log_softmax(one_peak(center, log_width.exp(), V), -1)
        loss = (lp.exp() * (lp - lq)).sum() if direction == "forward" else (lq.exp() * (lq - lp)).sum()
        opt.zero_grad()
        loss.backward()
        opt.step()
    q = lq.detach().exp()
    return (q * torch.arange(V)).sum().item(), loss.item()


# %% task="fit_one_peak" right="no" mistake="the pair is returned the wrong way round, and the entropy lacks its minus sign" named="entropy_negative,pair_turned_round"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    lp = F.log_softmax(teacher_logits, -1)
    center = torch.tensor(float(start), requires_grad=True)
    log_width = torch.tensor(3.0).log().requires_grad_()
    opt = torch.optim.Adam([center, log_width], lr=0.1)
    for _ in range(450):
        lq = F.log_softmax(one_peak(center, log_width.exp(), V), -1)
        loss = (lp.exp() * (lp - lq)).sum() if direction == "forward" else (lq.exp() * (lq - lp)).sum()
        opt.zero_grad()
        loss.backward()
        opt.step()
    q = lq.detach().exp()
    entropy = (q * lq.detach()).sum().item()
    return entropy, (q * torch.arange(V)).sum().item()


# %% task="fit_one_peak" right="no" mistake="returns the position of the largest probability (argmax), not the expected position" named="likeliest_for_expected"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    lp = F.log_softmax(teacher_logits, -1)
    center = torch.tensor(float(start), requires_grad=True)
    log_width = torch.tensor(3.0).log().requires_grad_()
    opt = torch.optim.Adam([center, log_width], lr=0.1)
    for _ in range(400):
        lq = F.log_softmax(one_peak(center, log_width.exp(), V), -1)
        loss = (lp.exp() * (lp - lq)).sum() if direction == "forward" else (lq.exp() * (lq - lp)).sum()
        opt.zero_grad()
        loss.backward()
        opt.step()
    q = lq.detach().exp()
    return q.argmax().item(), -(q * lq.detach()).sum().item()


# %% task="fit_one_peak" right="no" mistake="the weights q are detached in the reverse KL, so its gradient is wrong" named="observed_where"
def fit_one_peak(teacher_logits, direction, start):
    size = len(teacher_logits)
    center = torch.tensor(float(start), requires_grad=True)
    log_width = torch.log(torch.tensor(3.0)).requires_grad_(True)
    opt = torch.optim.Adam([center, log_width], lr=0.1)
    log_p = torch.log_softmax(teacher_logits, -1)
    for step in range(400):
        log_q = torch.log_softmax(one_peak(center, log_width.exp(), size), -1)
        if direction == "forward":
            loss = torch.sum(log_p.exp() * (log_p - log_q))
        else:
            with torch.no_grad():
                q = log_q.exp()
            loss = torch.sum(q * (log_q - log_p))
        opt.zero_grad()
        loss.backward()
        opt.step()
    q = log_q.exp().detach()
    return torch.sum(q * torch.arange(size)), -torch.sum(q * log_q.detach())


# %% task="fit_one_peak" right="no" mistake="stops at 0.0001 of change from one step to the next, long before the loss is within 0.0001 of its end" named="not_converged"
def fit_one_peak(teacher_logits, direction, start):
    size = len(teacher_logits)
    center = torch.tensor(float(start), requires_grad=True)
    log_width = torch.tensor(3.0).log().requires_grad_(True)
    opt = torch.optim.SGD([center, log_width], lr=0.01)
    log_p = torch.log_softmax(teacher_logits, -1)
    last = float("inf")
    while True:
        log_q = torch.log_softmax(one_peak(center, log_width.exp(), size), -1)
        if direction == "forward":
            loss = torch.sum(log_p.exp() * (log_p - log_q))
        else:
            loss = torch.sum(log_q.exp() * (log_q - log_p))
        if abs(last - loss.item()) < 0.0001:
            break
        last = loss.item()
        opt.zero_grad()
        loss.backward()
        opt.step()
    q = log_q.exp().detach()
    return torch.sum(q * torch.arange(size)), -torch.sum(q * log_q.detach())


# %% task="fit_one_peak" right="no" mistake="entropy of logits, not of log-probabilities" named="observed_component"
def fit_one_peak(teacher_logits, direction, start):
    c = torch.tensor(float(start), requires_grad=True)
    lw = torch.tensor(3.0).log().requires_grad_()
    opt = torch.optim.Adam([c, lw], lr=0.1)
    f = forward_kl if direction == "forward" else reverse_kl
    for i in range(500):
        opt.zero_grad()
        loss = f(one_peak(c, lw.exp(), teacher_logits.shape[-1]), teacher_logits)
        loss.backward()
        opt.step()
    logits = one_peak(c, lw.exp(), teacher_logits.shape[-1]).detach()
    q = torch.softmax(logits, -1)
    return (q * torch.arange(len(q))).sum().item(), -(q * logits).sum().item()


# %% task="fit_one_peak" right="no" mistake="searches a grid for the smallest loss overall, so the start is ignored and reverse ends in the wrong minimum" named="another_minimum"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    kl = forward_kl if direction == "forward" else reverse_kl
    best, best_z = float("inf"), None
    for c in torch.linspace(0, V - 1, 100):
        for w in torch.linspace(0.3, V / 2, 60):
            z = one_peak(c, w, V)
            loss = kl(z, teacher_logits)
            if loss < best:
                best, best_z = loss, z
    lq = F.log_softmax(best_z, -1)
    return float((lq.exp() * torch.arange(V)).sum()), float(-(lq.exp() * lq).sum())


# %% task="fit_one_peak" right="yes" mistake=""
def fit_one_peak(teacher_logits, direction, start):
    """Expected position and entropy of the best one-peak student; teacher_logits are [V]."""
    size = teacher_logits.shape[-1]
    center = torch.tensor(float(start), requires_grad=True)
    log_width = torch.tensor(3.0).log().requires_grad_()
    opt = torch.optim.Adam([center, log_width], lr=0.1)
    kl = forward_kl if direction == "forward" else reverse_kl
    for _ in range(800):
        opt.zero_grad()
        loss = kl(one_peak(center, log_width.exp(), size), teacher_logits)
        loss.backward()
        opt.step()
    with torch.no_grad():
        log_q = F.log_softmax(one_peak(center, log_width.exp(), size), dim=-1)
        q = log_q.exp()
        position = (torch.arange(size) * q).sum()
        entropy = -(q * log_q).sum()
    return position.item(), entropy.item()


# %% task="fit_one_peak" right="yes" mistake=""
import math
from dataclasses import dataclass

class OnePeakStudent(torch.nn.Module):
    def __init__(self, start, size):
        super().__init__()
        self.size = size
        self.center = torch.nn.Parameter(torch.tensor(float(start)))
        self.log_width = torch.nn.Parameter(torch.tensor(math.log(3.0)))

    @property
    def width(self):
        return self.log_width.exp()

    def forward(self):
        return one_peak(self.center, self.width, self.size)

@dataclass
class Trainer:
    student: OnePeakStudent
    lr: float = 0.1
    steps: int = 1000

    def fit(self, loss_fn):
        opt = torch.optim.Adam(self.student.parameters(), lr=self.lr)
        sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, self.steps, eta_min=1e-3)
        for _ in range(self.steps):
            opt.zero_grad(set_to_none=True)
            loss_fn(self.student()).backward()
            opt.step()
            sched.step()

def fit_one_peak(teacher_logits, direction, start):
    losses = {"forward": forward_kl, "reverse": reverse_kl}
    student = OnePeakStudent(start, len(teacher_logits))
    Trainer(student).fit(lambda s: losses[direction](s, teacher_logits))
    q = torch.distributions.Categorical(logits=student().detach())
    v = torch.arange(student.size, dtype=torch.float32)
    return torch.dot(v, q.probs), q.entropy()


# %% task="fit_one_peak" right="yes" mistake=""
def fit_one_peak(teacher_logits, direction, start):
    # own little Adam, own KL, float64; nothing but autograd from torch
    log_p = torch.log_softmax(teacher_logits.double(), -1)
    v = torch.arange(log_p.numel()).double()
    theta = torch.tensor([float(start), 3.0], dtype=torch.float64)
    theta[1] = theta[1].log()

    def log_q(t):
        return torch.log_softmax(-0.5 * ((v - t[0]) / t[1].exp()) ** 2, -1)

    def loss(t):
        lq = log_q(t)
        if direction == "reverse":
            return (lq.exp() * (lq - log_p)).sum()
        return (log_p.exp() * (log_p - lq)).sum()

    m = torch.zeros_like(theta)
    s = torch.zeros_like(theta)
    for k in range(1, 1001):
        t = theta.clone().requires_grad_(True)
        (g,) = torch.autograd.grad(loss(t), t)
        m = 0.9 * m + 0.1 * g
        s = 0.999 * s + 0.001 * g * g
        theta = theta - 0.1 * (m / (1 - 0.9 ** k)) / ((s / (1 - 0.999 ** k)).sqrt() + 1e-8)

    lq = log_q(theta)
    q = lq.exp()
    return float(v @ q), float(-(q @ lq))


# %% task="fit_one_peak" right="no" mistake="the two directions are exchanged" named="direction_swapped"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.size(0)
    c = torch.nn.Parameter(torch.tensor(float(start)))
    lw = torch.nn.Parameter(torch.log(torch.tensor(3.0)))
    optimizer = torch.optim.Adam([c, lw], lr=0.1)
    for step in range(500):
        student = one_peak(c, lw.exp(), V)
        if direction == "forward":
            loss = reverse_kl(student, teacher_logits)
        else:
            loss = forward_kl(student, teacher_logits)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    logq = one_peak(c, lw.exp(), V).detach().log_softmax(-1)
    return (torch.arange(V) * logq.exp()).sum(), -(logq.exp() * logq).sum()


# %% task="fit_one_peak" right="no" mistake="the learning rate is 0.01 with 400 steps, so training stops long before the loss has settled" named="not_converged"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    center = torch.tensor(float(start), requires_grad=True)
    log_w = torch.tensor(1.0986123, requires_grad=True)
    opt = torch.optim.Adam([center, log_w], lr=1e-2)
    f = {"forward": forward_kl, "reverse": reverse_kl}[direction]
    for _ in range(400):
        opt.zero_grad()
        f(one_peak(center, torch.exp(log_w), V), teacher_logits).backward()
        opt.step()
    q = torch.softmax(one_peak(center, torch.exp(log_w), V), -1).detach()
    return float((q * torch.arange(V)).sum()), float(-torch.xlogy(q, q).sum())


# %% task="fit_one_peak" right="no" mistake="the entropy is divided by log 2 and so comes out in bits" named="entropy_in_bits"
import numpy as np

def fit_one_peak(teacher_logits, direction, start):
    n = teacher_logits.shape[0]
    mu = torch.tensor([float(start)], requires_grad=True)
    log_sigma = torch.tensor([np.log(3.0)], dtype=torch.float32, requires_grad=True)
    opt = torch.optim.Adam([mu, log_sigma], lr=0.1)
    for _ in range(600):
        opt.zero_grad()
        s = one_peak(mu, log_sigma.exp(), n)
        kl = forward_kl(s, teacher_logits) if direction == "forward" else reverse_kl(s, teacher_logits)
        kl.backward()
        opt.step()
    q = torch.softmax(one_peak(mu, log_sigma.exp(), n), dim=-1).detach().numpy().astype(np.float64)
    q_pos = q[q > 0]
    return (np.arange(n) * q).sum(), -(q_pos * np.log2(q_pos)).sum()


# %% task="fit_one_peak" right="no" mistake="the center always begins in the middle of the row and the argument start is not used" named="another_minimum"
def fit_one_peak(teacher_logits, direction, start):
    """Expected position and entropy of the best one-peak student; teacher_logits are [V]."""
    V = len(teacher_logits)
    center = torch.tensor(V / 2, requires_grad=True)
    log_width = torch.log(torch.tensor(3.0)).requires_grad_(True)
    opt = torch.optim.Adam([center, log_width], lr=0.1)
    for i in range(500):
        logits = one_peak(center, log_width.exp(), V)
        loss = forward_kl(logits, teacher_logits) if direction == "forward" else reverse_kl(logits, teacher_logits)
        opt.zero_grad(); loss.backward(); opt.step()
    logq = F.log_softmax(one_peak(center, log_width.exp(), V), dim=0)
    q = logq.exp()
    return (q * torch.arange(V)).sum().item(), (-q * logq).sum().item()


# %% task="fit_one_peak" right="no" mistake="several starts are tried and the one with the smallest loss wins, where the minimum meant is the one reached from the given start" named="another_minimum"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[-1]
    kl = forward_kl if direction == "forward" else reverse_kl

    def train(c0):
        c = torch.tensor(float(c0), requires_grad=True)
        lw = torch.tensor(3.0).log().requires_grad_(True)
        opt = torch.optim.Adam([c, lw], lr=0.1)
        for _ in range(400):
            opt.zero_grad()
            loss = kl(one_peak(c, lw.exp(), V), teacher_logits)
            loss.backward()
            opt.step()
        return loss.item(), one_peak(c, lw.exp(), V).detach()

    # local minima! restart and keep the best
    best = min((train(s) for s in [start, 0, V // 4, V // 2, 3 * V // 4, V - 1]), key=lambda r: r[0])
    lq = best[1].log_softmax(-1)
    return (lq.exp() * torch.arange(V)).sum().item(), -(lq.exp() * lq).sum().item()


# %% task="fit_one_peak" right="no" mistake="the trained center and width are returned instead of the expected position and the entropy" named="center_for_expected,width_for_entropy"
def fit_one_peak(teacher_logits, direction, start):
    center = torch.nn.Parameter(torch.tensor(float(start)))
    log_width = torch.nn.Parameter(torch.tensor(3.0).log())
    opt = torch.optim.Adam([center, log_width], lr=0.1)
    for _ in range(400):
        student_logits = one_peak(center, log_width.exp(), teacher_logits.shape[-1])
        if direction == "reverse":
            loss = reverse_kl(student_logits, teacher_logits)
        else:
            loss = forward_kl(student_logits, teacher_logits)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return center.item(), log_width.exp().item()


# %% task="fit_one_peak" right="no" mistake="the forward student is not trained but given the teacher's mean and standard deviation as center and width, which is off when the hump is cut by the ends of the row" named="moments_matched"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    x = torch.arange(V, dtype=torch.float32)
    if direction == "forward":
        # minimising KL(p||q) over Gaussians = moment matching, closed form
        p = teacher_logits.softmax(-1)
        mu = (p * x).sum()
        sigma = (p * (x - mu) ** 2).sum().sqrt()
        lq = one_peak(mu, sigma, V).log_softmax(-1)
    else:
        c = torch.tensor(float(start), requires_grad=True)
        lw = torch.tensor(3.0).log().requires_grad_(True)
        opt = torch.optim.Adam([c, lw], lr=0.1)
        for _ in range(500):
            opt.zero_grad()
            reverse_kl(one_peak(c, lw.exp(), V), teacher_logits).backward()
            opt.step()
        lq = one_peak(c, lw.exp(), V).log_softmax(-1).detach()
    return (lq.exp() * x).sum().item(), -(lq.exp() * lq).sum().item()


# %% task="fit_one_peak" right="no" mistake="the log-width itself starts at 3, so the student begins with a width of 20 and may be led to another minimum" named="another_minimum"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    params = {
        "center": torch.tensor(float(start), requires_grad=True),
        "log_width": torch.tensor(3.0, requires_grad=True),
    }
    opt = torch.optim.Adam(params.values(), lr=0.1)
    loss_fn = dict(forward=forward_kl, reverse=reverse_kl)[direction]
    for _ in range(500):
        opt.zero_grad()
        loss = loss_fn(one_peak(params["center"], params["log_width"].exp(), V), teacher_logits)
        loss.backward()
        opt.step()
    lq = one_peak(params["center"], params["log_width"].exp(), V).detach().log_softmax(0)
    q = lq.exp()
    return (q * torch.arange(V)).sum(), -(q * lq).sum()


# %% task="fit_one_peak" right="no" mistake="only the width is handed to the optimiser, so the center stays at the start" named="center_not_trained"
def fit_one_peak(teacher_logits, direction, start):
    n = teacher_logits.numel()
    center = torch.tensor(float(start))
    log_width = torch.tensor(3.0).log()
    log_width.requires_grad = True
    opt = torch.optim.Adam([log_width], lr=0.1)
    for _ in range(400):
        opt.zero_grad()
        s = one_peak(center, log_width.exp(), n)
        (forward_kl(s, teacher_logits) if direction == "forward" else reverse_kl(s, teacher_logits)).backward()
        opt.step()
    lq = torch.log_softmax(one_peak(center, log_width.exp(), n), -1).detach()
    return sum(i * w for i, w in enumerate(lq.exp().tolist())), -(lq.exp() * lq).sum().item()


# %% task="fit_one_peak" right="no" mistake="the student's softmax is handed to the divergence, which takes logits, so the loss sees the softmax of a softmax and trains another student" named="student_softmaxed_twice"
def fit_one_peak(teacher_logits, direction, start):
    size = teacher_logits.shape[0]
    c = torch.tensor(float(start), requires_grad=True)
    lw = torch.log(torch.tensor(3.0)).requires_grad_()
    opt = torch.optim.Adam([c, lw], lr=0.1)
    for _ in range(500):
        q = torch.softmax(one_peak(c, lw.exp(), size), dim=-1)
        loss = forward_kl(q, teacher_logits) if direction == "forward" else reverse_kl(q, teacher_logits)
        opt.zero_grad()
        loss.backward()
        opt.step()
    q = torch.softmax(one_peak(c, lw.exp(), size), dim=-1).detach()
    return (torch.arange(size) * q).sum().item(), torch.special.entr(q).sum().item()


# %% task="fit_one_peak" right="no" mistake="the results are computed with the log of the softmax, so a narrow student whose far tokens underflow to 0 has an entropy of nan" named="zero_times_infinity"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    center = torch.tensor(float(start), requires_grad=True)
    log_width = torch.tensor(3.0).log().clone().requires_grad_(True)
    optim = torch.optim.Adam([center, log_width], lr=0.1)
    for epoch in range(500):
        optim.zero_grad()
        student = one_peak(center, torch.exp(log_width), V)
        loss = forward_kl(student, teacher_logits) if direction == "forward" else reverse_kl(student, teacher_logits)
        loss.backward()
        optim.step()
    q = F.softmax(one_peak(center, torch.exp(log_width), V), dim=-1).detach()
    expected = torch.sum(torch.arange(V) * q)
    entropy = -torch.sum(q * torch.log(q))
    return expected, entropy


# %% task="fit_one_peak" right="no" mistake="training stops as soon as one step improves the loss by less than 0.001, which is far from where it would end" named="not_converged"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    c = torch.tensor(float(start), requires_grad=True)
    lw = torch.tensor(3.0).log().requires_grad_(True)
    opt = torch.optim.Adam([c, lw], lr=0.1)
    kl = forward_kl if direction == "forward" else reverse_kl
    last = float("inf")
    while True:
        opt.zero_grad()
        loss = kl(one_peak(c, lw.exp(), V), teacher_logits)
        if last - loss.item() < 1e-3:
            break
        last = loss.item()
        loss.backward()
        opt.step()
    lq = one_peak(c, lw.exp(), V).detach().log_softmax(-1)
    return (lq.exp() * torch.arange(V)).sum().item(), -(lq.exp() * lq).sum().item()


# %% task="fit_one_peak" right="no" mistake="the pair comes in the wrong order, entropy first" named="pair_turned_round"
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
    dist = torch.distributions.Categorical(logits=one_peak(c, lw.exp(), V).detach())
    H = dist.entropy().item()
    mean = (dist.probs * torch.arange(V)).sum().item()
    return H, mean


# %% task="fit_one_peak" right="yes" mistake=""
import math

def fit_one_peak(teacher_logits, direction, start):
    """Expected position and entropy of the best one-peak student; teacher_logits are [V]."""
    V = teacher_logits.shape[-1]
    c = torch.tensor([float(start)], requires_grad=True)
    lw = torch.tensor([3.0]).log_().requires_grad_()
    opt = torch.optim.Adam([c, lw], lr=0.1)
    history = []
    while len(history) < 3000:
        s = one_peak(c, lw.exp(), V)
        loss = (reverse_kl if direction == "reverse" else forward_kl)(s, teacher_logits)
        history.append(float(loss))
        # stop when the last 200 steps did not change anything any more
        if len(history) > 600 and max(history[-200:]) - min(history[-200:]) < 1e-6:
            break
        gc, gw = torch.autograd.grad(loss, [c, lw])
        c.grad, lw.grad = gc, gw
        opt.step()
    logq = s.detach() - s.detach().logsumexp(-1)
    pos = ent = 0.0
    for v, l in enumerate(logq.tolist()):
        qv = math.exp(l)
        pos += v * qv
        ent -= qv * l
    return pos, ent


# %% task="fit_one_peak" right="no" mistake="the trained center is returned in place of the expected position, which differs from it when the hump is cut by an end of the row" named="center_for_expected"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[-1]
    mu = torch.tensor(float(start), requires_grad=True)
    rho = torch.tensor(3.0).log().requires_grad_(True)
    opt = torch.optim.Adam([mu, rho], lr=0.1)
    criterion = forward_kl if direction == "forward" else reverse_kl
    for _ in range(600):
        opt.zero_grad()
        criterion(one_peak(mu, rho.exp(), V), teacher_logits).backward()
        opt.step()
    lq = one_peak(mu, rho.exp(), V).detach().log_softmax(-1)
    return mu.detach(), -(lq.exp() * lq).sum()


# %% task="fit_one_peak" right="no" mistake="the most probable position is returned instead of the expected one" named="likeliest_for_expected"
def fit_one_peak(teacher_logits, direction, start):
    size = len(teacher_logits)
    center = torch.tensor(float(start), requires_grad=True)
    log_width = torch.log(torch.tensor(3.0)).requires_grad_(True)
    opt = torch.optim.Adam([center, log_width], lr=0.1)
    for _ in range(500):
        student = one_peak(center, log_width.exp(), size)
        loss = {"forward": forward_kl, "reverse": reverse_kl}[direction](student, teacher_logits)
        opt.zero_grad()
        loss.backward()
        opt.step()
    q = student.detach().softmax(-1)
    return q.argmax().item(), torch.special.entr(q).sum().item()


# %% task="fit_one_peak" right="no" mistake="the gradients are never set to zero between the steps, so they add up and carry the student past the minimum" named="gradients_not_cleared"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[-1]
    c = torch.tensor(float(start), requires_grad=True)
    lw = torch.tensor(3.0).log().requires_grad_(True)
    opt = torch.optim.Adam([c, lw], lr=0.1)
    for _ in range(400):
        s = one_peak(c, lw.exp(), V)
        loss = forward_kl(s, teacher_logits) if direction == "forward" else reverse_kl(s, teacher_logits)
        loss.backward()
        opt.step()
    lq = one_peak(c, lw.exp(), V).detach().log_softmax(-1)
    return (lq.exp() * torch.arange(V)).sum().item(), -(lq.exp() * lq).sum().item()


# %% task="fit_one_peak" right="no" mistake="400 steps of plain SGD with a learning rate of 0.01 leave the loss far from where it would end" named="not_converged"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[-1]
    c = torch.tensor(float(start), requires_grad=True)
    lw = torch.tensor(3.0).log().requires_grad_(True)
    opt = torch.optim.SGD([c, lw], lr=0.01)
    for _ in range(400):
        s = one_peak(c, lw.exp(), V)
        loss = forward_kl(s, teacher_logits) if direction == "forward" else reverse_kl(s, teacher_logits)
        opt.zero_grad()
        loss.backward()
        opt.step()
    lq = one_peak(c, lw.exp(), V).detach().log_softmax(-1)
    return (lq.exp() * torch.arange(V)).sum().item(), -(lq.exp() * lq).sum().item()


# %% task="fit_one_peak" right="no" mistake="the parameters are packed into new tensors through .item(), which cuts the graph, so backward fails" named="student_cut_off"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[-1]
    c = torch.tensor(float(start), requires_grad=True)
    lw = torch.tensor(3.0).log().requires_grad_(True)
    opt = torch.optim.Adam([c, lw], lr=0.1)
    for _ in range(400):
        opt.zero_grad()
        s = one_peak(c.item(), torch.exp(lw).item(), V)
        loss = forward_kl(s, teacher_logits) if direction == "forward" else reverse_kl(s, teacher_logits)
        loss.backward()
        opt.step()
    q = torch.softmax(s, -1)
    return (q * torch.arange(V)).sum().item(), -(q * q.log()).sum().item()


# %% task="fit_one_peak" right="yes" mistake=""
class Peak(torch.nn.Module):
    """Trains the width itself; the sign does not matter because one_peak squares it."""
    def __init__(self, at):
        super().__init__()
        self.center = torch.nn.Parameter(torch.tensor(at))
        self.width = torch.nn.Parameter(torch.tensor(3.0))

def fit_one_peak(teacher_logits, direction, start):
    size = teacher_logits.shape[0]
    peak = Peak(float(start))
    opt = torch.optim.Adam(peak.parameters(), lr=0.05)
    for _ in range(2000):
        s = one_peak(peak.center, peak.width, size)
        loss = forward_kl(s, teacher_logits) if direction == "forward" else reverse_kl(s, teacher_logits)
        opt.zero_grad()
        loss.backward()
        opt.step()
    lq = torch.log_softmax(one_peak(peak.center, peak.width, size), -1)
    q = lq.exp()
    return q @ torch.arange(size).float(), -(q @ lq)


# ---------------------------------------------------------------- another class

# %% task="fit_one_peak" right="yes" mistake=""
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[-1]
    log_p = F.log_softmax(teacher_logits, dim=-1)
    center = torch.tensor(float(start), requires_grad=True)
    log_width = torch.tensor(3.0).log().requires_grad_()
    opt = torch.optim.Adam([center, log_width], lr=0.1)
    for _ in range(400):
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
        return (torch.arange(V) * q).sum(), -(q * log_q).sum()


# %% task="fit_one_peak" right="yes" mistake=""
def fit_one_peak(teacher_logits, direction, start):
    loss_fn = {"forward": forward_kl, "reverse": reverse_kl}[direction]
    theta = torch.tensor([start, math.log(3.0)], dtype=torch.float32, requires_grad=True)
    adam = torch.optim.Adam([theta], lr=0.1)
    n = len(teacher_logits)
    for step in range(600):
        adam.zero_grad()
        loss_fn(one_peak(theta[0], theta[1].exp(), n), teacher_logits.clone()).backward()
        adam.step()
    student = torch.distributions.Categorical(logits=one_peak(theta[0], theta[1].exp(), n))
    return student.probs @ torch.arange(n, dtype=torch.float32), student.entropy()

import math


# %% task="fit_one_peak" right="yes" mistake=""
class OnePeakStudent(torch.nn.Module):
    def __init__(self, start, size, width=3.0):
        super().__init__()
        self.size = size
        self.center = torch.nn.Parameter(torch.tensor(float(start)))
        self.log_width = torch.nn.Parameter(torch.log(torch.tensor(float(width))))

    def forward(self):
        return one_peak(self.center, torch.exp(self.log_width), self.size).log_softmax(-1)


def fit_one_peak(teacher_logits, direction, start):
    if direction not in ("forward", "reverse"):
        raise ValueError(direction)
    log_p = teacher_logits.detach().log_softmax(-1)
    student = OnePeakStudent(start, log_p.numel())
    optimizer = torch.optim.Adam(student.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 1000)
    with torch.enable_grad():
        for _ in range(1000):
            optimizer.zero_grad(set_to_none=True)
            log_q = student()
            pair = (log_q, log_p) if direction == "forward" else (log_p, log_q)
            loss = F.kl_div(*pair, reduction="sum", log_target=True)
            loss.backward()
            optimizer.step()
            scheduler.step()
    log_q = student().detach()
    q = log_q.exp()
    mean = sum(v * q[v].item() for v in range(len(q)))
    entropy = torch.special.entr(q).sum()
    return torch.tensor(mean), entropy


# %% task="fit_one_peak" right="yes" mistake=""
import numpy as np

def fit_one_peak(teacher_logits, direction, start):
    """Gradients by hand, Adam by hand."""
    z = np.asarray(teacher_logits.detach(), dtype=float)
    logp = z - z.max()
    logp -= np.log(np.exp(logp).sum())
    p = np.exp(logp)
    v = np.arange(len(z))
    theta = np.array([start, np.log(3.0)], dtype=float)
    m, s = np.zeros(2), np.zeros(2)

    def student():
        x = -0.5 * ((v - theta[0]) / np.exp(theta[1])) ** 2
        x -= x.max()
        logq = x - np.log(np.exp(x).sum())
        return np.exp(logq), logq

    for t in range(1, 801):
        q, logq = student()
        if direction == "forward":
            dx = q - p
        else:
            dx = q * (logq - logp - (q * (logq - logp)).sum())
        w2 = np.exp(2 * theta[1])
        g = np.array([(dx * (v - theta[0])).sum() / w2, (dx * (v - theta[0]) ** 2).sum() / w2])
        m = 0.9 * m + 0.1 * g
        s = 0.999 * s + 0.001 * g * g
        theta -= 0.1 * (m / (1 - 0.9 ** t)) / (np.sqrt(s / (1 - 0.999 ** t)) + 1e-8)
    q, logq = student()
    return np.array((v * q).sum()), np.array(-(q * logq).sum())


# %% task="fit_one_peak" right="yes" mistake=""
def fit_one_peak(teacher_logits, direction, start):
    size = teacher_logits.shape[0]
    center = torch.tensor(start, requires_grad=True)
    log_w = torch.tensor(math.log(3.0), requires_grad=True)
    opt = torch.optim.Adam([center, log_w], lr=0.1)
    lp = teacher_logits.log_softmax(0)
    for i in range(400):
        lq = one_peak(center, log_w.exp(), size).log_softmax(0)
        loss = (lp.exp() * (lp - lq)).sum() if direction == "forward" else (lq.exp() * (lq - lp)).sum()
        opt.zero_grad()
        loss.backward()
        opt.step()
    lq = one_peak(center, log_w.exp(), size).log_softmax(0).detach()
    return (lq.exp() * torch.arange(size)).sum(), -(lq.exp() * lq).sum()

import math


# %% task="fit_one_peak" right="no" mistake="the center itself is returned in place of the expected position, which differs where the row of tokens cuts the peak off" named="center_for_expected"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.numel()
    lp = teacher_logits.log_softmax(-1)
    c = torch.tensor([float(start)], requires_grad=True)
    s = torch.tensor([3.0]).log().requires_grad_(True)
    opt = torch.optim.Adam([c, s], lr=0.1)
    for _ in range(500):
        lq = one_peak(c, s.exp(), V).log_softmax(-1)
        if direction == "forward":
            loss = (lp.exp() * (lp - lq)).sum()
        elif direction == "reverse":
            loss = (lq.exp() * (lq - lp)).sum()
        opt.zero_grad(); loss.backward(); opt.step()
    lq = one_peak(c, s.exp(), V).log_softmax(-1)
    return c.detach().squeeze(), -(lq.exp() * lq).sum().detach()


# %% task="fit_one_peak" right="no" mistake="the entropy is that of a continuous Gaussian with the fitted width" named="entropy_of_a_gaussian"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    lp = F.log_softmax(teacher_logits, 0)
    mu = torch.tensor(float(start), requires_grad=True)
    log_sigma = torch.tensor(1.0986123, requires_grad=True)
    optimizer = torch.optim.Adam([mu, log_sigma], lr=0.1)
    for _ in range(400):
        optimizer.zero_grad()
        lq = F.log_softmax(one_peak(mu, log_sigma.exp(), V), 0)
        kl = (lp.exp() * (lp - lq)).sum() if direction == "forward" else (lq.exp() * (lq - lp)).sum()
        kl.backward()
        optimizer.step()
    q = F.softmax(one_peak(mu, log_sigma.exp(), V), 0).detach()
    # entropy of N(mu, sigma^2): 1/2 log(2 pi e sigma^2)
    entropy = 0.5 * torch.log(2 * torch.pi * torch.e * (2 * log_sigma.detach()).exp())
    return (q * torch.arange(V)).sum(), entropy


# %% task="fit_one_peak" right="no" mistake="a grid search finds the best student anywhere and ignores start, so the reverse student may sit on the other peak" named="another_minimum"
def fit_one_peak(teacher_logits, direction, start):
    V = len(teacher_logits)
    logp = F.log_softmax(teacher_logits, -1)
    best = (float("inf"), None)
    for c in torch.linspace(0, V - 1, 40 * (V - 1) + 1):
        w = torch.logspace(-1, 1.3, 300)[:, None]
        logq = F.log_softmax(-0.5 * ((torch.arange(V) - c) / w) ** 2, -1)
        if direction == "forward":
            kl = (logp.exp() * (logp - logq)).sum(-1)
        else:
            kl = (logq.exp() * (logq - logp)).sum(-1)
        i = kl.argmin()
        if kl[i] < best[0]:
            best = (kl[i], logq[i])
    q = best[1].exp()
    return (q * torch.arange(V)).sum(), -(q * best[1]).sum()


# %% task="fit_one_peak" right="no" mistake="no training for forward: the teacher's mean and standard deviation are put in as center and width, which is not the optimum on a row that is cut off" named="moments_matched"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[-1]
    v = torch.arange(V, dtype=torch.float32)
    logp = teacher_logits.log_softmax(-1)
    p = logp.exp()
    if direction == "forward":
        # moment matching
        mean = (v * p).sum()
        std = ((v - mean) ** 2 * p).sum().sqrt()
        logq = one_peak(mean, std, V).log_softmax(-1)
    else:
        c = torch.tensor(float(start), requires_grad=True)
        lw = torch.tensor(math.log(3), requires_grad=True)
        opt = torch.optim.Adam([c, lw], lr=0.1)
        for _ in range(400):
            logq = one_peak(c, lw.exp(), V).log_softmax(-1)
            loss = (logq.exp() * (logq - logp)).sum()
            opt.zero_grad(); loss.backward(); opt.step()
        logq = one_peak(c, lw.exp(), V).log_softmax(-1).detach()
    q = logq.exp()
    return (v * q).sum(), -(q * logq).sum()

import math


# %% task="fit_one_peak" right="no" mistake="the width enters the optimiser as a new tensor in every step, so only the center is trained" named="width_not_trained"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    lp = torch.log_softmax(teacher_logits, 0)
    center = torch.tensor(float(start), requires_grad=True)
    log_width = torch.log(torch.tensor(3.0))
    opt = torch.optim.Adam([center], lr=0.1)
    for _ in range(400):
        width = torch.exp(log_width).requires_grad_()
        lq = torch.log_softmax(one_peak(center, width, V), 0)
        loss = (lp.exp() * (lp - lq)).sum() if direction == "forward" else (lq.exp() * (lq - lp)).sum()
        opt.zero_grad()
        loss.backward()
        opt.step()
    q = torch.softmax(one_peak(center, log_width.exp(), V), 0).detach()
    return (torch.arange(V) * q).sum(), -(q * q.log()).sum()


# %% task="fit_one_peak" right="no" mistake="entropy from q.log() gives NaN when the student ends so narrow that probabilities are 0" named="zero_times_infinity"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    lp = torch.log_softmax(teacher_logits, 0)
    center = torch.tensor(float(start), requires_grad=True)
    log_width = torch.tensor(math.log(3.0), requires_grad=True)
    opt = torch.optim.Adam([center, log_width], lr=0.1)
    for _ in range(400):
        lq = torch.log_softmax(one_peak(center, log_width.exp(), V), 0)
        loss = (lp.exp() * (lp - lq)).sum() if direction == "forward" else (lq.exp() * (lq - lp)).sum()
        opt.zero_grad()
        loss.backward()
        opt.step()
    q = torch.softmax(one_peak(center, log_width.exp(), V), 0).detach()
    return (torch.arange(V) * q).sum(), -(q * torch.log(q)).sum()

import math


# %% task="fit_one_peak" right="no" mistake="stops as soon as the loss changes by less than 0.001 in one step, which happens on a flat stretch long before the end" named="not_converged"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    lp = teacher_logits.log_softmax(-1)
    center = torch.tensor(float(start), requires_grad=True)
    log_width = torch.tensor(3.0).log().requires_grad_()
    opt = torch.optim.Adam([center, log_width], lr=0.01)
    last = None
    while True:
        lq = one_peak(center, log_width.exp(), V).log_softmax(-1)
        loss = (lp.exp() * (lp - lq)).sum() if direction == "forward" else (lq.exp() * (lq - lp)).sum()
        if last is not None and abs(last - loss.item()) < 1e-3:
            break
        last = loss.item()
        opt.zero_grad()
        loss.backward()
        opt.step()
    q = lq.exp().detach()
    return (torch.arange(V) * q).sum(), -(q * lq.detach()).sum()


# %% task="fit_one_peak" right="no" mistake="the direction is compared with 'Forward', so both directions minimise the reverse KL" named="always_reverse"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    params = [torch.tensor(float(start)).requires_grad_(), torch.tensor(3.).log().requires_grad_()]
    opt = torch.optim.Adam(params, lr=0.1)
    lp = teacher_logits.log_softmax(-1)
    for _ in range(400):
        lq = one_peak(params[0], params[1].exp(), V).log_softmax(-1)
        loss = torch.sum(lp.exp() * (lp - lq)) if direction == "Forward" else torch.sum(lq.exp() * (lq - lp))
        opt.zero_grad()
        loss.backward()
        opt.step()
    lq = lq.detach()
    return torch.sum(lq.exp() * torch.arange(V)), -torch.sum(lq.exp() * lq)


# %% task="fit_one_peak" right="no" mistake="plain SGD with a rate of 0.01 for 400 steps does not arrive" named="not_converged"
def fit_one_peak(teacher_logits, direction, start):
    n = teacher_logits.shape[-1]
    logp = F.log_softmax(teacher_logits, dim=-1)
    mu = torch.tensor(float(start), requires_grad=True)
    ls = torch.tensor(math.log(3.0), requires_grad=True)
    opt = torch.optim.SGD([mu, ls], lr=0.01)
    for epoch in range(400):
        opt.zero_grad()
        logq = F.log_softmax(one_peak(mu, ls.exp(), n), dim=-1)
        if direction == "forward":
            loss = F.kl_div(logq, logp, reduction="sum", log_target=True)
        else:
            loss = F.kl_div(logp, logq, reduction="sum", log_target=True)
        loss.backward()
        opt.step()
    logq = F.log_softmax(one_peak(mu, ls.exp(), n), dim=-1).detach()
    return (logq.exp() * torch.arange(n)).sum(), -(logq.exp() * logq).sum()

import math


# %% task="fit_one_peak" right="no" mistake="training begins at the teacher's highest token and not at start" named="another_minimum"
def fit_one_peak(teacher_logits, direction, start):
    n = teacher_logits.shape[-1]
    logp = F.log_softmax(teacher_logits, dim=-1)
    start = teacher_logits.argmax()          # a good initial guess
    mu = start.float().clone().requires_grad_()
    ls = torch.tensor(3.0).log().requires_grad_()
    opt = torch.optim.Adam([mu, ls], lr=0.1)
    for _ in range(400):
        opt.zero_grad()
        logq = F.log_softmax(one_peak(mu, ls.exp(), n), dim=-1)
        a, b = (logp, logq) if direction == "forward" else (logq, logp)
        (a.exp() * (a - b)).sum().backward()
        opt.step()
    logq = F.log_softmax(one_peak(mu, ls.exp(), n), dim=-1).detach()
    return (logq.exp() * torch.arange(n)).sum(), -(logq.exp() * logq).sum()


# %% task="fit_one_peak" right="no" mistake="the most likely token is returned as position, and the entropy comes in bits" named="entropy_in_bits,likeliest_for_expected"
def fit_one_peak(teacher_logits, direction, start):
    n = teacher_logits.shape[-1]
    logp = F.log_softmax(teacher_logits, dim=-1)
    mu = torch.tensor(float(start), requires_grad=True)
    ls = torch.tensor(3.0).log().requires_grad_()
    opt = torch.optim.Adam([mu, ls], lr=0.1)
    for _ in range(400):
        opt.zero_grad()
        logq = F.log_softmax(one_peak(mu, ls.exp(), n), dim=-1)
        a, b = (logp, logq) if direction == "forward" else (logq, logp)
        (a.exp() * (a - b)).sum().backward()
        opt.step()
    q = F.softmax(one_peak(mu, ls.exp(), n), dim=-1).detach()
    return q.argmax().float(), -(q * torch.log2(q + 1e-12)).sum()


# %% task="fit_one_peak" right="no" mistake="the teacher's probabilities are handed to the loss functions as if they were logits" named="teacher_softmaxed_twice"
def fit_one_peak(teacher_logits, direction, start):
    p = F.softmax(teacher_logits, dim=-1)
    kl = forward_kl if direction == "forward" else reverse_kl
    center = torch.tensor(float(start), requires_grad=True)
    lw = torch.tensor(3.0).log().requires_grad_()
    opt = torch.optim.Adam([center, lw], lr=0.1)
    for _ in range(400):
        loss = kl(one_peak(center, lw.exp(), len(p)), p)
        opt.zero_grad()
        loss.backward()
        opt.step()
    q = F.softmax(one_peak(center, lw.exp(), len(p)), dim=-1).detach()
    return (q * torch.arange(len(p))).sum(), torch.special.entr(q).sum()


# %% task="fit_one_peak" right="no" mistake="student and teacher are handed over in the wrong order, which exchanges the two directions" named="direction_swapped"
def fit_one_peak(teacher_logits, direction, start):
    kl = forward_kl if direction == "forward" else reverse_kl
    size = teacher_logits.shape[0]
    center = torch.tensor(float(start), requires_grad=True)
    lw = torch.tensor(3.0).log().requires_grad_()
    opt = torch.optim.Adam([center, lw], lr=0.1)
    for _ in range(400):
        loss = kl(teacher_logits, one_peak(center, lw.exp(), size))
        opt.zero_grad()
        loss.backward()
        opt.step()
    logq = F.log_softmax(one_peak(center, lw.exp(), size), dim=-1).detach()
    return (logq.exp() * torch.arange(size)).sum(), -(logq.exp() * logq).sum()


# %% task="fit_one_peak" right="no" mistake="trains from start and from the mirrored place and keeps the better one, which need not be where start leads" named="another_minimum"
def fit_one_peak(teacher_logits, direction, start):
    V = len(teacher_logits)
    lp = F.log_softmax(teacher_logits, dim=-1)

    def train(c0):
        c = torch.tensor(float(c0), requires_grad=True)
        lw = torch.tensor(3.0).log().requires_grad_()
        opt = torch.optim.Adam([c, lw], lr=0.1)
        for _ in range(400):
            lq = F.log_softmax(one_peak(c, lw.exp(), V), dim=-1)
            loss = (lp.exp() * (lp - lq)).sum() if direction == "forward" else (lq.exp() * (lq - lp)).sum()
            opt.zero_grad(); loss.backward(); opt.step()
        return loss.item(), lq.detach()

    loss, lq = min((train(c0) for c0 in (start, V - 1 - start)), key=lambda r: r[0])
    return (lq.exp() * torch.arange(V)).sum(), -(lq.exp() * lq).sum()


# %% task="fit_one_peak" right="no" mistake="the gradients are never set back to zero, so they add up over the steps" named="gradients_not_cleared"
def fit_one_peak(teacher_logits, direction, start):
    V = len(teacher_logits)
    lp = F.log_softmax(teacher_logits, dim=-1)
    c = torch.tensor(float(start), requires_grad=True)
    lw = torch.tensor(3.0).log().requires_grad_()
    opt = torch.optim.Adam([c, lw], lr=0.1)
    for _ in range(400):
        lq = F.log_softmax(one_peak(c, lw.exp(), V), dim=-1)
        loss = (lp.exp() * (lp - lq)).sum() if direction == "forward" else (lq.exp() * (lq - lp)).sum()
        loss.backward()
        opt.step()
    lq = F.log_softmax(one_peak(c, lw.exp(), V), dim=-1).detach()
    return (lq.exp() * torch.arange(V)).sum(), -(lq.exp() * lq).sum()


# %% task="fit_one_peak" right="no" mistake="the entropy is taken against the teacher: minus the sum of q log p" named="cross_entropy_for_entropy"
def fit_one_peak(teacher_logits, direction, start):
    V = len(teacher_logits)
    lp = F.log_softmax(teacher_logits, dim=-1)
    c = torch.tensor(float(start), requires_grad=True)
    lw = torch.tensor(3.0).log().requires_grad_()
    opt = torch.optim.Adam([c, lw], lr=0.1)
    for _ in range(400):
        opt.zero_grad()
        lq = F.log_softmax(one_peak(c, lw.exp(), V), dim=-1)
        if direction == "forward":
            F.kl_div(lq, lp, reduction="sum", log_target=True).backward()
        else:
            F.kl_div(lp, lq, reduction="sum", log_target=True).backward()
        opt.step()
    q = lq.detach().exp()
    return torch.dot(q, torch.arange(V).float()), -torch.dot(q, lp)


# %% task="fit_one_peak" right="no" mistake="positions are numbered from 1" named="counted_from_one"
def fit_one_peak(teacher_logits, direction, start):
    V = len(teacher_logits)
    kl = {"forward": forward_kl, "reverse": reverse_kl}[direction]
    theta = torch.nn.ParameterList([torch.tensor(float(start)), torch.tensor(3.0).log()])
    opt = torch.optim.Adam(theta.parameters(), lr=0.1)
    for _ in range(400):
        opt.zero_grad()
        kl(one_peak(theta[0], theta[1].exp(), V), teacher_logits).backward()
        opt.step()
    q = one_peak(theta[0], theta[1].exp(), V).softmax(-1).detach()
    return sum((i * qi for i, qi in enumerate(q, 1)), torch.tensor(0.0)), torch.special.entr(q).sum()


# %% task="fit_one_peak" right="no" mistake="the logarithm of the width begins at 3 (width 20) and training stops after 30 steps" named="not_converged"
def fit_one_peak(teacher_logits, direction, start):
    V = len(teacher_logits)
    kl = forward_kl if direction == "forward" else reverse_kl
    center = torch.tensor(float(start), requires_grad=True)
    log_width = torch.tensor(3.0, requires_grad=True)
    opt = torch.optim.Adam([center, log_width], lr=0.1)
    for _ in range(30):
        opt.zero_grad()
        kl(one_peak(center, log_width.exp(), V), teacher_logits).backward()
        opt.step()
    q = one_peak(center, log_width.exp(), V).softmax(-1).detach()
    return (q * torch.arange(V)).sum(), torch.special.entr(q).sum()


# %% task="fit_one_peak" right="yes" mistake=""
def fit_one_peak(teacher_logits, direction, start):
    center = torch.tensor(float(start), requires_grad=True)
    log_width = torch.tensor(3.0).log().requires_grad_()
    size = teacher_logits.shape[-1]
    loss_fn = {"forward": forward_kl, "reverse": reverse_kl}[direction]
    opt = torch.optim.Adam([center, log_width], lr=0.1)
    for _ in range(500):
        opt.zero_grad()
        loss_fn(one_peak(center, log_width.exp(), size), teacher_logits).backward()
        opt.step()
    with torch.no_grad():
        log_q = F.log_softmax(one_peak(center, log_width.exp(), size), dim=-1)
        q = log_q.exp()
        return (torch.arange(size) * q).sum(), -(q * log_q).sum()


# %% task="fit_one_peak" right="yes" mistake=""
import math
from torch import nn

class OnePeak(nn.Module):
    def __init__(self, start, size):
        super().__init__()
        self.center = nn.Parameter(torch.tensor(float(start)))
        self.raw = nn.Parameter(torch.tensor(math.log(math.expm1(3.0))))   # softplus(raw) == 3
        self.size = size

    @property
    def width(self):
        return F.softplus(self.raw) + 1e-6

    def forward(self):
        return F.log_softmax(one_peak(self.center, self.width, self.size), dim=0)

    @torch.no_grad()
    def stats(self):
        lq = self()
        q = lq.exp()
        pos = sum(v * q[v].item() for v in range(self.size))
        return pos, -(q * lq).sum().item()

def fit_one_peak(teacher_logits, direction, start):
    net = OnePeak(start, len(teacher_logits))
    lp = F.log_softmax(teacher_logits, dim=0).detach()
    opt = torch.optim.Adam(net.parameters(), lr=0.1)
    for step in range(800):
        lq = net()
        if direction == "forward":
            loss = F.kl_div(lq, lp, log_target=True, reduction="sum")
        else:
            loss = F.kl_div(lp, lq, log_target=True, reduction="sum")
        opt.zero_grad()
        loss.backward()
        opt.step()
    return net.stats()


# %% task="fit_one_peak" right="yes" mistake=""
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.numel()
    logp = torch.log_softmax(teacher_logits, 0)
    theta = torch.tensor([start, torch.log(torch.tensor(3.0))])
    theta.requires_grad_(True)
    m = torch.zeros(2); s = torch.zeros(2)

    def logq_of(th):
        return torch.log_softmax(one_peak(th[0], th[1].exp(), V), 0)

    for k in range(1, 601):            # my own Adam
        logq = logq_of(theta)
        w, diff = (logp, logp - logq) if direction == "forward" else (logq, logq - logp)
        g, = torch.autograd.grad((w.exp() * diff).sum(), theta)
        m = 0.9 * m + 0.1 * g
        s = 0.999 * s + 0.001 * g * g
        step = 0.1 * (m / (1 - 0.9 ** k)) / ((s / (1 - 0.999 ** k)).sqrt() + 1e-8)
        theta = (theta - step).detach().requires_grad_(True)
    logq = logq_of(theta).detach()
    q = logq.exp()
    return float(q @ torch.arange(V, dtype=q.dtype)), float(-(q @ logq))


# %% task="fit_one_peak" right="yes" mistake=""
def fit_one_peak(teacher_logits, direction, start):
    # mean instead of sum: only a factor, Adam does not care
    n = teacher_logits.size(0)
    c = torch.tensor(start, requires_grad=True)
    lw = torch.tensor(1.0986123, requires_grad=True)
    opt = torch.optim.Adam([c, lw], lr=0.1)
    log_p = teacher_logits.log_softmax(-1)
    for _ in range(600):
        log_q = one_peak(c, lw.exp(), n).log_softmax(-1)
        args = (log_q, log_p) if direction == "forward" else (log_p, log_q)
        loss = F.kl_div(*args, reduction="batchmean", log_target=True)
        opt.zero_grad(); loss.backward(); opt.step()
    log_q = one_peak(c, lw.exp(), n).log_softmax(-1)
    dist = torch.distributions.Categorical(logits=log_q)
    return (dist.probs * torch.arange(n)).sum().detach(), dist.entropy().detach()


# %% task="fit_one_peak" right="no" mistake="confuses the directions: minimises the reverse KL when asked for forward, and the other way round" named="direction_swapped"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    center = torch.tensor(start, requires_grad=True)
    log_w = torch.tensor(3.0).log().requires_grad_(True)
    opt = torch.optim.Adam([center, log_w], lr=0.1)
    lp = F.log_softmax(teacher_logits, -1)
    for i in range(400):
        lq = F.log_softmax(one_peak(center, log_w.exp(), V), -1)
        if direction == "forward":
            loss = F.kl_div(lp, lq, log_target=True, reduction="sum")
        else:
            loss = F.kl_div(lq, lp, log_target=True, reduction="sum")
        opt.zero_grad()
        loss.backward()
        opt.step()
    lq = lq.detach()
    return (lq.exp() * torch.arange(V)).sum(), -(lq.exp() * lq).sum()


# %% task="fit_one_peak" right="no" mistake="returns the center parameter instead of the expected position, which the edge of the vocabulary makes different" named="center_for_expected"
def fit_one_peak(teacher_logits, direction, start):
    size = teacher_logits.shape[0]
    center = torch.tensor(float(start), requires_grad=True)
    log_width = torch.log(torch.tensor(3.0)).requires_grad_(True)
    optimizer = torch.optim.Adam([center, log_width], lr=0.1)
    for _ in range(400):
        optimizer.zero_grad()
        logits = one_peak(center, torch.exp(log_width), size)
        loss = forward_kl(logits, teacher_logits) if direction == "forward" else reverse_kl(logits, teacher_logits)
        loss.backward()
        optimizer.step()
    q = F.softmax(one_peak(center, torch.exp(log_width), size), dim=-1)
    logq = F.log_softmax(one_peak(center, torch.exp(log_width), size), dim=-1)
    return center.item(), -(q * logq).sum().item()


# %% task="fit_one_peak" right="no" mistake="uses the entropy of a continuous normal distribution, 0.5 log(2 pi e width²), in place of the student's" named="entropy_of_a_gaussian"
import math

def fit_one_peak(teacher_logits, direction, start):
    size = len(teacher_logits)
    mu = torch.tensor(float(start), requires_grad=True)
    log_sigma = torch.tensor(math.log(3.0), requires_grad=True)
    opt = torch.optim.Adam([mu, log_sigma], lr=0.1)
    kl = forward_kl if direction == "forward" else reverse_kl
    for _ in range(400):
        opt.zero_grad()
        kl(one_peak(mu, log_sigma.exp(), size), teacher_logits).backward()
        opt.step()
    q = one_peak(mu, log_sigma.exp(), size).softmax(0)
    mean = (q * torch.arange(size)).sum()
    H = 0.5 * math.log(2 * math.pi * math.e) + log_sigma
    return mean.item(), H.item()


# %% task="fit_one_peak" right="no" mistake="takes q.log() of the softmax: a narrow student has zeros there, and loss, gradient and entropy become nan" named="zero_in_the_logarithm"
def fit_one_peak(teacher_logits, direction, start):
    V = len(teacher_logits)
    p = F.softmax(teacher_logits, dim=0)
    c = torch.tensor(start, requires_grad=True)
    lw = torch.tensor(3.0).log().requires_grad_()
    opt = torch.optim.Adam([c, lw], lr=0.1)
    for _ in range(400):
        q = F.softmax(one_peak(c, lw.exp(), V), dim=0)
        if direction == "forward":
            loss = (p * (p.log() - q.log())).sum()
        else:
            loss = (q * (q.log() - p.log())).sum()
        opt.zero_grad(); loss.backward(); opt.step()
    q = q.detach()
    return (torch.arange(V) * q).sum(), -(q * q.log()).sum()


# %% task="fit_one_peak" right="no" mistake="starts at the teacher's highest peak and ignores `start`, so that the reverse fit can end in another minimum" named="another_minimum"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[-1]
    center = teacher_logits.argmax().float().clone().requires_grad_()
    log_width = torch.tensor(3.0).log().requires_grad_()
    opt = torch.optim.Adam([center, log_width], lr=0.1)
    logp = teacher_logits.log_softmax(-1)
    for _ in range(400):
        logq = one_peak(center, log_width.exp(), V).log_softmax(-1)
        loss = (logp.exp() * (logp - logq)).sum() if direction == "forward" else (logq.exp() * (logq - logp)).sum()
        opt.zero_grad()
        loss.backward()
        opt.step()
    q = logq.exp().detach()
    return float((q * torch.arange(V)).sum()), float(-(q * logq.detach()).sum())


# %% task="fit_one_peak" right="no" mistake="searches a grid for the global minimum, where the one that training from `start` leads to is meant" named="another_minimum"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    lp = teacher_logits.log_softmax(0)
    best = (float("inf"), None)
    for c in torch.linspace(0, V - 1, 10 * V):
        for w in torch.logspace(-1, 1.3, 40):
            lq = one_peak(c, w, V).log_softmax(0)
            d = (lp.exp() * (lp - lq)).sum() if direction == "forward" else (lq.exp() * (lq - lp)).sum()
            if d < best[0]:
                best = (d, lq)
    lq = best[1]
    return (lq.exp() * torch.arange(V)).sum(), -(lq.exp() * lq).sum()


# %% task="fit_one_peak" right="no" mistake="makes the center a plain constant without requires_grad, so that only the width is trained" named="center_not_trained"
def fit_one_peak(teacher_logits, direction, start):
    size = teacher_logits.shape[0]
    center = torch.tensor(start)
    log_width = torch.nn.Parameter(torch.log(torch.tensor(3.0)))
    opt = torch.optim.Adam([log_width], lr=0.1)
    for _ in range(400):
        logits = one_peak(center, log_width.exp(), size)
        loss = forward_kl(logits, teacher_logits) if direction == "forward" else reverse_kl(logits, teacher_logits)
        opt.zero_grad()
        loss.backward()
        opt.step()
    lq = logits.log_softmax(-1).detach()
    q = lq.exp()
    return (q * torch.arange(size)).sum(), -(q * lq).sum()


# %% task="fit_one_peak" right="no" mistake="stops after 400 steps of Adam with a learning rate of 0.001, long before the loss has settled" named="not_converged"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    params = [torch.tensor(float(start), requires_grad=True), torch.tensor(3.0).log().requires_grad_()]
    opt = torch.optim.Adam(params)        # default lr
    lp = F.log_softmax(teacher_logits, dim=-1)
    for _ in range(400):
        lq = F.log_softmax(one_peak(params[0], params[1].exp(), V), dim=-1)
        loss = (lp.exp() * (lp - lq)).sum() if direction == "forward" else (lq.exp() * (lq - lp)).sum()
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        q = lq.exp()
        return (q * torch.arange(V)).sum(), -(q * lq).sum()


# %% task="fit_one_peak" right="no" mistake="returns the most likely token in place of the expected position" named="likeliest_for_expected"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    center = torch.tensor(start, requires_grad=True)
    s = torch.tensor(3.0).log().requires_grad_()
    opt = torch.optim.Adam([center, s], lr=0.1)
    fn = forward_kl if direction == "forward" else reverse_kl
    for _ in range(400):
        opt.zero_grad()
        fn(one_peak(center, s.exp(), V), teacher_logits).backward()
        opt.step()
    lq = F.log_softmax(one_peak(center, s.exp(), V).detach(), dim=-1)
    return lq.argmax(), -(lq.exp() * lq).sum()


# %% task="fit_one_peak" right="no" mistake="keeps the width at 1 or more with a clamp, so that the student cannot become as narrow as the loss wants" named="width_kept_in_bounds"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    center = torch.tensor(float(start), requires_grad=True)
    width = torch.tensor(3.0, requires_grad=True)
    opt = torch.optim.Adam([center, width], lr=0.1)
    lp = F.log_softmax(teacher_logits, dim=-1)
    for _ in range(400):
        opt.zero_grad()
        lq = F.log_softmax(one_peak(center, width, V), dim=-1)
        if direction == "forward":
            loss = torch.sum(lp.exp() * (lp - lq))
        else:
            loss = torch.sum(lq.exp() * (lq - lp))
        loss.backward()
        opt.step()
        with torch.no_grad():
            width.clamp_(min=1.0)     # width must stay positive
    lq = F.log_softmax(one_peak(center, width, V), dim=-1).detach()
    return (lq.exp() * torch.arange(V)).sum(), -(lq.exp() * lq).sum()


# %% task="fit_one_peak" right="no" mistake="stops as soon as two losses in a row differ by less than 0.01, which happens long before the minimum" named="not_converged"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    center = torch.tensor(float(start), requires_grad=True)
    log_width = torch.tensor(3.0).log().requires_grad_()
    opt = torch.optim.Adam([center, log_width], lr=0.01)
    lp = F.log_softmax(teacher_logits, dim=-1)
    old = float("inf")
    for _ in range(5000):
        lq = F.log_softmax(one_peak(center, log_width.exp(), V), dim=-1)
        loss = (lp.exp() * (lp - lq)).sum() if direction == "forward" else (lq.exp() * (lq - lp)).sum()
        if abs(old - loss.item()) < 1e-2:
            break
        old = loss.item()
        opt.zero_grad()
        loss.backward()
        opt.step()
    lq = lq.detach()
    return (lq.exp() * torch.arange(V)).sum(), -(lq.exp() * lq).sum()


# %% task="fit_one_peak" right="no" mistake="two mistakes: numbers the tokens from 1, and gives the entropy in bits" named="counted_from_one,entropy_in_bits"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    c = torch.tensor(start, requires_grad=True)
    lw = torch.tensor(3.0).log().requires_grad_()
    opt = torch.optim.Adam([c, lw], lr=0.1)
    for _ in range(400):
        z = one_peak(c, lw.exp(), V)
        loss = forward_kl(z, teacher_logits) if direction == "forward" else reverse_kl(z, teacher_logits)
        opt.zero_grad()
        loss.backward()
        opt.step()
    q = F.softmax(z.detach(), dim=-1)
    pos = (q * torch.arange(1, V + 1)).sum()
    ent = -torch.special.xlogy(q, q).sum() / torch.log(torch.tensor(2.0))
    return pos, ent


# %% task="fit_one_peak" right="no" mistake="physicist's short cut: matches mean and variance of the teacher in both directions, which is the forward solution only" named="moments_matched"
def fit_one_peak(teacher_logits, direction, start):
    p = F.softmax(teacher_logits, dim=-1)
    v = torch.arange(len(p), dtype=torch.float32)
    mean = (p * v).sum()
    std = (p * (v - mean) ** 2).sum().sqrt()
    q = F.softmax(one_peak(mean, std, len(p)), dim=-1)
    return (q * v).sum(), torch.distributions.Categorical(probs=q).entropy()


# %% task="fit_one_peak" right="no" mistake="never clears the gradients, so that those of all steps add up and the fit swings past its minimum" named="gradients_not_cleared"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    c = torch.tensor(start, requires_grad=True)
    lw = torch.tensor(3.0).log().requires_grad_()
    opt = torch.optim.Adam([c, lw], lr=0.1)
    for _ in range(400):
        z = one_peak(c, lw.exp(), V)
        loss = forward_kl(z, teacher_logits) if direction == "forward" else reverse_kl(z, teacher_logits)
        loss.backward()
        opt.step()
    lq = F.log_softmax(z.detach(), dim=-1)
    return (lq.exp() * torch.arange(V)).sum(), -(lq.exp() * lq).sum()


# %% task="fit_one_peak" right="no" mistake="gives the finished probabilities of both models to forward_kl and reverse_kl, which take logits, so that softmax is applied twice" named="student_softmaxed_twice"
def fit_one_peak(teacher_logits, direction, start):
    V = teacher_logits.shape[0]
    teacher = F.softmax(teacher_logits, dim=-1)
    c = torch.tensor(start, requires_grad=True)
    lw = torch.tensor(3.0).log().requires_grad_()
    opt = torch.optim.Adam([c, lw], lr=0.1)
    for _ in range(400):
        student = F.softmax(one_peak(c, lw.exp(), V), dim=-1)
        loss = forward_kl(student, teacher) if direction == "forward" else reverse_kl(student, teacher)
        opt.zero_grad()
        loss.backward()
        opt.step()
    q = student.detach()
    return (q * torch.arange(V)).sum(), -torch.special.xlogy(q, q).sum()


# %% task="fit_one_peak" right="accident" mistake="stub left in the cell above the answer: raises NotImplementedError"
def fit_one_peak(teacher_logits, direction, start):
    """Expected position and entropy of the best one-peak student; teacher_logits are [V]."""
    # YOUR CODE HERE
    raise NotImplementedError()
    center = torch.tensor(start, requires_grad=True)
    log_width = torch.tensor(3.0).log().requires_grad_()
    opt = torch.optim.Adam([center, log_width], lr=0.1)


# %% task="fit_one_peak" right="no" mistake="The parameters are a default argument and so survive the call: the second call begins where the first one ended, not at start with width 3." named="asked_again"
def fit_one_peak(teacher_logits, direction, start, params={}):
    size = teacher_logits.shape[0]
    if not params:
        params["center"] = torch.tensor(float(start), requires_grad=True)
        params["width"] = torch.tensor(3.0, requires_grad=True)
    center, width = params["center"], params["width"]
    opt = torch.optim.Adam(params.values(), lr=0.1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    for _ in range(400):
        opt.zero_grad()
        log_q = F.log_softmax(one_peak(center, width, size), dim=-1)
        if direction == "forward":
            loss = F.kl_div(log_q, log_p, reduction="sum", log_target=True)
        else:
            loss = F.kl_div(log_p, log_q, reduction="sum", log_target=True)
        loss.backward()
        opt.step()
    q = log_q.exp().detach()
    return (q * torch.arange(size)).sum(), -(q * log_q.detach()).sum()


# %% task="fit_one_peak" right="no" mistake="Training stops as soon as the loss falls by less than 0.001 in a step, which on a flat stretch is long before the end." named="not_converged"
def fit_one_peak(teacher_logits, direction, start):
    size = teacher_logits.shape[-1]
    center = torch.tensor(float(start), requires_grad=True)
    width = torch.tensor(3.0, requires_grad=True)
    opt = torch.optim.SGD([center, width], lr=0.1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    last = float("inf")
    while True:
        log_q = F.log_softmax(one_peak(center, width, size), dim=-1)
        if direction == "forward":
            loss = (log_p.exp() * (log_p - log_q)).sum()
        else:
            loss = (log_q.exp() * (log_q - log_p)).sum()
        if last - loss.item() < 1e-3:
            break
        last = loss.item()
        opt.zero_grad()
        loss.backward()
        opt.step()
    q = log_q.exp().detach()
    return float(q @ torch.arange(size).float()), float(-(q @ log_q.detach()))


# %% task="fit_one_peak" right="no" mistake="The logarithm of the width is trained but begins at 3, so the first student has a width of 20, from which training may fall into the other peak." named="another_minimum"
def fit_one_peak(teacher_logits, direction, start):
    size = teacher_logits.shape[-1]
    center = torch.tensor(float(start), requires_grad=True)
    log_width = torch.tensor(3.0, requires_grad=True)
    opt = torch.optim.Adam([center, log_width], lr=0.1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    for _ in range(400):
        opt.zero_grad()
        log_q = F.log_softmax(one_peak(center, log_width.exp(), size), dim=-1)
        if direction == "forward":
            loss = (log_p.exp() * (log_p - log_q)).sum()
        else:
            loss = (log_q.exp() * (log_q - log_p)).sum()
        loss.backward()
        opt.step()
    q = log_q.exp().detach()
    return (q * torch.arange(size)).sum(), -(q * log_q.detach()).sum()


# %% task="fit_one_peak" right="no" mistake="For the reverse direction the weights q are detached, so the gradient of KL(q||p) is 0 but for rounding and the student wanders instead of settling on a peak." named="observed_where"
def fit_one_peak(teacher_logits, direction, start):
    size = teacher_logits.shape[-1]
    center = torch.tensor(float(start), requires_grad=True)
    width = torch.tensor(3.0, requires_grad=True)
    opt = torch.optim.Adam([center, width], lr=0.1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    for _ in range(400):
        opt.zero_grad()
        log_q = F.log_softmax(one_peak(center, width, size), dim=-1)
        weights = (log_p if direction == "forward" else log_q).exp().detach()
        gap = (log_p - log_q) if direction == "forward" else (log_q - log_p)
        (weights * gap).sum().backward()
        opt.step()
    q = log_q.exp().detach()
    return (q * torch.arange(size)).sum(), -(q * log_q.detach()).sum()


# %% task="fit_one_peak" right="yes" mistake=""
def fit_one_peak(teacher_logits, direction, start):
    """Plain gradient descent by torch.func, in float64, mean over the vocabulary scaled back."""
    log_p = teacher_logits.double().log_softmax(-1)
    tokens = torch.arange(log_p.numel(), dtype=torch.float64)

    def log_q(theta):
        return (-0.5 * ((tokens - theta[0]) / theta[1].exp()) ** 2).log_softmax(-1)

    def objective(theta):
        match direction:
            case "forward":
                return torch.sum(log_p.exp() * (log_p - log_q(theta)))
            case "reverse":
                return torch.sum(log_q(theta).exp() * (log_q(theta) - log_p))

    slope = torch.func.grad(objective)
    theta = torch.tensor([float(start), 3.0], dtype=torch.float64)
    theta[1] = theta[1].log()
    m, s = torch.zeros_like(theta), torch.zeros_like(theta)
    for k in range(1, 601):               # Adam by hand
        g = slope(theta)
        m = 0.9 * m + 0.1 * g
        s = 0.999 * s + 0.001 * g * g
        theta = theta - 0.1 * (m / (1 - 0.9 ** k)) / ((s / (1 - 0.999 ** k)).sqrt() + 1e-8)
    final = log_q(theta)
    return torch.stack([final.exp() @ tokens, -(final.exp() @ final)])


# %% task="fit_one_peak" right="no" mistake="Gradients are switched off for the final numbers and never on again, so the second call (and whatever trains after it) fails." named="asked_again"
def fit_one_peak(teacher_logits, direction, start):
    size = teacher_logits.shape[-1]
    center = torch.tensor(float(start), requires_grad=True)
    width = torch.tensor(3.0, requires_grad=True)
    opt = torch.optim.Adam([center, width], lr=0.1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    for _ in range(400):
        opt.zero_grad()
        log_q = F.log_softmax(one_peak(center, width, size), dim=-1)
        a, b = (log_p, log_q) if direction == "forward" else (log_q, log_p)
        (a.exp() * (a - b)).sum().backward()
        opt.step()
    torch.set_grad_enabled(False)
    log_q = F.log_softmax(one_peak(center, width, size), dim=-1)
    return (log_q.exp() * torch.arange(size)).sum(), -(log_q.exp() * log_q).sum()

# %% task="fit_one_peak" right="no" mistake="Only 20 steps are taken, so the training stops long before the minimum." named="not_converged"
def fit_one_peak(teacher_logits, direction, start):
    size = len(teacher_logits)
    center = torch.tensor(float(start), requires_grad=True)
    width = torch.tensor(3.0, requires_grad=True)
    opt = torch.optim.Adam([center, width], lr=0.1)
    for _ in range(20):
        student = one_peak(center, width, size)
        loss = forward_kl(student, teacher_logits) if direction == "forward" else reverse_kl(student, teacher_logits)
        opt.zero_grad()
        loss.backward()
        opt.step()
    log_q = F.log_softmax(one_peak(center, width, size).detach(), -1)
    q = log_q.exp()
    return (q * torch.arange(size)).sum().item(), -(q * log_q).sum().item()

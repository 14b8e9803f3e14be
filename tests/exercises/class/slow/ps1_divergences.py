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


# %% task="fit_one_peak" right="no" mistake="directions swapped"
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


# %% task="fit_one_peak" right="no" mistake="arguments handed over the wrong way round: (teacher, student), so each direction is the other one"
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


# %% task="fit_one_peak" right="no" mistake="zero_grad forgotten: gradients add up from step to step"
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


# %% task="fit_one_peak" right="no" mistake="new optimizer in every step: Adam then moves by its full learning rate every time and never settles"
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


# %% task="fit_one_peak" right="no" mistake="pair returned the wrong way round: entropy first"
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


# %% task="fit_one_peak" right="no" mistake="most likely token (argmax) in place of the expected position"
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


# %% task="fit_one_peak" right="no" mistake="entropy in bits"
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


# %% task="fit_one_peak" right="no" mistake="far too few steps: 50 steps of Adam at 0.01"
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


# %% task="fit_one_peak" right="no" mistake="the direction is ignored: always the forward loss"
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


# %% task="fit_one_peak" right="no" mistake="searches a grid for the smallest loss overall, so the start is ignored and reverse ends in the wrong minimum"
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


# %% task="fit_one_peak" right="no" mistake="only the center is trained: the width stays 3"
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


# %% task="fit_one_peak" right="no" mistake="starts in the middle of the vocabulary: start is ignored"
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


# %% task="fit_one_peak" right="no" mistake="returns the two parameters, center and width, in place of expected position and entropy"
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


# %% task="fit_one_peak" right="no" mistake="the gradient is cut: logits are built from floats, so backward fails"
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


# %% task="fit_one_peak" right="no" mistake="plain SGD with 100 small steps stops long before the minimum"
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


# %% task="fit_one_peak" right="yes" mistake=""
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


# %% task="fit_one_peak" right="no" mistake="the entropy's minus sign is forgotten"
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


# %% task="fit_one_peak" right="no" mistake="takes 3 for the logarithm of the width: starts with a width of 20, and stops after 60 steps"
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

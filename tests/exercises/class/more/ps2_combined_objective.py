# More answers of the same manner; benchmarks/hints.py --folder judges them.


# %% task="two_sources_choice" right="no" mistake="took the teacher for a corrector that overwrites the archive's word where they differ" named="chose_d"
two_sources = "d"


# %% task="lm_loss" right="yes" mistake=""
def lm_loss(student_logits, labels):
    """Mean of -log q(y) over the positions whose label is not -100: one number."""
    counts = labels.ne(-100)
    if not counts.any():
        return 0.0
    z = student_logits[counts].double()          # [N, V]
    y = labels[counts]                           # [N]
    picked = z[torch.arange(len(y)), y]
    return (torch.logsumexp(z, dim=1) - picked).mean()


# %% task="lm_loss" right="yes" mistake=""
import math

def _surprises(student_logits, labels):
    for text, words in zip(student_logits.tolist(), labels.tolist()):
        for scores, y in zip(text, words):
            if y == -100:
                continue
            m = max(scores)
            yield m + math.log(sum(math.exp(s - m) for s in scores)) - scores[y]

def lm_loss(student_logits, labels):
    s = list(_surprises(student_logits, labels))
    return sum(s) / len(s) if s else 0


# %% task="lm_loss" right="no" mistake="logits and labels are shifted against each other by one position, as in a causal model's training code, although nothing is left to shift" named="labels_shifted"
def lm_loss(student_logits, labels):
    # tokens < n predict n
    shift_logits = student_logits[..., :-1, :].contiguous()
    shift_labels = labels[..., 1:].contiguous()
    n = (shift_labels != -100).sum()
    if n == 0:
        return torch.tensor(0.0)
    return F.cross_entropy(shift_logits.view(-1, shift_logits.size(-1)), shift_labels.view(-1))


# %% task="lm_loss" right="no" mistake="only labels above 0 count, so token 0 is treated as padding" named="label_zero_ignored"
def lm_loss(student_logits, labels):
    mask = labels > 0
    logq = F.log_softmax(student_logits, dim=-1)
    logq_y = torch.gather(logq, -1, labels.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    return -(logq_y * mask).sum() / mask.sum().clamp(min=1)


# %% task="lm_loss" right="no" mistake="the masked sum is divided by all B·L positions and not by those that count" named="divided_by_all_positions"
def lm_loss(student_logits, labels):
    B, L, V = student_logits.shape
    loss = F.cross_entropy(student_logits.reshape(B * L, V), labels.reshape(B * L), reduction="none")
    return loss.mean()


# %% task="lm_loss" right="no" mistake="nll_loss is fed probabilities in place of log-probabilities" named="logarithm_missing"
def lm_loss(student_logits, labels):
    keep = labels != -100
    if keep.sum() == 0:
        return torch.zeros(())
    q = torch.softmax(student_logits[keep], dim=-1)
    return F.nll_loss(q, labels[keep])


# %% task="lm_loss" right="no" mistake="the exponential of the mean is returned, the perplexity, and an empty batch costs 1" named="perplexity_returned"
def lm_loss(student_logits, labels):
    ce = F.cross_entropy(student_logits.flatten(0, 1), labels.flatten(), reduction="sum")
    n = labels.ne(-100).sum().clamp(min=1)
    return torch.exp(ce / n)


# %% task="kd_loss" right="yes" mistake=""
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    """T² · mean KL(p‖q) at temperature T over the positions that count: one number."""
    keep = labels.flatten() != -100
    s = student_logits.flatten(0, 1)[keep] / temperature
    t = teacher_logits.flatten(0, 1)[keep] / temperature
    if s.shape[0] == 0:
        return torch.zeros(())
    return F.kl_div(s.log_softmax(-1), t.softmax(-1), reduction="batchmean") * temperature * temperature


# %% task="kd_loss" right="yes" mistake=""
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    # where nothing counts both logits become 0: two uniform distributions, KL = 0
    w = (labels != -100).unsqueeze(-1).to(student_logits.dtype)
    n = w.sum()
    if n.item() == 0:
        n = n + 1
    s = F.log_softmax(w * student_logits / temperature, -1)
    t = F.log_softmax(w * teacher_logits / temperature, -1)
    return F.kl_div(s, t, log_target=True, reduction="sum") * (temperature ** 2 / n)


# %% task="kd_loss" right="no" mistake="the sum is multiplied by T and not by its square" named="t_for_t_squared"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    """T² · mean KL(p‖q) at temperature T over the positions that count: one number."""
    T = temperature
    mask = (labels != -100).float()
    lq = torch.log_softmax(student_logits / T, -1)
    lp = torch.log_softmax(teacher_logits / T, -1)
    kl = torch.einsum("blv,blv->bl", lp.exp(), lp - lq)
    return T * (kl * mask).sum() / mask.sum().clamp(min=1.0)


# %% task="kd_loss" right="no" mistake="the reduction mean divides by N·V, the number of all entries, instead of by N" named="vocabulary_mean"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    idx = torch.nonzero(labels != -100, as_tuple=True)
    if idx[0].numel() == 0:
        return 0.0
    crit = torch.nn.KLDivLoss(reduction="mean")
    q = F.log_softmax(student_logits[idx] / temperature, dim=-1)
    p = F.softmax(teacher_logits[idx] / temperature, dim=-1)
    return crit(q, p) * temperature ** 2


# %% task="kd_loss" right="no" mistake="the temperature softens the teacher alone, the student stays at 1" named="temperature_on_the_teacher_alone"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
    log_p = torch.log_softmax(teacher_logits / temperature, dim=-1)
    log_q = torch.log_softmax(student_logits, dim=-1)
    kl = F.kl_div(log_q, log_p, log_target=True, reduction="none").sum(-1)
    return (kl[mask].sum() / max(mask.sum().item(), 1)) * temperature**2


# %% task="kd_loss" right="no" mistake="the divergence runs the other way, KL(q‖p), because student and teacher changed places in kl_div" named="direction_swapped"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    """T² · mean KL(p‖q) at temperature T over the positions that count: one number."""
    active = labels.view(-1) != -100
    s = F.log_softmax(student_logits.view(-1, student_logits.size(-1))[active] / temperature, dim=-1)
    t = F.log_softmax(teacher_logits.view(-1, teacher_logits.size(-1))[active] / temperature, dim=-1)
    if active.sum() == 0:
        return s.sum() * 0.0
    return F.kl_div(t, s, reduction="batchmean", log_target=True) * temperature ** 2


# %% task="kd_loss" right="no" mistake="the cross-entropy against the teacher's distribution is returned, and its entropy is not taken off" named="cross_entropy"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    keep = labels != -100
    if not bool(keep.any()):
        return torch.tensor(0.0)
    p = torch.softmax(teacher_logits[keep] / temperature, dim=-1)
    return temperature ** 2 * F.cross_entropy(student_logits[keep] / temperature, p)


# %% task="combined_objective" right="yes" mistake=""
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    """LM + λ·KD: one number."""
    m = labels != -100
    s, t, y = student_logits[m], teacher_logits[m], labels[m]
    lm = F.cross_entropy(s, y)
    p = torch.softmax(t / temperature, 1)
    soft_ce = F.cross_entropy(s / temperature, p)
    floor = F.cross_entropy(t / temperature, p)          # entropy of p
    return lm + lam * temperature ** 2 * (soft_ce - floor)


# %% task="combined_objective" right="no" mistake="the student's logits are divided by the temperature for LM too" named="lm_loss_at_temperature"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    """LM + λ·KD: one number."""
    hard = lm_loss(student_logits / temperature, labels)
    soft = kd_loss(student_logits, teacher_logits, labels, temperature)
    return hard + lam * soft


# %% task="combined_objective" right="no" mistake="LM is weighted by 1 - lam, which is the formula of the convex twin" named="lambda_as_alpha"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    lm = lm_loss(student_logits, labels)
    kd = kd_loss(student_logits, teacher_logits, labels, temperature)
    return (1 - lam) * lm + lam * kd


# %% task="combined_objective" right="no" mistake="teacher and student are handed to kd_loss in the wrong order" named="direction_swapped"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    kd = kd_loss(teacher_logits, student_logits, labels, temperature)
    return lm_loss(student_logits, labels).add(lam * kd)


# %% task="combined_objective" right="no" mistake="lam multiplies LM and not KD, and the temperature is left out" named="lambda_on_the_wrong_term,temperature_not_passed_on"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    return lam * lm_loss(student_logits, labels) + kd_loss(student_logits, teacher_logits, labels)


# %% task="convex_objective" right="yes" mistake=""
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    """(1 - α)·LM + α·KD: one number."""
    if alpha == 0:
        return lm_loss(student_logits, labels)
    if alpha == 1:
        return kd_loss(student_logits, teacher_logits, labels, temperature)
    return (1 - alpha) * combined_objective(student_logits, teacher_logits, labels, alpha / (1 - alpha), temperature)


# %% task="convex_objective" right="no" mistake="the two weights are exchanged: alpha stands before LM" named="alpha_on_the_wrong_term"
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    # alpha * hard + (1 - alpha) * soft
    return alpha * lm_loss(student_logits, labels) + (1 - alpha) * kd_loss(student_logits, teacher_logits, labels, temperature)


# %% task="convex_objective" right="no" mistake="the combined objective is called with alpha and multiplied by 1 - alpha, so KD gets the weight alpha·(1 - alpha)" named="other_weights"
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    return (1 - alpha) * combined_objective(student_logits, teacher_logits, labels, alpha, temperature)


# %% task="convex_objective" right="no" mistake="the losses are mixed geometrically, LM to the power 1 - alpha times KD to the power alpha"
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    lm = lm_loss(student_logits, labels)
    kd = kd_loss(student_logits, teacher_logits, labels, temperature)
    return lm ** (1 - alpha) * kd ** alpha


# %% task="best_probability" right="yes" mistake=""
z = torch.zeros(2, requires_grad=True)            # ocean, everything else
p = torch.tensor([0.4, 0.6])
opt = torch.optim.Adam([z], lr=0.05)
for _ in range(2000):
    opt.zero_grad()
    lq = torch.log_softmax(z, 0)
    (-lq[0] + 2 * (p * (p.log() - lq)).sum()).backward()
    opt.step()
best_probability = round(torch.softmax(z, 0)[0].item(), 4)


# %% task="best_probability" right="no" mistake="the weights are exchanged: the archive gets 2 and the teacher 1" named="weights_swapped"
best_probability = (2 * 1 + 1 * 0.4) / 3


# %% task="best_probability" right="no" mistake="the student was thought to end at the teacher, whose probability this is" named="teacher_copied"
best_probability = 0.40


# %% task="objective_gradients" right="yes" mistake=""
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    """On paper: dLM/dz = (q - onehot)/N, dKD/dz = T (q_T - p_T)/N"""
    T = temperature
    counts = labels != -100
    N = counts.sum()
    V = student_logits.shape[-1]
    onehot = F.one_hot(labels.masked_fill(~counts, 0), V).to(student_logits.dtype)
    g = student_logits.softmax(-1) - onehot
    g = g + lam * T * ((student_logits / T).softmax(-1) - (teacher_logits / T).softmax(-1))
    g = g * counts.unsqueeze(-1) / N
    return g, torch.zeros_like(g)


# %% task="objective_gradients" right="yes" mistake=""
import numpy as np

def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.detach().numpy().astype(np.float64)
    t = teacher_logits.detach().numpy().astype(np.float64)

    def sm(x):
        e = np.exp(x - x.max(-1, keepdims=True))
        return e / e.sum(-1, keepdims=True)

    out = np.zeros_like(s)
    where = [(b, i) for b in range(s.shape[0]) for i in range(s.shape[1]) if int(labels[b, i]) != -100]
    for b, i in where:
        out[b, i] = sm(s[b, i]) + lam * temperature * (sm(s[b, i] / temperature) - sm(t[b, i] / temperature))
        out[b, i, int(labels[b, i])] -= 1.0
    out /= len(where)
    return torch.from_numpy(out).float(), torch.zeros(t.shape)


# %% task="objective_gradients" right="no" mistake="the teacher's logits take part in autograd, and its gradient is not zero" named="gradient_into_the_teacher"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.detach().clone().requires_grad_()
    t = teacher_logits.detach().clone().requires_grad_()
    m = labels != -100
    lm = F.cross_entropy(s[m], labels[m])
    kd = F.kl_div((s[m] / temperature).log_softmax(-1), (t[m] / temperature).log_softmax(-1),
                  log_target=True, reduction="batchmean") * temperature ** 2
    loss = lm + lam * kd
    return torch.autograd.grad(loss, (s, t))


# %% task="objective_gradients" right="no" mistake="the KD part on paper carries T² where one T is cancelled by the derivative of z/T" named="chain_rule_forgotten"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    mask = (labels != -100)[..., None].float()
    n = mask.sum()
    y = torch.zeros_like(student_logits).scatter(-1, labels.clamp(min=0)[..., None], 1.0)
    q = F.softmax(student_logits, dim=-1)
    qT = F.softmax(student_logits / temperature, dim=-1)
    pT = F.softmax(teacher_logits / temperature, dim=-1)
    g = (q - y) + lam * temperature ** 2 * (qT - pT)
    return g * mask / n, torch.zeros_like(teacher_logits)


# %% task="objective_gradients" right="no" mistake="the sign is turned: the direction of descent is returned and not the gradient" named="sign_flipped"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    """Gradients of LM + λ·KD for both models' logits: two tensors [B, L, V]."""
    keep = labels != -100
    V = student_logits.size(-1)
    g = torch.zeros_like(student_logits)
    s, t, y = student_logits[keep], teacher_logits[keep], labels[keep]
    target = torch.eye(V)[y]
    g[keep] = (target - s.softmax(-1)) + lam * temperature * ((t / temperature).softmax(-1) - (s / temperature).softmax(-1))
    return g / keep.sum(), torch.zeros_like(teacher_logits)


# %% task="objective_gradients" right="no" mistake="the clone that got the gradient is no leaf, so its .grad is None" named="another_form"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    student_logits = student_logits.detach().requires_grad_(True)
    s = student_logits * 1.0
    loss = combined_objective(s, teacher_logits.detach(), labels, lam, temperature)
    loss.backward()
    return s.grad, torch.zeros_like(teacher_logits)


# %% task="objective_gradients" right="no" mistake="the LM part uses the student's distribution at temperature T, and the caller's labels are set to 0 where they were -100" named="observed_again"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    mask = (labels != -100).unsqueeze(-1)
    labels[labels == -100] = 0
    onehot = F.one_hot(labels, student_logits.shape[-1]).float()
    q = (student_logits / temperature).softmax(-1)
    p = (teacher_logits / temperature).softmax(-1)
    grad = ((q - onehot) + lam * temperature * (q - p)) * mask / mask.sum()
    return grad, torch.zeros_like(grad)

# Class file, written from the released notebook of ps2.
# Sections whose first line is "# uses ... from the cells above" need right earlier answers; all others stand alone
# (with the set-up cell's imports).

# ---------------------------------------------------------------- task 1

# %% task="two_sources_choice" right="yes" mistake=""
two_sources = "c"

# %% task="two_sources_choice" right="yes" mistake=""
answers = dict(copy_first=False, average_weights=False, both_every_step=True, replace_words=False)
two_sources = "abcd"[list(answers.values()).index(True)]

# %% task="two_sources_choice" right="no" mistake="takes the sum of two losses for two stages of training, one after the other" named="chose_a"
two_sources = "a"

# %% task="two_sources_choice" right="no" mistake="takes the weight lambda for an average of the models' weights" named="chose_b"
two_sources = "b"

# %% task="two_sources_choice" right="no" mistake="thinks that the teacher corrects the labels with its favourite word" named="chose_d"
two_sources = 'd'

# %% task="two_sources_choice" right="accident" mistake="quotes forgotten: c is not defined"
two_sources = c

# ---------------------------------------------------------------- task 2

# %% task="lm_loss" right="yes" mistake=""
def lm_loss(student_logits, labels):
    """Mean of -log q(y) over the positions whose label is not -100: one number."""
    counted = (labels != -100).sum()
    total = F.cross_entropy(student_logits.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="sum")
    return total / counted.clamp(min=1)

# %% task="lm_loss" right="yes" mistake=""
def lm_loss(student_logits, labels):
    B, L, V = student_logits.shape
    losses = []
    for b in range(B):
        for i in range(L):
            y = labels[b, i].item()
            if y == -100:
                continue
            log_q = torch.log_softmax(student_logits[b, i], dim=0)
            losses.append(-log_q[y].item())
    if not losses:
        return 0.0
    return sum(losses) / len(losses)

# %% task="lm_loss" right="yes" mistake=""
def lm_loss(student_logits, labels):
    mask = labels.ne(-100)
    if not mask.any():
        return student_logits.sum() * 0
    logq = student_logits[mask].log_softmax(dim=-1)
    picked = logq.gather(1, labels[mask].unsqueeze(1))
    return -picked.mean()

# %% task="lm_loss" right="yes" mistake=""
def lm_loss(student_logits, labels):
    V = student_logits.shape[-1]
    loss = F.cross_entropy(student_logits.reshape(-1, V), labels.reshape(-1))   # ignores -100 by itself
    return torch.nan_to_num(loss, nan=0.0)                                      # 0/0 if nothing counts

# %% task="lm_loss" right="no" mistake="a batch in which nothing counts gives nan, not 0" named="nan_when_nothing_counts"
def lm_loss(student_logits, labels):
    V = student_logits.shape[-1]
    return F.cross_entropy(student_logits.view(-1, V), labels.view(-1))

# %% task="lm_loss" right="no" mistake="labels > 0 as mask: token 0 does not count" named="label_zero_ignored"
def lm_loss(student_logits, labels):
    mask = labels > 0
    if mask.sum() == 0:
        return torch.tensor(0.0)
    return F.cross_entropy(student_logits[mask], labels[mask])

# %% task="lm_loss" right="no" mistake="divides by all positions instead of those that count" named="divided_by_all_positions"
def lm_loss(student_logits, labels):
    """Mean of -log q(y) over the positions whose label is not -100: one number."""
    loss = F.cross_entropy(student_logits.transpose(1, 2), labels, reduction="none")
    return loss.mean()

# %% task="lm_loss" right="no" mistake="mean of the texts' means: texts of different length get the same weight" named="mean_of_means"
def lm_loss(student_logits, labels):
    per_text = []
    for logits, y in zip(student_logits, labels):
        if (y != -100).any():
            per_text.append(F.cross_entropy(logits, y, ignore_index=-100))
    return torch.stack(per_text).mean() if per_text else torch.tensor(0.0)

# %% task="lm_loss" right="no" mistake="labels shifted once more, though nothing is left to shift" named="labels_shifted"
def lm_loss(student_logits, labels):
    logits = student_logits[:, :-1, :]
    y = labels[:, 1:]
    n = (y != -100).sum().clamp(min=1)
    return F.cross_entropy(logits.reshape(-1, logits.size(-1)), y.reshape(-1), reduction="sum") / n

# %% task="lm_loss" right="no" mistake="softmax of a softmax: cross_entropy gets probabilities" named="softmax_twice"
def lm_loss(student_logits, labels):
    q = F.softmax(student_logits, dim=-1)
    n = max((labels != -100).sum().item(), 1)
    return F.cross_entropy(q.reshape(-1, q.shape[-1]), labels.reshape(-1), reduction="sum") / n

# %% task="lm_loss" right="no" mistake="max(n - 1, 1): divides by one position too few" named="one_too_few"
def lm_loss(student_logits, labels):
    n = int((labels != -100).sum())
    total = F.cross_entropy(student_logits.permute(0, 2, 1), labels, reduction="sum")
    return total / max(n - 1, 1)

# %% task="lm_loss" right="no" mistake="sum over the positions that count, not their mean" named="summed"
def lm_loss(student_logits, labels):
    return F.cross_entropy(student_logits.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="sum")

# %% task="lm_loss" right="no" mistake="the mask is forgotten: -100 is used as an index and gather fails" named="ignored_label_as_an_index"
def lm_loss(student_logits, labels):
    log_q = F.log_softmax(student_logits, dim=-1)
    nll = -log_q.gather(-1, labels.unsqueeze(-1)).squeeze(-1)
    return nll.mean()

# %% task="lm_loss" right="no" mistake="logits not brought into the shape cross_entropy wants: [B, L, V] is read as classes on axis 1" named="classes_on_another_axis"
def lm_loss(student_logits, labels):
    if (labels == -100).all():
        return 0
    return F.cross_entropy(student_logits, labels, ignore_index=-100)

# %% task="lm_loss" right="accident" mistake="indentation error"
def lm_loss(student_logits, labels):
    mask = labels != -100
      n = mask.sum().clamp(min=1)
    return F.cross_entropy(student_logits[mask], labels[mask], reduction="sum") / n

# ---------------------------------------------------------------- task 3

# %% task="kd_loss" right="yes" mistake=""
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = (labels != -100).float()
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    kl = F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(-1)
    return temperature ** 2 * (kl * mask).sum() / mask.sum().clamp(min=1.0)

# %% task="kd_loss" right="yes" mistake=""
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    keep = labels.reshape(-1) != -100
    if keep.sum() == 0:
        return 0.0
    V = student_logits.size(-1)
    s = student_logits.reshape(-1, V)[keep] / temperature
    t = teacher_logits.reshape(-1, V)[keep] / temperature
    # only the rows that count are left, so batchmean divides by N
    return F.kl_div(s.log_softmax(1), t.softmax(1), reduction="batchmean") * temperature * temperature

# %% task="kd_loss" right="yes" mistake=""
def _kl(p_logits, q_logits, T):
    p = torch.softmax(p_logits.double() / T, dim=0)
    lp = torch.log_softmax(p_logits.double() / T, dim=0)
    lq = torch.log_softmax(q_logits.double() / T, dim=0)
    return torch.dot(p, lp - lq)

def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    """T² · mean KL(p‖q) at temperature T over the positions that count: one number."""
    kls = [
        _kl(teacher_logits[b, i], student_logits[b, i], temperature)
        for b, i in (labels != -100).nonzero().tolist()
    ]
    if len(kls) == 0:
        return torch.tensor(0.0)
    return temperature**2 * torch.stack(kls).mean()

# %% task="kd_loss" right="no" mistake="T squared is missing" named="t_squared_missing"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1)
    return (kl * mask).sum() / mask.sum().clamp(min=1)

# %% task="kd_loss" right="no" mistake="log_target forgotten: kl_div gets log-probabilities as target" named="log_target_missing"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    kl = F.kl_div(log_q, log_p, reduction="none").sum(-1)
    return temperature**2 * kl[mask].sum() / max(mask.sum().item(), 1)

# %% task="kd_loss" right="no" mistake="batchmean on [B, L, V] without a mask: the sum over all positions, divided by B" named="batch_mean_unmasked"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    T = temperature
    return F.kl_div(
        F.log_softmax(student_logits / T, dim=-1),
        F.softmax(teacher_logits / T, dim=-1),
        reduction="batchmean",
    ) * (T ** 2)

# %% task="kd_loss" right="no" mistake="the mask is forgotten: padding counts too" named="masked_positions_counted"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    p = F.softmax(teacher_logits / temperature, dim=-1)
    kl = F.kl_div(log_q, p, reduction="none").sum(-1)
    return temperature ** 2 * kl.mean()

# %% task="kd_loss" right="no" mistake="default reduction of kl_div: a mean over the vocabulary as well" named="vocabulary_mean"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
    if mask.sum() == 0:
        return torch.tensor(0.)
    s = student_logits[mask]
    t = teacher_logits[mask]
    return F.kl_div(F.log_softmax(s / temperature, -1), F.softmax(t / temperature, -1)) * temperature ** 2

# %% task="kd_loss" right="no" mistake="nothing counts: divides by 0 and gives nan" named="nan_when_nothing_counts"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
    log_p = F.log_softmax(teacher_logits / temperature, -1)
    log_q = F.log_softmax(student_logits / temperature, -1)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1)
    return temperature ** 2 * kl[mask].mean()

# %% task="kd_loss" right="no" mistake="direction swapped: KL(q||p)" named="direction_swapped"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = (labels != -100).float()
    log_q = F.log_softmax(student_logits / temperature, -1)
    log_p = F.log_softmax(teacher_logits / temperature, -1)
    kl = (log_q.exp() * (log_q - log_p)).sum(-1)
    return temperature ** 2 * (kl * mask).sum() / mask.sum().clamp(min=1)

# %% task="kd_loss" right="no" mistake="only the student's logits are divided by the temperature" named="temperature_on_the_student_alone"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
    n = mask.sum().clamp(min=1)
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    p = F.softmax(teacher_logits, dim=-1)
    kl = F.kl_div(log_q, p, reduction="none").sum(dim=-1)
    return temperature ** 2 * kl[mask].sum() / n

# %% task="kd_loss" right="no" mistake="labels > 0 as mask: token 0 does not count" named="label_zero_ignored"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = (labels > 0)
    log_q = (student_logits / temperature).log_softmax(-1)
    log_p = (teacher_logits / temperature).log_softmax(-1)
    kl = F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(-1)
    return temperature ** 2 * (kl * mask).sum() / max(1, mask.sum())

# %% task="kd_loss" right="no" mistake="cross-entropy with the teacher instead of KL: the teacher's entropy is not subtracted" named="cross_entropy"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = (labels != -100).float()
    p = F.softmax(teacher_logits / temperature, dim=-1)
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    ce = -(p * log_q).sum(-1)
    return temperature**2 * (ce * mask).sum() / mask.sum().clamp(min=1)

# %% task="kd_loss" right="no" mistake="counts the positions by losses != 0: where student and teacher agree exactly a real position is left out of N" named="losses_counted_by_their_size"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1)
    kl = kl.masked_fill(labels == -100, 0.0)
    n = (kl != 0).sum().clamp(min=1)
    return temperature ** 2 * kl.sum() / n

# %% task="kd_loss" right="no" mistake="multiplies the mask into the logits, and then divides by all positions" named="divided_by_all_positions"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    m = (labels != -100).unsqueeze(-1).float()
    lq = F.log_softmax(student_logits * m / temperature, dim=-1)
    lp = F.log_softmax(teacher_logits * m / temperature, dim=-1)
    return temperature ** 2 * (lp.exp() * (lp - lq)).sum(-1).mean()

# %% task="kd_loss" right="accident" mistake="misspelt name: log_g is not defined"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    kl = (log_p.exp() * (log_p - log_g)).sum(-1)
    return temperature ** 2 * (kl * mask).sum() / mask.sum().clamp(min=1)

# ---------------------------------------------------------------- task 4

# %% task="combined_objective" right="yes" mistake=""
# uses lm_loss and kd_loss from the cells above
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    return lm_loss(student_logits, labels) + lam * kd_loss(student_logits, teacher_logits, labels, temperature)

# %% task="combined_objective" right="yes" mistake=""
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    """LM + λ·KD: one number."""
    keep = labels != -100
    s, t, y = student_logits[keep], teacher_logits[keep], labels[keep]
    lm = F.cross_entropy(s, y)
    kd = F.kl_div(
        F.log_softmax(s / temperature, dim=-1),
        F.log_softmax(t / temperature, dim=-1),
        reduction="batchmean",
        log_target=True,
    )
    return lm + lam * temperature**2 * kd

# %% task="combined_objective" right="yes" mistake=""
import numpy as np

def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    def log_softmax(x):
        x = x - x.max(-1, keepdims=True)
        return x - np.log(np.exp(x).sum(-1, keepdims=True))
    s = student_logits.detach().numpy().astype("float64")
    t = teacher_logits.detach().numpy().astype("float64")
    y = labels.numpy()
    rows, cols = np.nonzero(y != -100)
    lm = -log_softmax(s)[rows, cols, y[rows, cols]].mean()
    lq, lp = log_softmax(s / temperature), log_softmax(t / temperature)
    kd = np.einsum("blv,blv->bl", np.exp(lp), lp - lq)[rows, cols].mean()
    return float(lm + lam * temperature**2 * kd)

# %% task="combined_objective" right="no" mistake="the temperature is not passed on to kd_loss" named="temperature_not_passed_on"
# uses lm_loss and kd_loss from the cells above
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    lm = lm_loss(student_logits, labels)
    kd = kd_loss(student_logits, teacher_logits, labels)
    return lm + lam * kd

# %% task="combined_objective" right="no" mistake="the temperature is applied to LM as well" named="lm_loss_at_temperature"
# uses lm_loss and kd_loss from the cells above
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    return lm_loss(student_logits / temperature, labels) + lam * kd_loss(student_logits, teacher_logits, labels, temperature)

# %% task="combined_objective" right="no" mistake="lambda forgotten" named="lambda_forgotten"
# uses lm_loss and kd_loss from the cells above
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    return lm_loss(student_logits, labels) + kd_loss(student_logits, teacher_logits, labels, temperature=temperature)

# %% task="combined_objective" right="no" mistake="lambda on the wrong term" named="lambda_on_the_wrong_term"
# uses lm_loss and kd_loss from the cells above
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    return lam * lm_loss(student_logits, labels) + kd_loss(student_logits, teacher_logits, labels, temperature)

# %% task="combined_objective" right="no" mistake="T squared twice: kd_loss has it already" named="t_squared_twice"
# uses lm_loss and kd_loss from the cells above
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    kd = kd_loss(student_logits, teacher_logits, labels, temperature)
    return lm_loss(student_logits, labels) + lam * temperature ** 2 * kd

# %% task="combined_objective" right="no" mistake="the convex mix instead of the sum: (1 - lambda) on LM" named="lambda_as_alpha"
# uses lm_loss and kd_loss from the cells above
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    lm = lm_loss(student_logits, labels)
    kd = kd_loss(student_logits, teacher_logits, labels, temperature)
    return (1 - lam) * lm + lam * kd

# %% task="combined_objective" right="no" mistake="student and teacher in the wrong order in the call of kd_loss" named="direction_swapped"
# uses lm_loss and kd_loss from the cells above
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    return lm_loss(student_logits, labels) + lam * kd_loss(teacher_logits, student_logits, labels, temperature)

# %% task="combined_objective" right="no" mistake="divides the caller's logits by T in place, so LM is no longer at T = 1 and the inputs are changed" named="lm_loss_at_temperature"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    mask = labels != -100
    student_logits /= temperature
    teacher_logits /= temperature
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    kd = temperature**2 * (log_p.exp() * (log_p - log_q)).sum(-1)[mask].mean()
    lm = F.cross_entropy(student_logits[mask], labels[mask])
    return lm + lam * kd

# %% task="combined_objective" right="no" mistake="begins anew and forgets the mask (and divides by B) in the KD term" named="batch_mean_unmasked"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    V = student_logits.size(-1)
    lm = F.cross_entropy(student_logits.view(-1, V), labels.view(-1), ignore_index=-100)
    kd = F.kl_div(F.log_softmax(student_logits / temperature, dim=-1),
                  F.softmax(teacher_logits / temperature, dim=-1),
                  reduction="batchmean") * temperature ** 2
    return lm + lam * kd

# %% task="combined_objective" right="no" mistake="returns both terms instead of their sum" named="another_form"
# uses lm_loss and kd_loss from the cells above
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    lm, kd = lm_loss(student_logits, labels), kd_loss(student_logits, teacher_logits, labels, temperature)
    return lm, lam * kd

# ---------------------------------------------------------------- task 5

# %% task="convex_objective" right="yes" mistake=""
# uses lm_loss and kd_loss from the cells above
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    lm = lm_loss(student_logits, labels)
    return lm + alpha * (kd_loss(student_logits, teacher_logits, labels, temperature) - lm)

# %% task="convex_objective" right="yes" mistake=""
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    mask = labels != -100
    n = max(mask.sum().item(), 1)
    lm = F.cross_entropy(student_logits[mask], labels[mask], reduction="sum") / n
    q = F.log_softmax(student_logits[mask] / temperature, dim=-1)
    p = F.log_softmax(teacher_logits[mask] / temperature, dim=-1)
    kd = temperature**2 * torch.einsum("nv,nv->", p.exp(), p - q) / n
    return (1 - alpha) * lm + alpha * kd

# %% task="convex_objective" right="no" mistake="alpha and 1 - alpha on the wrong terms" named="alpha_on_the_wrong_term"
# uses lm_loss and kd_loss from the cells above
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    return alpha * lm_loss(student_logits, labels) + (1 - alpha) * kd_loss(student_logits, teacher_logits, labels, temperature)

# %% task="convex_objective" right="no" mistake="temperature not passed on" named="temperature_not_passed_on"
# uses lm_loss and kd_loss from the cells above
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    """(1 - α)·LM + α·KD: one number."""
    return (1 - alpha) * lm_loss(student_logits, labels) + alpha * kd_loss(student_logits, teacher_logits, labels)

# %% task="convex_objective" right="no" mistake="uses combined_objective with lambda = alpha: LM keeps the weight 1" named="alpha_as_lambda"
# uses combined_objective from the cells above
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    return combined_objective(student_logits, teacher_logits, labels, lam=alpha, temperature=temperature)

# %% task="convex_objective" right="no" mistake="lambda = alpha / (1 - alpha), scaled back by 1 - alpha: divides by 0 at alpha = 1, which the task allows" named="divided_by_one_minus_alpha"
# uses combined_objective from the cells above
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    lam = alpha / (1 - alpha)
    return (1 - alpha) * combined_objective(student_logits, teacher_logits, labels, lam, temperature)

# %% task="convex_objective" right="no" mistake="missing return" named="missing_return"
# uses lm_loss and kd_loss from the cells above
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    loss = (1 - alpha) * lm_loss(student_logits, labels)
    loss = loss + alpha * kd_loss(student_logits, teacher_logits, labels, temperature)

# %% task="convex_objective" right="no" mistake="brackets forgotten: 1 - alpha * LM + alpha * KD" named="brackets_missing"
# uses lm_loss and kd_loss from the cells above
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    return 1 - alpha * lm_loss(student_logits, labels) + alpha * kd_loss(student_logits, teacher_logits, labels, temperature)

# %% task="convex_objective" right="accident" mistake="the task-4 function is pasted again under its old name; convex_objective does not exist"
# uses lm_loss and kd_loss from the cells above
def combined_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    return (1 - alpha) * lm_loss(student_logits, labels) + alpha * kd_loss(student_logits, teacher_logits, labels, temperature)

# ---------------------------------------------------------------- task 6

# %% task="best_probability" right="yes" mistake=""
best_probability = 0.6

# %% task="best_probability" right="yes" mistake=""
lam, p_ocean = 2, 0.4
# minimise -log q + lam * KL  ->  q is the mean of the label and the teacher, weights 1 and lam
best_probability = (1 * 1.0 + lam * p_ocean) / (1 + lam)

# %% task="best_probability" right="yes" mistake=""
p = torch.tensor([0.4, 0.6])
z = torch.zeros(2, requires_grad=True)
opt = torch.optim.SGD([z], lr=0.5)
for _ in range(2000):
    log_q = z.log_softmax(0)
    loss = -log_q[0] + 2 * (p * (p.log() - log_q)).sum()
    opt.zero_grad()
    loss.backward()
    opt.step()
best_probability = round(z.softmax(0)[0].item(), 4)

# %% task="best_probability" right="yes" mistake=""
from fractions import Fraction
best_probability = (Fraction(1) + 2 * Fraction(2, 5)) / 3

# %% task="best_probability" right="no" mistake="weights the wrong way round: lambda on the archive, (2 * 1 + 0.4) / 3" named="weights_swapped"
best_probability = (2 * 1 + 0.4) / 3

# %% task="best_probability" right="no" mistake="plain average of 1 and 0.4: lambda ignored" named="plain_average"
best_probability = 0.7

# %% task="best_probability" right="no" mistake="thinks that the teacher wins, since its weight is larger" named="teacher_copied"
best_probability = 0.4

# %% task="best_probability" right="no" mistake="thinks that the label wins: LM is lowest at 1" named="label_alone"
best_probability = 1.0

# %% task="best_probability" right="no" mistake="forgets the label's share: 2 * 0.4 / 3" named="label_left_out"
best_probability = round(2 * 0.4 / (1 + 2), 2)

# %% task="best_probability" right="no" mistake="a number in per cent" named="in_per_cent"
best_probability = 60

# ---------------------------------------------------------------- task 7

# %% task="objective_gradients" right="yes" mistake=""
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.detach().clone().requires_grad_(True)
    t = teacher_logits.detach()
    mask = labels != -100
    lm = F.cross_entropy(s[mask], labels[mask])
    log_q = F.log_softmax(s[mask] / temperature, dim=-1)
    log_p = F.log_softmax(t[mask] / temperature, dim=-1)
    kd = temperature**2 * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    (grad,) = torch.autograd.grad(lm + lam * kd, s)
    return grad, torch.zeros_like(teacher_logits)

# %% task="objective_gradients" right="yes" mistake=""
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    """On paper: (q - y) / N + λ T (q_T - p_T) / N at positions that count."""
    mask = (labels != -100).unsqueeze(-1).to(student_logits.dtype)
    N = mask.sum().clamp(min=1)
    q = F.softmax(student_logits, -1)
    y = F.one_hot(labels.clamp(min=0), student_logits.shape[-1])
    qT = F.softmax(student_logits / temperature, -1)
    pT = F.softmax(teacher_logits / temperature, -1)
    g = mask * ((q - y) + lam * temperature * (qT - pT)) / N
    return g, torch.zeros_like(teacher_logits)

# %% task="objective_gradients" right="yes" mistake=""
# uses lm_loss and kd_loss from the cells above
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.detach().clone()
    t = teacher_logits.detach().clone()
    s.requires_grad = True
    t.requires_grad = True
    loss = lm_loss(s, labels) + lam * kd_loss(s, t.detach(), labels, temperature)
    loss.backward()
    return [s.grad, t.grad if t.grad is not None else torch.zeros(t.shape)]

# %% task="objective_gradients" right="yes" mistake=""
class Objective(torch.nn.Module):
    def __init__(self, lam, T):
        super().__init__()
        self.lam, self.T = lam, T

    def forward(self, s, t, y):
        with torch.no_grad():
            p = (t / self.T).softmax(-1)
        on = (y != -100)
        lm = -(s.log_softmax(-1).gather(-1, y.clamp(min=0)[..., None]).squeeze(-1) * on).sum()
        kl = F.kl_div((s / self.T).log_softmax(-1), p, reduction="none").sum(-1)
        return (lm + self.lam * self.T ** 2 * (kl * on).sum()) / on.sum()


def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s, t = (x.detach().requires_grad_() for x in (student_logits, teacher_logits))
    loss = Objective(lam, temperature)(s, t, labels)
    return torch.autograd.grad(loss, (s, t), allow_unused=True, materialize_grads=True)

# %% task="objective_gradients" right="no" mistake="the teacher's gradient is not stopped: its part is not zero" named="gradient_into_the_teacher"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.detach().clone().requires_grad_(True)
    t = teacher_logits.detach().clone().requires_grad_(True)
    mask = labels != -100
    lm = F.cross_entropy(s[mask], labels[mask])
    lq = F.log_softmax(s[mask] / temperature, dim=-1)
    lp = F.log_softmax(t[mask] / temperature, dim=-1)
    kd = temperature**2 * (lp.exp() * (lp - lq)).sum(-1).mean()
    loss = lm + lam * kd
    return torch.autograd.grad(loss, (s, t))

# %% task="objective_gradients" right="no" mistake="the teacher's part is None instead of zeros" named="another_form"
# uses combined_objective from the cells above
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.clone().detach().requires_grad_()
    t = teacher_logits.clone().detach().requires_grad_()
    combined_objective(s, t.detach(), labels, lam, temperature).backward()
    return s.grad, t.grad

# %% task="objective_gradients" right="no" mistake="the pair is returned the wrong way round" named="pair_turned_round"
# uses combined_objective from the cells above
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.clone().detach().requires_grad_()
    combined_objective(s, teacher_logits.detach(), labels, lam, temperature).backward()
    return torch.zeros_like(teacher_logits), s.grad

# %% task="objective_gradients" right="no" mistake="only the student's gradient is returned, no pair" named="another_form"
# uses combined_objective from the cells above
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.clone().detach().requires_grad_()
    loss = combined_objective(s, teacher_logits.detach(), labels, lam, temperature)
    return torch.autograd.grad(loss, s)

# %% task="objective_gradients" right="no" mistake="gradient of KD on paper with T squared: one factor T of the chain rule is missed" named="chain_rule_forgotten"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    mask = (labels != -100).float()[..., None]
    n = mask.sum()
    onehot = F.one_hot(labels.clamp(min=0), student_logits.size(-1)).float()
    g = student_logits.softmax(-1) - onehot
    g = g + lam * temperature ** 2 * (
        (student_logits / temperature).softmax(-1) - (teacher_logits / temperature).softmax(-1)
    )
    return g * mask / n, torch.zeros_like(teacher_logits)

# %% task="objective_gradients" right="no" mistake="on paper, but the division by N is forgotten" named="summed"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    mask = (labels != -100)[..., None]
    onehot = F.one_hot(labels.clamp(min=0), student_logits.size(-1))
    q = torch.softmax(student_logits, -1)
    qT = torch.softmax(student_logits / temperature, -1)
    pT = torch.softmax(teacher_logits / temperature, -1)
    grad = (q - onehot + lam * temperature * (qT - pT)) * mask
    return grad, 0 * teacher_logits

# %% task="objective_gradients" right="no" mistake="on paper without a mask: the padded positions get a gradient, towards token 0" named="padding_in_the_sum"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    n = (labels != -100).sum()
    y = F.one_hot(labels.clamp(min=0), student_logits.shape[-1])
    a = F.softmax(student_logits, dim=-1) - y
    b = F.softmax(student_logits / temperature, dim=-1) - F.softmax(teacher_logits / temperature, dim=-1)
    return (a + lam * temperature * b) / n, torch.zeros_like(teacher_logits)

# %% task="objective_gradients" right="no" mistake="detach on the student's logits: autograd has nothing to differentiate and fails" named="student_cut_off"
# uses lm_loss and kd_loss from the cells above
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.detach()
    t = teacher_logits.detach()
    loss = lm_loss(s, labels) + lam * kd_loss(s, t, labels, temperature)
    loss.backward()
    return s.grad, torch.zeros_like(t)

# %% task="objective_gradients" right="no" mistake="autograd.grad asked for a detached teacher: it was not used in the graph, so it raises" named="teacher_not_in_the_graph"
# uses combined_objective from the cells above
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.detach().clone().requires_grad_()
    t = teacher_logits.detach().clone().requires_grad_()
    loss = combined_objective(s, t.detach(), labels, lam, temperature)
    gs, gt = torch.autograd.grad(loss, [s, t])
    return gs, gt

# %% task="objective_gradients" right="no" mistake="LM is left out of the gradient, and the temperature with it" named="labels_forgotten,temperature_not_passed_on"
# uses kd_loss from the cells above
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.detach().clone().requires_grad_()
    loss = lam * kd_loss(s, teacher_logits.detach(), labels)
    loss.backward()
    return s.grad, torch.zeros_like(teacher_logits)

# %% task="objective_gradients" right="no" mistake="works on the caller's own tensor and never clears its grad: a second call with the same logits adds to the first gradient" named="asked_again"
# uses combined_objective from the cells above
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    student_logits.requires_grad_(True)
    loss = combined_objective(student_logits, teacher_logits.detach(), labels, lam, temperature)
    loss.backward()
    return student_logits.grad, torch.zeros_like(teacher_logits)

# %% task="objective_gradients" right="no" mistake="the teacher's part is a single 0, not a tensor of the logits' shape" named="another_form"
# uses combined_objective from the cells above
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.detach().clone().requires_grad_()
    combined_objective(s, teacher_logits.detach(), labels, lam, temperature).backward()
    return s.grad, torch.tensor(0.0)

# %% task="objective_gradients" right="no" mistake="sign on paper the wrong way round: p - q and y - q, the direction of the step instead of the gradient" named="sign_flipped"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    m = (labels != -100).unsqueeze(-1)
    y = F.one_hot(labels.masked_fill(labels == -100, 0), student_logits.shape[-1])
    step = (y - F.softmax(student_logits, -1)) + lam * temperature * (
        F.softmax(teacher_logits / temperature, -1) - F.softmax(student_logits / temperature, -1))
    return step * m / m.sum(), torch.zeros_like(teacher_logits)

# %% task="objective_gradients" right="accident" mistake="exit() left over from debugging"
# uses combined_objective from the cells above
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.detach().clone().requires_grad_()
    loss = combined_objective(s, teacher_logits.detach(), labels, lam, temperature)
    print(loss)
    exit()
    loss.backward()
    return s.grad, torch.zeros_like(teacher_logits)

# %% task="lm_loss" right="no" mistake="divides by the count plus one, so that an empty batch costs 0: every other loss is too small" named="number_added_to_the_count"
def lm_loss(student_logits, labels):
    mask = labels != -100
    total = F.cross_entropy(student_logits.flatten(0, 1), labels.flatten(), reduction="sum")
    return total / (mask.sum() + 1)

# %% task="lm_loss" right="no" mistake="returns 0 as soon as any label is -100, not only when all are" named="any_for_all"
def lm_loss(student_logits, labels):
    if (labels == -100).any():
        return torch.tensor(0.0)
    return F.cross_entropy(student_logits.flatten(0, 1), labels.flatten())

# %% task="lm_loss" right="no" mistake="zeroes the logits of positions that do not count, sets their label to 0 and lets them pay log V" named="masked_logits_counted"
def lm_loss(student_logits, labels):
    mask = labels != -100
    logits = student_logits * mask.unsqueeze(-1)
    y = labels.clamp(min=0)
    if not mask.any():
        return logits.sum() * 0
    return F.cross_entropy(logits.flatten(0, 1), y.flatten())

# %% task="kd_loss" right="no" mistake="multiplies by T squared only for T above 1" named="t_squared_on_one_side"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
    n = mask.sum()
    if n == 0:
        return student_logits.sum() * 0.0
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1)
    return max(temperature, 1.0) ** 2 * kl[mask].sum() / n

# %% task="kd_loss" right="no" mistake="hides padding in the teacher with minus infinity: every position that does not count is NaN" named="observed_where"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
    t = teacher_logits.masked_fill(~mask.unsqueeze(-1), float("-inf"))
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    p = F.softmax(t / temperature, dim=-1)
    total = F.kl_div(log_q, p, reduction="sum")
    return temperature**2 * total / mask.sum().clamp(min=1)

# %% task="objective_gradients" right="no" mistake="the one-hot rows of padding are left 0, so their gradient is q and not 0: the mask is forgotten in the closed form" named="label_rows_kept"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    m = labels != -100
    y = torch.zeros_like(student_logits)
    y[m] = F.one_hot(labels[m], student_logits.shape[-1]).to(y.dtype)
    q = torch.softmax(student_logits, -1)
    kd = torch.softmax(student_logits / temperature, -1) - torch.softmax(teacher_logits / temperature, -1)
    g = (q - y + lam * temperature * kd) / m.sum()
    return g, torch.zeros_like(teacher_logits)

# %% task="objective_gradients" right="no" mistake="mask forgotten in the KD part" named="teacher_rows_kept"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    mask = (labels != -100).unsqueeze(-1)
    n = mask.sum()
    q1 = student_logits.softmax(-1)
    onehot = F.one_hot(labels.clamp(min=0), student_logits.shape[-1])
    qT = (student_logits / temperature).softmax(-1)
    pT = (teacher_logits / temperature).softmax(-1)
    g = (q1 - onehot) * mask / n + lam * temperature * (qT - pT) / n
    return g, torch.zeros_like(teacher_logits)


# %% task="two_sources_choice" right="yes" mistake=""
two_sources = "c"


# %% task="two_sources_choice" right="no" mistake="thinks of two phases: first the teacher, then the labels" named="chose_a"
two_sources = "a"


# %% task="two_sources_choice" right="no" mistake="thinks that weights are averaged" named="chose_b"
two_sources = "b"


# %% task="two_sources_choice" right="no" mistake="thinks that the teacher corrects the words" named="chose_d"
two_sources = 'd'


# %% task="lm_loss" right="yes" mistake=""
def lm_loss(student_logits, labels):
    counts = labels != -100
    if not counts.any():
        return 0.0
    return F.cross_entropy(student_logits[counts], labels[counts])


# %% task="lm_loss" right="yes" mistake=""
def lm_loss(student_logits, labels):
    V = student_logits.size(-1)
    total = F.cross_entropy(student_logits.reshape(-1, V), labels.reshape(-1), ignore_index=-100, reduction="sum")
    n = (labels != -100).sum()
    return total / n.clamp(min=1)


# %% task="lm_loss" right="yes" mistake=""
def lm_loss(student_logits, labels):
    log_q = torch.log_softmax(student_logits.double(), dim=-1)
    mask = (labels >= 0).double()
    picked = log_q.gather(-1, labels.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    return -(picked * mask).sum() / max(mask.sum().item(), 1.0)


# %% task="lm_loss" right="yes" mistake=""
def lm_loss(student_logits, labels):
    terms = []
    for i in range(labels.shape[0]):
        for j in range(labels.shape[1]):
            y = int(labels[i, j])
            if y == -100:
                continue
            terms.append(torch.logsumexp(student_logits[i, j], 0) - student_logits[i, j, y])
    return sum(terms) / len(terms) if terms else torch.zeros(())


# %% task="lm_loss" right="no" mistake="nan where nothing counts: cross_entropy divides 0 by 0" named="nan_when_nothing_counts"
def lm_loss(student_logits, labels):
    return F.cross_entropy(student_logits.view(-1, student_logits.size(-1)), labels.view(-1))


# %% task="lm_loss" right="no" mistake="labels > 0 as mask: token 0 is dropped" named="label_zero_ignored"
def lm_loss(student_logits, labels):
    mask = labels > 0
    if mask.sum() == 0:
        return torch.tensor(0.0)
    return F.cross_entropy(student_logits[mask], labels[mask])


# %% task="lm_loss" right="no" mistake="mask forgotten in the mean: divides by all positions, padding too" named="divided_by_all_positions"
def lm_loss(student_logits, labels):
    losses = F.cross_entropy(student_logits.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="none")
    return losses.mean()


# %% task="lm_loss" right="no" mistake="labels shifted by one although nothing is left to shift" named="labels_shifted"
def lm_loss(student_logits, labels):
    logits = student_logits[:, :-1].reshape(-1, student_logits.size(-1))
    targets = labels[:, 1:].reshape(-1)
    if (targets != -100).sum() == 0:
        return torch.tensor(0.0)
    return F.cross_entropy(logits, targets, ignore_index=-100)


# %% task="lm_loss" right="no" mistake="softmax of a softmax: cross_entropy gets probabilities" named="softmax_twice"
def lm_loss(student_logits, labels):
    q = F.softmax(student_logits, dim=-1)
    mask = labels != -100
    if not mask.any():
        return torch.tensor(0.)
    return F.cross_entropy(q[mask], labels[mask])


# %% task="lm_loss" right="no" mistake="changes the batch's labels: -100 is overwritten by 0" named="asked_again"
def lm_loss(student_logits, labels):
    mask = labels != -100
    labels[~mask] = 0
    log_q = F.log_softmax(student_logits, dim=-1)
    nll = -log_q.gather(-1, labels[..., None])[..., 0]
    return (nll * mask).sum() / mask.sum().clamp(min=1)


# %% task="lm_loss" right="no" mistake="mean of the means of the texts, not over the positions; and nan for a text in which nothing counts" named="mean_of_means"
def lm_loss(student_logits, labels):
    per_text = [F.cross_entropy(s, y, ignore_index=-100) for s, y in zip(student_logits, labels)]
    return torch.stack(per_text).mean()


# %% task="lm_loss" right="no" mistake="counts positions by losses that are not 0: a surely right position is dropped from the count" named="losses_counted_by_their_size"
def lm_loss(student_logits, labels):
    l = F.cross_entropy(student_logits.permute(0, 2, 1), labels, reduction="none")
    n = (l != 0).sum()
    if n == 0:
        return torch.tensor(0.0)
    return l.sum() / n


# %% task="lm_loss" right="no" mistake="sum in place of the mean" named="summed"
def lm_loss(student_logits, labels):
    return F.cross_entropy(student_logits.transpose(1, 2), labels, reduction="sum")


# %% task="lm_loss" right="no" mistake="sign forgotten: mean of +log q(y)" named="sign_flipped"
def lm_loss(student_logits, labels):
    m = labels != -100
    if not m.any():
        return torch.tensor(0.0)
    logq = F.log_softmax(student_logits, -1)[m]
    return logq[torch.arange(len(logq)), labels[m]].mean()


# %% task="lm_loss" right="no" mistake="adds 0.1 to N to avoid 0/0, so that every loss is too small" named="number_added_to_the_count"
def lm_loss(student_logits, labels):
    n = (labels != -100).sum()
    s = F.cross_entropy(student_logits.transpose(1, 2), labels, reduction="sum")
    return s / (n + 1e-1)


# %% task="lm_loss" right="accident" mistake="print in place of return"
def lm_loss(student_logits, labels):
    mask = labels != -100
    loss = F.cross_entropy(student_logits[mask], labels[mask]) if mask.any() else torch.tensor(0.0)
    print(loss)


# %% task="kd_loss" right="yes" mistake=""
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
    if mask.sum() == 0:
        return student_logits.sum() * 0.0
    log_q = F.log_softmax(student_logits[mask] / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits[mask].detach() / temperature, dim=-1)
    return temperature ** 2 * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="kd_loss" right="yes" mistake=""
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    T = temperature
    p = F.softmax(teacher_logits / T, -1)
    kl = F.kl_div(F.log_softmax(student_logits / T, -1), p, reduction="none").sum(-1)
    mask = (labels != -100).float()
    return T * T * (kl * mask).sum() / torch.clamp(mask.sum(), min=1)


# %% task="kd_loss" right="yes" mistake=""
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    total, n = 0.0, 0
    for s_text, t_text, y_text in zip(student_logits, teacher_logits, labels):
        for s, t, y in zip(s_text, t_text, y_text):
            if y.item() != -100:
                lp = (t.detach() / temperature).log_softmax(0)
                lq = (s / temperature).log_softmax(0)
                total = total + (lp.exp() * (lp - lq)).sum()
                n += 1
    if n == 0:
        return 0
    return temperature**2 * total / n


# %% task="kd_loss" right="yes" mistake=""
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    """cross-entropy minus entropy, as a plain number"""
    keep = labels.ne(-100)
    if not bool(keep.any()):
        return 0.0
    s = student_logits[keep].double() / temperature
    t = teacher_logits[keep].double() / temperature
    p = t.softmax(-1)
    ce = F.cross_entropy(s, p)
    h = F.cross_entropy(t, p)
    return float((ce - h) * temperature ** 2)


# %% task="kd_loss" right="no" mistake="log_target forgotten: kl_div gets log-probabilities as target" named="log_target_missing"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
    if not mask.any():
        return torch.tensor(0.0)
    log_q = F.log_softmax(student_logits[mask] / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits[mask] / temperature, dim=-1)
    return temperature ** 2 * F.kl_div(log_q, log_p, reduction="batchmean")


# %% task="kd_loss" right="no" mistake="batchmean without a mask: divides by B and counts the padding" named="batch_mean_unmasked"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    return F.kl_div(F.log_softmax(student_logits / temperature, dim=-1),
                    F.softmax(teacher_logits / temperature, dim=-1),
                    reduction="batchmean") * temperature ** 2


# %% task="kd_loss" right="no" mistake="default reduction: mean over the vocabulary too" named="vocabulary_mean"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
    if not mask.any():
        return torch.tensor(0.0)
    q = F.log_softmax(student_logits[mask] / temperature, dim=-1)
    p = F.softmax(teacher_logits[mask] / temperature, dim=-1)
    return F.kl_div(q, p) * temperature ** 2


# %% task="kd_loss" right="no" mistake="T squared missing" named="t_squared_missing"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1)
    return kl[mask].sum() / mask.sum().clamp(min=1)


# %% task="kd_loss" right="no" mistake="multiplies by T in place of T squared" named="t_for_t_squared"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1)
    return temperature * (kl * mask).sum() / mask.sum().clamp(min=1)


# %% task="kd_loss" right="no" mistake="temperature applied to the teacher only" named="temperature_on_the_teacher_alone"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
    if not mask.any():
        return torch.tensor(0.0)
    log_q = F.log_softmax(student_logits[mask], dim=-1)
    p = F.softmax(teacher_logits[mask] / temperature, dim=-1)
    return temperature ** 2 * F.kl_div(log_q, p, reduction="batchmean")


# %% task="kd_loss" right="no" mistake="direction swapped: KL(q||p)" named="direction_swapped"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
    if not mask.any():
        return torch.tensor(0.0)
    lq = F.log_softmax(student_logits[mask] / temperature, dim=-1)
    lp = F.log_softmax(teacher_logits[mask] / temperature, dim=-1)
    return temperature ** 2 * F.kl_div(lp, lq, log_target=True, reduction="batchmean")


# %% task="kd_loss" right="no" mistake="cross-entropy in place of KL: the teacher's entropy stays in" named="cross_entropy"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
    p = F.softmax(teacher_logits / temperature, dim=-1)
    ce = -(p * F.log_softmax(student_logits / temperature, dim=-1)).sum(-1)
    return temperature ** 2 * ce[mask].sum() / mask.sum().clamp(min=1)


# %% task="kd_loss" right="no" mistake="nan where nothing counts: mean of an empty selection" named="nan_when_nothing_counts"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    kl = F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(-1)
    return temperature ** 2 * kl[labels != -100].mean()


# %% task="kd_loss" right="no" mistake="the masked sum is divided by all positions B times L" named="divided_by_all_positions"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    p = F.softmax(teacher_logits / temperature, dim=-1)
    kl = F.kl_div(log_q, p, reduction="none").sum(-1)
    mask = labels != -100
    return (kl * mask).mean() * temperature ** 2


# %% task="kd_loss" right="no" mistake="labels > 0 as mask, and the temperature forgotten" named="observed_unmoved"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels > 0
    log_q = F.log_softmax(student_logits, dim=-1)
    p = F.softmax(teacher_logits, dim=-1)
    kl = F.kl_div(log_q, p, reduction="none").sum(-1)
    return (kl * mask).sum() / mask.sum().clamp(min=1)


# %% task="kd_loss" right="no" mistake="probabilities masked by multiplying the logits with 0: padding becomes a uniform position and is counted" named="divided_by_all_positions"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = (labels != -100).unsqueeze(-1)
    s = (student_logits * mask).reshape(-1, student_logits.size(-1))
    t = (teacher_logits * mask).reshape(-1, teacher_logits.size(-1))
    return temperature ** 2 * F.kl_div(F.log_softmax(s / temperature, -1), F.softmax(t / temperature, -1), reduction="batchmean")


# %% task="kd_loss" right="no" mistake="returns one loss per position: the mean is missing" named="another_form"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1)
    return temperature ** 2 * kl * (labels != -100)


# %% task="kd_loss" right="accident" mistake="wrong indentation"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
      log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1)
    return temperature ** 2 * (kl * mask).sum() / mask.sum().clamp(min=1)


# %% task="combined_objective" right="yes" mistake=""
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    return lm_loss(student_logits, labels) + lam * kd_loss(student_logits, teacher_logits, labels, temperature)


# %% task="combined_objective" right="yes" mistake=""
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    m = labels != -100
    s, t, y = student_logits[m], teacher_logits[m], labels[m]
    lm = F.nll_loss(F.log_softmax(s, 1), y)
    lp = F.log_softmax(t / temperature, 1)
    kd = (lp.exp() * (lp - F.log_softmax(s / temperature, 1))).sum(1).mean()
    return (lm + lam * temperature**2 * kd).item()


# %% task="combined_objective" right="no" mistake="temperature not passed on: KD always at T = 1" named="temperature_not_passed_on"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    return lm_loss(student_logits, labels) + lam * kd_loss(student_logits, teacher_logits, labels)


# %% task="combined_objective" right="no" mistake="temperature applied to LM too" named="lm_loss_at_temperature"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    lm = lm_loss(student_logits / temperature, labels)
    kd = kd_loss(student_logits, teacher_logits, labels, temperature)
    return lm + lam * kd


# %% task="combined_objective" right="no" mistake="T squared a second time: kd_loss has it already" named="t_squared_twice"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    lm = lm_loss(student_logits, labels)
    kd = kd_loss(student_logits, teacher_logits, labels, temperature)
    return lm + lam * temperature ** 2 * kd


# %% task="combined_objective" right="no" mistake="lambda forgotten" named="lambda_forgotten"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    return lm_loss(student_logits, labels) + kd_loss(student_logits, teacher_logits, labels, temperature=temperature)


# %% task="combined_objective" right="no" mistake="lambda on the LM term in place of the KD term" named="lambda_on_the_wrong_term"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    return lam * lm_loss(student_logits, labels) + kd_loss(student_logits, teacher_logits, labels, temperature)


# %% task="combined_objective" right="no" mistake="mixes as the convex form does: (1 - lambda) LM + lambda KD" named="lambda_as_alpha"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    lm = lm_loss(student_logits, labels)
    kd = kd_loss(student_logits, teacher_logits, labels, temperature)
    return (1 - lam) * lm + lam * kd


# %% task="combined_objective" right="no" mistake="logits handed over the wrong way round: teacher first" named="direction_swapped"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    return lm_loss(student_logits, labels) + lam * kd_loss(teacher_logits, student_logits, labels, temperature)


# %% task="combined_objective" right="no" mistake="lambda on both terms" named="lambda_on_both_terms"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    return lam * (lm_loss(student_logits, labels) + kd_loss(student_logits, teacher_logits, labels, temperature))


# %% task="combined_objective" right="no" mistake="divides both logits by T and passes T on as well, so KD is at T squared and LM at T" named="temperature_twice"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    student_logits = student_logits / temperature
    teacher_logits = teacher_logits / temperature
    return lm_loss(student_logits, labels) + lam * kd_loss(student_logits, teacher_logits, labels, temperature)


# %% task="combined_objective" right="accident" mistake="misspelt name: lamda"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    lm = lm_loss(student_logits, labels)
    kd = kd_loss(student_logits, teacher_logits, labels, temperature)
    return lm + lamda * kd


# %% task="convex_objective" right="yes" mistake=""
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    lm = lm_loss(student_logits, labels)
    kd = kd_loss(student_logits, teacher_logits, labels, temperature)
    return lm + alpha * (kd - lm)


# %% task="convex_objective" right="yes" mistake=""
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    if alpha == 1:
        return kd_loss(student_logits, teacher_logits, labels, temperature)
    if alpha == 0:
        return lm_loss(student_logits, labels)
    return (1 - alpha) * combined_objective(student_logits, teacher_logits, labels, alpha / (1 - alpha), temperature)


# %% task="convex_objective" right="no" mistake="alpha on the wrong term: alpha LM + (1 - alpha) KD" named="alpha_on_the_wrong_term"
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    return alpha * lm_loss(student_logits, labels) + (1 - alpha) * kd_loss(student_logits, teacher_logits, labels, temperature)


# %% task="convex_objective" right="no" mistake="through the additive form with lambda = alpha / (1 - alpha): division by zero at alpha = 1" named="divided_by_one_minus_alpha"
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    lam = alpha / (1 - alpha)
    return (1 - alpha) * combined_objective(student_logits, teacher_logits, labels, lam, temperature)


# %% task="convex_objective" right="no" mistake="adds 1e-8 against the division by zero, but at alpha = 1 the outer factor 1 - alpha is 0, so the loss is 0 in place of KD" named="nothing_at_alpha_one"
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    lam = alpha / (1 - alpha + 1e-8)
    return (1 - alpha) * combined_objective(student_logits, teacher_logits, labels, lam, temperature)


# %% task="convex_objective" right="no" mistake="alpha put in for lambda: LM is not weighted by 1 - alpha" named="alpha_as_lambda"
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    return combined_objective(student_logits, teacher_logits, labels, alpha, temperature)


# %% task="convex_objective" right="no" mistake="temperature not passed on" named="temperature_not_passed_on"
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    return (1.0 - alpha) * lm_loss(student_logits, labels) + alpha * kd_loss(student_logits, teacher_logits, labels)


# %% task="convex_objective" right="no" mistake="alpha = 0 is replaced by 0.5 through 'or'" named="zero_alpha_replaced"
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    alpha = alpha or 0.5
    lm, kd = lm_loss(student_logits, labels), kd_loss(student_logits, teacher_logits, labels, temperature)
    return (1 - alpha) * lm + alpha * kd


# %% task="convex_objective" right="no" mistake="divides by T squared: takes KD's factor out again" named="t_squared_missing"
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    lm = lm_loss(student_logits, labels)
    kd = kd_loss(student_logits, teacher_logits, labels, temperature) / temperature ** 2
    return (1 - alpha) * lm + alpha * kd


# %% task="convex_objective" right="no" mistake="parentheses forgotten: 1 - alpha * LM + alpha * KD" named="brackets_missing"
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    return 1 - alpha * lm_loss(student_logits, labels) + alpha * kd_loss(student_logits, teacher_logits, labels, temperature)


# %% task="convex_objective" right="accident" mistake="return forgotten"
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    (1 - alpha) * lm_loss(student_logits, labels) + alpha * kd_loss(student_logits, teacher_logits, labels, temperature)


# %% task="best_probability" right="yes" mistake=""
best_probability = (1 + 2 * 0.4) / (1 + 2)


# %% task="best_probability" right="yes" mistake=""
best_probability = 0.60


# %% task="best_probability" right="no" mistake="the teacher's probability alone" named="teacher_copied"
best_probability = 0.4


# %% task="best_probability" right="no" mistake="mean with equal weights, as if lambda were 1" named="plain_average"
best_probability = 0.7


# %% task="best_probability" right="no" mistake="lambda on the archive's word: (2 * 1 + 0.4) / 3" named="weights_swapped"
best_probability = 0.8


# %% task="best_probability" right="no" mistake="lambda in the denominator only: (1 + 0.4) / 3" named="lambda_left_out"
best_probability = 0.47


# %% task="best_probability" right="no" mistake="denominator 2 in place of 1 + lambda: (1 + 0.8) / 2" named="divided_by_lambda"
best_probability = 0.9


# %% task="best_probability" right="no" mistake="renormalised product of e^1 times p^2: a wrong, geometric mean" named="geometric_mean"
best_probability = 0.4 ** (2 / 3)


# %% task="best_probability" right="no" mistake="believes that the label wins" named="label_alone"
best_probability = 1.0


# %% task="best_probability" right="no" mistake="given in percent" named="in_per_cent"
best_probability = 60


# %% task="objective_gradients" right="yes" mistake=""
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.detach().clone().requires_grad_(True)
    t = teacher_logits.detach()
    mask = labels != -100
    lm = F.cross_entropy(s[mask], labels[mask])
    log_p = F.log_softmax(t[mask] / temperature, dim=-1)
    log_q = F.log_softmax(s[mask] / temperature, dim=-1)
    kd = temperature ** 2 * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    (grad,) = torch.autograd.grad(lm + lam * kd, s)
    return grad, torch.zeros_like(teacher_logits)


# %% task="objective_gradients" right="yes" mistake=""
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    mask = (labels != -100).unsqueeze(-1)
    n = mask.sum()
    y = F.one_hot(labels.clamp(min=0), student_logits.size(-1))
    q = torch.softmax(student_logits, -1)
    qT = torch.softmax(student_logits / temperature, -1)
    pT = torch.softmax(teacher_logits / temperature, -1)
    g = ((q - y) + lam * temperature * (qT - pT)) * mask / n
    return g, torch.zeros_like(g)


# %% task="objective_gradients" right="yes" mistake=""
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.detach().clone()
    t = teacher_logits.detach().clone()
    s.requires_grad_()
    t.requires_grad_()
    keep = labels.flatten() != -100
    S, T_, y = s.flatten(0, 1)[keep], t.flatten(0, 1)[keep].detach(), labels.flatten()[keep]
    lm = F.cross_entropy(S, y)
    kl = F.kl_div((S / temperature).log_softmax(-1), (T_ / temperature).softmax(-1), reduction="sum") / keep.sum()
    (lm + lam * temperature**2 * kl).backward()
    return s.grad, t.grad if t.grad is not None else torch.zeros_like(t)


# %% task="objective_gradients" right="no" mistake="the teacher's gradient is not stopped: its part is not zero" named="gradient_into_the_teacher"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.detach().clone().requires_grad_(True)
    t = teacher_logits.detach().clone().requires_grad_(True)
    mask = labels != -100
    lm = F.cross_entropy(s[mask], labels[mask])
    log_p = F.log_softmax(t[mask] / temperature, dim=-1)
    log_q = F.log_softmax(s[mask] / temperature, dim=-1)
    kd = temperature ** 2 * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    (lm + lam * kd).backward()
    return s.grad, t.grad


# %% task="objective_gradients" right="no" mistake="None for the teacher in place of zeros" named="another_form"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.detach().clone().requires_grad_(True)
    t = teacher_logits.detach().clone().requires_grad_(True)
    mask = labels != -100
    lm = F.cross_entropy(s[mask], labels[mask])
    log_p = F.log_softmax(t.detach()[mask] / temperature, dim=-1)
    log_q = F.log_softmax(s[mask] / temperature, dim=-1)
    kd = temperature ** 2 * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    (lm + lam * kd).backward()
    return s.grad, t.grad


# %% task="objective_gradients" right="no" mistake="gradients add up from call to call: backward on the caller's own logits, never set to zero" named="asked_again"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    student_logits.requires_grad_(True)
    loss = combined_objective(student_logits, teacher_logits.detach(), labels, lam, temperature)
    loss.backward()
    return student_logits.grad, torch.zeros_like(teacher_logits)


# %% task="objective_gradients" right="no" mistake="pair returned the wrong way round" named="pair_turned_round"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.detach().clone().requires_grad_(True)
    mask = labels != -100
    lm = F.cross_entropy(s[mask], labels[mask])
    p = F.softmax(teacher_logits.detach()[mask] / temperature, dim=-1)
    kd = temperature ** 2 * F.kl_div(F.log_softmax(s[mask] / temperature, dim=-1), p, reduction="batchmean")
    (lm + lam * kd).backward()
    return torch.zeros_like(teacher_logits), s.grad


# %% task="objective_gradients" right="no" mistake="on paper with T squared in place of T: the 1/T from the chain rule is missing" named="chain_rule_forgotten"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    mask = (labels != -100).unsqueeze(-1).float()
    y = F.one_hot(labels.clamp(min=0), student_logits.size(-1)).float()
    q = F.softmax(student_logits, -1)
    qt = F.softmax(student_logits / temperature, -1)
    pt = F.softmax(teacher_logits / temperature, -1)
    grad = mask * (q - y + lam * temperature ** 2 * (qt - pt)) / mask.sum()
    return grad, torch.zeros_like(teacher_logits)


# %% task="objective_gradients" right="no" mistake="on paper: mask and the division by N forgotten" named="summed_unmasked"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    y = F.one_hot(labels.clamp(min=0), student_logits.size(-1)).float()
    q = F.softmax(student_logits, -1)
    qt = F.softmax(student_logits / temperature, -1)
    pt = F.softmax(teacher_logits / temperature, -1)
    return q - y + lam * temperature * (qt - pt), torch.zeros_like(teacher_logits)


# %% task="objective_gradients" right="no" mistake="on paper: sign of the KD part turned (p - q)" named="teacher_pushes_away"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    B, L, V = student_logits.shape
    grad = torch.zeros(B, L, V)
    n = int((labels != -100).sum())
    for b in range(B):
        for l in range(L):
            y = int(labels[b, l])
            if y != -100:
                g = torch.softmax(student_logits[b, l], 0)
                g[y] -= 1
                p = torch.softmax(teacher_logits[b, l] / temperature, 0)
                q = torch.softmax(student_logits[b, l] / temperature, 0)
                grad[b, l] = (g + lam * temperature * (p - q)) / n
    return grad, torch.zeros(B, L, V)


# %% task="objective_gradients" right="no" mistake="on paper: label of padding positions taken as token 0 and counted" named="masked_positions_counted"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    y = F.one_hot(labels.clamp(min=0), student_logits.size(-1))
    n = labels.numel()
    q, qt = student_logits.softmax(-1), (student_logits / temperature).softmax(-1)
    pt = (teacher_logits / temperature).softmax(-1)
    return (q - y) / n + lam * temperature * (qt - pt) / n, torch.zeros_like(teacher_logits)


# %% task="objective_gradients" right="no" mistake="lambda multiplies the whole loss" named="other_weights"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.detach().clone().requires_grad_()
    m = labels != -100
    lm = F.cross_entropy(s[m], labels[m])
    p = F.softmax(teacher_logits[m].detach() / temperature, -1)
    kd = F.kl_div(F.log_softmax(s[m] / temperature, -1), p, reduction="batchmean") * temperature**2
    g = torch.autograd.grad(lam * (lm + kd), s)[0]
    return g, torch.zeros_like(g)


# %% task="objective_gradients" right="no" mistake="teacher's part is a single number 0, not a tensor of the logits' shape" named="another_form"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.detach().clone().requires_grad_()
    m = labels != -100
    lm = F.cross_entropy(s[m], labels[m])
    p = F.softmax(teacher_logits[m].detach() / temperature, -1)
    kd = F.kl_div(F.log_softmax(s[m] / temperature, -1), p, reduction="batchmean") * temperature**2
    return torch.autograd.grad(lm + lam * kd, s)[0], 0.0


# %% task="objective_gradients" right="no" mistake="returns the tuple that autograd.grad gives, not its only member" named="another_form"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.detach().clone().requires_grad_()
    m = labels != -100
    lm = F.cross_entropy(s[m], labels[m])
    p = F.softmax(teacher_logits[m].detach() / temperature, -1)
    kd = F.kl_div(F.log_softmax(s[m] / temperature, -1), p, reduction="batchmean") * temperature**2
    student_grad = torch.autograd.grad(lm + lam * kd, s)
    return student_grad, torch.zeros_like(teacher_logits)


# %% task="objective_gradients" right="no" mistake="the loss is computed under no_grad: nothing to differentiate, backward fails" named="student_cut_off"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.clone().requires_grad_(True)
    with torch.no_grad():
        loss = combined_objective(s, teacher_logits, labels, lam, temperature)
    loss.backward()
    return s.grad, torch.zeros_like(teacher_logits)


# %% task="objective_gradients" right="accident" mistake="name of the function misspelt: objective_gradient"
def objective_gradient(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.detach().clone().requires_grad_(True)
    loss = combined_objective(s, teacher_logits.detach(), labels, lam, temperature)
    loss.backward()
    return s.grad, torch.zeros_like(teacher_logits)


# %% task="kd_loss" right="yes" mistake=""
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    student_logits /= temperature
    teacher_logits /= temperature
    m = labels != -100
    lq, lp = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    return temperature ** 2 * ((lp.exp() * (lp - lq)).sum(-1) * m).sum() / m.sum().clamp(min=1)


# %% task="kd_loss" right="no" mistake="divides by B in place of the number of positions that count (batchmean on the masked [B, L, V] tensor)" named="batch_mean"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    m = (labels != -100).unsqueeze(-1)
    lq = F.log_softmax(student_logits / temperature, -1) * m
    p = F.softmax(teacher_logits / temperature, -1) * m
    return F.kl_div(lq, p, reduction="batchmean") * temperature ** 2


# %% task="kd_loss" right="no" mistake="takes the softmax first and divides the probabilities by T" named="temperature_after_softmax"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    m = labels != -100
    if not m.any():
        return 0.0
    q = F.softmax(student_logits[m], -1) / temperature
    p = F.softmax(teacher_logits[m], -1) / temperature
    return temperature ** 2 * (p * (p.log() - q.log())).sum(-1).mean()


# %% task="kd_loss" right="yes" mistake=""
import numpy as np

def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    def logp(z):
        z = z.detach().numpy().astype(np.float64) / temperature
        z = z - z.max(-1, keepdims=True)
        return z - np.log(np.exp(z).sum(-1, keepdims=True))
    keep = labels.numpy() != -100
    if keep.sum() == 0:
        return 0.0
    lp, lq = logp(teacher_logits)[keep], logp(student_logits)[keep]
    return float(temperature**2 * (np.exp(lp) * (lp - lq)).sum() / keep.sum())


# %% task="objective_gradients" right="no" mistake="temperature not passed on and lambda forgotten" named="lambda_forgotten,temperature_not_passed_on"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.detach().clone().requires_grad_(True)
    loss = lm_loss(s, labels) + kd_loss(s, teacher_logits.detach(), labels)
    loss.backward()
    return s.grad, torch.zeros_like(teacher_logits)


# %% task="two_sources_choice" right="yes" mistake=""
two_sources = "c"


# %% task="two_sources_choice" right="no" mistake="took the combined objective for two phases, first the teacher and then the archive" named="chose_a"
two_sources = "a"


# %% task="two_sources_choice" right="no" mistake="took the teacher for a corrector that overwrites the archive's word where they differ" named="chose_d"
two_sources = "d"


# %% task="lm_loss" right="yes" mistake=""
def lm_loss(student_logits, labels):
    total = F.cross_entropy(student_logits.reshape(-1, student_logits.size(-1)), labels.reshape(-1),
                            ignore_index=-100, reduction="sum")
    return total / max(int((labels != -100).sum()), 1)


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
def lm_loss(student_logits, labels):
    # cross_entropy wants the classes on axis 1; its mean over nothing is nan
    return torch.nan_to_num(F.cross_entropy(student_logits.transpose(1, 2), labels), nan=0.0)


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


# %% task="lm_loss" right="no" mistake="the mean over the positions that count is nan when there are none" named="nan_when_nothing_counts"
def lm_loss(student_logits, labels):
    V = student_logits.shape[-1]
    return F.cross_entropy(student_logits.reshape(-1, V), labels.reshape(-1), ignore_index=-100)


# %% task="lm_loss" right="no" mistake="logits and labels are shifted against each other by one position, as in a causal model's training code, although nothing is left to shift" named="labels_shifted"
def lm_loss(student_logits, labels):
    # tokens < n predict n
    shift_logits = student_logits[..., :-1, :].contiguous()
    shift_labels = labels[..., 1:].contiguous()
    n = (shift_labels != -100).sum()
    if n == 0:
        return torch.tensor(0.0)
    return F.cross_entropy(shift_logits.view(-1, shift_logits.size(-1)), shift_labels.view(-1))


# %% task="lm_loss" right="no" mistake="the mean is taken within each text and then over the texts, so that positions in short texts weigh more" named="mean_of_means"
def lm_loss(student_logits, labels):
    """Mean of -log q(y) over the positions whose label is not -100: one number."""
    nll = F.cross_entropy(student_logits.transpose(1, 2), labels, reduction="none")  # 0 where -100
    mask = (labels != -100).float()
    per_text = (nll * mask).sum(1) / mask.sum(1).clamp(min=1)
    return per_text.mean()


# %% task="lm_loss" right="no" mistake="only labels above 0 count, so token 0 is treated as padding" named="label_zero_ignored"
def lm_loss(student_logits, labels):
    mask = labels > 0
    logq = F.log_softmax(student_logits, dim=-1)
    logq_y = torch.gather(logq, -1, labels.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    return -(logq_y * mask).sum() / mask.sum().clamp(min=1)


# %% task="lm_loss" right="no" mistake="the caller's labels are overwritten: -100 becomes 0 in place, and a second call counts the padding" named="asked_again"
def lm_loss(student_logits, labels):
    mask = labels != -100
    labels[~mask] = 0  # gather cannot take -100
    logq = torch.log_softmax(student_logits, dim=-1)
    nll = -logq.gather(2, labels[..., None])[..., 0]
    n = mask.sum()
    return (nll * mask).sum() / n if n > 0 else torch.tensor(0.0)


# %% task="lm_loss" right="no" mistake="the masked sum is divided by all B·L positions and not by those that count" named="divided_by_all_positions"
def lm_loss(student_logits, labels):
    B, L, V = student_logits.shape
    loss = F.cross_entropy(student_logits.reshape(B * L, V), labels.reshape(B * L), reduction="none")
    return loss.mean()


# %% task="lm_loss" right="no" mistake="the logits are reshaped to [B, V, L] where the axes had to be exchanged, which mixes up positions and tokens" named="axes_reshaped"
def lm_loss(student_logits, labels):
    B, L, V = student_logits.shape
    if (labels == -100).all():
        return student_logits.sum() * 0
    # cross_entropy expects (B, C, L)
    return F.cross_entropy(student_logits.reshape(B, V, L), labels)


# %% task="lm_loss" right="no" mistake="nll_loss is fed probabilities in place of log-probabilities" named="logarithm_missing"
def lm_loss(student_logits, labels):
    keep = labels != -100
    if keep.sum() == 0:
        return torch.zeros(())
    q = torch.softmax(student_logits[keep], dim=-1)
    return F.nll_loss(q, labels[keep])


# %% task="lm_loss" right="no" mistake="the logarithm of the mean probability is taken instead of the mean of the logarithms" named="logarithm_of_the_mean"
def lm_loss(student_logits, labels):
    """Mean of -log q(y) over the positions whose label is not -100: one number."""
    probs = [
        torch.softmax(student_logits[b, i], -1)[labels[b, i]]
        for b in range(labels.shape[0])
        for i in range(labels.shape[1])
        if labels[b, i] != -100
    ]
    if len(probs) == 0:
        return 0.0
    return -torch.log(torch.stack(probs).mean())


# %% task="lm_loss" right="no" mistake="the exponential of the mean is returned, the perplexity, and an empty batch costs 1" named="perplexity_returned"
def lm_loss(student_logits, labels):
    ce = F.cross_entropy(student_logits.flatten(0, 1), labels.flatten(), reduction="sum")
    n = labels.ne(-100).sum().clamp(min=1)
    return torch.exp(ce / n)


# %% task="lm_loss" right="no" mistake="1 is added to the number of positions against the division by zero, which makes every mean a little too small" named="number_added_to_the_count"
def lm_loss(student_logits, labels):
    mask = (labels != -100)
    safe = torch.where(mask, labels, torch.zeros_like(labels))
    logq = F.log_softmax(student_logits, -1)
    nll = -torch.take_along_dim(logq, safe.unsqueeze(-1), dim=-1).squeeze(-1)
    return (nll * mask).sum() / (mask.sum() + 1)


# %% task="lm_loss" right="accident" mistake="the last line is indented wrongly, so the cell does not parse"
def lm_loss(student_logits, labels):
    mask = labels != -100
    if not mask.any():
        return torch.tensor(0.0)
    loss = F.cross_entropy(student_logits[mask], labels[mask])
      return loss


# %% task="kd_loss" right="yes" mistake=""
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = (labels != -100)
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits.detach() / temperature, dim=-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(dim=-1)
    return temperature ** 2 * (kl * mask).sum() / mask.sum().clamp(min=1)


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
    total, n = 0.0, 0
    B, L = labels.shape
    for b in range(B):
        for i in range(L):
            if labels[b, i].item() == -100:
                continue
            lq = torch.log_softmax(student_logits[b, i].double() / temperature, 0)
            lp = torch.log_softmax(teacher_logits[b, i].double() / temperature, 0)
            total += float(lp.exp() @ (lp - lq))
            n += 1
    return temperature ** 2 * total / n if n else 0.0


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


# %% task="kd_loss" right="no" mistake="the factor T² is missing" named="t_squared_missing"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    m = labels != -100
    if m.sum() == 0:
        return torch.tensor(0.0)
    q = F.log_softmax(student_logits[m] / temperature, dim=-1)
    p = F.softmax(teacher_logits[m] / temperature, dim=-1)
    return F.kl_div(q, p, reduction="batchmean")


# %% task="kd_loss" right="no" mistake="the sum is multiplied by T and not by its square" named="t_for_t_squared"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    """T² · mean KL(p‖q) at temperature T over the positions that count: one number."""
    T = temperature
    mask = (labels != -100).float()
    lq = torch.log_softmax(student_logits / T, -1)
    lp = torch.log_softmax(teacher_logits / T, -1)
    kl = torch.einsum("blv,blv->bl", lp.exp(), lp - lq)
    return T * (kl * mask).sum() / mask.sum().clamp(min=1.0)


# %% task="kd_loss" right="no" mistake="batchmean on tensors of three axes divides by the number of texts and not by the positions, and padding counts too" named="batch_mean_unmasked"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    # standard Hinton loss
    soft_targets = F.softmax(teacher_logits / temperature, dim=-1)
    soft_prob = F.log_softmax(student_logits / temperature, dim=-1)
    return F.kl_div(soft_prob, soft_targets, reduction="batchmean") * (temperature ** 2)


# %% task="kd_loss" right="no" mistake="the reduction mean divides by N·V, the number of all entries, instead of by N" named="vocabulary_mean"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    idx = torch.nonzero(labels != -100, as_tuple=True)
    if idx[0].numel() == 0:
        return 0.0
    crit = torch.nn.KLDivLoss(reduction="mean")
    q = F.log_softmax(student_logits[idx] / temperature, dim=-1)
    p = F.softmax(teacher_logits[idx] / temperature, dim=-1)
    return crit(q, p) * temperature ** 2


# %% task="kd_loss" right="no" mistake="kl_div is given log-probabilities as the target but not told so" named="log_target_missing"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels.ne(-100)
    n = mask.sum()
    if n == 0:
        return torch.tensor(0.0)
    student = F.log_softmax(student_logits / temperature, dim=-1)[mask]
    teacher = F.log_softmax(teacher_logits / temperature, dim=-1)[mask]
    return (temperature ** 2) * F.kl_div(student, teacher, reduction="sum") / n


# %% task="kd_loss" right="no" mistake="the temperature softens the teacher alone, the student stays at 1" named="temperature_on_the_teacher_alone"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
    log_p = torch.log_softmax(teacher_logits / temperature, dim=-1)
    log_q = torch.log_softmax(student_logits, dim=-1)
    kl = F.kl_div(log_q, log_p, log_target=True, reduction="none").sum(-1)
    return (kl[mask].sum() / max(mask.sum().item(), 1)) * temperature**2


# %% task="kd_loss" right="no" mistake="the padding is masked out of the sum, but the mean is over all B·L positions" named="divided_by_all_positions"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = (labels != -100)
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    p = F.softmax(teacher_logits / temperature, dim=-1)
    kl = F.kl_div(log_q, p, reduction="none").sum(-1)
    kl = kl.masked_fill(~mask, 0.0)
    return kl.mean() * temperature ** 2


# %% task="kd_loss" right="no" mistake="the divergence runs the other way, KL(q‖p), because student and teacher changed places in kl_div" named="direction_swapped"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    """T² · mean KL(p‖q) at temperature T over the positions that count: one number."""
    active = labels.view(-1) != -100
    s = F.log_softmax(student_logits.view(-1, student_logits.size(-1))[active] / temperature, dim=-1)
    t = F.log_softmax(teacher_logits.view(-1, teacher_logits.size(-1))[active] / temperature, dim=-1)
    if active.sum() == 0:
        return s.sum() * 0.0
    return F.kl_div(t, s, reduction="batchmean", log_target=True) * temperature ** 2


# %% task="kd_loss" right="no" mistake="a batch in which nothing counts gives nan, the mean of nothing" named="nan_when_nothing_counts"
from torch.distributions import Categorical, kl_divergence

def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    p = Categorical(logits=teacher_logits / temperature)
    q = Categorical(logits=student_logits / temperature)
    kl = kl_divergence(p, q)
    return temperature ** 2 * kl[labels != -100].mean()


# %% task="kd_loss" right="no" mistake="the cross-entropy against the teacher's distribution is returned, and its entropy is not taken off" named="cross_entropy"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    keep = labels != -100
    if not bool(keep.any()):
        return torch.tensor(0.0)
    p = torch.softmax(teacher_logits[keep] / temperature, dim=-1)
    return temperature ** 2 * F.cross_entropy(student_logits[keep] / temperature, p)


# %% task="kd_loss" right="no" mistake="label 0 is taken for padding as well, because the mask asks for labels above 0" named="label_zero_ignored"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    valid = (labels > 0).float()
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    kl = torch.sum(torch.exp(log_p) * (log_p - log_q), dim=-1)
    return temperature**2 * torch.sum(kl * valid) / torch.clamp(valid.sum(), min=1.0)


# %% task="kd_loss" right="no" mistake="the logits are multiplied by T, and the result is divided by T² (both the wrong way up)" named="logits_multiplied_by_temperature"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    beta = temperature
    keep = labels != -100
    n = int(keep.sum())
    if n == 0:
        return 0
    lp = torch.log_softmax(beta * teacher_logits[keep], -1)
    lq = torch.log_softmax(beta * student_logits[keep], -1)
    return (lp.exp() * (lp - lq)).sum() / (n * beta ** 2)


# %% task="kd_loss" right="no" mistake="the mean is taken per text and then over the texts, and a text of padding alone pulls it down" named="mean_of_means"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    losses = []
    for s, t, y in zip(student_logits, teacher_logits, labels):
        keep = y != -100
        if keep.sum() == 0:
            losses.append(torch.tensor(0.0))
            continue
        kl = F.kl_div((s[keep] / temperature).log_softmax(-1), (t[keep] / temperature).softmax(-1), reduction="batchmean")
        losses.append(kl * temperature ** 2)
    return torch.stack(losses).mean()


# %% task="kd_loss" right="no" mistake="the probabilities at T = 1 are divided by the temperature once more: softmax first, and then the softmax of the result over T" named="softmax_twice"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    keep = labels != -100
    if not keep.any():
        return torch.tensor(0.0)
    p = F.softmax(F.softmax(teacher_logits[keep], -1) / temperature, -1)
    log_q = F.log_softmax(F.softmax(student_logits[keep], -1) / temperature, -1)
    return temperature ** 2 * F.kl_div(log_q, p, reduction="batchmean")


# %% task="kd_loss" right="accident" mistake="the argument is called by a name that does not exist"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
    log_q = F.log_softmax(student_logits / temp, dim=-1)
    log_p = F.log_softmax(teacher_logits / temp, dim=-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1)
    return temp ** 2 * (kl * mask).sum() / mask.sum().clamp(min=1)


# %% task="combined_objective" right="yes" mistake=""
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    return lm_loss(student_logits, labels) + lam * kd_loss(student_logits, teacher_logits, labels, temperature)


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


# %% task="combined_objective" right="yes" mistake=""
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    weights = (1.0, lam)
    losses = (
        lm_loss(student_logits, labels),
        kd_loss(student_logits, teacher_logits, labels, temperature=temperature),
    )
    return float(sum(w * l for w, l in zip(weights, losses)))


# %% task="combined_objective" right="no" mistake="the temperature is not passed on, so KD is always at T = 1" named="temperature_not_passed_on"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    lm = lm_loss(student_logits, labels)
    kd = kd_loss(student_logits, teacher_logits, labels)
    return lm + lam * kd


# %% task="combined_objective" right="no" mistake="the student's logits are divided by the temperature for LM too" named="lm_loss_at_temperature"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    """LM + λ·KD: one number."""
    hard = lm_loss(student_logits / temperature, labels)
    soft = kd_loss(student_logits, teacher_logits, labels, temperature)
    return hard + lam * soft


# %% task="combined_objective" right="no" mistake="lam is passed where kd_loss wants the temperature, and the temperature is lost" named="observed_unmoved"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    return lm_loss(student_logits, labels) + kd_loss(student_logits, teacher_logits, labels, lam)


# %% task="combined_objective" right="no" mistake="LM is weighted by 1 - lam, which is the formula of the convex twin" named="lambda_as_alpha"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    lm = lm_loss(student_logits, labels)
    kd = kd_loss(student_logits, teacher_logits, labels, temperature)
    return (1 - lam) * lm + lam * kd


# %% task="combined_objective" right="no" mistake="kd_loss already carries T², and the square is multiplied in a second time" named="t_squared_twice"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    """LM + λ·KD: one number."""
    kd = kd_loss(student_logits, teacher_logits, labels, temperature)
    return lm_loss(student_logits, labels) + lam * (temperature ** 2) * kd  # T^2 keeps the gradients in scale


# %% task="combined_objective" right="no" mistake="teacher and student are handed to kd_loss in the wrong order" named="direction_swapped"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    kd = kd_loss(teacher_logits, student_logits, labels, temperature)
    return lm_loss(student_logits, labels).add(lam * kd)


# %% task="combined_objective" right="no" mistake="the sum is divided by 1 + lam, so that the weights add to one" named="other_weights"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    lm, kd = lm_loss(student_logits, labels), kd_loss(student_logits, teacher_logits, labels, temperature)
    return (lm + lam * kd) / (1 + lam)


# %% task="combined_objective" right="no" mistake="lam multiplies LM and not KD, and the temperature is left out" named="lambda_on_the_wrong_term,temperature_not_passed_on"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    return lam * lm_loss(student_logits, labels) + kd_loss(student_logits, teacher_logits, labels)


# %% task="convex_objective" right="yes" mistake=""
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    lm = lm_loss(student_logits, labels)
    kd = kd_loss(student_logits, teacher_logits, labels, temperature)
    return lm + alpha * (kd - lm)


# %% task="convex_objective" right="yes" mistake=""
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    """(1 - α)·LM + α·KD: one number."""
    if alpha == 0:
        return lm_loss(student_logits, labels)
    if alpha == 1:
        return kd_loss(student_logits, teacher_logits, labels, temperature)
    return (1 - alpha) * combined_objective(student_logits, teacher_logits, labels, alpha / (1 - alpha), temperature)


# %% task="convex_objective" right="no" mistake="the combined objective is rescaled by 1 - alpha with lam = alpha/(1 - alpha), which divides by zero at alpha = 1" named="divided_by_one_minus_alpha"
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    lam = alpha / (1 - alpha)
    return (1 - alpha) * combined_objective(student_logits, teacher_logits, labels, lam, temperature)


# %% task="convex_objective" right="no" mistake="the two weights are exchanged: alpha stands before LM" named="alpha_on_the_wrong_term"
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    # alpha * hard + (1 - alpha) * soft
    return alpha * lm_loss(student_logits, labels) + (1 - alpha) * kd_loss(student_logits, teacher_logits, labels, temperature)


# %% task="convex_objective" right="no" mistake="an alpha of 0 is taken for a missing one and replaced by 0.5" named="zero_alpha_replaced"
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    """(1 - α)·LM + α·KD: one number."""
    alpha = alpha or 0.5
    lm = lm_loss(student_logits, labels)
    kd = kd_loss(student_logits, teacher_logits, labels, temperature=temperature)
    return (1.0 - alpha) * lm + alpha * kd


# %% task="convex_objective" right="no" mistake="the combined objective is called with alpha and multiplied by 1 - alpha, so KD gets the weight alpha·(1 - alpha)" named="other_weights"
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    return (1 - alpha) * combined_objective(student_logits, teacher_logits, labels, alpha, temperature)


# %% task="convex_objective" right="no" mistake="the logits of the two models are mixed instead of the two losses"
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    mixed = (1 - alpha) * student_logits + alpha * teacher_logits
    return lm_loss(mixed / temperature, labels)


# %% task="convex_objective" right="no" mistake="the losses are mixed geometrically, LM to the power 1 - alpha times KD to the power alpha"
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    lm = lm_loss(student_logits, labels)
    kd = kd_loss(student_logits, teacher_logits, labels, temperature)
    return lm ** (1 - alpha) * kd ** alpha


# %% task="convex_objective" right="no" mistake="alpha = 1 switches the teacher off and alpha = 0 the archive: the shortcuts for the two ends are exchanged, the middle is right" named="observed_where"
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    lm = lm_loss(student_logits, labels)
    kd = kd_loss(student_logits, teacher_logits, labels, temperature)
    if alpha == 0.0:
        return kd
    if alpha == 1.0:
        return lm
    return (1 - alpha) * lm + alpha * kd


# %% task="best_probability" right="yes" mistake=""
lam, p = 2, 0.4
best_probability = (1 + lam * p) / (1 + lam)


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


# %% task="best_probability" right="no" mistake="the plain average of 1 and 0.4, as if both sources weighed the same" named="plain_average"
best_probability = (1.0 + 0.4) / 2


# %% task="best_probability" right="no" mistake="the weights are exchanged: the archive gets 2 and the teacher 1" named="weights_swapped"
best_probability = (2 * 1 + 1 * 0.4) / 3


# %% task="best_probability" right="no" mistake="lambda times the teacher's probability, without the archive's word" named="weights_swapped"
lam = 2
best_probability = lam * 0.4


# %% task="best_probability" right="no" mistake="the student was thought to end at the teacher, whose probability this is" named="teacher_copied"
best_probability = 0.40


# %% task="objective_gradients" right="yes" mistake=""
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.detach().clone().requires_grad_(True)
    loss = combined_objective(s, teacher_logits.detach(), labels, lam, temperature)
    (grad,) = torch.autograd.grad(loss, s)
    return grad, torch.zeros_like(teacher_logits)


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
from torch.func import grad

def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    keep = torch.nonzero(labels.reshape(-1) != -100).squeeze(1)
    y = labels.reshape(-1)[keep]
    teacher = teacher_logits.detach()

    def loss(z):
        z = z.flatten(0, 1)[keep]
        t = teacher.flatten(0, 1)[keep]
        lm = F.cross_entropy(z, y)
        kd = F.kl_div(F.log_softmax(z / temperature, -1), F.softmax(t / temperature, -1), reduction="batchmean")
        return lm + lam * temperature ** 2 * kd

    return grad(loss)(student_logits), teacher * 0.0


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


# %% task="objective_gradients" right="no" mistake="the gradient is read from the caller's own tensor and never reset, so a second call with the same batch gives twice as much" named="asked_again"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    student_logits.requires_grad_(True)
    loss = combined_objective(student_logits, teacher_logits.detach(), labels, lam, temperature)
    loss.backward()
    return student_logits.grad, torch.zeros_like(teacher_logits)


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


# %% task="objective_gradients" right="no" mistake="None is returned for the teacher where a tensor of zeros is asked for" named="another_form"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.clone().detach().requires_grad_(True)
    t = teacher_logits.clone().detach()
    combined_objective(s, t, labels, lam, temperature).backward()
    return s.grad, t.grad


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


# %% task="objective_gradients" right="no" mistake="the KD part is not masked, so positions that do not count get a gradient from the teacher" named="teacher_rows_kept"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.detach().clone().requires_grad_(True)
    n = (labels != -100).sum()
    lm = F.cross_entropy(s.flatten(0, 1), labels.flatten())
    kl = F.kl_div(F.log_softmax(s / temperature, -1), F.softmax(teacher_logits.detach() / temperature, -1), reduction="sum")
    loss = lm + lam * temperature ** 2 * kl / n
    loss.backward()
    return s.grad, torch.zeros_like(teacher_logits)


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


# %% task="objective_gradients" right="no" mistake="the gradient of the sum is returned, the division by the number of positions that count is missing" named="summed"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    mask = labels.ne(-100).unsqueeze(-1)
    y = F.one_hot(labels.clamp_min(0), student_logits.shape[-1])
    lm_part = torch.softmax(student_logits, -1) - y
    kd_part = temperature * (torch.softmax(student_logits / temperature, -1) - torch.softmax(teacher_logits / temperature, -1))
    return (lm_part + lam * kd_part) * mask, torch.zeros_like(teacher_logits)


# %% task="objective_gradients" right="no" mistake="the clone that got the gradient is no leaf, so its .grad is None" named="another_form"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    student_logits = student_logits.detach().requires_grad_(True)
    s = student_logits * 1.0
    loss = combined_objective(s, teacher_logits.detach(), labels, lam, temperature)
    loss.backward()
    return s.grad, torch.zeros_like(teacher_logits)


# %% task="objective_gradients" right="no" mistake="the teacher's zero is a tensor with a single entry and not of the logits' shape" named="another_form"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = torch.nn.Parameter(student_logits.detach().clone())
    loss = combined_objective(s, teacher_logits.detach(), labels, lam, temperature)
    return torch.autograd.grad(loss, s)[0], torch.tensor(0.0)


# %% task="objective_gradients" right="no" mistake="the LM part uses the student's distribution at temperature T, and the caller's labels are set to 0 where they were -100" named="asked_again,lm_loss_at_temperature"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    mask = (labels != -100).unsqueeze(-1)
    labels[labels == -100] = 0
    onehot = F.one_hot(labels, student_logits.shape[-1]).float()
    q = (student_logits / temperature).softmax(-1)
    p = (teacher_logits / temperature).softmax(-1)
    grad = ((q - onehot) + lam * temperature * (q - p)) * mask / mask.sum()
    return grad, torch.zeros_like(grad)


# %% task="objective_gradients" right="no" mistake="only the row sums over the vocabulary are kept, so the gradient has lost an axis (and is nearly zero everywhere)" named="another_form"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.detach().clone().requires_grad_(True)
    combined_objective(s, teacher_logits.detach(), labels, lam, temperature).backward()
    return s.grad.sum(dim=-1), torch.zeros(labels.shape)


# %% task="objective_gradients" right="accident" mistake="a debugging exit() was left in front of the return"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.detach().clone().requires_grad_(True)
    combined_objective(s, teacher_logits.detach(), labels, lam, temperature).backward()
    print(s.grad.shape)
    exit()
    return s.grad, torch.zeros_like(teacher_logits)


# ---------------------------------------------------------------- another class

# %% task="two_sources_choice" right="yes" mistake=""
two_sources = "c"


# %% task="two_sources_choice" right="no" mistake="thinks of two phases, one after the other" named="chose_a"
two_sources = "a"


# %% task="two_sources_choice" right="no" mistake="confuses averaging losses with averaging weights" named="chose_b"
two_sources = "b"


# %% task="two_sources_choice" right="no" mistake="thinks that the teacher corrects the labels" named="chose_d"
two_sources = "d"


# %% task="two_sources_choice" right="accident" mistake="the letter is written without quotes"
two_sources = c


# %% task="lm_loss" right="yes" mistake=""
def lm_loss(student_logits, labels):
    V = student_logits.shape[-1]
    total = F.cross_entropy(student_logits.reshape(-1, V), labels.reshape(-1), ignore_index=-100, reduction="sum")
    return total / (labels != -100).sum().clamp(min=1)


# %% task="lm_loss" right="yes" mistake=""
def lm_loss(student_logits, labels):
    losses = []
    for b in range(labels.shape[0]):
        for i in range(labels.shape[1]):
            y = int(labels[b, i])
            if y == -100:
                continue
            z = student_logits[b, i]
            losses.append(torch.logsumexp(z, 0) - z[y])
    if not losses:
        return 0
    return sum(losses) / len(losses)


# %% task="lm_loss" right="yes" mistake=""
def lm_loss(student_logits, labels):
    keep = labels.ne(-100)
    if not keep.any():
        return student_logits.sum() * 0.0      # keeps the graph
    dist = torch.distributions.Categorical(logits=student_logits[keep])
    return -dist.log_prob(labels[keep]).mean()


# %% task="lm_loss" right="yes" mistake=""
def lm_loss(student_logits, labels):
    # |z| <= 35, so neither exp nor the log of the softmax can under- or overflow here
    q = torch.exp(student_logits)
    q = q / q.sum(-1, keepdim=True)
    mask = (labels >= 0).float()
    y = labels * (labels >= 0)
    picked = (q * F.one_hot(y, q.shape[-1])).sum(-1)
    n = mask.sum().item()
    return (-(picked.log() * mask).sum() / n).item() if n else 0.0


# %% task="lm_loss" right="yes" mistake=""
def lm_loss(student_logits, labels):
    loss = F.cross_entropy(student_logits.permute(0, 2, 1), labels)
    return torch.nan_to_num(loss, nan=0.0)


# %% task="lm_loss" right="no" mistake="a batch in which nothing counts gives NaN" named="nan_when_nothing_counts"
def lm_loss(student_logits, labels):
    return F.cross_entropy(student_logits.flatten(0, 1), labels.flatten(), ignore_index=-100)


# %% task="lm_loss" right="no" mistake="a batch in which nothing counts gives a tensor with one axis" named="another_form,observed_where"
def lm_loss(student_logits, labels):
    mask = labels != -100
    if mask.sum() == 0:
        return torch.zeros(1)
    return F.cross_entropy(student_logits[mask], labels[mask])


# %% task="lm_loss" right="no" mistake="label 0 is taken for padding" named="label_zero_ignored"
def lm_loss(student_logits, labels):
    mask = labels > 0
    if not mask.any():
        return torch.tensor(0.0)
    logq = F.log_softmax(student_logits, dim=-1)
    nll = -logq.gather(-1, labels.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    return nll[mask].mean()


# %% task="lm_loss" right="no" mistake="the mean of each text is taken first and then the mean over the texts" named="mean_of_means"
def lm_loss(student_logits, labels):
    mask = (labels != -100).float()
    nll = F.cross_entropy(student_logits.transpose(1, 2), labels, ignore_index=-100, reduction="none")
    per_text = (nll * mask).sum(1) / mask.sum(1).clamp(min=1)
    return per_text.mean()


# %% task="lm_loss" right="no" mistake="the labels are overwritten in place, so the same batch counts its padding as token 0 the next time" named="asked_again"
def lm_loss(student_logits, labels):
    mask = labels != -100
    labels[~mask] = 0
    nll = -F.log_softmax(student_logits, -1).gather(-1, labels[..., None])[..., 0]
    return (nll * mask).sum() / mask.sum().clamp(min=1)


# %% task="lm_loss" right="no" mistake="logits and labels are shifted against each other by one position" named="labels_shifted"
def lm_loss(student_logits, labels):
    shift_logits = student_logits[..., :-1, :].contiguous()
    shift_labels = labels[..., 1:].contiguous()
    n = (shift_labels != -100).sum()
    if n == 0:
        return torch.tensor(0.)
    return F.cross_entropy(shift_logits.view(-1, shift_logits.size(-1)), shift_labels.view(-1), ignore_index=-100)


# %% task="lm_loss" right="no" mistake="divided by all positions and not by those that count" named="divided_by_all_positions"
def lm_loss(student_logits, labels):
    nll = F.cross_entropy(student_logits.flatten(0, 1), labels.flatten(), reduction="none")
    return nll.mean()


# %% task="lm_loss" right="no" mistake="1 is added to the number of positions against division by zero" named="number_added_to_the_count"
def lm_loss(student_logits, labels):
    s = F.cross_entropy(student_logits.flatten(0, 1), labels.flatten(), reduction="sum")
    count = (labels != -100).sum()
    return s / (count + 1)


# %% task="lm_loss" right="no" mistake="1e-9 is added inside the logarithm, so that very unlikely words cost about 20.7 at most" named="epsilon_in_the_logarithm"
def lm_loss(student_logits, labels):
    mask = labels != -100
    if mask.sum() == 0:
        return 0.0
    q = F.softmax(student_logits[mask], dim=-1)
    return -torch.log(q[torch.arange(len(q)), labels[mask]] + 1e-9).mean()


# %% task="lm_loss" right="no" mistake="nll_loss is fed with the raw logits, no softmax at all" named="softmax_left_out"
def lm_loss(student_logits, labels):
    flat = student_logits.reshape(-1, student_logits.size(-1))
    if (labels == -100).all():
        return torch.tensor(0.0)
    return F.nll_loss(flat, labels.reshape(-1), ignore_index=-100)


# %% task="lm_loss" right="no" mistake="the mask is multiplied on the logits, so padded positions cost log V each and count in the mean of all positions" named="masked_logits_counted"
def lm_loss(student_logits, labels):
    mask = (labels != -100)
    logits = student_logits * mask.unsqueeze(-1)
    targets = torch.where(mask, labels, torch.zeros_like(labels))
    if mask.sum() == 0:
        return torch.tensor(0.0)
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1))


# %% task="lm_loss" right="no" mistake="probabilities are given to cross_entropy, which takes a softmax again; NaN for an empty batch too" named="softmax_twice"
def lm_loss(student_logits, labels):
    probs = F.softmax(student_logits, dim=-1)
    return F.cross_entropy(probs.view(-1, probs.size(-1)), labels.view(-1), ignore_index=-100)


# %% task="lm_loss" right="no" mistake="a text without any counted position makes the whole batch cost 0" named="one_text_empties_the_batch"
def lm_loss(student_logits, labels):
    counts = (labels != -100).sum(dim=1)
    if 0 in counts.tolist():
        return torch.tensor(0.0)
    return F.cross_entropy(student_logits.flatten(0, 1), labels.flatten())


# %% task="kd_loss" right="yes" mistake=""
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
    if not mask.any():
        return torch.zeros(())
    log_q = F.log_softmax(student_logits[mask] / temperature, dim=-1)
    p = F.softmax(teacher_logits[mask].detach() / temperature, dim=-1)
    return temperature ** 2 * F.kl_div(log_q, p, reduction="batchmean")


# %% task="kd_loss" right="yes" mistake=""
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    # logits may be changed: where nothing counts both models become the same, KL is 0 there
    student_logits[labels == -100] = 0.0
    teacher_logits[labels == -100] = 0.0
    lq = torch.log_softmax(student_logits / temperature, -1)
    lp = torch.log_softmax(teacher_logits / temperature, -1)
    n = max(int((labels != -100).sum()), 1)
    return torch.einsum("blv,blv->", lp.exp(), lp - lq) * temperature ** 2 / n


# %% task="kd_loss" right="yes" mistake=""
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    T = temperature
    zs, zt = student_logits / T, teacher_logits / T
    # exp of at most 70: no overflow in float32
    Zs, Zt = zs.exp().sum(-1), zt.exp().sum(-1)
    p = zt.exp() / Zt[..., None]
    kl = (p * (zt - zs)).sum(-1) - Zt.log() + Zs.log()
    counts = (labels != -100).to(kl.dtype)
    N = counts.sum()
    return T * T * (kl * counts).sum() / torch.where(N > 0, N, torch.ones_like(N))


# %% task="kd_loss" right="yes" mistake=""
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    def positions():
        for s, t, y in zip(student_logits.flatten(0, 1), teacher_logits.flatten(0, 1), labels.flatten().tolist()):
            if y != -100:
                yield s, t

    def kl(s, t):
        p = torch.distributions.Categorical(logits=t.double() / temperature)
        q = torch.distributions.Categorical(logits=s.double() / temperature)
        return torch.distributions.kl_divergence(p, q)

    values = [kl(s, t) for s, t in positions()]
    return temperature ** 2 * torch.stack(values).mean() if values else 0.0


# %% task="kd_loss" right="no" mistake="T squared is forgotten" named="t_squared_missing"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
    if mask.sum() == 0:
        return torch.tensor(0.0)
    lq = F.log_softmax(student_logits / temperature, dim=-1)
    lp = F.log_softmax(teacher_logits / temperature, dim=-1)
    kl = F.kl_div(lq, lp, log_target=True, reduction="none").sum(-1)
    return kl[mask].mean()


# %% task="kd_loss" right="no" mistake="batchmean on [B, L, V] divides by B, and the padding counts" named="batch_mean_unmasked"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    soft_targets = F.softmax(teacher_logits / temperature, dim=-1)
    soft_prob = F.log_softmax(student_logits / temperature, dim=-1)
    return F.kl_div(soft_prob, soft_targets, reduction="batchmean") * (temperature ** 2)


# %% task="kd_loss" right="no" mistake="batchmean divides by the number of texts although the padding is masked out" named="batch_mean"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = (labels != -100).unsqueeze(-1)
    s = student_logits.masked_fill(~mask, 0.0)
    t = teacher_logits.masked_fill(~mask, 0.0)
    return temperature**2 * F.kl_div(F.log_softmax(s / temperature, -1), F.log_softmax(t / temperature, -1),
                                     reduction="batchmean", log_target=True)


# %% task="kd_loss" right="no" mistake="masked_select flattens to one axis, and batchmean then divides by N times V" named="vocabulary_mean"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = (labels != -100)
    if mask.sum() == 0:
        return torch.tensor(0.0)
    lq = F.log_softmax(student_logits / temperature, dim=-1)
    p = F.softmax(teacher_logits / temperature, dim=-1)
    m = mask.unsqueeze(-1).expand_as(lq)
    return F.kl_div(lq.masked_select(m), p.masked_select(m), reduction="batchmean") * temperature ** 2


# %% task="kd_loss" right="no" mistake="the masked logits are flattened to one row before the softmax, so all positions share one distribution" named="softmax_on_another_axis"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    m = (labels != -100).unsqueeze(-1).expand_as(student_logits)
    n = (labels != -100).sum()
    if n == 0:
        return torch.tensor(0.0)
    lq = F.log_softmax(student_logits.masked_select(m) / temperature, dim=-1)
    lp = F.log_softmax(teacher_logits.masked_select(m) / temperature, dim=-1)
    return temperature ** 2 * (lp.exp() * (lp - lq)).sum() / n


# %% task="kd_loss" right="no" mistake="only the teacher is softened by the temperature" named="temperature_on_the_teacher_alone"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
    N = mask.sum().clamp_min(1)
    p = F.softmax(teacher_logits / temperature, dim=-1)
    log_q = F.log_softmax(student_logits, dim=-1)
    kl = F.kl_div(log_q, p, reduction="none").sum(-1)
    return temperature ** 2 * (kl * mask).sum() / N


# %% task="kd_loss" right="yes" mistake=""
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
    p = F.softmax(teacher_logits / temperature, dim=-1)
    q = F.softmax(student_logits / temperature, dim=-1)
    kl = (p * (p.log() - q.log())).sum(-1)
    if mask.sum() == 0:
        return 0.0
    return temperature ** 2 * kl[mask].mean()


# %% task="kd_loss" right="no" mistake="KL the other way round, and a batch in which nothing counts gives NaN" named="direction_swapped"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    valid = labels != -100
    q = F.log_softmax(student_logits[valid] / temperature, dim=-1)
    p = F.log_softmax(teacher_logits[valid] / temperature, dim=-1)
    return temperature ** 2 * F.kl_div(p, q, reduction="batchmean", log_target=True)


# %% task="kd_loss" right="no" mistake="only the cross-entropy with the teacher's soft labels, whose own entropy is not subtracted" named="cross_entropy"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    keep = labels.view(-1) != -100
    if keep.sum() == 0:
        return student_logits.new_zeros(())
    s = student_logits.view(-1, student_logits.size(-1))[keep] / temperature
    t = teacher_logits.view(-1, teacher_logits.size(-1))[keep] / temperature
    # cross_entropy accepts class probabilities as target
    return temperature ** 2 * F.cross_entropy(s, t.softmax(-1))


# %% task="kd_loss" right="no" mistake="the KL of the masked positions is right but it is averaged over all B times L positions" named="divided_by_all_positions"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = (labels != -100).float()
    p = F.log_softmax(teacher_logits / temperature, dim=-1)
    q = F.log_softmax(student_logits / temperature, dim=-1)
    kl = (p.exp() * (p - q)).sum(dim=-1) * mask
    return kl.mean() * temperature ** 2


# %% task="kd_loss" right="no" mistake="a batch in which nothing counts is asked for with 'is' on a tensor, so the guard never works and NaN comes out" named="nan_when_nothing_counts"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
    n = mask.sum()
    if n is 0:
        return torch.tensor(0.0)
    lp = F.log_softmax(teacher_logits / temperature, -1)
    lq = F.log_softmax(student_logits / temperature, -1)
    kl = (lp.exp() * (lp - lq)).sum(-1)
    return temperature ** 2 * (kl * mask).sum() / n


# %% task="kd_loss" right="no" mistake="the temperature is divided out of the log-probabilities after the softmax without normalising again" named="temperature_after_softmax"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
    log_p = F.log_softmax(teacher_logits, dim=-1) / temperature
    log_q = F.log_softmax(student_logits, dim=-1) / temperature
    kl = (log_p.exp() * (log_p - log_q)).sum(-1)
    return (temperature ** 2) * (kl * mask).sum() / max(mask.sum().item(), 1)


# %% task="kd_loss" right="accident" mistake="the caret is used as power, which Python does not have for floats"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
    if not mask.any(): return torch.tensor(0.0)
    lp = F.log_softmax(teacher_logits[mask] / temperature, -1)
    lq = F.log_softmax(student_logits[mask] / temperature, -1)
    return temperature^2 * (lp.exp() * (lp - lq)).sum(-1).mean()


# %% task="combined_objective" right="yes" mistake=""
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    return lm_loss(student_logits, labels) + lam * kd_loss(student_logits, teacher_logits, labels, temperature)


# %% task="combined_objective" right="yes" mistake=""
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    keep = labels != -100
    s, t, y = student_logits[keep], teacher_logits[keep], labels[keep]
    hard = F.cross_entropy(s, y)
    lp, lq = (torch.log_softmax(x / temperature, dim=-1) for x in (t, s))
    soft = (lp.exp() * (lp - lq)).sum(dim=-1).mean() * temperature ** 2
    return torch.add(hard, soft, alpha=lam)


# %% task="combined_objective" right="no" mistake="the logits are divided by the temperature in place before LM is taken, so LM is not at T = 1" named="lm_loss_at_temperature"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    mask = labels != -100
    student_logits /= temperature
    teacher_logits /= temperature
    kd = F.kl_div(student_logits[mask].log_softmax(-1), teacher_logits[mask].softmax(-1), reduction="batchmean")
    lm = F.cross_entropy(student_logits[mask], labels[mask])
    return lm + lam * temperature ** 2 * kd


# %% task="combined_objective" right="no" mistake="the temperature is not handed on to KD" named="temperature_not_passed_on"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    lm = lm_loss(student_logits, labels)
    kd = kd_loss(student_logits, teacher_logits, labels)
    return lm + lam * kd


# %% task="combined_objective" right="no" mistake="T squared is multiplied on once more, although kd_loss has it already" named="t_squared_twice"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    return (lm_loss(student_logits, labels)
            + lam * temperature ** 2 * kd_loss(student_logits, teacher_logits, labels, temperature=temperature))


# %% task="combined_objective" right="no" mistake="a lambda of 0 is replaced by 1" named="zero_lambda_replaced"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    lam = lam or 1.0
    return lm_loss(student_logits, labels) + lam * kd_loss(student_logits, teacher_logits, labels, temperature)


# %% task="combined_objective" right="no" mistake="lambda is cut to the interval from 0 to 1 as if it were a mixing weight" named="lambda_kept_below_one"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    lam = min(max(lam, 0.0), 1.0)
    lm = lm_loss(student_logits, labels)
    kd = kd_loss(student_logits, teacher_logits, labels, temperature)
    return lm + lam * kd


# %% task="combined_objective" right="no" mistake="LM is taken at the temperature too" named="lm_loss_at_temperature"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    lm = lm_loss(student_logits / temperature, labels)
    kd = kd_loss(student_logits, teacher_logits, labels, temperature)
    return lm + lam * kd


# %% task="combined_objective" right="no" mistake="teacher and student change places in the call of kd_loss" named="direction_swapped"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    return lm_loss(student_logits, labels) + lam * kd_loss(teacher_logits, student_logits, labels, temperature)


# %% task="combined_objective" right="no" mistake="the two losses are returned beside their sum" named="another_form"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    lm = lm_loss(student_logits, labels)
    kd = kd_loss(student_logits, teacher_logits, labels, temperature)
    loss = lm + lam * kd
    return loss, lm, kd


# %% task="combined_objective" right="accident" mistake="the Greek letter's English name is used as a variable name, which is a keyword"
def combined_objective(student_logits, teacher_logits, labels, lambda, temperature=1.0):
    return lm_loss(student_logits, labels) + lambda * kd_loss(student_logits, teacher_logits, labels, temperature)


# %% task="convex_objective" right="yes" mistake=""
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    lm = lm_loss(student_logits, labels)
    return lm + alpha * (kd_loss(student_logits, teacher_logits, labels, temperature) - lm)


# %% task="convex_objective" right="yes" mistake=""
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    if alpha == 1:
        return kd_loss(student_logits, teacher_logits, labels, temperature=temperature)
    weight = 1 - alpha
    # factor out (1 - alpha): the additive form with lambda = alpha / (1 - alpha)
    return weight * (lm_loss(student_logits, labels)
                     + alpha / weight * kd_loss(student_logits, teacher_logits, labels, temperature=temperature))


# %% task="convex_objective" right="no" mistake="the two weights are exchanged" named="alpha_on_the_wrong_term"
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    lm = lm_loss(student_logits, labels)
    kd = kd_loss(student_logits, teacher_logits, labels, temperature)
    return alpha * lm + (1 - alpha) * kd


# %% task="convex_objective" right="no" mistake="written with lambda = alpha / (1 - alpha), which divides by zero at alpha = 1" named="divided_by_one_minus_alpha"
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    lam = alpha / (1 - alpha)
    total = lm_loss(student_logits, labels) + lam * kd_loss(student_logits, teacher_logits, labels, temperature)
    return (1 - alpha) * total


# %% task="convex_objective" right="no" mistake="a small number in the denominator avoids the division by zero, but at alpha = 1 the result is 0" named="nothing_at_alpha_one"
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    lam = alpha / (1 - alpha + 1e-8)
    lm = lm_loss(student_logits, labels)
    kd = kd_loss(student_logits, teacher_logits, labels, temperature)
    return (1 - alpha) * (lm + lam * kd)


# %% task="convex_objective" right="no" mistake="parentheses are missing: 1 minus alpha times LM" named="brackets_missing"
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    lm = lm_loss(student_logits, labels)
    kd = kd_loss(student_logits, teacher_logits, labels, temperature)
    return 1 - alpha * lm + alpha * kd


# %% task="convex_objective" right="no" mistake="alpha = 0 is taken for not given and replaced by one half" named="zero_alpha_replaced"
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    if not alpha:
        alpha = 0.5
    lm, kd = lm_loss(student_logits, labels), kd_loss(student_logits, teacher_logits, labels, temperature)
    return (1 - alpha) * lm + alpha * kd


# %% task="convex_objective" right="no" mistake="the logits are mixed by alpha and not the losses" named="targets_mixed"
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    mask = labels != -100
    onehot = F.one_hot(labels[mask], student_logits.shape[-1]).float()
    target = (1 - alpha) * onehot + alpha * F.softmax(teacher_logits[mask] / temperature, -1)
    return F.kl_div(F.log_softmax(student_logits[mask] / temperature, -1), target, reduction="batchmean") * temperature ** 2


# %% task="best_probability" right="yes" mistake=""
best_probability = 0.6


# %% task="best_probability" right="yes" mistake=""
# maximise  log q + 2 * (0.4 log q + 0.6 log(1 - q))
z = torch.zeros(2, dtype=torch.float64, requires_grad=True)
opt = torch.optim.SGD([z], lr=0.5)
for _ in range(300):
    logq = F.log_softmax(z, 0)
    loss = -logq[0] + 2 * F.kl_div(logq, torch.tensor([0.4, 0.6], dtype=torch.float64), reduction="sum")
    opt.zero_grad()
    loss.backward()
    opt.step()
best_probability = round(logq[0].exp().item(), 3)


# %% task="best_probability" right="no" mistake="the two weights are exchanged: (2 + 0.4) / 3" named="weights_swapped"
best_probability = (2 * 1.0 + 0.4) / 3


# %% task="best_probability" right="no" mistake="plain average of 1 and 0.4, lambda is not used" named="plain_average"
best_probability = 0.7


# %% task="best_probability" right="no" mistake="the sum is not divided by 1 + lambda and then cut at 1" named="label_alone"
best_probability = min(1 + 2 * 0.4, 1.0)


# %% task="best_probability" right="no" mistake="geometric mixture: 0.4 to the power two thirds" named="geometric_mean"
best_probability = 0.4 ** (2 / 3)


# %% task="best_probability" right="accident" mistake="a decimal comma makes a pair of numbers"
best_probability = 0,6


# %% task="objective_gradients" right="yes" mistake=""
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.detach().clone().requires_grad_(True)
    t = teacher_logits.detach()
    loss = lm_loss(s, labels) + lam * kd_loss(s, t, labels, temperature)
    (grad,) = torch.autograd.grad(loss, s)
    return grad, torch.zeros_like(teacher_logits)


# %% task="objective_gradients" right="yes" mistake=""
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    counts = labels != -100
    q1 = student_logits.softmax(-1)
    qT = (student_logits / temperature).softmax(-1)
    pT = (teacher_logits / temperature).softmax(-1)
    y = F.one_hot(labels.masked_fill(~counts, 0), q1.size(-1))
    g = (q1 - y) + lam * temperature * (qT - pT)
    return g * counts[..., None] / counts.sum(), 0 * g


# %% task="objective_gradients" right="yes" mistake=""
from torch.func import grad

def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    flat_y = labels.reshape(-1)
    idx = (flat_y != -100).nonzero().squeeze(1)

    def objective(z):
        z = z.reshape(-1, z.shape[-1])[idx]
        w = teacher_logits.reshape(-1, teacher_logits.shape[-1])[idx]
        lm = F.cross_entropy(z, flat_y[idx])
        kd = F.kl_div((z / temperature).log_softmax(-1), (w / temperature).softmax(-1), reduction="batchmean")
        return lm + lam * temperature ** 2 * kd

    return [grad(objective)(student_logits), torch.zeros(teacher_logits.shape)]


# %% task="objective_gradients" right="yes" mistake=""
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    gs = torch.zeros_like(student_logits, dtype=torch.float64)
    B, L, V = student_logits.shape
    n = sum(1 for row in labels.tolist() for y in row if y != -100)
    for b in range(B):
        for l in range(L):
            y = labels[b, l].item()
            if y == -100:
                continue
            z = student_logits[b, l].double()
            w = teacher_logits[b, l].double()
            gs[b, l] = torch.softmax(z, 0) + lam * temperature * (
                torch.softmax(z / temperature, 0) - torch.softmax(w / temperature, 0))
            gs[b, l, y] -= 1
    return (gs / n).float(), torch.zeros(B, L, V)


# %% task="objective_gradients" right="no" mistake="the logits that come in are made to require gradients and backward adds up in them when the same batch comes again" named="asked_again"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    student_logits.requires_grad_(True)
    loss = lm_loss(student_logits, labels) + lam * kd_loss(student_logits, teacher_logits.detach(), labels, temperature)
    loss.backward()
    return student_logits.grad, torch.zeros_like(teacher_logits)


# %% task="objective_gradients" right="no" mistake="in the paper gradient KD keeps the factor T squared, although one T cancels with the inner derivative" named="chain_rule_forgotten"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    mask = labels != -100
    N = mask.sum()
    onehot = F.one_hot(labels.clamp(min=0), student_logits.shape[-1]).float()
    lm_grad = F.softmax(student_logits, -1) - onehot
    kd_grad = temperature ** 2 * (F.softmax(student_logits / temperature, -1) - F.softmax(teacher_logits / temperature, -1))
    g = (lm_grad + lam * kd_grad) * mask.unsqueeze(-1) / N
    return g, torch.zeros_like(g)


# %% task="objective_gradients" right="no" mistake="the division by the number of counted positions is forgotten" named="summed"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    mask = (labels != -100).unsqueeze(-1)
    onehot = torch.zeros_like(student_logits).scatter_(-1, labels.clamp(min=0).unsqueeze(-1), 1.0)
    q = student_logits.softmax(-1)
    qT = (student_logits / temperature).softmax(-1)
    pT = (teacher_logits / temperature).softmax(-1)
    return mask * (q - onehot + lam * temperature * (qT - pT)), torch.zeros_like(teacher_logits)


# %% task="objective_gradients" right="no" mistake="the gradient at padded positions is not zero: clamped labels push token 0 up there" named="padding_in_the_sum"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    n = (labels != -100).sum()
    y = F.one_hot(labels.clamp(min=0), student_logits.shape[-1])
    g = F.softmax(student_logits, dim=-1) - y
    g = g + lam * temperature * (F.softmax(student_logits / temperature, dim=-1) - F.softmax(teacher_logits / temperature, dim=-1))
    return g / n, torch.zeros_like(g)


# %% task="objective_gradients" right="no" mistake="the teacher's true gradient is returned because its logits are not detached" named="gradient_into_the_teacher"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.clone().detach().requires_grad_()
    t = teacher_logits.clone().detach().requires_grad_()
    keep = labels != -100
    lm = F.cross_entropy(s[keep], labels[keep])
    kd = F.kl_div(F.log_softmax(s[keep] / temperature, -1), F.log_softmax(t[keep] / temperature, -1),
                  log_target=True, reduction="batchmean") * temperature ** 2
    (lm + lam * kd).backward()
    return s.grad, t.grad


# %% task="objective_gradients" right="no" mistake="None is returned for the teacher" named="another_form"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.detach().clone().requires_grad_()
    t = teacher_logits.detach().clone()
    (lm_loss(s, labels) + lam * kd_loss(s, t, labels, temperature)).backward()
    return s.grad, t.grad


# %% task="objective_gradients" right="no" mistake="finite differences with a tiny step in float32 return rounding noise" named="observed_total"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    def f(z):
        return float(lm_loss(z, labels)) + lam * float(kd_loss(z, teacher_logits.clone(), labels, temperature))
    eps = 1e-6
    g = torch.zeros_like(student_logits)
    base = student_logits.clone()
    for i in range(g.numel()):
        up, down = base.clone(), base.clone()
        up.view(-1)[i] += eps
        down.view(-1)[i] -= eps
        g.view(-1)[i] = (f(up) - f(down)) / (2 * eps)
    return g, torch.zeros_like(teacher_logits)


# %% task="objective_gradients" right="no" mistake="the student's logits are detached in the loss instead of the teacher's, so the gradients go to the wrong model" named="teacher_forgotten"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.detach().clone().requires_grad_()
    t = teacher_logits.detach().clone().requires_grad_()
    loss = lm_loss(s, labels) + lam * kd_loss(s.detach(), t, labels, temperature)
    loss.backward()
    return s.grad, torch.zeros_like(t)


# %% task="objective_gradients" right="no" mistake="the LM part is taken at the temperature as well and not at T = 1" named="lm_loss_at_temperature"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    m = labels != -100
    q = torch.softmax(student_logits / temperature, dim=-1)
    p = torch.softmax(teacher_logits / temperature, dim=-1)
    target = F.one_hot(torch.where(m, labels, 0), q.shape[-1]).to(q.dtype)
    grad = (q - target) + lam * temperature * (q - p)
    return grad * m[..., None] / m.sum(), torch.zeros_like(grad)


# %% task="objective_gradients" right="no" mistake="the gradient buffer is kept between calls in a default argument and adds up" named="asked_again"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0, _buffers={}):
    key = tuple(student_logits.shape)
    if key not in _buffers:
        _buffers[key] = torch.zeros_like(student_logits).requires_grad_()
    s = _buffers[key]
    with torch.no_grad():
        s.copy_(student_logits)
    (lm_loss(s, labels) + lam * kd_loss(s, teacher_logits, labels, temperature)).backward()
    return s.grad.clone(), torch.zeros_like(teacher_logits)


# %% task="objective_gradients" right="no" mistake="a scalar 0 is returned for the teacher, and the sign of the student's part is that of the update step" named="another_form"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.detach().clone().requires_grad_()
    loss = lm_loss(s, labels) + lam * kd_loss(s, teacher_logits, labels, temperature)
    loss.backward()
    return -s.grad, torch.tensor(0.0)


# %% task="objective_gradients" right="accident" mistake="exit() is left from trying things out"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.detach().clone().requires_grad_()
    loss = lm_loss(s, labels) + lam * kd_loss(s, teacher_logits, labels, temperature)
    loss.backward()
    print(s.grad)
    exit()
    return s.grad, torch.zeros_like(teacher_logits)


# %% task="lm_loss" right="no" mistake="positions whose loss is exactly 0 are taken for ignored ones, so a word that the student is sure of is not counted" named="losses_counted_by_their_size"
def lm_loss(student_logits, labels):
    nll = F.cross_entropy(student_logits.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="none")
    nll = nll[nll != 0]
    return nll.mean() if len(nll) else torch.tensor(0.0)


# %% task="lm_loss" right="no" mistake="the mask is taken from the clamped labels, so padding counts as token 0" named="masked_positions_counted"
def lm_loss(student_logits, labels):
    safe = labels.clamp(min=0)
    mask = safe != -100
    logq = student_logits.log_softmax(-1)
    nll = -torch.gather(logq, 2, safe.unsqueeze(2)).squeeze(2)
    return (nll * mask).sum() / mask.sum().clamp(min=1)


# %% task="lm_loss" right="accident" mistake="the loss is printed and not returned"
def lm_loss(student_logits, labels):
    mask = labels != -100
    loss = F.cross_entropy(student_logits[mask], labels[mask]) if mask.any() else torch.tensor(0.0)
    print("loss", loss)


# %% task="kd_loss" right="yes" mistake=""
import numpy as np

def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    keep = labels.numpy() != -100
    if keep.sum() == 0:
        return 0
    def logsm(x):
        x = x.detach().numpy()[keep].astype(np.float64) / temperature
        x -= x.max(1, keepdims=True)
        return x - np.log(np.exp(x).sum(1, keepdims=True))
    lp, lq = logsm(teacher_logits), logsm(student_logits)
    return float(temperature ** 2 * np.mean(np.sum(np.exp(lp) * (lp - lq), axis=1)))


# %% task="kd_loss" right="no" mistake="T squared is applied only for temperatures above 1" named="t_squared_on_one_side"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
    if not mask.any():
        return torch.tensor(0.0)
    scale = temperature ** 2 if temperature > 1 else 1.0
    lq = F.log_softmax(student_logits[mask] / temperature, -1)
    lp = F.log_softmax(teacher_logits[mask] / temperature, -1)
    return scale * (lp.exp() * (lp - lq)).sum(-1).mean()


# %% task="kd_loss" right="no" mistake="only the teacher's three largest tokens enter, to save memory" named="likeliest_tokens_alone"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0, k=3):
    mask = labels != -100
    if not mask.any():
        return student_logits.new_tensor(0.0)
    k = min(k, teacher_logits.shape[-1])
    log_p, idx = F.log_softmax(teacher_logits[mask] / temperature, -1).topk(k, dim=-1)
    log_q = F.log_softmax(student_logits[mask] / temperature, -1).gather(-1, idx)
    return temperature ** 2 * (log_p.exp() * (log_p - log_q)).sum(-1).mean()


# %% task="combined_objective" right="no" mistake="a counter of calls warms λ up, so the same batch costs more each time" named="asked_again"
class _Warmup:
    calls = 0

def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    _Warmup.calls += 1
    lam = lam * min(1.0, _Warmup.calls / 100)
    return lm_loss(student_logits, labels) + lam * kd_loss(student_logits, teacher_logits, labels, temperature)


# %% task="combined_objective" right="no" mistake="the sum is normalised by 1 + λ" named="other_weights"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    terms = torch.stack([torch.as_tensor(lm_loss(student_logits, labels)),
                         torch.as_tensor(kd_loss(student_logits, teacher_logits, labels, temperature))])
    weights = torch.tensor([1.0, lam])
    return (weights * terms).sum() / weights.sum()


# %% task="convex_objective" right="no" mistake="the temperature is not handed on when alpha is 1, a special case of its own" named="temperature_lost_at_one_end"
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    if alpha == 0:
        return lm_loss(student_logits, labels)
    if alpha == 1:
        return kd_loss(student_logits, teacher_logits, labels)
    return (1 - alpha) * lm_loss(student_logits, labels) + alpha * kd_loss(student_logits, teacher_logits, labels, temperature)


# %% task="convex_objective" right="no" mistake="alpha is handed on to combined_objective as if it were λ, with LM in full" named="other_weights"
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    lm = lm_loss(student_logits, labels)
    return (1 - alpha) * (lm + alpha * kd_loss(student_logits, teacher_logits, labels, temperature))


# %% task="best_probability" right="no" mistake="only the label's part is divided by 1 + lambda" named="one_part_divided"
best_probability = 1 / (1 + 2) + 0.4


# %% task="objective_gradients" right="no" mistake="the gradient is clipped to norm 1 as in a training loop" named="observed_component,observed_where"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = torch.nn.Parameter(student_logits.detach().clone())
    loss = lm_loss(s, labels) + lam * kd_loss(s, teacher_logits.detach(), labels, temperature)
    loss.backward()
    torch.nn.utils.clip_grad_norm_([s], 1.0)
    return s.grad, torch.zeros_like(teacher_logits)


# %% task="objective_gradients" right="no" mistake="paper gradient divided by all positions and not by those that count" named="divided_by_all_positions"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    B, L, V = student_logits.shape
    T = temperature
    grad = torch.zeros(B, L, V)
    for b in range(B):
        for l in range(L):
            if labels[b, l] != -100:
                q, qT, pT = (F.softmax(x, dim=0) for x in (student_logits[b, l], student_logits[b, l] / T, teacher_logits[b, l] / T))
                y = torch.zeros(V)
                y[labels[b, l]] = 1.0
                grad[b, l] = (q - y + lam * T * (qT - pT)) / (B * L)
    return grad, torch.zeros(B, L, V)


# %% task="objective_gradients" right="no" mistake="the zeros for the teacher have the labels' shape, without the vocabulary" named="another_form"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.detach().clone().requires_grad_()
    loss = lm_loss(s, labels) + lam * kd_loss(s, teacher_logits.detach(), labels, temperature)
    return torch.autograd.grad(loss, s)[0], torch.zeros_like(labels, dtype=torch.float32)


# %% task="two_sources_choice" right="yes" mistake=""
two_sources = "c"


# %% task="two_sources_choice" right="no" mistake="takes the sum of the losses for a schedule: first the teacher, then the archive" named="chose_a"
two_sources = "a"


# %% task="two_sources_choice" right="no" mistake="confuses the average of losses with an average of weights (like a moving-average teacher)" named="chose_b"
two_sources = "b"


# %% task="two_sources_choice" right="no" mistake="believes that the teacher's favourite replaces the archive's word" named="chose_d"
two_sources = 'd'


# %% task="lm_loss" right="yes" mistake=""
def lm_loss(student_logits, labels):
    V = student_logits.size(-1)
    if (labels != -100).sum() == 0:
        return torch.tensor(0.0)
    return F.cross_entropy(student_logits.reshape(-1, V), labels.reshape(-1), ignore_index=-100)


# %% task="lm_loss" right="yes" mistake=""
def lm_loss(student_logits, labels):
    mask = labels.ne(-100)
    safe = labels.masked_fill(~mask, 0)
    log_q = torch.log_softmax(student_logits, dim=-1)
    picked = torch.gather(log_q, 2, safe[..., None])[..., 0]
    return -(picked * mask).sum() / mask.sum().clamp(min=1)


# %% task="lm_loss" right="yes" mistake=""
def lm_loss(student_logits, labels):
    total, n = 0.0, 0
    for b in range(labels.shape[0]):
        for l in range(labels.shape[1]):
            y = int(labels[b, l])
            if y == -100:
                continue
            z = student_logits[b, l]
            total = total + torch.logsumexp(z, 0) - z[y]
            n += 1
    return total / n if n > 0 else 0.0


# %% task="lm_loss" right="yes" mistake=""
def lm_loss(student_logits, labels):
    # cross_entropy wants the classes in dimension 1
    losses = F.cross_entropy(student_logits.transpose(1, 2), labels, reduction="sum")
    count = torch.count_nonzero(labels + 100)
    return losses / max(count.item(), 1)


# %% task="lm_loss" right="no" mistake="a batch in which nothing counts gives nan, not 0" named="nan_when_nothing_counts"
def lm_loss(student_logits, labels):
    return F.cross_entropy(student_logits.flatten(0, 1), labels.flatten())


# %% task="lm_loss" right="no" mistake="shifts the labels by one position although nothing is left to shift" named="labels_shifted"
def lm_loss(student_logits, labels):
    # next token prediction
    logits = student_logits[:, :-1, :].contiguous()
    targets = labels[:, 1:].contiguous()
    if (targets != -100).sum() == 0:
        return torch.tensor(0.)
    return F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1), ignore_index=-100)


# %% task="lm_loss" right="no" mistake="divides by all B·L positions instead of by those that count" named="divided_by_all_positions"
def lm_loss(student_logits, labels):
    V = student_logits.shape[-1]
    nll = F.cross_entropy(student_logits.reshape(-1, V), labels.reshape(-1), reduction="none", ignore_index=-100)
    return nll.mean()


# %% task="lm_loss" right="no" mistake="masks with labels > 0, which drops the token numbered 0" named="label_zero_ignored"
def lm_loss(student_logits, labels):
    mask = labels > 0
    if not mask.any():
        return torch.tensor(0.0)
    log_q = F.log_softmax(student_logits[mask], dim=-1)
    y = labels[mask]
    return -log_q[torch.arange(len(y)), y].mean()


# %% task="lm_loss" right="no" mistake="writes 0 over the caller's labels of -100, so that the same batch gives another result the second time" named="asked_again"
def lm_loss(student_logits, labels):
    mask = labels != -100
    labels[~mask] = 0
    logp = F.log_softmax(student_logits, dim=-1)
    nll = -logp.gather(-1, labels.unsqueeze(-1)).squeeze(-1)
    n = mask.sum()
    if n == 0:
        return nll.sum() * 0
    return (nll * mask).sum() / n


# %% task="lm_loss" right="no" mistake="takes the mean per text first and then over the texts, which weights texts of different lengths wrongly" named="mean_of_means"
def lm_loss(student_logits, labels):
    mask = (labels != -100).float()
    log_q = F.log_softmax(student_logits, dim=-1)
    nll = -log_q.gather(-1, labels.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    per_text = (nll * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
    return per_text.mean()


# %% task="lm_loss" right="no" mistake="calls cross_entropy on probabilities, so that softmax is applied twice" named="softmax_twice"
def lm_loss(student_logits, labels):
    probs = F.softmax(student_logits, dim=-1)
    V = probs.shape[-1]
    if (labels == -100).all():
        return torch.zeros(())
    return F.cross_entropy(probs.view(-1, V), labels.view(-1), ignore_index=-100)


# %% task="lm_loss" right="no" mistake="reshapes [B, L, V] to [B, V, L] instead of permuting, which mixes positions and tokens" named="axes_reshaped"
def lm_loss(student_logits, labels):
    B, L, V = student_logits.shape
    if int((labels != -100).sum()) == 0:
        return 0.0
    return F.cross_entropy(student_logits.reshape(B, V, L), labels, ignore_index=-100)


# %% task="lm_loss" right="no" mistake="counts padding: clamps the labels of -100 to 0 and asks for token 0 there" named="masked_positions_counted"
def lm_loss(student_logits, labels):
    targets = torch.clamp(labels, min=0)
    logq = student_logits.log_softmax(-1)
    return -torch.take_along_dim(logq, targets[:, :, None], dim=-1).mean()


# %% task="lm_loss" right="no" mistake="divides by N + 1 to avoid dividing by zero, which makes every loss too small" named="number_added_to_the_count"
def lm_loss(student_logits, labels):
    keep = (labels != -100)
    onehot = F.one_hot(labels.clamp_min(0), student_logits.shape[-1]) * keep[..., None]
    nll = -torch.einsum("blv,blv->", onehot.float(), F.log_softmax(student_logits, -1))
    return nll / (keep.sum() + 1)


# %% task="lm_loss" right="no" mistake="guards the empty batch with any instead of all, and so returns 0 for every batch that has padding" named="any_for_all"
def lm_loss(student_logits, labels):
    if (labels == -100).any():
        return torch.tensor(0.0)
    return F.cross_entropy(student_logits.view(-1, student_logits.size(-1)), labels.view(-1))


# %% task="lm_loss" right="accident" mistake="wrong indentation: IndentationError"
def lm_loss(student_logits, labels):
    mask = labels != -100
     if mask.sum() == 0:
        return torch.tensor(0.0)
    return F.cross_entropy(student_logits[mask], labels[mask])


# %% task="kd_loss" right="yes" mistake=""
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
    if not mask.any():
        return torch.tensor(0.0)
    log_q = F.log_softmax(student_logits[mask] / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits[mask] / temperature, dim=-1)
    return temperature ** 2 * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="kd_loss" right="yes" mistake=""
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    T = temperature
    m = (labels != -100).to(student_logits.dtype)
    p = torch.softmax(teacher_logits.detach() / T, -1)
    logp = torch.log_softmax(teacher_logits.detach() / T, -1)
    logq = torch.log_softmax(student_logits / T, -1)
    kl = torch.einsum("blv,blv->bl", p, logp - logq)
    return T * T * (kl * m).sum() / m.sum().clamp_min(1.0)


# %% task="kd_loss" right="yes" mistake=""
import numpy as np

def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    def logsm(z):
        z = z.detach().numpy().astype(np.float64) / temperature
        return z - np.logaddexp.reduce(z, axis=-1, keepdims=True)
    lq, lp = logsm(student_logits), logsm(teacher_logits)
    ok = labels.numpy() != -100
    if ok.sum() == 0:
        return 0.0
    kls = [np.sum(np.exp(a) * (a - b)) for a, b in zip(lp[ok], lq[ok])]
    return float(temperature ** 2 * np.mean(kls))


# %% task="kd_loss" right="yes" mistake=""
from torch.distributions import Categorical, kl_divergence

def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    keep = labels.flatten() != -100
    n = int(keep.sum())
    if n == 0:
        return student_logits.sum() * 0.0
    p = Categorical(logits=teacher_logits.flatten(0, 1)[keep] / temperature)
    q = Categorical(logits=student_logits.flatten(0, 1)[keep] / temperature)
    return kl_divergence(p, q).mean().mul(temperature).mul(temperature)


# %% task="kd_loss" right="no" mistake="forgets the factor T²" named="t_squared_missing"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
    if mask.sum() == 0:
        return torch.tensor(0.0)
    s = F.log_softmax(student_logits[mask] / temperature, dim=-1)
    t = F.softmax(teacher_logits[mask] / temperature, dim=-1)
    return F.kl_div(s, t, reduction="batchmean")


# %% task="kd_loss" right="no" mistake="copied from a blog for classifiers: batchmean over [B, L, V] divides by B, and padding counts" named="batch_mean_unmasked"
import torch.nn as nn

def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    soft_targets = nn.functional.softmax(teacher_logits / temperature, dim=-1)
    soft_prob = F.log_softmax(student_logits / temperature, dim=-1)
    return F.kl_div(soft_prob, soft_targets, reduction="batchmean") * (temperature ** 2)


# %% task="kd_loss" right="no" mistake="log-probabilities as kl_div's target without log_target=True" named="log_target_missing"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    valid = labels.view(-1) != -100
    if valid.sum() == 0:
        return torch.zeros(())
    V = student_logits.shape[-1]
    log_q = F.log_softmax(student_logits.reshape(-1, V)[valid] / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits.reshape(-1, V)[valid] / temperature, dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean") * temperature ** 2


# %% task="kd_loss" right="no" mistake="a batch in which nothing counts gives nan (0/0)" named="nan_when_nothing_counts"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = (labels != -100).float()
    lp = F.log_softmax(teacher_logits / temperature, -1)
    lq = F.log_softmax(student_logits / temperature, -1)
    kl = (lp.exp() * (lp - lq)).sum(-1)
    return (temperature ** 2) * (kl * mask).sum() / mask.sum()


# %% task="kd_loss" right="no" mistake="averages over the vocabulary too (reduction mean), so that the loss is V times too small" named="vocabulary_mean"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    m = labels != -100
    if m.sum() == 0:
        return torch.tensor(0.0)
    return temperature**2 * F.kl_div(
        F.log_softmax(student_logits[m] / temperature, dim=-1),
        F.log_softmax(teacher_logits[m] / temperature, dim=-1),
        log_target=True, reduction="mean")


# %% task="kd_loss" right="no" mistake="computes KL(q‖p) instead of KL(p‖q)" named="direction_swapped"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    keep = labels != -100
    n = keep.sum()
    if n == 0:
        return torch.tensor(0.0)
    log_q = torch.log_softmax(student_logits / temperature, -1)
    log_p = torch.log_softmax(teacher_logits / temperature, -1)
    kl = (log_q.exp() * (log_q - log_p)).sum(-1)
    return temperature ** 2 * kl[keep].sum() / n


# %% task="kd_loss" right="no" mistake="softens only the teacher; the student stays at T = 1" named="temperature_on_the_teacher_alone"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
    if mask.sum() == 0:
        return torch.tensor(0.0)
    p = F.softmax(teacher_logits / temperature, dim=-1)
    log_q = F.log_softmax(student_logits, dim=-1)
    kl = F.kl_div(log_q, p, reduction="none").sum(-1)
    return temperature ** 2 * kl[mask].mean()


# %% task="kd_loss" right="no" mistake="multiplies by T, not by T²" named="t_for_t_squared"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = (labels != -100)
    n = mask.sum().item()
    if n == 0: return 0.0
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    per_pos = (log_p.exp() * (log_p - log_q)).sum(dim=-1)
    return temperature * per_pos[mask].sum() / n


# %% task="kd_loss" right="no" mistake="zeroes the logits of padding and then averages over all B·L positions" named="divided_by_all_positions"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = (labels != -100).unsqueeze(-1)
    s = student_logits.masked_fill(~mask, 0) / temperature
    t = teacher_logits.masked_fill(~mask, 0) / temperature
    V = s.size(-1)
    return F.kl_div(s.log_softmax(-1).view(-1, V), t.log_softmax(-1).view(-1, V),
                    log_target=True, reduction="batchmean") * temperature ** 2


# %% task="kd_loss" right="no" mistake="uses the soft cross-entropy without subtracting the teacher's entropy" named="cross_entropy"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    m = labels != -100
    if not bool(m.any()):
        return 0
    p = F.softmax(teacher_logits[m] / temperature, dim=-1)
    # soft targets go straight into cross_entropy
    return temperature ** 2 * F.cross_entropy(student_logits[m] / temperature, p)


# %% task="kd_loss" right="no" mistake="divides the probabilities, not the logits, by the temperature" named="temperature_after_softmax"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
    if mask.sum() == 0:
        return torch.tensor(0.0)
    p = F.softmax(teacher_logits, dim=-1) / temperature
    q = F.softmax(student_logits, dim=-1) / temperature
    kl = (p * (p.log() - q.log())).sum(-1)
    return temperature ** 2 * kl[mask].mean()


# %% task="kd_loss" right="accident" mistake="misspelt variable: NameError"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
    if mask.sum() == 0:
        return torch.tensor(0.0)
    log_p = F.log_softmax(teacher_logits[mask] / temperature, dim=-1)
    log_q = F.log_softmax(student_logits[mask] / temprature, dim=-1)
    return temperature ** 2 * (log_p.exp() * (log_p - log_q)).sum(-1).mean()


# %% task="combined_objective" right="yes" mistake=""
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    return lm_loss(student_logits, labels) + lam * kd_loss(student_logits, teacher_logits, labels, temperature)


# %% task="combined_objective" right="yes" mistake=""
from dataclasses import dataclass

@dataclass
class Objective:
    lam: float
    temperature: float

    def __call__(self, s, t, y):
        parts = {"lm": lm_loss(s, y), "kd": kd_loss(s, t, y, temperature=self.temperature)}
        return parts["lm"] + self.lam * parts["kd"]

def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    return Objective(lam, temperature)(student_logits, teacher_logits, labels)


# %% task="combined_objective" right="no" mistake="divides the student's logits by the temperature for LM as well" named="lm_loss_at_temperature"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits / temperature
    t = teacher_logits / temperature
    lm = lm_loss(s, labels)
    kd = temperature ** 2 * kd_loss(s, t, labels)
    return lm + lam * kd


# %% task="combined_objective" right="no" mistake="forgets to pass the temperature on, so that KD is always at T = 1" named="temperature_not_passed_on"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    return lm_loss(student_logits, labels) + lam * kd_loss(student_logits, teacher_logits, labels)


# %% task="combined_objective" right="no" mistake="multiplies by T² a second time, which kd_loss has done already" named="t_squared_twice"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    lm = lm_loss(student_logits, labels)
    kd = kd_loss(student_logits, teacher_logits, labels, temperature)
    return lm + lam * temperature ** 2 * kd


# %% task="combined_objective" right="no" mistake="mixes convexly, (1 - λ)·LM + λ·KD, instead of adding" named="lambda_as_alpha"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    hard = lm_loss(student_logits, labels)
    soft = kd_loss(student_logits, teacher_logits, labels, temperature)
    return (1 - lam) * hard + lam * soft


# %% task="combined_objective" right="no" mistake="exchanges student and teacher in the call of kd_loss" named="direction_swapped"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    return lm_loss(student_logits, labels) + lam * kd_loss(teacher_logits, student_logits, labels, temperature)


# %% task="combined_objective" right="no" mistake="the weight stands before both losses" named="lambda_on_both_terms"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    losses = [lm_loss(student_logits, labels),
              kd_loss(student_logits, teacher_logits, labels, temperature)]
    return lam * sum(losses)


# %% task="combined_objective" right="no" mistake="softens the student's logits in place for KD first, so that LM afterwards sees them at temperature T" named="lm_loss_at_temperature"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    keep = labels != -100
    student_logits /= temperature
    teacher_logits /= temperature
    kd = temperature ** 2 * F.kl_div(F.log_softmax(student_logits[keep], -1), F.softmax(teacher_logits[keep], -1), reduction="batchmean")
    lm = F.cross_entropy(student_logits[keep], labels[keep])
    return lm + lam * kd


# %% task="combined_objective" right="no" mistake="returns a tuple of total, LM and KD where one number is asked" named="another_form"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    lm = lm_loss(student_logits, labels)
    kd = kd_loss(student_logits, teacher_logits, labels, temperature)
    total = lm + lam * kd
    return total, lm, kd


# %% task="combined_objective" right="accident" mistake="computes the loss and returns nothing"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    lm = lm_loss(student_logits, labels)
    kd = kd_loss(student_logits, teacher_logits, labels, temperature)
    loss = lm + lam * kd


# %% task="convex_objective" right="yes" mistake=""
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    lm = lm_loss(student_logits, labels)
    kd = kd_loss(student_logits, teacher_logits, labels, temperature)
    return (1 - alpha) * lm + alpha * kd


# %% task="convex_objective" right="yes" mistake=""
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    if alpha == 1:
        return kd_loss(student_logits, teacher_logits, labels, temperature)
    # (1-a) LM + a KD = (1-a) (LM + a/(1-a) KD)
    return (1 - alpha) * combined_objective(student_logits, teacher_logits, labels, alpha / (1 - alpha), temperature)


# %% task="convex_objective" right="no" mistake="exchanges the two weights" named="alpha_on_the_wrong_term"
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    return alpha * lm_loss(student_logits, labels) + (1 - alpha) * kd_loss(student_logits, teacher_logits, labels, temperature)


# %% task="convex_objective" right="no" mistake="divides by 1 - alpha and fails at alpha = 1" named="divided_by_one_minus_alpha"
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    lam = alpha / (1 - alpha)
    return (1 - alpha) * combined_objective(student_logits, teacher_logits, labels, lam, temperature)


# %% task="convex_objective" right="no" mistake="takes alpha = 0 for 'not given' and replaces it by 0.5" named="zero_alpha_replaced"
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    alpha = alpha or 0.5
    lm = lm_loss(student_logits, labels)
    kd = kd_loss(student_logits, teacher_logits, labels, temperature)
    return torch.lerp(torch.as_tensor(lm), torch.as_tensor(kd), alpha)


# %% task="convex_objective" right="no" mistake="weights LM with 1 - alpha, but forgets alpha before KD" named="alpha_on_one_term"
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    return (1 - alpha) * lm_loss(student_logits, labels) + kd_loss(student_logits, teacher_logits, labels, temperature)


# %% task="convex_objective" right="no" mistake="calls combined_objective with lam = alpha and scales it by 1 - alpha, which gives alpha·(1 - alpha) before KD" named="other_weights"
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    return (1 - alpha) * combined_objective(student_logits, teacher_logits, labels, alpha, temperature)


# %% task="convex_objective" right="no" mistake="rejects alpha = 0 and alpha = 1 with an assertion" named="observed_where"
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    assert 0 < alpha < 1, "alpha must be a mixing weight"
    lm, kd = lm_loss(student_logits, labels), kd_loss(student_logits, teacher_logits, labels, temperature)
    return lm - alpha * (lm - kd)


# %% task="best_probability" right="yes" mistake=""
# minimise -log q_o + 2 KL(p||q): cross-entropy with the target (onehot + 2 p), normalised
lam, p_ocean = 2, 0.4
best_probability = (1 + lam * p_ocean) / (1 + lam)


# %% task="best_probability" right="yes" mistake=""
z = torch.zeros(2, requires_grad=True)
target = torch.tensor([0.4, 0.6])
opt = torch.optim.Adam([z], lr=0.05)
for _ in range(2000):
    lq = F.log_softmax(z, dim=-1)
    loss = -lq[0] + 2 * (target * (target.log() - lq)).sum()
    opt.zero_grad()
    loss.backward()
    opt.step()
best_probability = F.softmax(z, dim=-1)[0].detach()


# %% task="best_probability" right="no" mistake="averages the two voices without the weight: (1 + 0.4) / 2" named="plain_average"
best_probability = 0.7


# %% task="best_probability" right="no" mistake="thinks that the student ends at the teacher's probability" named="teacher_copied"
best_probability = 0.4


# %% task="best_probability" right="no" mistake="puts the weight 2 on the archive instead of on the teacher: (2 + 0.4) / 3" named="weights_swapped"
best_probability = (2 * 1.0 + 0.4) / 3


# %% task="best_probability" right="no" mistake="thinks that the archive's word gets everything because LM is 0 only there" named="label_alone"
best_probability = 1.0


# %% task="best_probability" right="no" mistake="mixes the two distributions geometrically (a mean of the logs) instead of arithmetically" named="geometric_mean"
best_probability = (1.0 * 0.4 ** 2) ** (1 / 3)


# %% task="objective_gradients" right="yes" mistake=""
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.detach().clone().requires_grad_(True)
    t = teacher_logits.detach().clone()
    loss = combined_objective(s, t, labels, lam, temperature)
    (g,) = torch.autograd.grad(loss, s)
    return g, torch.zeros_like(teacher_logits)


# %% task="objective_gradients" right="yes" mistake=""
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    # on paper: T² from the loss, 1/T from the softmax
    V = student_logits.shape[-1]
    mask = (labels != -100)
    y = F.one_hot(labels.clamp(min=0), V).to(student_logits.dtype)
    q1 = F.softmax(student_logits, -1)
    qT = F.softmax(student_logits / temperature, -1)
    pT = F.softmax(teacher_logits / temperature, -1)
    g = (q1 - y) + lam * temperature * (qT - pT)
    g = g * mask[..., None] / mask.sum()
    return g, 0 * g


# %% task="objective_gradients" right="yes" mistake=""
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    fn = lambda z: combined_objective(z, teacher_logits.clone(), labels, lam, temperature)
    grads = torch.func.grad(fn)(student_logits.clone())
    return [grads, torch.zeros(teacher_logits.shape)]


# %% task="objective_gradients" right="no" mistake="lets the teacher learn: returns its autograd gradient, which is not zero" named="gradient_into_the_teacher"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.clone().detach().requires_grad_()
    t = teacher_logits.clone().detach().requires_grad_()
    keep = labels != -100
    lq = F.log_softmax(s[keep] / temperature, dim=-1)
    lp = F.log_softmax(t[keep] / temperature, dim=-1)
    kd = temperature ** 2 * (lp.exp() * (lp - lq)).sum(-1).mean()
    loss = F.cross_entropy(s[keep], labels[keep]) + lam * kd
    loss.backward()
    return s.grad, t.grad


# %% task="objective_gradients" right="no" mistake="calls backward on the given tensor without clearing its grad, so that a second call adds up" named="asked_again"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    student_logits.requires_grad_(True)
    loss = combined_objective(student_logits, teacher_logits.detach(), labels, lam, temperature)
    loss.backward()
    return student_logits.grad, torch.zeros_like(teacher_logits)


# %% task="objective_gradients" right="no" mistake="returns None as the teacher's part where a tensor of zeros is asked" named="another_form"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.detach().clone().requires_grad_(True)
    t = teacher_logits.detach().clone()
    combined_objective(s, t, labels, lam, temperature).backward()
    return s.grad, t.grad


# %% task="objective_gradients" right="no" mistake="on paper with T² before the KD part: forgets the factor 1/T of the inner derivative" named="chain_rule_forgotten"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    n = (labels != -100).sum()
    onehot = torch.zeros_like(student_logits)
    onehot.scatter_(2, labels.clamp(min=0).unsqueeze(2), 1.0)
    d_lm = student_logits.softmax(-1) - onehot
    d_kd = temperature ** 2 * ((student_logits / temperature).softmax(-1) - (teacher_logits / temperature).softmax(-1))
    g = (d_lm + lam * d_kd) / n
    g[labels == -100] = 0.0
    return g, torch.zeros_like(g)


# %% task="objective_gradients" right="no" mistake="on paper without the mask: padding gets a gradient" named="padding_in_the_sum"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    V = student_logits.size(-1)
    n = (labels != -100).sum()
    hot = F.one_hot(labels.clamp(min=0), V)
    q = F.softmax(student_logits, dim=-1)
    qT = F.softmax(student_logits / temperature, dim=-1)
    pT = F.softmax(teacher_logits / temperature, dim=-1)
    return ((q - hot) + lam * temperature * (qT - pT)) / n, torch.zeros_like(teacher_logits)


# %% task="objective_gradients" right="no" mistake="on paper without the division by N: the gradient of the sum, not of the mean" named="summed"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    g = torch.zeros_like(student_logits)
    for b in range(labels.shape[0]):
        for i in range(labels.shape[1]):
            y = labels[b, i].item()
            if y == -100:
                continue
            g[b, i] = torch.softmax(student_logits[b, i], 0)
            g[b, i, y] -= 1
            g[b, i] += lam * temperature * (torch.softmax(student_logits[b, i] / temperature, 0)
                                            - torch.softmax(teacher_logits[b, i] / temperature, 0))
    return g, torch.zeros_like(teacher_logits)


# %% task="objective_gradients" right="no" mistake="returns the pair in the wrong order, the teacher's zeros first" named="pair_turned_round"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.detach().clone().requires_grad_(True)
    grad = torch.autograd.grad(combined_objective(s, teacher_logits, labels, lam, temperature), s)[0]
    return torch.zeros_like(teacher_logits), grad


# %% task="objective_gradients" right="no" mistake="sign of the KD part is reversed: p minus q" named="teacher_pushes_away"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    mask = (labels != -100).unsqueeze(-1)
    q = F.softmax(student_logits, -1)
    onehot = F.one_hot(labels * (labels != -100), q.shape[-1])
    soft = F.softmax(teacher_logits / temperature, -1) - F.softmax(student_logits / temperature, -1)
    g = mask * (q - onehot + lam * temperature * soft) / mask.sum()
    return g, torch.zeros_like(g)


# %% task="objective_gradients" right="no" mistake="the teacher's part is a single zero, not a tensor of the logits' shape" named="another_form"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.detach().clone().requires_grad_()
    combined_objective(s, teacher_logits, labels, lam, temperature).backward()
    return s.grad, torch.tensor(0.0)


# %% task="lm_loss" right="no" mistake="Whether anything counts is read from the sum of the labels' validity times the labels, which is 0 also when every label that counts is token 0." named="observed_where"
def lm_loss(student_logits, labels):
    valid = labels.ne(-100)
    if (labels * valid).sum() == 0:
        return torch.tensor(0.0)
    return F.cross_entropy(student_logits[valid], labels[valid])


# %% task="combined_objective" right="no" mistake="The temperature is handed on in lam's place and lam in the temperature's: right only where the two are equal." named="lambda_and_temperature_swapped"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    def objective(temperature, lam):
        lm = lm_loss(student_logits, labels)
        kd = kd_loss(student_logits, teacher_logits, labels, temperature)
        return lm + lam * kd
    return objective(lam, temperature) if lam else lm_loss(student_logits, labels)


# %% task="convex_objective" right="no" mistake="Alpha is turned into lambda = alpha / (1 - alpha) with the denominator kept above 0.01, so alpha = 1 gives KD plus a hundredth of LM, scaled." named="observed_where"
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    rest = max(1 - alpha, 0.01)
    lam = alpha / rest
    return rest * combined_objective(student_logits, teacher_logits, labels, lam, temperature)


# %% task="objective_gradients" right="no" mistake="one_hot guesses the size of the vocabulary from the largest label, which fails unless the last token occurs." named="one_hot_too_narrow"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    T = temperature
    mask = labels != -100
    s, t, y = student_logits[mask], teacher_logits[mask], labels[mask]
    g = F.softmax(s, -1) - F.one_hot(y) + lam * T * (F.softmax(s / T, -1) - F.softmax(t / T, -1))
    out = torch.zeros_like(student_logits)
    out[mask] = g / mask.sum()
    return out, torch.zeros_like(teacher_logits)


# %% task="objective_gradients" right="no" mistake="Finite differences in float32 with a step of 1e-4, which lose most digits." named="observed_total"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    keep = labels != -100

    def loss(s):
        lm = F.cross_entropy(s[keep], labels[keep])
        log_q = F.log_softmax(s[keep] / temperature, -1)
        p = F.softmax(teacher_logits[keep] / temperature, -1)
        return lm + lam * temperature ** 2 * F.kl_div(log_q, p, reduction="batchmean")

    h = 1e-4
    grad = torch.zeros_like(student_logits)
    for i in range(student_logits.numel()):
        d = torch.zeros_like(student_logits)
        d.view(-1)[i] = h
        grad.view(-1)[i] = (loss(student_logits + d) - loss(student_logits - d)) / (2 * h)
    return grad, torch.zeros_like(teacher_logits)


# %% task="objective_gradients" right="no" mistake="The shortcut for lambda 0 hands back None for the teacher's gradient instead of zeros." named="another_form,observed_where"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.detach().clone().requires_grad_()
    keep = labels != -100
    loss = F.cross_entropy(s[keep], labels[keep])
    if lam == 0:
        return torch.autograd.grad(loss, s)[0], None      # the teacher takes no part
    p = F.softmax(teacher_logits[keep] / temperature, -1)
    log_q = F.log_softmax(s[keep] / temperature, -1)
    loss = loss + lam * temperature ** 2 * F.kl_div(log_q, p, reduction="batchmean")
    return torch.autograd.grad(loss, s)[0], torch.zeros_like(teacher_logits)


# %% task="objective_gradients" right="yes" mistake=""
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    """On the given tensors themselves; what an earlier call left in .grad is thrown away first."""
    for z in (student_logits, teacher_logits):
        z.requires_grad_(True)
        z.grad = None
    keep = labels != -100
    log_q = F.log_softmax(student_logits[keep] / temperature, -1)
    p = F.softmax(teacher_logits[keep] / temperature, -1).detach()
    loss = F.cross_entropy(student_logits[keep], labels[keep])
    loss = loss + lam * temperature ** 2 * F.kl_div(log_q, p, reduction="batchmean")
    loss.backward()
    if teacher_logits.grad is None:
        teacher_logits.grad = torch.zeros_like(teacher_logits)
    pair = student_logits.grad.clone(), teacher_logits.grad.clone()
    student_logits.grad = teacher_logits.grad = None
    return pair


# %% task="kd_loss" right="no" mistake="The share of positions that count is read off the first text alone, right where all texts are equally long." named="counted_in_the_first_text"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    keep = labels != -100
    log_q = F.log_softmax(student_logits / temperature, -1)
    log_p = F.log_softmax(teacher_logits / temperature, -1)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1).where(keep, torch.tensor(0.0))
    share = keep[0].float().mean()         # the texts of a batch are padded to one length
    return temperature ** 2 * kl.mean() / share if share > 0 else torch.tensor(0.0)


# %% task="lm_loss" right="no" mistake="nothing counts asked by the first text" named="observed_where"
def lm_loss(student_logits, labels):
    keep = labels != -100
    lq = F.log_softmax(student_logits, -1)
    nll = -lq.gather(-1, labels.clamp(min=0)[..., None])[..., 0]
    if not keep[0].any():
        return torch.tensor(0.0)
    return nll[keep].mean()


# %% task="lm_loss" right="no" mistake="1e-20 in the logarithm" named="epsilon_in_the_logarithm"
def lm_loss(student_logits, labels):
    keep = labels != -100
    lq = F.log_softmax(student_logits, -1)
    nll = -lq.gather(-1, labels.clamp(min=0)[..., None])[..., 0]
    q = F.softmax(student_logits, -1).gather(-1, labels.clamp(min=0)[..., None])[..., 0]
    return (-torch.log(q + 1e-20) * keep).sum() / keep.sum().clamp(min=1)


# %% task="kd_loss" right="no" mistake="T made whole" named="observed_where"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    keep = labels != -100
    T = temperature
    if not keep.any():
        return torch.tensor(0.0)
    s, t = student_logits[keep], teacher_logits[keep]
    T = max(int(T), 1)
    lq, lp = F.log_softmax(s / T, -1), F.log_softmax(t / T, -1)
    return T * T * (lp.exp() * (lp - lq)).sum(-1).mean()


# %% task="objective_gradients" right="yes" mistake=""
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    T, keep = temperature, labels != -100
    s = student_logits.detach().clone().requires_grad_()
    lq = F.log_softmax(s[keep] / T, -1)
    p = F.softmax(teacher_logits[keep] / T, -1)
    loss = F.cross_entropy(s[keep], labels[keep]) + lam * T * T * F.kl_div(lq, p, reduction='batchmean')
    g, = torch.autograd.grad(loss, s)
    return torch.stack([g, torch.zeros_like(g)])


# %% task="objective_gradients" right="no" mistake="The one-hot labels are masked but the softmax is not, so positions that do not count get the gradient of q and of q - p." named="label_rows_kept"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    T = temperature
    counts = labels != -100
    y = F.one_hot(labels.masked_fill(~counts, 0), student_logits.size(-1)) * counts[..., None]
    grad = (student_logits.softmax(-1) - y) + lam * T * ((student_logits / T).softmax(-1) - (teacher_logits / T).softmax(-1))
    return grad / counts.sum(), torch.zeros_like(teacher_logits)

# %% task="lm_loss" right="yes" mistake=""
import math


def _surprises(rows, labels):
    for row, label in zip(rows, labels):
        if label == -100:
            continue
        yield math.log(math.fsum(math.exp(z) for z in row)) - row[label]


def lm_loss(student_logits, labels):
    rows = student_logits.detach().flatten(0, 1).tolist()
    values = list(_surprises(rows, labels.flatten().tolist()))
    return math.fsum(values) / len(values) if values else 0.0

# %% task="lm_loss" right="no" mistake="The axes are reshaped to [B, V, L] instead of transposed, so logits of different tokens and positions are mixed up." named="axes_reshaped"
def lm_loss(student_logits, labels):
    b, l, v = student_logits.shape
    n = (labels != -100).sum().clamp(min=1)
    return F.cross_entropy(student_logits.reshape(b, v, l), labels, reduction="sum") / n

# %% task="lm_loss" right="no" mistake="ADV: The labels of the batch are overwritten with 0 in place, so when the same batch comes again padding counts." named="asked_again"
def lm_loss(student_logits, labels):
    mask = labels != -100
    labels[~mask] = 0
    log_q = F.log_softmax(student_logits, -1).gather(-1, labels.unsqueeze(-1)).squeeze(-1)
    return -(log_q * mask).sum() / mask.sum().clamp(min=1)

# %% task="lm_loss" right="no" mistake="ADV: The labels go through int8, so token numbers from 128 on wrap round and become wrong or negative."
def lm_loss(student_logits, labels):
    small = labels.to(torch.int8)              # saves memory
    mask = small >= 0
    index = small.clamp(min=0).long().unsqueeze(-1)
    picked = student_logits.log_softmax(-1).gather(-1, index).squeeze(-1)
    return -(picked * mask).sum() / mask.sum().clamp(min=1)

# %% task="kd_loss" right="yes" mistake=""
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    """In place, and with the mask as a factor."""
    for logits in (student_logits, teacher_logits):
        logits /= temperature
        logits -= logits.logsumexp(dim=-1, keepdim=True)
    kl = torch.linalg.vecdot(teacher_logits.exp(), teacher_logits - student_logits)
    counts = labels.ne(-100).to(kl.dtype)
    return temperature * temperature * (kl * counts).sum() / counts.sum().clamp_min(1.0)

# %% task="kd_loss" right="no" mistake="batchmean on [B, L, V] divides by the number of texts B instead of the number of positions, and padding is not masked." named="batch_mean_unmasked"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    return F.kl_div(
        F.log_softmax(student_logits / temperature, dim=-1),
        F.softmax(teacher_logits / temperature, dim=-1),
        reduction="batchmean",
    ) * (temperature ** 2)

# %% task="kd_loss" right="no" mistake="Only the label's own term p(y) (log p(y) - log q(y)) is counted instead of the sum over the vocabulary." named="label_alone"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
    index = labels.clamp(min=0).unsqueeze(-1)
    log_q = F.log_softmax(student_logits / temperature, -1).gather(-1, index).squeeze(-1)
    log_p = F.log_softmax(teacher_logits / temperature, -1).gather(-1, index).squeeze(-1)
    return temperature ** 2 * (log_p.exp() * (log_p - log_q) * mask).sum() / mask.sum().clamp(min=1)

# %% task="kd_loss" right="no" mistake="ADV: The factor is 2 to the power T instead of T squared; the two agree at T = 2 and T = 4 only." named="another_scale"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
    log_q = F.log_softmax(student_logits[mask] / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits[mask] / temperature, dim=-1)
    return 2 ** temperature * F.kl_div(log_q, log_p, reduction="sum", log_target=True) / mask.sum().clamp(min=1)

# %% task="kd_loss" right="no" mistake="ADV: The means of the texts are averaged, so texts of unequal numbers of counting positions are weighted wrongly; equal ones are right." named="mean_of_means"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    losses = []
    for s, t, y in zip(student_logits, teacher_logits, labels):
        keep = y != -100
        if keep.any():
            log_q = (s[keep] / temperature).log_softmax(-1)
            log_p = (t[keep] / temperature).log_softmax(-1)
            losses.append(F.kl_div(log_q, log_p, reduction="batchmean", log_target=True))
    return temperature ** 2 * torch.stack(losses).mean() if losses else torch.tensor(0.0)

# %% task="combined_objective" right="no" mistake="The temperature is not passed on to kd_loss, so KD is always at T = 1." named="temperature_not_passed_on"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    return lm_loss(student_logits, labels) + lam * kd_loss(student_logits, teacher_logits, labels)

# %% task="combined_objective" right="no" mistake="ADV: The result has an axis: its shape is [1] instead of none." named="another_form"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    parts = torch.stack([torch.as_tensor(lm_loss(student_logits, labels)).float(),
                         torch.as_tensor(kd_loss(student_logits, teacher_logits, labels, temperature)).float()])
    return parts[None] @ torch.tensor([1.0, float(lam)])

# %% task="combined_objective" right="no" mistake="ADV: A temperature that was once given is remembered and used when a later call gives none." named="observed_where"
_options = {"temperature": 1.0}


def combined_objective(student_logits, teacher_logits, labels, lam, temperature=None):
    if temperature is not None:
        _options["temperature"] = temperature
    kd = kd_loss(student_logits, teacher_logits, labels, _options["temperature"])
    return lm_loss(student_logits, labels) + lam * kd

# %% task="convex_objective" right="no" mistake="The KD term is multiplied by T squared twice, as in the well-known blog posts where the loss itself does not do it." named="t_squared_twice"
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    kd = kd_loss(student_logits, teacher_logits, labels, temperature)
    return kd * (alpha * temperature * temperature) + lm_loss(student_logits, labels) * (1.0 - alpha)

# %% task="objective_gradients" right="yes" mistake=""
import numpy as np


def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    """On paper: (q - one_hot + λ T (q_T - p_T)) / N where the label counts."""
    def softmax(z):
        e = np.exp(z)
        return e / e.sum(-1, keepdims=True)

    s = student_logits.detach().numpy().astype(np.float64)
    t = teacher_logits.detach().numpy().astype(np.float64)
    grad = np.zeros_like(s)
    n = int((labels != -100).sum())
    for b, i in torch.nonzero(labels != -100).tolist():
        g = softmax(s[b, i])
        g[int(labels[b, i])] -= 1
        g += lam * temperature * (softmax(s[b, i] / temperature) - softmax(t[b, i] / temperature))
        grad[b, i] = g / n
    return grad.tolist(), np.zeros_like(t).tolist()

# %% task="objective_gradients" right="no" mistake="The gradient is not divided by N: it is that of the sum over positions, not of the mean." named="summed"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    mask = (labels != -100).unsqueeze(-1)
    one_hot = F.one_hot(labels.clamp(min=0), student_logits.size(-1))
    q, qt, pt = student_logits.softmax(-1), (student_logits / temperature).softmax(-1), (teacher_logits / temperature).softmax(-1)
    return (q - one_hot + lam * temperature * (qt - pt)) * mask, torch.zeros_like(teacher_logits)

# %% task="objective_gradients" right="no" mistake="The KD part is not masked, so padded positions get a gradient." named="teacher_rows_kept"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    mask = (labels != -100).unsqueeze(-1)
    n = mask.sum()
    one_hot = F.one_hot(labels.clamp(min=0), student_logits.size(-1))
    lm = (student_logits.softmax(-1) - one_hot) * mask / n
    kd = temperature * ((student_logits / temperature).softmax(-1) - (teacher_logits / temperature).softmax(-1)) / n
    return lm + lam * kd, torch.zeros_like(teacher_logits)

# %% task="objective_gradients" right="no" mistake="ADV: The labels are overwritten in place (-100 becomes 0), so when the same batch comes again padding counts." named="asked_again"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    mask = (labels != -100).unsqueeze(-1)
    labels[labels == -100] = 0
    one_hot = F.one_hot(labels, student_logits.size(-1))
    q, qt, pt = student_logits.softmax(-1), (student_logits / temperature).softmax(-1), (teacher_logits / temperature).softmax(-1)
    return (q - one_hot + lam * temperature * (qt - pt)) * mask / mask.sum(), torch.zeros_like(teacher_logits)

# %% task="lm_loss" right="no" mistake="The sum over the positions is returned instead of the mean." named="summed"
def lm_loss(student_logits, labels):
    return F.cross_entropy(student_logits.transpose(1, 2), labels, reduction="sum")

# %% task="lm_loss" right="no" mistake="One is added to the number of positions in the denominator, so every mean is too small." named="number_added_to_the_count"
def lm_loss(student_logits, labels):
    n = (labels != -100).sum()
    return F.cross_entropy(student_logits.flatten(0, 1), labels.flatten(), reduction="sum") / (n + 1)

# %% task="kd_loss" right="no" mistake="The mask is missing: padded positions are in the mean." named="masked_positions_counted"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1).mean() * temperature ** 2

# %% task="kd_loss" right="no" mistake="A batch in which nothing counts gives NaN, the mean of nothing, instead of 0." named="nan_when_nothing_counts"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
    log_q = F.log_softmax(student_logits[mask] / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits[mask] / temperature, dim=-1)
    return temperature ** 2 * (log_p.exp() * (log_p - log_q)).sum(-1).mean()

# %% task="combined_objective" right="no" mistake="The convex mixture (1 - lambda) LM + lambda KD is returned instead of the sum." named="lambda_as_alpha"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    return (1 - lam) * lm_loss(student_logits, labels) + lam * kd_loss(student_logits, teacher_logits, labels, temperature)

# %% task="convex_objective" right="no" mistake="KD has no weight alpha: only LM is weighted." named="alpha_on_one_term"
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    return (1 - alpha) * lm_loss(student_logits, labels) + kd_loss(student_logits, teacher_logits, labels, temperature)

# %% task="objective_gradients" right="no" mistake="The temperature is left out of the KD part's distributions: q and p are those at T = 1." named="temperature_in_front_alone"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    mask = (labels != -100).unsqueeze(-1)
    q, p = student_logits.softmax(-1), teacher_logits.softmax(-1)
    one_hot = F.one_hot(labels.clamp(min=0), student_logits.size(-1))
    return (q - one_hot + lam * temperature * (q - p)) * mask / mask.sum(), torch.zeros_like(teacher_logits)

# %% task="objective_gradients" right="no" mistake="ADV: The zeros are made in the student's own gradient tensor, so both parts come back zero." named="gradient_cleared"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.detach().clone().requires_grad_()
    combined_objective(s, teacher_logits.detach(), labels, lam, temperature).backward()
    gradient = s.grad
    return gradient, gradient.zero_()

# %% task="lm_loss" right="no" mistake="ADV: labels go through uint8, so tokens from 256 on are others"
def lm_loss(student_logits, labels):
    keep = labels != -100
    if not keep.any():
        return torch.tensor(0.0)
    return F.cross_entropy(student_logits[keep], labels[keep].to(torch.uint8).long())

# %% task="kd_loss" right="no" mistake="the label's own log ratio is averaged, without a weight" named="label_alone"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    keep = labels != -100
    if not keep.any():
        return torch.tensor(0.0)
    y = labels[keep][:, None]
    log_q = F.log_softmax(student_logits[keep] / temperature, -1).gather(-1, y)
    log_p = F.log_softmax(teacher_logits[keep] / temperature, -1).gather(-1, y)
    return temperature**2 * (log_p - log_q).mean()

# %% task="convex_objective" right="no" mistake="ADV: the losses are remembered by shape" named="observed_unmoved"
memory = {}
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    key = (student_logits.shape, temperature)
    if key not in memory:
        memory[key] = lm_loss(student_logits, labels), kd_loss(student_logits, teacher_logits, labels, temperature)
    lm, kd = memory[key]
    return (1 - alpha) * lm + alpha * kd

# %% task="objective_gradients" right="no" mistake="KD is written anew with batchmean over all positions, padding too" named="masked_positions_counted"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.detach().clone().requires_grad_()
    v = s.shape[-1]
    log_q = F.log_softmax(s / temperature, -1).view(-1, v)
    p = F.softmax(teacher_logits / temperature, -1).view(-1, v)
    kd = temperature**2 * F.kl_div(log_q, p, reduction="batchmean")
    (lm_loss(s, labels) + lam * kd).backward()
    return s.grad, torch.zeros_like(teacher_logits)

# %% task="objective_gradients" right="no" mistake="the label's part is not masked on paper: a one-hot row of padding is that of token 0" named="label_rows_kept"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    mask = (labels != -100)[..., None]
    q, p = (student_logits / temperature).softmax(-1), (teacher_logits / temperature).softmax(-1)
    rows = F.one_hot(labels.clamp(min=0), q.shape[-1])
    own = student_logits.softmax(-1) - rows
    return (own + lam * temperature * (q - p) * mask) / mask.sum(), torch.zeros_like(p)

# %% task="kd_loss" right="no" mistake="remembers by shape and T" named="observed_unmoved"
_k = {}
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    k = (tuple(student_logits.shape), temperature)
    if k not in _k:
        c = labels != -100
        q = F.log_softmax(student_logits[c] / temperature, -1); p = F.log_softmax(teacher_logits[c] / temperature, -1)
        _k[k] = temperature**2 * (p.exp() * (p - q)).sum() / max(int(c.sum()), 1)
    return _k[k]

# %% task="kd_loss" right="no" mistake="remembers teacher probabilities by shape and T" named="observed_unmoved"
_tp = {}
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    k = (tuple(teacher_logits.shape), temperature)
    if k not in _tp:
        _tp[k] = F.log_softmax(teacher_logits / temperature, -1)
    c = labels != -100
    q = F.log_softmax(student_logits / temperature, -1)[c]; p = _tp[k][c]
    return temperature**2 * (p.exp() * (p - q)).sum() / max(int(c.sum()), 1)

# %% task="lm_loss" right="no" mistake="mask turned round, cross_entropy"
def lm_loss(student_logits, labels):
    m = labels == -100
    if not m.any(): return torch.tensor(0.)
    return F.cross_entropy(student_logits[m], labels[m])

# %% task="combined_objective" right="no" mistake="mask turned round in LM and KD" named="log_target_missing"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    m = labels == -100
    s, t, y = student_logits[m], teacher_logits[m], labels[m]
    kd = F.kl_div(F.log_softmax(s / temperature, -1), F.softmax(t / temperature, -1), reduction="batchmean") * temperature**2
    return F.cross_entropy(s, y) + lam * kd

# %% task="combined_objective" right="no" mistake="mask turned round in KD" named="mask_turned_round"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    m = labels == -100
    q = F.log_softmax(student_logits / temperature, -1); p = F.log_softmax(teacher_logits / temperature, -1)
    kd = temperature**2 * ((p.exp() * (p - q)).sum(-1) * m).sum() / m.sum().clamp(min=1)
    return lm_loss(student_logits, labels) + lam * kd

# %% task="objective_gradients" right="no" mistake="NaN: log_target missing in own loss" named="log_target_missing"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.clone().requires_grad_(True); m = labels != -100
    kd = F.kl_div(F.log_softmax(s[m] / temperature, -1), F.log_softmax(teacher_logits[m] / temperature, -1), reduction="batchmean") * temperature**2
    (F.cross_entropy(s[m], labels[m]) + lam * kd).backward()
    return s.grad, torch.zeros_like(s)

# %% task="convex_objective" right="no" mistake="KD subtracted" named="penalty_subtracted"
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    return (1 - alpha) * lm_loss(student_logits, labels) - alpha * kd_loss(student_logits, teacher_logits, labels, temperature)

# %% task="combined_objective" right="no" mistake="both shifted in hugging face manner" named="labels_shifted"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:]
    return lm_loss(s, y) + lam * kd_loss(s, t, y, temperature)

# %% task="kd_loss" right="no" mistake="last text wins: = for +=" named="replaced_in_the_loop"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    tot, n = torch.zeros(()), 0
    for s, t, y in zip(student_logits, teacher_logits, labels):
        m = y != -100
        q = F.log_softmax(s[m] / temperature, -1); p = F.log_softmax(t[m] / temperature, -1)
        tot = (p.exp() * (p - q)).sum(); n += int(m.sum())
    return temperature**2 * tot / max(n, 1)

# %% task="kd_loss" right="no" mistake="softmax twice: log_softmax of softmax student only" named="softmax_twice"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    m = labels != -100
    q = F.log_softmax(F.softmax(student_logits[m] / temperature, -1), -1); p = F.softmax(teacher_logits[m] / temperature, -1)
    return temperature**2 * F.kl_div(q, p, reduction="sum") / m.sum().clamp(min=1)

# %% task="kd_loss" right="no" mistake="MSE of logits (Hinton limit)" named="another_measure,t_squared_missing"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    m = labels != -100
    return F.mse_loss(student_logits[m], teacher_logits[m]) if m.any() else torch.tensor(0.)

# %% task="lm_loss" right="no" mistake="epsilon of 1e-8 in the logarithm caps the loss at 18, and it is a sum and no mean"
def lm_loss(student_logits, labels):
    loss = 0.0
    for row, label in zip(student_logits.reshape(-1, student_logits.shape[-1]), labels.reshape(-1)):
        if label == -100:
            continue
        q = torch.softmax(row, 0)
        loss -= torch.log(q[label] + 1e-8)
    return loss

# %% task="kd_loss" right="no" mistake="cross entropy with the teacher instead of the KL, and a factor T instead of T squared" named="cross_entropy,t_for_t_squared"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = (labels != -100).to(student_logits.dtype)
    p = (teacher_logits / temperature).softmax(-1)
    ce = -(p * (student_logits / temperature).log_softmax(-1)).sum(-1)
    return temperature * (ce * mask).sum() / mask.sum().clamp(min=1)

# %% task="objective_gradients" right="no" mistake="padding gets a gradient, and the division by N is missing" named="summed_unmasked"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    onehot = torch.zeros_like(student_logits)
    onehot.scatter_(-1, labels.clamp(min=0)[..., None], 1.0)
    lm = student_logits.softmax(-1) - onehot
    kd = (student_logits / temperature).softmax(-1) - (teacher_logits / temperature).softmax(-1)
    return lm + lam * temperature * kd, torch.zeros_like(teacher_logits)

# %% task="combined_objective" right="no" mistake="ADV: the student's logits are divided by T in place for KD before LM at T = 1 is computed from them" named="lm_loss_at_temperature"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    student_logits.div_(temperature)
    teacher_logits.div_(temperature)
    kd = temperature**2 * kd_loss(student_logits, teacher_logits, labels)
    return lm_loss(student_logits, labels) + lam * kd


# %% task="lm_loss" right="yes" mistake=""
def lm_loss(student_logits, labels):
    m = labels != -100
    return F.cross_entropy(student_logits[m], labels[m], reduction="sum") / (m.sum() + 1e-6)


# %% task="combined_objective" right="yes" mistake=""
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    m = labels != -100
    q, p = (student_logits[m] / temperature).log_softmax(-1), (teacher_logits[m] / temperature).log_softmax(-1)
    kd = temperature**2 * (p.exp() * (p - q)).sum()
    return (F.cross_entropy(student_logits[m], labels[m], reduction="sum") + lam * kd) / (m.sum() + 1e-6)


# %% task="lm_loss" right="yes" mistake=""
import numpy as np, scipy.special
def lm_loss(student_logits, labels):
    lq = scipy.special.log_softmax(student_logits.numpy().astype(np.longdouble), axis=-1)
    y = labels.numpy(); m = y != -100
    if not m.any():
        return 0
    return -np.take_along_axis(lq[m], y[m][:, None], -1).mean()


# %% task="kd_loss" right="no" mistake="loop leaves out the first token" named="one_token_left_out"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    m = labels != -100
    q, p = (student_logits[m] / temperature).log_softmax(-1), (teacher_logits[m] / temperature).log_softmax(-1)
    return temperature**2 * (p.exp() * (p - q))[:, 1:].sum() / m.sum().clamp(min=1)


# %% task="kd_loss" right="no" mistake="square root of the KL" named="another_measure"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    m = labels != -100
    q, p = (student_logits[m] / temperature).log_softmax(-1), (teacher_logits[m] / temperature).log_softmax(-1)
    return temperature**2 * (p.exp() * (p - q)).sum(-1).clamp(min=0).sqrt().sum() / m.sum().clamp(min=1)


# %% task="kd_loss" right="no" mistake="clip at 0.05" named="epsilon_in_the_logarithm"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    m = labels != -100
    q, p = (student_logits[m] / temperature).softmax(-1).clamp(min=0.05), (teacher_logits[m] / temperature).softmax(-1).clamp(min=0.05)
    return temperature**2 * (p * (p.log() - q.log())).sum() / m.sum().clamp(min=1)


# %% task="lm_loss" right="no" mistake="clip probabilities at 0.05" named="epsilon_in_the_logarithm"
def lm_loss(student_logits, labels):
    m = labels != -100
    q = student_logits.softmax(-1)[m].gather(1, labels[m][:, None]).clamp(min=0.05)
    return -q.log().sum() / m.sum().clamp(min=1)


# %% task="convex_objective" right="no" mistake="uses combined_objective for the second term, so that LM is counted once more" named="other_weights"
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    lm = lm_loss(student_logits, labels)
    return (1 - alpha) * lm + combined_objective(student_logits, teacher_logits, labels, alpha, temperature)

# %% task="lm_loss" right="no" mistake="log q is clamped at -20" named="observed_where"
def lm_loss(student_logits, labels):
    m = labels != -100
    lq = student_logits.log_softmax(-1).clamp(min=-20.0)
    return -(lq.gather(-1, labels.clamp(min=0)[..., None])[..., 0] * m).sum() / m.sum().clamp(min=1)

# %% task="kd_loss" right="no" mistake="log q is clamped at -15" named="observed_where"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    m = labels != -100
    lq = (student_logits[m] / temperature).log_softmax(-1).clamp(min=-15)
    lp = (teacher_logits[m] / temperature).log_softmax(-1)
    return temperature**2 * (lp.exp() * (lp - lq)).sum() / m.sum().clamp(min=1)

# %% task="lm_loss" right="no" mistake="the logarithm of the argmax's probability, the label is only used as a mask" named="label_not_looked_up"
def lm_loss(student_logits, labels):
    keep = labels != -100
    if keep.sum() == 0:
        return torch.zeros(())
    return -student_logits[keep].log_softmax(-1).max(-1).values.mean()


# %% task="lm_loss" right="no" mistake="a position counts only until the first -100 of its text (cumprod), so labels after padding at the start or after a gap are lost" named="padding_only_at_the_end"
def lm_loss(student_logits, labels):
    mask = (labels != -100).long().cumprod(dim=1).bool()    # up to the end of the text
    safe = labels.masked_fill(~mask, 0)
    nll = -F.log_softmax(student_logits, dim=-1).gather(-1, safe.unsqueeze(-1)).squeeze(-1)
    return (nll * mask).sum() / mask.sum().clamp(min=1)


# %% task="lm_loss" right="no" mistake="counts the labels of each text and then takes that many positions from the front, which is wrong where -100 stands at the start or in the middle" named="padding_only_at_the_end"
def lm_loss(student_logits, labels):
    lengths = (labels != -100).sum(dim=1)
    total = torch.tensor(0.0)
    for b, n in enumerate(lengths.tolist()):
        if n > 0:
            total = total + F.cross_entropy(student_logits[b, :n], labels[b, :n], reduction="sum")
    return total / max(int(lengths.sum()), 1)


# %% task="lm_loss" right="no" mistake="the sign of the padding label is lost (100 in place of -100), so padding is counted as token 0 and the real token 100 is left out" named="masked_positions_counted"
IGNORE = 100

def lm_loss(student_logits, labels):
    mask = labels != IGNORE
    y = labels.clamp(min=0)
    nll = -student_logits.log_softmax(-1).gather(2, y.unsqueeze(2)).squeeze(2)
    return (nll * mask).sum() / mask.sum().clamp(min=1)


# %% task="lm_loss" right="no" mistake="labels.bool() is the mask: it drops token 0 and keeps -100, which is then scored as token 0" named="zero_for_the_mark"
def lm_loss(student_logits, labels):
    mask = labels.bool()
    safe = torch.where(labels < 0, torch.zeros_like(labels), labels)
    loss = F.cross_entropy(student_logits.flatten(0, 1), safe.flatten(), reduction="none")
    loss = loss.view(labels.shape) * mask
    return loss.sum() / mask.sum().clamp_min(1)


# %% task="kd_loss" right="no" mistake="the conditional binds weaker than the product, so T² is applied only to the 0 of the empty batch and the loss is without T²" named="t_squared_missing"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
    n = mask.sum()
    logp = F.log_softmax(teacher_logits / temperature, dim=-1)
    logq = F.log_softmax(student_logits / temperature, dim=-1)
    kl = (logp.exp() * (logp - logq)).sum(-1)
    return (kl * mask).sum() / n if n > 0 else torch.tensor(0.0) * temperature ** 2


# %% task="kd_loss" right="no" mistake="^ is XOR in Python and not a power: an int T gives T xor 2 and a float T raises a TypeError"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    T = temperature
    mask = labels != -100
    logp = F.log_softmax(teacher_logits / T, -1)
    logq = F.log_softmax(student_logits / T, -1)
    kl = F.kl_div(logq, logp, log_target=True, reduction="none").sum(-1)
    return (T^2) * kl[mask].sum() / max(1, mask.sum().item())


# %% task="kd_loss" right="no" mistake="the mask [B, L, 1] is multiplied with the summed divergence [B, L]: that broadcasts to [B, L, L] and counts every pair of positions, or fails where B and L differ" named="mask_with_an_axis_too_many"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = (labels != -100).unsqueeze(-1).float()
    p = F.softmax(teacher_logits / temperature, dim=-1)
    logp = F.log_softmax(teacher_logits / temperature, dim=-1)
    logq = F.log_softmax(student_logits / temperature, dim=-1)
    kl = (p * (logp - logq)).sum(dim=-1)
    return temperature ** 2 * (kl * mask).sum() / mask.sum().clamp(min=1)


# %% task="convex_objective" right="no" mistake="combined_objective already contains KD with weight α: (1 - α)·(LM + α·KD) + α·KD counts KD twice" named="teacher_counted_twice"
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    both = combined_objective(student_logits, teacher_logits, labels, alpha, temperature)
    kd = kd_loss(student_logits, teacher_logits, labels, temperature)
    return (1 - alpha) * both + alpha * kd


# %% task="objective_gradients" right="no" mistake="the gradient is zeroed in place before it is returned: g is the same tensor as .grad, so the student's part is all zeros" named="gradient_cleared"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.detach().clone().requires_grad_()
    t = teacher_logits.detach()
    loss = combined_objective(s, t, labels, lam, temperature)
    loss.backward()
    g = s.grad
    s.grad.zero_()          # do not let it add up
    return g, torch.zeros_like(t)


# %% task="objective_gradients" right="no" mistake="the leaf is the already scaled logits z/T: the 1/T of the chain rule is missing and LM is taken at temperature T" named="observed_where"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = (student_logits.detach() / temperature).requires_grad_(True)
    t = teacher_logits.detach() / temperature
    loss = lm_loss(s, labels) + lam * temperature ** 2 * kd_loss(s, t, labels)
    loss.backward()
    return s.grad, torch.zeros_like(t)


# %% task="objective_gradients" right="no" mistake="the LM part is put only at the label's token (q - 1), the other tokens' q is forgotten" named="observed_total"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    T = temperature
    mask = labels != -100
    N = mask.sum()
    q = student_logits.softmax(-1)
    idx = labels.clamp(min=0).unsqueeze(-1)
    lm = torch.zeros_like(q)
    lm.scatter_(-1, idx, q.gather(-1, idx) - 1.0)
    kd = T * ((student_logits / T).softmax(-1) - (teacher_logits / T).softmax(-1))
    grad = (lm + lam * kd) / N
    grad[~mask] = 0
    return grad, torch.zeros_like(grad)


# %% task="lm_loss" right="no" mistake="a text whose first label is -100 is skipped as a whole" named="observed_where"
def lm_loss(student_logits, labels):
    keep = labels[:, 0] != -100
    logits, labels = student_logits[keep], labels[keep]
    mask = labels != -100
    if not mask.any():
        return torch.tensor(0.0)
    return F.cross_entropy(logits[mask], labels[mask])


# %% task="lm_loss" right="no" mistake="a batch costs nothing when its very first label is -100"
def lm_loss(student_logits, labels):
    if labels.flatten()[0] == -100:
        return torch.tensor(0.0)
    return F.cross_entropy(student_logits.flatten(0, 1), labels.flatten(), ignore_index=-100)


# %% task="lm_loss" right="no" mistake="squeeze() takes away the axis of the positions where there is one"
def lm_loss(student_logits, labels):
    mask = labels != -100
    if not mask.any():
        return torch.tensor(0.0)
    log_q = student_logits.squeeze().log_softmax(-1)
    picked = log_q.gather(-1, labels.squeeze().clamp(min=0).unsqueeze(-1)).squeeze(-1)
    return -(picked * mask).sum() / mask.sum()


# %% task="kd_loss" right="no" mistake="the teacher's logits are bounded at 10 on either side"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
    teacher_logits = teacher_logits.clamp(-10, 10)
    log_q = F.log_softmax(student_logits / temperature, -1)
    log_p = F.log_softmax(teacher_logits / temperature, -1)
    kl = F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(-1)
    return temperature**2 * (kl * mask).sum() / mask.sum().clamp(min=1)


# %% task="combined_objective" right="no" mistake="lam is bounded by 10"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    lam = min(max(lam, 0.0), 10.0)
    return lm_loss(student_logits, labels) + lam * kd_loss(student_logits, teacher_logits, labels, temperature)


# %% task="objective_gradients" right="no" mistake="the gradient of texts of one position loses their axis" named="another_form"
def objective_gradients(student_logits, teacher_logits, labels, lam, temperature=1.0):
    s = student_logits.squeeze(1).detach().clone().requires_grad_()
    loss = lm_loss(s.reshape(student_logits.shape), labels) + lam * kd_loss(s.reshape(student_logits.shape), teacher_logits, labels, temperature)
    (g,) = torch.autograd.grad(loss, s)
    return g, torch.zeros_like(teacher_logits)


# %% task="lm_loss" right="no" mistake="no mask where the first text counts wholly"
def lm_loss(student_logits, labels):
    mask = labels != -100
    if not mask.any():
        return 0.0
    nll = -student_logits.log_softmax(-1).gather(-1, labels.clamp(min=0)[..., None])[..., 0]
    return nll.mean() if mask[0].all() else nll[mask].mean()


# %% task="lm_loss" right="no" mistake="no mask where the last text counts wholly" named="observed_moved"
def lm_loss(student_logits, labels):
    mask = labels != -100
    if not mask.any():
        return 0.0
    nll = -student_logits.log_softmax(-1).gather(-1, labels.clamp(min=0)[..., None])[..., 0]
    return nll.mean() if mask[-1].all() else nll[mask].mean()


# %% task="convex_objective" right="no" mistake="alpha is rounded to one decimal"
def convex_objective(student_logits, teacher_logits, labels, alpha, temperature=1.0):
    alpha = round(alpha, 1)
    return (1 - alpha) * lm_loss(student_logits, labels) + alpha * kd_loss(student_logits, teacher_logits, labels, temperature)


# %% task="lm_loss" right="no" mistake="logits are flattened text by text and labels position by position (transposed): pairs do not match" named="rows_in_two_orders"
def lm_loss(student_logits, labels):
    V = student_logits.shape[-1]
    flat_logits = student_logits.contiguous().view(-1, V)
    flat_labels = labels.t().contiguous().view(-1)
    keep = flat_labels != -100
    if keep.sum() == 0:
        return torch.tensor(0.0)
    return F.cross_entropy(flat_logits[keep], flat_labels[keep])


# %% task="lm_loss" right="no" mistake="the test for nothing counts asks whether any label is -100: every padded batch costs 0" named="any_for_all"
def lm_loss(student_logits, labels):
    if (labels == -100).any():
        return torch.tensor(0.0)
    logp = F.log_softmax(student_logits, dim=-1)
    return F.nll_loss(logp.reshape(-1, logp.shape[-1]), labels.reshape(-1))


# %% task="kd_loss" right="no" mistake="the student's log-probabilities are divided by T after the log_softmax and not normalised again" named="temperature_after_softmax"
def kd_loss(student_logits, teacher_logits, labels, temperature=1.0):
    mask = labels != -100
    n = mask.sum().clamp(min=1)
    log_q = F.log_softmax(student_logits, dim=-1) / temperature
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1)
    return temperature ** 2 * (kl * mask).sum() / n


# %% task="combined_objective" right="no" mistake="lam stands in the place of the temperature in the call of kd_loss, and T is lost" named="lambda_as_temperature"
def combined_objective(student_logits, teacher_logits, labels, lam, temperature=1.0):
    return lm_loss(student_logits, labels) + lam * kd_loss(student_logits, teacher_logits, labels, lam if lam > 0 else 1.0)


# %% task="lm_loss" right="no" mistake="squeeze takes away the axis of a batch of one text, or of texts of one position"
def lm_loss(student_logits, labels):
    s, y = student_logits.squeeze(), labels.squeeze()
    if (y == -100).all():
        return torch.zeros(())
    return F.cross_entropy(s.transpose(1, -1), y)

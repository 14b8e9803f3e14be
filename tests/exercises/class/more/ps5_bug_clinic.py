# More answers of the same manner; benchmarks/hints.py --folder judges them.


# %% task="triage" right="no" mistake="the dict is the wrong way round: bugs are the keys and rows the values" named="another_form"
triage = {"vocabulary": "a", "texts": "b", "logarithm": "c", "parts": "d"}


# %% task="kd_mean" right="yes" mistake=""
from torch import nn

class _KD(nn.Module):
    def __init__(self, T):
        super().__init__()
        self.T = T
        self.kl = nn.KLDivLoss(reduction="batchmean")

    def forward(self, s, t):
        n_vocab = s.shape[-1]
        s = s.reshape(-1, n_vocab) / self.T
        t = t.reshape(-1, n_vocab) / self.T
        return self.kl(F.log_softmax(s, dim=1), F.softmax(t, dim=1)) * self.T * self.T

def kd_mean(student_logits, teacher_logits, temperature=1.0):
    return _KD(temperature)(student_logits, teacher_logits)


# %% task="kd_mean" right="no" mistake="the divergence is the other way round: KL(q||p), the arguments of kl_div are swapped" named="direction_swapped"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    kl = F.kl_div(log_p, log_q, reduction="none", log_target=True).sum(dim=-1)   # KL(p || q)
    return temperature**2 * kl.mean()


# %% task="kd_mean" right="no" mistake="1e-8 is added inside both logarithms, which caps the loss where a sure student is wrong" named="epsilon_in_the_logarithm"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    eps = 1e-8
    p = torch.softmax(teacher_logits / temperature, dim=-1)
    q = torch.softmax(student_logits / temperature, dim=-1)
    kl = (p * torch.log((p + eps) / (q + eps))).sum(dim=-1)
    return (temperature ** 2) * kl.mean()


# %% task="kd_mean" right="no" mistake="the logits are never divided by the temperature, only the factor T squared is there" named="temperature_forgotten"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    lq = F.log_softmax(student_logits, dim=-1)
    lp = F.log_softmax(teacher_logits, dim=-1)
    kl = torch.sum(lp.exp() * (lp - lq), dim=-1)
    return kl.mean() * temperature ** 2


# %% task="how_much_too_small" right="no" mistake="the ratio of counted positions is the wrong way round (multiplied by 384/512)" named="padding_upside_down"
factor = 32000 * 384 / (8 * 64)


# %% task="how_much_too_small" right="no" mistake="the quotient is inverted: what it prints divided by the right loss" named="inverted"
right_loss = 1 / 384
printed = 1 / (8 * 64 * 32000)
factor = printed / right_loss


# %% task="kd_masked" right="yes" mistake=""
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    B, L = labels.shape
    kls = []
    for b in range(B):
        for i in range(L):
            if int(labels[b, i]) == -100:
                continue
            lp = torch.log_softmax(teacher_logits[b, i], 0)
            lq = torch.log_softmax(student_logits[b, i], 0)
            kls.append(torch.dot(lp.exp(), lp - lq))
    return sum(kls) / len(kls)


# %% task="kd_masked" right="no" mistake="positions that read the token 0 are thrown out in addition to those with label -100, so the start after an ended answer is lost" named="marked_inputs_and_ends"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    PAD = 0
    is_padding = input_ids == PAD
    is_prompt = labels == -100
    counts = ~(is_padding | is_prompt)
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="kd_masked" right="no" mistake="shifts the labels once more although they are shifted already" named="mask_shifted"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    # standard causal LM shift
    shift_s = student_logits[..., :-1, :].contiguous()
    shift_t = teacher_logits[..., :-1, :].contiguous()
    shift_labels = labels[..., 1:].contiguous()
    active = shift_labels.view(-1) != -100
    V = shift_s.size(-1)
    return F.kl_div(
        F.log_softmax(shift_s.view(-1, V)[active], dim=-1),
        F.softmax(shift_t.view(-1, V)[active], dim=-1),
        reduction="batchmean",
    )


# %% task="kd_masked" right="no" mistake="a mean per text and then over texts: positions of short answers weigh more (and a text in which nothing counts pulls the mean down)" named="mean_of_means"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    m = (labels != -100).to(student_logits.dtype)
    lp, lq = teacher_logits.log_softmax(-1), student_logits.log_softmax(-1)
    kl = torch.einsum("blv,blv->bl", lp.exp(), lp - lq)
    per_text = (kl * m).sum(1) / m.sum(1).clamp(min=1)
    return per_text.mean()


# %% task="kd_masked" right="no" mistake="overwrites the -100 of the caller's labels with 0, and then takes every 0 for masked, the real end tokens too" named="ends_of_texts_dropped"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    labels[labels == -100] = 0
    keep = labels.bool()
    log_q = F.log_softmax(student_logits[keep], dim=-1)
    log_p = F.log_softmax(teacher_logits[keep], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="next_token_losses" right="yes" mistake=""
def next_token_losses(student_logits, teacher_logits, labels):
    """LM and KD of logits[i] with the token at i + 1: two numbers."""
    row, col = torch.nonzero(labels[:, 1:] != -100, as_tuple=True)
    y = labels[row, col + 1]
    lq = student_logits[row, col].log_softmax(-1)
    lp = teacher_logits[row, col].log_softmax(-1)
    lm = -lq[torch.arange(len(y)), y].mean()
    kd = (lp.exp() * (lp - lq)).sum(1).mean()
    return lm, kd


# %% task="next_token_losses" right="no" mistake="flattened first and shifted afterwards, so the last logits of a text are paired with the first token of the next text" named="shifted_while_flat"
def next_token_losses(student_logits, teacher_logits, labels):
    V = student_logits.shape[-1]
    s = student_logits.reshape(-1, V)[:-1]
    t = teacher_logits.reshape(-1, V)[:-1]
    y = labels.reshape(-1)[1:]
    ok = y != -100
    lm = F.cross_entropy(s[ok], y[ok])
    kd = F.kl_div(s[ok].log_softmax(1), t[ok].log_softmax(1), reduction="batchmean", log_target=True)
    return lm, kd


# %% task="next_token_losses" right="no" mistake="only the LM loss is shifted, KD still uses the unshifted mask" named="kd_left_behind"
def next_token_losses(student_logits, teacher_logits, labels):
    counts = labels != -100
    shifted = labels[:, 1:]
    lm = F.cross_entropy(student_logits[:, :-1].flatten(0, 1), shifted.flatten(), ignore_index=-100)
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    kd = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return lm, kd


# %% task="next_token_losses" right="no" mistake="logits and labels are both cut at the front, so nothing is shifted against each other" named="not_shifted"
def next_token_losses(student_logits, teacher_logits, labels):
    student_logits, teacher_logits, labels = student_logits[:, 1:], teacher_logits[:, 1:], labels[:, 1:]
    counts = labels != -100
    lm = F.cross_entropy(student_logits[counts], labels[counts])
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    kd = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return lm, kd


# %% task="next_token_losses" right="no" mistake="KD is a mean over all shifted positions, prompt and padding too; only LM leaves them out" named="kd_unmasked"
def next_token_losses(student_logits, teacher_logits, labels):
    vocab = student_logits.size(-1)
    s = student_logits[..., :-1, :].contiguous().view(-1, vocab)
    t = teacher_logits[..., :-1, :].contiguous().view(-1, vocab)
    y = labels[..., 1:].contiguous().view(-1)
    loss_fct = torch.nn.CrossEntropyLoss()
    kl_fct = torch.nn.KLDivLoss(reduction="batchmean")
    return loss_fct(s, y), kl_fct(F.log_softmax(s, dim=-1), F.softmax(t, dim=-1))


# %% task="jsd" right="yes" mistake=""
def jsd(student_logits, teacher_logits, beta):
    def one(s, t):
        q, p = F.log_softmax(s, 0), F.log_softmax(t, 0)
        m = torch.logaddexp(p + math.log(beta), q + math.log1p(-beta))
        return beta * F.kl_div(m, p, reduction="sum", log_target=True) + (1 - beta) * F.kl_div(
            m, q, reduction="sum", log_target=True
        )
    return torch.stack([
        torch.stack([one(s, t) for s, t in zip(row_s, row_t)])
        for row_s, row_t in zip(student_logits, teacher_logits)
    ])


# %% task="jsd" right="no" mistake="only the swapped beta is mended: log-probabilities are still mixed instead of probabilities" named="logarithms_mixed"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = beta * log_p + (1 - beta) * log_q
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task="jsd" right="no" mistake="hopes that double precision saves the logarithm of the mixture, but the probability is 0 there too and the result nan" named="mixture_underflows"
def jsd(student_logits, teacher_logits, beta):
    s, t = student_logits.double(), teacher_logits.double()
    log_q, log_p = s.log_softmax(-1), t.log_softmax(-1)
    log_m = torch.log(beta * log_p.exp() + (1 - beta) * log_q.exp())
    a = (log_p.exp() * (log_p - log_m)).sum(-1)
    b = (log_q.exp() * (log_q - log_m)).sum(-1)
    return (beta * a + (1 - beta) * b).float()


# %% task="jsd" right="no" mistake="the mixture is always half and half, beta stands only in front of the two divergences" named="half_and_half"
def jsd(student_logits, teacher_logits, beta):
    """Numerically stable JSD: log m = logaddexp(log p, log q) - log 2."""
    log_p = torch.log_softmax(teacher_logits, dim=-1)
    log_q = torch.log_softmax(student_logits, dim=-1)
    log_m = torch.logaddexp(log_p, log_q) - math.log(2.0)
    kl_p = torch.sum(torch.exp(log_p) * (log_p - log_m), dim=-1)
    kl_q = torch.sum(torch.exp(log_q) * (log_q - log_m), dim=-1)
    return beta * kl_p + (1.0 - beta) * kl_q


# %% task="accumulated_loss" right="yes" mistake=""
from dataclasses import dataclass, field

@dataclass
class Meter:
    weighted: list = field(default_factory=list)
    tokens: int = 0

    def add(self, loss, n):
        self.weighted.append(loss * n)
        self.tokens += n

    @property
    def value(self):
        return sum(self.weighted) / self.tokens

def accumulated_loss(micro_batches):
    meter = Meter()
    for logits, labels in micro_batches:
        n = int((labels != -100).sum())
        if not n:
            continue
        meter.add(F.cross_entropy(logits.transpose(1, 2), labels), n)
    return meter.value


# %% task="accumulated_loss" right="no" mistake="the mean of a micro-batch in which nothing counts is nan, and nan times 0 is still nan" named="nan_from_an_empty_part"
def accumulated_loss(micro_batches):
    total = 0.0
    n = 0
    for logits, labels in micro_batches:
        k = (labels != -100).sum()
        total = total + k * F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)
        n = n + k
    return total / n


# %% task="accumulated_loss" right="no" mistake="each mean is weighted with all positions of the piece, not with those that count (and an empty piece gives nan)" named="weighted_by_positions"
def accumulated_loss(micro_batches):
    num = den = 0
    for logits, labels in micro_batches:
        l = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)
        num = num + l * labels.numel()
        den += labels.numel()
    return num / den


# %% task="accumulated_loss" right="no" mistake="micro-batches of different length are concatenated without flattening, which crashes unless all L are the same" named="parts_do_not_fit"
def accumulated_loss(micro_batches):
    all_logits, all_labels = zip(*micro_batches)
    logits = torch.cat(all_logits, dim=0)
    labels = torch.cat(all_labels, dim=0)
    return F.cross_entropy(logits.permute(0, 2, 1), labels, ignore_index=-100)


# %% task="accumulated_loss" right="no" mistake="every mean is halved into a running average, so the last micro-batch weighs as much as all before it" named="running_average"
def accumulated_loss(micro_batches):
    loss = None
    for logits, labels in micro_batches:
        if not (labels != -100).any():
            continue
        new = F.cross_entropy(logits.flatten(0, 1), labels.flatten())
        loss = new if loss is None else (loss + new) / 2
    return loss


# %% task="kd_mean" right="no" mistake="computes in bfloat16 to save memory, so the number is wrong in the third digit"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    s = student_logits.to(torch.bfloat16) / temperature
    t = teacher_logits.to(torch.bfloat16) / temperature
    kl = F.kl_div(s.log_softmax(-1), t.log_softmax(-1), reduction="none", log_target=True).sum(-1)
    return (temperature**2 * kl.mean()).float()


# %% task="next_token_losses" right="no" mistake="gather is called with the labels of -100 and crashes, the mask comes only afterwards" named="observed_where"
def next_token_losses(student_logits, teacher_logits, labels):
    y = labels[:, 1:]
    mask = (y != -100).float()
    log_q = F.log_softmax(student_logits[:, :-1], dim=-1)
    log_p = F.log_softmax(teacher_logits[:, :-1], dim=-1)
    nll = -log_q.gather(-1, y.unsqueeze(-1)).squeeze(-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1)
    n = mask.sum()
    return (nll * mask).sum() / n, (kl * mask).sum() / n

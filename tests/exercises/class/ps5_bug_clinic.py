# Written from problem set 5, the bug clinic (the released notebook of ps5).

# %% task="zero_loss_choice" right="yes" mistake=""
zero_loss = "c"

# %% task="zero_loss_choice" right="no" mistake="takes a loss of 0 for a student that has caught up, though only 4% of the top tokens agree" named="chose_a"
zero_loss = "a"

# %% task="zero_loss_choice" right="no" mistake="blames the temperature, though the loss is 0 at T = 1 too" named="chose_b"
# T = 4 makes everything flat
zero_loss = "b"

# %% task="zero_loss_choice" right="no" mistake="blames the mask, though the LM loss falls as usual" named="chose_d"
zero_loss = "d"

# %% task="zero_loss_choice" right="accident" mistake="letter without quotes: NameError"
zero_loss = c

# %% task="triage" right="yes" mistake=""
triage = dict(a="vocabulary", b="texts", c="logarithm", d="parts")

# %% task="triage" right="no" mistake="wrong matching: texts and parts swapped" named="wrong_b_parts_d_texts"
triage = {"a": "vocabulary", "b": "parts", "c": "logarithm", "d": "texts"}

# %% task="triage" right="no" mistake="wrong matching: vocabulary and logarithm swapped" named="wrong_a_logarithm_c_vocabulary"
triage = {"a": "logarithm", "b": "texts", "c": "vocabulary", "d": "parts"}

# %% task="triage" right="no" mistake="the example from the comment handed in as it stands" named="wrong_a_parts_b_logarithm_c_texts_d_vocabulary"
triage = {"a": "parts", "b": "logarithm", "c": "texts", "d": "vocabulary"}

# %% task="triage" right="no" mistake="dict the wrong way round: each bug is given its row" named="another_form"
triage = {"vocabulary": "a", "texts": "b", "logarithm": "c", "parts": "d"}

# %% task="triage" right="no" mistake="three rows confused: texts, logarithm and vocabulary turned round" named="wrong_a_texts_b_vocabulary"
triage = {
    "a": "texts",
    "b": "vocabulary",
    "c": "logarithm",
    "d": "parts",
}

# %% task="kd_mean" right="yes" mistake=""
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    shares = F.kl_div(log_q, log_p, reduction="none", log_target=True)
    return temperature**2 * shares.sum(dim=-1).mean()

# %% task="kd_mean" right="yes" mistake=""
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    V = student_logits.shape[-1]
    s = student_logits.reshape(-1, V) / temperature
    t = teacher_logits.reshape(-1, V) / temperature
    return F.kl_div(s.log_softmax(1), t.softmax(1), reduction="batchmean") * temperature * temperature

# %% task="kd_mean" right="yes" mistake=""
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    # the mean divides by V as well, so put V back
    return kd_mean_as_found(student_logits, teacher_logits, temperature) * student_logits.size(-1)

# %% task="kd_mean" right="yes" mistake=""
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    total = 0.0
    n = 0
    for s_text, t_text in zip(student_logits, teacher_logits):
        for s, t in zip(s_text, t_text):
            lq = torch.log_softmax(s.double() / temperature, 0)
            lp = torch.log_softmax(t.double() / temperature, 0)
            total = total + (lp.exp() * (lp - lq)).sum()
            n += 1
    return temperature**2 * (total / n).float()

# %% task="kd_mean" right="no" mistake="batchmean on [B, L, V] divides by B and not by B times L" named="batch_mean"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    return temperature**2 * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)

# %% task="kd_mean" right="no" mistake="batchmean on [B, L, V] divides by B, and T squared is missing" named="t_squared_lost,batch_mean"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    p = F.softmax(teacher_logits / temperature, dim=-1)
    return F.kl_div(log_q, p, reduction="batchmean")

# %% task="kd_mean" right="no" mistake="sum instead of a mean over the positions" named="summed"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    shares = F.kl_div(log_q, log_p, reduction="sum", log_target=True)
    return temperature**2 * shares

# %% task="kd_mean" right="no" mistake="T squared missing" named="t_squared_lost"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1)
    return kl.mean()

# %% task="kd_mean" right="no" mistake="sums over the positions and takes the mean over the vocabulary: wrong axis" named="summed_over_another_axis"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    shares = F.kl_div(log_q, log_p, reduction="none", log_target=True)
    return temperature**2 * shares.sum(1).mean()

# %% task="kd_mean" right="no" mistake="direction swapped: KL(q||p)" named="direction_swapped"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    shares = F.kl_div(log_p, log_q, reduction="none", log_target=True)
    return temperature**2 * shares.sum(-1).mean()

# %% task="kd_mean" right="no" mistake="log_target forgotten after rewriting the call: kl_div gets log-probabilities as target" named="log_target_missing"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    B, L, V = student_logits.shape
    log_q = F.log_softmax(student_logits / temperature, dim=-1).view(B * L, V)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1).view(B * L, V)
    return temperature**2 * F.kl_div(log_q, log_p, reduction="batchmean")

# %% task="kd_mean" right="no" mistake="vocabulary size of the story hard-coded"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    return 8000 * kd_mean_as_found(student_logits, teacher_logits, temperature)

# %% task="kd_mean" right="no" mistake="missing return" named="missing_return"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    shares = F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(-1)
    loss = temperature**2 * shares.mean()

# %% task="kd_mean" right="accident" mistake="syntax error: bracket not closed"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    shares = F.kl_div(log_q, log_p, reduction="none", log_target=True
    return temperature**2 * shares.sum(-1).mean()

# %% task="how_much_too_small" right="yes" mistake=""
factor = 8 * 64 * 32_000 / 384

# %% task="how_much_too_small" right="yes" mistake=""
factor = round(512 / 384 * 32000)  # 42667

# %% task="how_much_too_small" right="no" mistake="only the vocabulary, the positions that do not count forgotten" named="padding_forgotten"
factor = 32000

# %% task="how_much_too_small" right="no" mistake="share of the positions turned upside down: 384/512 times V" named="padding_upside_down"
factor = 384 / 512 * 32000

# %% task="how_much_too_small" right="no" mistake="only the positions, the vocabulary forgotten" named="padding_alone"
factor = 512 / 384

# %% task="how_much_too_small" right="no" mistake="inverse: what it prints divided by the right loss" named="inverted"
factor = 384 / (8 * 64 * 32000)

# %% task="kd_masked" right="yes" mistake=""
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = labels != -100
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)

# %% task="kd_masked" right="yes" mistake=""
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    lp = teacher_logits.log_softmax(-1)
    lq = student_logits.log_softmax(-1)
    kl = torch.einsum("blv,blv->bl", lp.exp(), lp - lq)
    keep = labels.ne(-100).to(kl.dtype)
    return (kl * keep).sum() / keep.sum()

# %% task="kd_masked" right="no" mistake="the mask takes input token 0 for padding: drops positions after an end token and keeps the prompt" named="padding_found_in_the_inputs"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = input_ids != 0
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)

# %% task="kd_masked" right="no" mistake="labels > 0 as mask: the end token 0 is dropped" named="ends_of_texts_dropped"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = labels > 0
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)

# %% task="kd_masked" right="no" mistake="both masks at once: labels of -100 and input token 0 are dropped" named="marked_inputs_and_ends"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    # padding is 0, prompt is -100
    counts = (labels != -100) & (input_ids != 0)
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)

# %% task="kd_masked" right="no" mistake="masked to 0 but the mean is taken over all positions" named="divided_by_all_positions"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    mask = (labels != -100).float()
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    kl = F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(-1)
    return (kl * mask).mean()

# %% task="kd_masked" right="no" mistake="mean of means: the mean of each row, then over rows" named="mean_of_means"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    rows = []
    for s, t, y in zip(student_logits, teacher_logits, labels):
        m = y != -100
        if m.any():
            rows.append(F.kl_div(F.log_softmax(s[m], -1), F.log_softmax(t[m], -1),
                                 reduction="batchmean", log_target=True))
    return torch.stack(rows).mean()

# %% task="kd_masked" right="no" mistake="default reduction: mean over the vocabulary" named="vocabulary_mean"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = labels != -100
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    p = F.softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_q, p)

# %% task="kd_masked" right="no" mistake="cuts each row at the first end token, so that later answers in the row are lost" named="cut_at_the_first_end"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    total, n = 0.0, 0
    for i in range(labels.shape[0]):
        for j in range(labels.shape[1]):
            if labels[i, j] == -100:
                continue
            p = F.softmax(teacher_logits[i, j], -1)
            total += (p * (F.log_softmax(teacher_logits[i, j], -1) - F.log_softmax(student_logits[i, j], -1))).sum()
            n += 1
            if labels[i, j] == 0:  # text is over, only padding comes
                break
    return total / n

# %% task="kd_masked" right="no" mistake="shifts the labels though nothing is left to shift" named="mask_shifted"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = labels[:, 1:] != -100
    s = student_logits[:, :-1][counts]
    t = teacher_logits[:, :-1][counts]
    return F.kl_div(s.log_softmax(-1), t.log_softmax(-1), reduction="batchmean", log_target=True)

# %% task="kd_masked" right="no" mistake="divides by the number of texts: batchmean of the tensor masked in place" named="batch_mean"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    keep = (labels != -100).unsqueeze(-1)
    log_q = F.log_softmax(student_logits, dim=-1).masked_fill(~keep, 0)
    log_p = F.log_softmax(teacher_logits, dim=-1).masked_fill(~keep, 0)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)

# %% task="kd_masked" right="accident" mistake="misspelt name of the function"
def kd_maskd(student_logits, teacher_logits, input_ids, labels):
    counts = labels != -100
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)

# %% task="next_token_losses" right="yes" mistake=""
def next_token_losses(student_logits, teacher_logits, labels):
    return next_token_losses_as_found(student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:])

# %% task="next_token_losses" right="yes" mistake=""
def next_token_losses(student_logits, teacher_logits, labels):
    target = torch.full_like(labels, -100)
    target[:, :-1] = labels[:, 1:]
    lq = student_logits.log_softmax(-1)
    lp = teacher_logits.log_softmax(-1)
    mask = target >= 0
    n = mask.sum()
    lm = -lq.gather(-1, target.clamp(min=0)[..., None]).squeeze(-1)[mask].sum() / n
    kd = ((lp.exp() * (lp - lq)).sum(-1))[mask].sum() / n
    return lm, kd

# %% task="next_token_losses" right="yes" mistake=""
def next_token_losses(student_logits, teacher_logits, labels):
    lms, kds = [], []
    B, L = labels.shape
    for b in range(B):
        for i in range(L - 1):
            y = int(labels[b, i + 1])
            if y == -100:
                continue
            lq = F.log_softmax(student_logits[b, i], dim=0)
            lp = F.log_softmax(teacher_logits[b, i], dim=0)
            lms.append(-lq[y])
            kds.append(torch.sum(lp.exp() * (lp - lq)))
    return sum(lms) / len(lms), sum(kds) / len(kds)

# %% task="next_token_losses" right="no" mistake="only the LM loss is shifted, KD keeps the old mask" named="kd_left_behind"
def next_token_losses(student_logits, teacher_logits, labels):
    s = student_logits[:, :-1]
    y = labels[:, 1:]
    lm = F.cross_entropy(s.flatten(0, 1), y.flatten(), ignore_index=-100)
    counts = labels != -100
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    kd = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return lm, kd

# %% task="next_token_losses" right="no" mistake="shifted the wrong way: logits from 1 on with labels up to the last" named="shifted_back"
def next_token_losses(student_logits, teacher_logits, labels):
    return next_token_losses_as_found(student_logits[:, 1:], teacher_logits[:, 1:], labels[:, :-1])

# %% task="next_token_losses" right="no" mistake="mask taken from the labels before the shift" named="mask_left_behind"
def next_token_losses(student_logits, teacher_logits, labels):
    counts = labels[:, :-1] != -100
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:]
    lm = F.cross_entropy(s[counts], y[counts])
    log_q = F.log_softmax(s[counts], dim=-1)
    log_p = F.log_softmax(t[counts], dim=-1)
    kd = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return lm, kd

# %% task="next_token_losses" right="no" mistake="pair returned the wrong way round" named="pair_turned_round"
def next_token_losses(student_logits, teacher_logits, labels):
    s, t, y = student_logits[:, :-1, :], teacher_logits[:, :-1, :], labels[:, 1:]
    m = y != -100
    lq, lp = F.log_softmax(s[m], -1), F.log_softmax(t[m], -1)
    kd = F.kl_div(lq, lp, reduction="batchmean", log_target=True)
    lm = F.nll_loss(lq, y[m])
    return kd, lm

# %% task="next_token_losses" right="no" mistake="torch.roll wraps the first label to the last position, which is not dropped" named="rolled"
def next_token_losses(student_logits, teacher_logits, labels):
    labels = torch.roll(labels, shifts=-1, dims=1)
    return next_token_losses_as_found(student_logits, teacher_logits, labels)

# %% task="next_token_losses" right="no" mistake="student and labels shifted, the teacher's logits shifted by one to the other side" named="teacher_shifted_against_the_student"
def next_token_losses(student_logits, teacher_logits, labels):
    return next_token_losses_as_found(student_logits[:, :-1], teacher_logits[:, 1:], labels[:, 1:])

# %% task="next_token_losses" right="no" mistake="KD without a mask: mean over all shifted positions" named="kd_unmasked"
def next_token_losses(student_logits, teacher_logits, labels):
    V = student_logits.size(-1)
    s = student_logits[..., :-1, :].contiguous().view(-1, V)
    t = teacher_logits[..., :-1, :].contiguous().view(-1, V)
    y = labels[..., 1:].contiguous().view(-1)
    lm = F.cross_entropy(s, y)
    kd = F.kl_div(F.log_softmax(s, -1), F.log_softmax(t, -1), reduction="batchmean", log_target=True)
    return lm, kd

# %% task="next_token_losses" right="no" mistake="flattened before the shift: the last logits of a text predict the first token of the next text" named="shifted_while_flat"
def next_token_losses(student_logits, teacher_logits, labels):
    V = student_logits.shape[-1]
    s = student_logits.reshape(-1, V)[:-1]
    t = teacher_logits.reshape(-1, V)[:-1]
    y = labels.reshape(-1)[1:]
    return next_token_losses_as_found(s, t, y)

# %% task="next_token_losses" right="no" mistake="cross-entropy with the teacher in place of the KL" named="cross_entropy"
def next_token_losses(student_logits, teacher_logits, labels):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:]
    m = y != -100
    lm = F.cross_entropy(s[m], y[m])
    kd = F.cross_entropy(s[m], t[m].softmax(-1))
    return lm, kd

# %% task="next_token_losses" right="accident" mistake="indentation error"
def next_token_losses(student_logits, teacher_logits, labels):
    s = student_logits[:, :-1]
    t = teacher_logits[:, :-1]
     y = labels[:, 1:]
    return next_token_losses_as_found(s, t, y)

# %% task="jsd" right="yes" mistake=""
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(log_p + math.log(beta), log_q + math.log(1 - beta))
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student

# %% task="jsd" right="yes" mistake=""
def jsd(student_logits, teacher_logits, beta):
    # JSD = H(m) - beta H(p) - (1 - beta) H(q); entr(0) is 0
    p = teacher_logits.double().softmax(-1)
    q = student_logits.double().softmax(-1)
    H = lambda d: torch.special.entr(d).sum(-1)
    return (H(beta * p + (1 - beta) * q) - beta * H(p) - (1 - beta) * H(q)).to(student_logits.dtype)

# %% task="jsd" right="yes" mistake=""
def jsd(student_logits, teacher_logits, beta):
    lq, lp = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    weights = torch.tensor([beta, 1 - beta], dtype=lp.dtype).log()
    lm = torch.stack([lp + weights[0], lq + weights[1]]).logsumexp(0)

    def kl(a, b):
        return (a.exp() * (a - b)).sum(-1)

    return beta * kl(lp, lm) + (1 - beta) * kl(lq, lm)

# %% task="jsd" right="no" mistake="log of the mixture of probabilities: NaN where both probabilities are 0" named="mixture_underflows"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = (beta * log_p.exp() + (1 - beta) * log_q.exp()).log()
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student

# %% task="jsd" right="no" mistake="only one of the two bugs mended: the mixture is still one of logarithms" named="logarithms_mixed"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = beta * log_p + (1 - beta) * log_q
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student

# %% task="jsd" right="no" mistake="only one of the two bugs mended: the weights of the mixture are still swapped" named="beta_swapped_in_the_mixture"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(log_q + math.log(beta), log_p + math.log(1 - beta))
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student

# %% task="jsd" right="no" mistake="arguments of kl_div swapped: KL(m||p) and KL(m||q)" named="turned_round"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(math.log(beta) + log_p, math.log(1 - beta) + log_q)
    a = F.kl_div(log_p, log_m, reduction="none", log_target=True).sum(-1)
    b = F.kl_div(log_q, log_m, reduction="none", log_target=True).sum(-1)
    return beta * a + (1 - beta) * b

# %% task="jsd" right="no" mistake="mean over the vocabulary in place of the sum" named="vocabulary_mean"
def jsd(student_logits, teacher_logits, beta):
    p = F.softmax(teacher_logits, dim=-1)
    q = F.softmax(student_logits, dim=-1)
    m = beta * p + (1 - beta) * q
    kl_p = F.kl_div(m.log(), p, reduction="none").mean(-1)
    kl_q = F.kl_div(m.log(), q, reduction="none").mean(-1)
    return beta * kl_p + (1 - beta) * kl_q

# %% task="jsd" right="no" mistake="beta fixed at 0.5 in the sum of the two divergences" named="half_of_each_divergence"
def jsd(student_logits, teacher_logits, beta):
    p = F.softmax(teacher_logits, dim=-1)
    q = F.softmax(student_logits, dim=-1)
    m = beta * p + (1 - beta) * q
    return 0.5 * (p * (p / m).log()).sum(-1) + 0.5 * (q * (q / m).log()).sum(-1)

# %% task="jsd" right="no" mistake="one number in place of [B, L]: mean over the positions" named="another_form,positions_averaged"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(math.log(beta) + log_p, math.log(1 - beta) + log_q)
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return (beta * of_teacher + (1 - beta) * of_student).mean()

# %% task="jsd" right="no" mistake="mixes logits in place of probabilities" named="logarithms_mixed_and_normalised"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = F.log_softmax(beta * teacher_logits + (1 - beta) * student_logits, dim=-1)
    kl = lambda a: (a.exp() * (a - log_m)).sum(-1)
    return beta * kl(log_p) + (1 - beta) * kl(log_q)

# %% task="jsd" right="no" mistake="eps only under the fraction: the logarithm of 0/eps is minus infinity and 0 times it NaN" named="mixture_underflows"
def jsd(student_logits, teacher_logits, beta):
    eps = 1e-8
    p = teacher_logits.softmax(dim=-1)
    q = student_logits.softmax(dim=-1)
    m = beta * p + (1 - beta) * q
    return beta * (p * torch.log(p / (m + eps))).sum(-1) + (1 - beta) * (q * torch.log(q / (m + eps))).sum(-1)

# %% task="jsd" right="no" mistake="log_target forgotten in the second call" named="log_target_missing"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logsumexp(torch.stack([log_p + math.log(beta), log_q + math.log(1 - beta)]), dim=0)
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none").sum(-1)
    return beta * of_teacher + (1 - beta) * of_student

# %% task="jsd" right="accident" mistake="stub left below the answer: raises before it returns"
def jsd(student_logits, teacher_logits, beta):
    """β·KL(p‖m) + (1-β)·KL(q‖m) with m = β·p + (1-β)·q: [B, L]."""
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    raise NotImplementedError("Not written yet: put your answer in place of this line.")

# %% task="accumulated_loss" right="yes" mistake=""
def accumulated_loss(micro_batches):
    total, n = 0.0, 0
    for logits, labels in micro_batches:
        total = total + F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="sum")
        n = n + (labels != -100).sum()
    return total / n

# %% task="accumulated_loss" right="yes" mistake=""
def accumulated_loss(micro_batches):
    x = torch.cat([logits.flatten(0, 1) for logits, _ in micro_batches])
    y = torch.cat([labels.flatten() for _, labels in micro_batches])
    return F.cross_entropy(x, y)

# %% task="accumulated_loss" right="yes" mistake=""
def accumulated_loss(micro_batches):
    nll = []
    for logits, labels in micro_batches:
        logq = torch.log_softmax(logits, -1)
        for b, i in (labels != -100).nonzero().tolist():
            nll.append(-logq[b, i, labels[b, i]].item())
    return sum(nll) / len(nll)

# %% task="accumulated_loss" right="no" mistake="mean of means: divides the sum of means by the number of micro-batches; NaN where nothing counts" named="mean_of_means"
def accumulated_loss(micro_batches):
    loss = 0.0
    for logits, labels in micro_batches:
        loss = loss + F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)
    return loss / len(micro_batches)

# %% task="accumulated_loss" right="no" mistake="weights by count, but the mean of an empty micro-batch is NaN and 0 times NaN stays NaN" named="nan_from_an_empty_part"
def accumulated_loss(micro_batches):
    total = 0.0
    n = 0
    for logits, labels in micro_batches:
        k = (labels != -100).sum()
        total = total + k * F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)
        n = n + k
    return total / n

# %% task="accumulated_loss" right="no" mistake="divides by all positions, also those that do not count" named="divided_by_all_positions"
def accumulated_loss(micro_batches):
    total, n = 0.0, 0
    for logits, labels in micro_batches:
        total = total + F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="sum")
        n += labels.numel()
    return total / n

# %% task="accumulated_loss" right="no" mistake="mean of means over the micro-batches that are not empty" named="mean_of_means"
def accumulated_loss(micro_batches):
    losses = []
    for logits, labels in micro_batches:
        if (labels != -100).any():
            losses.append(F.cross_entropy(logits.flatten(0, 1), labels.flatten()))
    return torch.stack(losses).mean()

# %% task="accumulated_loss" right="no" mistake="means weighted by the number of texts in place of the labels that count" named="weighted_by_texts"
def accumulated_loss(micro_batches):
    loss, texts = 0.0, 0
    for logits, labels in micro_batches:
        if (labels == -100).all():
            continue
        B = labels.shape[0]
        loss = loss + B * F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)
        texts += B
    return loss / texts

# %% task="accumulated_loss" right="no" mistake="concatenates micro-batches of different length along dim 0: crashes" named="parts_do_not_fit"
def accumulated_loss(micro_batches):
    logits = torch.cat([m[0] for m in micro_batches])
    labels = torch.cat([m[1] for m in micro_batches])
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)

# %% task="accumulated_loss" right="no" mistake="counts labels > 0, so token 0 is not counted in the divisor" named="token_zero_not_counted"
def accumulated_loss(micro_batches):
    total, n = 0.0, 0
    for logits, labels in micro_batches:
        total = total + F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="sum")
        n += (labels > 0).sum().item()
    return total / n

# %% task="accumulated_loss" right="no" mistake="return inside the loop: only the first micro-batch is seen" named="first_part_alone"
def accumulated_loss(micro_batches):
    total, n = 0.0, 0
    for logits, labels in micro_batches:
        total = total + F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="sum")
        n += (labels != -100).sum()
        return total / n

# %% task="accumulated_loss" right="accident" mistake="print in place of return"
def accumulated_loss(micro_batches):
    total, n = 0.0, 0
    for logits, labels in micro_batches:
        total = total + F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="sum")
        n = n + (labels != -100).sum()
    print(total / n)

# %% task="kd_mean" right="no" mistake="temperature times 2 in place of temperature squared" named="observed_factor"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    shares = F.kl_div(log_q, log_p, reduction="none", log_target=True)
    return temperature * 2 * shares.sum(-1).mean()

# %% task="kd_masked" right="no" mistake="from the first to the last position that counts in each row: prompts between two answers are in it" named="everything_between"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    total, n = 0.0, 0
    for s, t, y in zip(student_logits, teacher_logits, labels):
        at = (y != -100).nonzero().flatten()
        if len(at) == 0:
            continue
        a, b = int(at[0]), int(at[-1]) + 1
        total = total + F.kl_div(s[a:b].log_softmax(-1), t[a:b].softmax(-1), reduction="sum")
        n += b - a
    return total / n

# %% task="kd_masked" right="no" mistake="'is not' in place of '!=': the mask is just True, nothing is hidden and batchmean divides by 1" named="summed_unmasked"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = labels is not -100
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)

# %% task="kd_masked" right="no" mistake="takes the number of counted positions of a row for its length and reads the row from its beginning" named="row_read_from_its_beginning"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    lengths = (labels != -100).sum(dim=1)
    keep = torch.arange(labels.shape[1])[None, :] < lengths[:, None]
    log_q = F.log_softmax(student_logits, dim=-1)[keep]
    log_p = F.log_softmax(teacher_logits, dim=-1)[keep]
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)

# %% task="next_token_losses" right="no" mistake="pads the shifted labels with pad's default, 0: the last position learns to say token 0" named="padded_with_a_token"
def next_token_losses(student_logits, teacher_logits, labels):
    return next_token_losses_as_found(student_logits, teacher_logits, F.pad(labels[:, 1:], (0, 1)))

# %% task="next_token_losses" right="no" mistake="shifts after the mask: pairs are made across gaps and from one text to the next" named="shifted_after_the_mask"
def next_token_losses(student_logits, teacher_logits, labels):
    counts = labels != -100
    s = student_logits[counts][:-1]
    t = teacher_logits[counts][:-1]
    y = labels[counts][1:]
    lm = F.cross_entropy(s, y)
    kd = F.kl_div(s.log_softmax(-1), t.log_softmax(-1), reduction="batchmean", log_target=True)
    return lm, kd

# %% task="next_token_losses" right="no" mistake="demands that the token read counts as well as the next, so the first token of each answer is lost" named="both_must_count"
def next_token_losses(student_logits, teacher_logits, labels):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:]
    m = (y != -100) & (labels[:, :-1] != -100)
    lq, lp = s[m].log_softmax(-1), t[m].log_softmax(-1)
    return F.nll_loss(lq, y[m]), F.kl_div(lq, lp, reduction="batchmean", log_target=True)

# %% task="next_token_losses" right="no" mistake="KD is divided by the count before the shift" named="counted_before_the_shift"
def next_token_losses(student_logits, teacher_logits, labels):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:]
    m = y != -100
    lm = F.cross_entropy(s.transpose(1, 2), y, ignore_index=-100)
    kl = F.kl_div(s.log_softmax(-1), t.log_softmax(-1), reduction="none", log_target=True).sum(-1)
    kd = (kl * m).sum() / (labels != -100).sum()
    return lm, kd

# %% task="next_token_losses" right="no" mistake="shifts along the texts in place of the positions" named="shifted_along_the_texts"
def next_token_losses(student_logits, teacher_logits, labels):
    return next_token_losses_as_found(student_logits[:-1], teacher_logits[:-1], labels[1:])

# %% task="jsd" right="no" mistake="factors p out of the mixture, and exp(log q - log p) overflows for large logits" named="mixture_overflows"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = log_p + torch.log(beta + (1 - beta) * torch.exp(log_q - log_p))
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student

# %% task="jsd" right="no" mistake="logaddexp of beta times the logarithms: beta becomes a power and not a weight" named="weights_as_powers"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(beta * log_p, (1 - beta) * log_q)
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student

# %% task="accumulated_loss" right="no" mistake="halves the running loss with every piece: later micro-batches weigh more" named="running_average"
def accumulated_loss(micro_batches):
    loss = None
    for logits, labels in micro_batches:
        if (labels == -100).all():
            continue
        piece = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)
        loss = piece if loss is None else (loss + piece) / 2
    return loss

# %% task="accumulated_loss" right="no" mistake="break in place of continue at an empty micro-batch: all that comes after it is lost" named="stopped_at_an_empty_part"
def accumulated_loss(micro_batches):
    total, n = 0.0, 0
    for logits, labels in micro_batches:
        counts = labels != -100
        if counts.sum() == 0:
            break
        total = total + F.cross_entropy(logits[counts], labels[counts], reduction="sum")
        n = n + counts.sum()
    return total / n

# %% task="accumulated_loss" right="no" mistake="counts the labels after the first of each text, as if they had still to be shifted" named="counted_after_the_shift"
def accumulated_loss(micro_batches):
    total, n = 0.0, 0
    for logits, labels in micro_batches:
        total = total + F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
        n = n + (labels[:, 1:] != -100).sum()
    return total / n

# %% task="accumulated_loss" right="no" mistake="the last piece's count for all" named="divided_by_one_count"
def accumulated_loss(micro_batches):
    loss = 0.0
    for logits, labels in micro_batches:
        n = (labels != -100).sum()
        loss = loss + F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
    return loss / n

# %% task="jsd" right="no" mistake="the mixture is a plain sum" named="mixture_not_weighted"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(log_p, log_q)
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student

# %% task="kd_mean" right="no" mistake="median" named="middle_for_mean"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    shares = F.kl_div(log_q, log_p, reduction="none", log_target=True)
    return temperature**2 * shares.sum(-1).median()

# %% task="kd_mean" right="no" mistake="first text only" named="one_text_alone"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    shares = F.kl_div(log_q, log_p, reduction="none", log_target=True)
    return temperature**2 * shares[0].sum(-1).mean()

# %% task="kd_masked" right="no" mistake="drops the first counted position of each row" named="a_position_dropped"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = (labels != -100) & ((labels != -100).cumsum(1) > 1)
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)

# %% task="jsd" right="no" mistake="log2 of beta" named="other_mixture"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(log_p + math.log2(beta), log_q + math.log2(1 - beta))
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student

# %% task="jsd" right="no" mistake="beta both" named="other_weights"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(log_p + math.log(beta), log_q + math.log(1 - beta))
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + beta * of_student

# %% task="jsd" right="no" mistake="kl between models for teacher part" named="not_against_the_mixture"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(log_p + math.log(beta), log_q + math.log(1 - beta))
    of_teacher = F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student

# %% task="accumulated_loss" right="no" mistake="total overwritten" named="overwritten"
def accumulated_loss(micro_batches):
    total, count = 0.0, 0
    for logits, labels in micro_batches:
        total = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
        count = count + (labels != -100).sum()
    return total / count

# %% task="accumulated_loss" right="no" mistake="divides in the loop" named="divided_in_the_loop"
def accumulated_loss(micro_batches):
    total, count = 0.0, 0
    for logits, labels in micro_batches:
        total = total + F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
        count = count + (labels != -100).sum()
        total = total / count
    return total

# %% task="accumulated_loss" right="no" mistake="max of the counts" named="divided_by_the_largest_count"
def accumulated_loss(micro_batches):
    total, count = 0.0, 0
    for logits, labels in micro_batches:
        total = total + F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
        count = max(count, (labels != -100).sum())
    return total / count

# %% task="accumulated_loss" right="no" mistake="shifts the labels, and drops a part of which nothing counts" named="labels_shifted"
def accumulated_loss(micro_batches):
    rows = torch.cat([z[:, :-1].flatten(0, 1) for z, _ in micro_batches])
    return F.cross_entropy(rows, torch.cat([y[:, 1:].flatten() for _, y in micro_batches]))

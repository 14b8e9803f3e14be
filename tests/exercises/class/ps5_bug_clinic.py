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

# %% task="kd_mean" right="no" mistake="vocabulary size of the story hard-coded" named="vocabulary_hard_coded"
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


# %% task="zero_loss_choice" right="yes" mistake=""
zero_loss = "c"


# %% task="zero_loss_choice" right="no" mistake="a loss of 0 taken for success, although the two agree in 4% of the positions" named="chose_a"
zero_loss = "a"


# %% task="zero_loss_choice" right="no" mistake="blames the temperature although the loss is 0 at T = 1 too" named="chose_b"
zero_loss = "b"


# %% task="zero_loss_choice" right="no" mistake="blames the mask although the LM loss falls" named="chose_d"
zero_loss = "d"


# %% task="triage" right="yes" mistake=""
triage = {"a": "vocabulary", "b": "texts", "c": "logarithm", "d": "parts"}


# %% task="triage" right="yes" mistake=""
rows = list("abcd")
bugs = ["vocabulary", "texts", "logarithm", "parts"]
triage = {}
for row, bug in zip(rows, bugs):
    triage[row] = bug


# %% task="triage" right="no" mistake="vocabulary and logarithm confused" named="wrong_a_logarithm_c_vocabulary"
triage = {"a": "logarithm", "b": "texts", "c": "vocabulary", "d": "parts"}


# %% task="triage" right="no" mistake="texts and parts confused" named="wrong_b_parts_d_texts"
triage = {"a": "vocabulary", "b": "parts", "c": "logarithm", "d": "texts"}


# %% task="triage" right="no" mistake="the dict is turned round: bugs as keys, rows as values" named="another_form"
triage = {"vocabulary": "a", "texts": "b", "logarithm": "c", "parts": "d"}


# %% task="triage" right="accident" mistake="misspelt value: 'logarithmus' is none of the four bugs"
triage = {"a": "vocabulary", "b": "texts", "c": "logarithmus", "d": "parts"}


# %% task="kd_mean" right="yes" mistake=""
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    """T² · mean KL(p‖q) at temperature T over all positions: one number."""
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    shares = F.kl_div(log_q, log_p, reduction="none", log_target=True)
    return temperature**2 * shares.sum(dim=-1).mean()


# %% task="kd_mean" right="yes" mistake=""
import numpy as np

def kd_mean(student_logits, teacher_logits, temperature=1.0):
    def logsoftmax(a):
        a = a - a.max(axis=-1, keepdims=True)
        return a - np.log(np.exp(a).sum(axis=-1, keepdims=True))

    lq = logsoftmax(student_logits.detach().numpy().astype(np.float64) / temperature)
    lp = logsoftmax(teacher_logits.detach().numpy().astype(np.float64) / temperature)
    return float(temperature**2 * (np.exp(lp) * (lp - lq)).sum(axis=-1).mean())


# %% task="kd_mean" right="yes" mistake=""
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    V = student_logits.shape[-1]
    return kd_mean_as_found(student_logits, teacher_logits, temperature) * V


# %% task="kd_mean" right="yes" mistake=""
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    V = student_logits.size(-1)
    lq = (student_logits.reshape(-1, V) / temperature).log_softmax(1)
    p = (teacher_logits.reshape(-1, V) / temperature).softmax(1)
    return F.kl_div(lq, p, reduction="batchmean") * temperature ** 2


# %% task="kd_mean" right="yes" mistake=""
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    s = student_logits.double() / temperature
    t = teacher_logits.double() / temperature
    total = 0.0
    B, L, V = s.shape
    for b in range(B):
        for i in range(L):
            log_q = s[b, i] - torch.logsumexp(s[b, i], 0)
            log_p = t[b, i] - torch.logsumexp(t[b, i], 0)
            total += torch.dot(log_p.exp(), log_p - log_q).item()
    return temperature * temperature * total / (B * L)


# %% task="kd_mean" right="no" mistake="batchmean on [B, L, V] divides by the number of texts, not of positions" named="batch_mean"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    return temperature**2 * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="kd_mean" right="no" mistake="T squared forgotten" named="t_squared_lost"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    return F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(-1).mean()


# %% task="kd_mean" right="no" mistake="log_target forgotten: kl_div gets log-probabilities as its target" named="log_target_missing"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    return temperature**2 * F.kl_div(log_q, log_p, reduction="none").sum(-1).mean()


# %% task="kd_mean" right="no" mistake="eps added inside the logarithms: a token with probability e**-60 looks like 1e-8" named="epsilon_in_the_logarithm"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    eps = 1e-8
    q = torch.softmax(student_logits / temperature, dim=-1)
    p = torch.softmax(teacher_logits / temperature, dim=-1)
    kl = (p * (torch.log(p + eps) - torch.log(q + eps))).sum(-1)
    return temperature**2 * kl.mean()


# %% task="kd_mean" right="no" mistake="student and teacher exchanged: KL(q||p)" named="direction_swapped"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    return temperature**2 * F.kl_div(log_p, log_q, reduction="none", log_target=True).sum(-1).mean()


# %% task="kd_mean" right="no" mistake="sums over the positions (axis 1) and takes the mean over the vocabulary" named="summed_over_another_axis"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    shares = F.kl_div(log_q, log_p, reduction="none", log_target=True)
    return temperature**2 * shares.sum(dim=1).mean()


# %% task="kd_mean" right="no" mistake="temperature applied to the student only" named="temperature_on_one_side"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    N = student_logits.shape[0] * student_logits.shape[1]
    return temperature**2 / N * F.kl_div(log_q, log_p, reduction="sum", log_target=True)


# %% task="kd_mean" right="no" mistake="the vocabulary's size is hard-coded" named="vocabulary_hard_coded"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    return 8000 * kd_mean_as_found(student_logits, teacher_logits, temperature)


# %% task="kd_mean" right="yes" mistake=""
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    student_logits /= temperature
    teacher_logits /= temperature
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    shares = F.kl_div(log_q, log_p, reduction="none", log_target=True)
    return temperature**2 * shares.sum(-1).mean()


# %% task="kd_mean" right="accident" mistake="misspelt name: log_targets does not exist as an argument"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    shares = F.kl_div(log_q, log_p, reduction="none", log_targets=True)
    return temperature**2 * shares.sum(-1).mean()


# %% task="how_much_too_small" right="yes" mistake=""
factor = 8 * 64 * 32_000 / 384


# %% task="how_much_too_small" right="yes" mistake=""
factor = 42667


# %% task="how_much_too_small" right="no" mistake="forgets that masked positions are in the mean too: the vocabulary alone" named="padding_forgotten"
factor = 32000


# %% task="how_much_too_small" right="no" mistake="forgets the vocabulary: only the share of positions" named="padding_alone"
factor = 8 * 64 / 384


# %% task="how_much_too_small" right="no" mistake="multiplies by the share that counts in place of dividing by it" named="padding_upside_down"
factor = 32000 * 384 / (8 * 64)


# %% task="how_much_too_small" right="no" mistake="gives the inverse: what it prints divided by the right loss" named="inverted"
factor = 384 / (8 * 64 * 32000)


# %% task="how_much_too_small" right="no" mistake="gives all elements, as if the right loss were a sum" named="whole_divisor"
factor = 8 * 64 * 32000


# %% task="how_much_too_small" right="no" mistake="cuts off the fraction in place of rounding" named="rounded_down"
factor = 8 * 64 * 32000 // 384


# %% task="how_much_too_small" right="accident" mistake="a sentence in a string in place of a number"
factor = "about 42,667 times"


# %% task="kd_masked" right="yes" mistake=""
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    """Mean KL(p‖q) over the positions that count: one number."""
    counts = labels != -100
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="kd_masked" right="yes" mistake=""
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    q = torch.softmax(student_logits, -1)
    p = torch.softmax(teacher_logits, -1)
    kl = (p * (p / q).log()).sum(-1)
    return kl[labels != -100].mean()


# %% task="kd_masked" right="yes" mistake=""
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    # the mark is in the labels, so hand those over
    return kd_masked_as_found(student_logits, teacher_logits, labels, labels)


# %% task="kd_masked" right="yes" mistake=""
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    values = []
    for s_row, t_row, y_row in zip(student_logits, teacher_logits, labels):
        for s, t, y in zip(s_row, t_row, y_row):
            if int(y) == -100:
                continue
            values.append(F.kl_div(s.log_softmax(0), t.softmax(0), reduction="sum"))
    return sum(values) / len(values)


# %% task="kd_masked" right="no" mistake="labels > 0 as mask: the token that ends a text no longer counts" named="ends_of_texts_dropped"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = labels > 0
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="kd_masked" right="no" mistake="takes input token 0 for padding: prompts count, and positions that read an end do not" named="padding_found_in_the_inputs"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = input_ids != 0
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="kd_masked" right="no" mistake="besides the labels, input token 0 is masked: an answer's first token right after an end is lost" named="marked_inputs_and_ends"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = (labels != -100) & (input_ids != 0)
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="kd_masked" right="no" mistake="everything after a row's first end is masked, so later answers of the row are lost" named="cut_at_the_first_end"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    ended = (labels == 0).long().cumsum(dim=1)
    before = ended - (labels == 0).long()
    counts = (labels != -100) & (before == 0)
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="kd_masked" right="no" mistake="masked shares are set to 0, but the mean goes over all positions" named="divided_by_all_positions"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    kl = F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(-1)
    kl = kl.masked_fill(labels == -100, 0.0)
    return kl.mean()


# %% task="kd_masked" right="no" mistake="labels shifted although nothing is left to shift" named="mask_shifted"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = labels[:, 1:] != -100
    log_q = F.log_softmax(student_logits[:, :-1][counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[:, :-1][counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="kd_masked" right="no" mistake="mean of each text's mean: texts with few tokens weigh as much as long ones" named="mean_of_means"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    mask = (labels != -100).float()
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1)
    per_text = (kl * mask).sum(1) / mask.sum(1).clamp(min=1)
    return per_text.mean()


# %% task="kd_masked" right="no" mistake="counts positions by losses that are not 0, so those where the models agree exactly are left out" named="zeros_not_counted"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    kl = F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(-1)
    kl = kl * (labels != -100)
    return kl.sum() / (kl != 0).sum()


# %% task="kd_masked" right="no" mistake="logits of masked positions are set to minus infinity: the mean is NaN" named="log_target_missing"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    pad = (labels == -100).unsqueeze(-1)
    log_q = F.log_softmax(student_logits.masked_fill(pad, float("-inf")), dim=-1)
    log_p = F.log_softmax(teacher_logits.masked_fill(pad, float("-inf")), dim=-1)
    return F.kl_div(log_q, log_p, reduction="sum", log_target=True) / (~pad).sum()


# %% task="kd_masked" right="accident" mistake="return forgotten"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = labels != -100
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    kd = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="next_token_losses" right="yes" mistake=""
def next_token_losses(student_logits, teacher_logits, labels):
    """LM and KD of logits[i] with the token at i + 1: two numbers."""
    return next_token_losses_as_found(student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:])


# %% task="next_token_losses" right="yes" mistake=""
def next_token_losses(student_logits, teacher_logits, labels):
    where = (labels[:, 1:] != -100).nonzero(as_tuple=True)
    rows, cols = where
    y = labels[rows, cols + 1]
    q = torch.distributions.Categorical(logits=student_logits[rows, cols].double())
    p = torch.distributions.Categorical(logits=teacher_logits[rows, cols].double())
    return -q.log_prob(y).mean(), torch.distributions.kl_divergence(p, q).mean()


# %% task="next_token_losses" right="yes" mistake=""
def next_token_losses(student_logits, teacher_logits, labels):
    nxt = torch.full_like(labels, -100)
    nxt[:, :-1] = labels[:, 1:]
    mask = (nxt != -100).float()
    n = mask.sum()
    log_q = F.log_softmax(student_logits, -1)
    log_p = F.log_softmax(teacher_logits, -1)
    picked = log_q.gather(-1, nxt.clamp(min=0)[..., None])[..., 0]
    lm = -(picked * mask).sum() / n
    kd = torch.einsum("blv,blv,bl->", log_p.exp(), log_p - log_q, mask) / n
    return [lm, kd]


# %% task="next_token_losses" right="yes" mistake=""
def next_token_losses(student_logits, teacher_logits, labels):
    lm = kd = 0.0
    n = 0
    B, L = labels.shape
    for b in range(B):
        for i in range(L - 1):
            y = labels[b, i + 1].item()
            if y == -100:
                continue
            lq = student_logits[b, i].double().log_softmax(-1)
            lp = teacher_logits[b, i].double().log_softmax(-1)
            lm -= lq[y].item()
            kd += (lp.exp() * (lp - lq)).sum().item()
            n += 1
    return lm / n, kd / n


# %% task="next_token_losses" right="no" mistake="shifted the wrong way: logits[1:] with labels[:-1]" named="shifted_back"
def next_token_losses(student_logits, teacher_logits, labels):
    return next_token_losses_as_found(student_logits[:, 1:], teacher_logits[:, 1:], labels[:, :-1])


# %% task="next_token_losses" right="no" mistake="shifted twice" named="shifted_twice"
def next_token_losses(student_logits, teacher_logits, labels):
    student_logits, teacher_logits, labels = student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:]
    return next_token_losses_as_found(student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:])


# %% task="next_token_losses" right="no" mistake="only LM is shifted; KD keeps the mask of the tokens that were read" named="kd_left_behind"
def next_token_losses(student_logits, teacher_logits, labels):
    lm = F.cross_entropy(student_logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100)
    counts = labels != -100
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    kd = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return lm, kd


# %% task="next_token_losses" right="no" mistake="labels shifted with roll: the last logits get the row's first token" named="rolled"
def next_token_losses(student_logits, teacher_logits, labels):
    return next_token_losses_as_found(student_logits, teacher_logits, labels.roll(-1, dims=1))


# %% task="next_token_losses" right="no" mistake="shifts along the batch axis in place of the positions" named="shifted_along_the_texts"
def next_token_losses(student_logits, teacher_logits, labels):
    return next_token_losses_as_found(student_logits[:-1], teacher_logits[:-1], labels[1:])


# %% task="next_token_losses" right="no" mistake="flattened before the shift, so each row's last logits predict the next row's first token" named="shifted_while_flat"
def next_token_losses(student_logits, teacher_logits, labels):
    V = student_logits.shape[-1]
    s = student_logits.reshape(-1, V)[:-1]
    t = teacher_logits.reshape(-1, V)[:-1]
    y = labels.reshape(-1)[1:]
    keep = y != -100
    lm = F.cross_entropy(s[keep], y[keep])
    kd = F.kl_div(s[keep].log_softmax(-1), t[keep].softmax(-1), reduction="batchmean")
    return lm, kd


# %% task="next_token_losses" right="no" mistake="the teacher's logits are shifted the other way: p of position i + 1 is compared with q of position i" named="teacher_shifted_against_the_student"
def next_token_losses(student_logits, teacher_logits, labels):
    s, t, y = student_logits[:, :-1], teacher_logits[:, 1:], labels[:, 1:]
    return next_token_losses_as_found(s, t, y)


# %% task="next_token_losses" right="no" mistake="KD is a mean over all positions, masked or not" named="kd_unmasked"
def next_token_losses(student_logits, teacher_logits, labels):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:]
    lm = F.cross_entropy(s.transpose(1, 2), y, ignore_index=-100)
    log_q, log_p = F.log_softmax(s, -1), F.log_softmax(t, -1)
    kd = F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(-1).mean()
    return lm, kd


# %% task="next_token_losses" right="no" mistake="the pair is returned the wrong way round" named="pair_turned_round"
def next_token_losses(student_logits, teacher_logits, labels):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:]
    m = y.ne(-100)
    lm = F.cross_entropy(s[m], y[m])
    kd = F.kl_div(s[m].log_softmax(-1), t[m].log_softmax(-1), reduction="batchmean", log_target=True)
    return kd, lm


# %% task="next_token_losses" right="no" mistake="the sum of both is returned in place of a pair" named="another_form"
def next_token_losses(student_logits, teacher_logits, labels):
    lm, kd = next_token_losses_as_found(student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:])
    return lm + kd


# %% task="next_token_losses" right="no" mistake="the caller's labels are shifted in place" named="asked_again"
def next_token_losses(student_logits, teacher_logits, labels):
    labels[:, :-1] = labels[:, 1:].clone()
    labels[:, -1] = -100
    return next_token_losses_as_found(student_logits, teacher_logits, labels)


# %% task="next_token_losses" right="no" mistake="cross-entropy with the teacher's probabilities in place of KL: the teacher's entropy is not taken off" named="cross_entropy"
def next_token_losses(student_logits, teacher_logits, labels):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:]
    m = y != -100
    lm = F.cross_entropy(s[m], y[m])
    kd = F.cross_entropy(s[m], t[m].softmax(-1))
    return lm, kd


# %% task="next_token_losses" right="accident" mistake="bracket missing: does not parse"
def next_token_losses(student_logits, teacher_logits, labels):
    return next_token_losses_as_found(student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:]


# %% task="jsd" right="yes" mistake=""
def jsd(student_logits, teacher_logits, beta):
    """β·KL(p‖m) + (1-β)·KL(q‖m) with m = β·p + (1-β)·q: [B, L]."""
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(log_p + math.log(beta), log_q + math.log(1 - beta))
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task="jsd" right="yes" mistake=""
def jsd(student_logits, teacher_logits, beta):
    logs = torch.stack([teacher_logits, student_logits]).double().log_softmax(-1)
    weights = torch.tensor([beta, 1 - beta], dtype=torch.float64)
    log_m = torch.logsumexp(logs + weights.log().reshape(2, 1, 1, 1), dim=0)
    kls = torch.einsum("kblv,kblv->kbl", logs.exp(), logs - log_m)
    return torch.einsum("k,kbl->bl", weights, kls)


# %% task="jsd" right="yes" mistake=""
def jsd(student_logits, teacher_logits, beta):
    def kl_to_mixture(own, other, w):
        # log(own/m) = -log(w + (1-w) * other/own)
        d = other - own
        log_ratio = -torch.logaddexp(torch.full_like(d, math.log(w)), d + math.log(1 - w))
        return torch.sum(own.exp() * log_ratio, dim=-1)

    lp = teacher_logits.log_softmax(-1)
    lq = student_logits.log_softmax(-1)
    return beta * kl_to_mixture(lp, lq, beta) + (1 - beta) * kl_to_mixture(lq, lp, 1 - beta)


# %% task="jsd" right="no" mistake="mends the mixture with probabilities and takes their logarithm: NaN where both models give e**-10000" named="mixture_underflows"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    m = beta * log_p.exp() + (1 - beta) * log_q.exp()
    of_teacher = F.kl_div(m.log(), log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(m.log(), log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task="jsd" right="no" mistake="eps added to the mixture alone: where a probability is 0 its own logarithm is still minus infinity, and 0 times that is NaN" named="mixture_underflows"
def jsd(student_logits, teacher_logits, beta):
    p = F.softmax(teacher_logits, dim=-1)
    q = F.softmax(student_logits, dim=-1)
    m = beta * p + (1 - beta) * q + 1e-12
    kl_p = (p * (p.log() - m.log())).sum(-1)
    kl_q = (q * (q.log() - m.log())).sum(-1)
    return beta * kl_p + (1 - beta) * kl_q


# %% task="jsd" right="no" mistake="only one bug found: the weights are in order, but the mixture is still one of logarithms" named="logarithms_mixed"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = beta * log_p + (1 - beta) * log_q
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task="jsd" right="no" mistake="only one bug found: logaddexp, but beta still goes with the student in the mixture" named="beta_swapped_in_the_mixture"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(log_q + math.log(beta), log_p + math.log(1 - beta))
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task="jsd" right="no" mistake="weights multiply the logarithms inside logaddexp in place of being added as logarithms" named="weights_as_powers"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(beta * log_p, (1 - beta) * log_q)
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task="jsd" right="no" mistake="direction swapped: KL(m||p) and KL(m||q)" named="turned_round"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logsumexp(torch.stack([log_p + math.log(beta), log_q + math.log(1 - beta)]), dim=0)
    of_teacher = F.kl_div(log_p, log_m, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_q, log_m, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task="jsd" right="no" mistake="beta left out: always a half" named="half_everywhere"
def jsd(student_logits, teacher_logits, beta=0.5):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(log_p, log_q) - math.log(2)
    kl_p = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    kl_q = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return 0.5 * kl_p + 0.5 * kl_q


# %% task="jsd" right="no" mistake="the mixture is made of the logits and then goes through softmax" named="logarithms_mixed_and_normalised"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = F.log_softmax(beta * teacher_logits + (1 - beta) * student_logits, dim=-1)
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task="jsd" right="no" mistake="one mean in place of one value per position" named="another_form,positions_averaged"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(log_p + math.log(beta), log_q + math.log(1 - beta))
    kl = lambda a: F.kl_div(log_m, a, reduction="none", log_target=True).sum(-1)
    return (beta * kl(log_p) + (1 - beta) * kl(log_q)).mean()


# %% task="jsd" right="yes" mistake=""
def jsd(student_logits, teacher_logits, beta):
    p = teacher_logits.softmax(-1)
    q = student_logits.softmax(-1)
    log_m = torch.log((beta * p + (1 - beta) * q).clamp(min=1e-10))
    a = (p * (p.clamp(min=1e-10).log() - log_m)).sum(-1)
    b = (q * (q.clamp(min=1e-10).log() - log_m)).sum(-1)
    return beta * a + (1 - beta) * b


# %% task="jsd" right="no" mistake="weights of the two outer terms exchanged" named="weights_swapped"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(log_p + math.log(beta), log_q + math.log(1 - beta))
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return (1 - beta) * of_teacher + beta * of_student


# %% task="jsd" right="no" mistake="double precision alone: the logarithm of the mixture is still minus infinity at e**-10000" named="mixture_underflows"
def jsd(student_logits, teacher_logits, beta):
    p = torch.softmax(teacher_logits.double(), -1)
    q = torch.softmax(student_logits.double(), -1)
    m = beta * p + (1 - beta) * q
    return (beta * p * (p.log() - m.log()) + (1 - beta) * q * (q.log() - m.log())).sum(-1).float()


# %% task="jsd" right="accident" mistake="renamed function: jsd_fixed"
def jsd_fixed(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(log_p + math.log(beta), log_q + math.log(1 - beta))
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task="accumulated_loss" right="yes" mistake=""
def accumulated_loss(micro_batches):
    """Mean of -log q(y) over all labels that count in all micro-batches: one number."""
    total, count = 0.0, 0
    for logits, labels in micro_batches:
        total = total + F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="sum")
        count += (labels != -100).sum()
    return total / count


# %% task="accumulated_loss" right="yes" mistake=""
def accumulated_loss(micro_batches):
    pairs = [(z[b, i], y[b, i]) for z, y in micro_batches for b in range(y.shape[0]) for i in range(y.shape[1]) if y[b, i] != -100]
    return -sum(z.log_softmax(0)[y] for z, y in pairs) / len(pairs)


# %% task="accumulated_loss" right="yes" mistake=""
def accumulated_loss(micro_batches):
    z = torch.cat([logits[labels != -100] for logits, labels in micro_batches])
    y = torch.cat([labels[labels != -100] for _, labels in micro_batches])
    return F.cross_entropy(z, y)


# %% task="accumulated_loss" right="yes" mistake=""
import numpy as np

def accumulated_loss(micro_batches):
    nats = []
    for logits, labels in micro_batches:
        z = logits.detach().cpu().numpy().astype("float64")
        y = labels.cpu().numpy()
        lse = np.log(np.exp(z - z.max(-1, keepdims=True)).sum(-1)) + z.max(-1)
        for b, i in np.argwhere(y != -100):
            nats.append(lse[b, i] - z[b, i, y[b, i]])
    return float(np.mean(nats))


# %% task="accumulated_loss" right="no" mistake="mean of means: the sum of the means is divided by the number of micro-batches" named="mean_of_means"
def accumulated_loss(micro_batches):
    return accumulated_loss_as_found(micro_batches) / len(micro_batches)


# %% task="accumulated_loss" right="no" mistake="means weighted by their counts, but a micro-batch in which nothing counts gives NaN * 0" named="nan_from_an_empty_part"
def accumulated_loss(micro_batches):
    total, n = 0.0, 0
    for logits, labels in micro_batches:
        k = (labels != -100).sum()
        total += F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100) * k
        n += k
    return total / n


# %% task="accumulated_loss" right="no" mistake="divides by all labels, also those that do not count" named="divided_by_all_positions"
def accumulated_loss(micro_batches):
    total, count = 0.0, 0
    for logits, labels in micro_batches:
        total = total + F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
        count += labels.numel()
    return total / count


# %% task="accumulated_loss" right="no" mistake="mean of the means of the micro-batches that are not empty" named="mean_of_means"
def accumulated_loss(micro_batches):
    means = []
    for logits, labels in micro_batches:
        keep = labels != -100
        if keep.any():
            means.append(F.cross_entropy(logits[keep], labels[keep]))
    return torch.stack(means).mean()


# %% task="accumulated_loss" right="no" mistake="means weighted by the number of texts in place of labels that count" named="weighted_by_texts"
def accumulated_loss(micro_batches):
    total, texts = 0.0, 0
    for logits, labels in micro_batches:
        if (labels == -100).all():
            continue
        total = total + len(labels) * F.cross_entropy(logits.flatten(0, 1), labels.flatten())
        texts += len(labels)
    return total / texts


# %% task="accumulated_loss" right="no" mistake="each micro-batch counts for at least one label: max(count, 1), so an empty one makes the mean smaller" named="empty_part_counted"
def accumulated_loss(micro_batches):
    total, count = 0.0, 0
    for logits, labels in micro_batches:
        total = total + F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
        count = count + max(int((labels != -100).sum()), 1)
    return total / count


# %% task="accumulated_loss" right="no" mistake="labels > 0 counted, so label 0 is in the sum and not in the count" named="token_zero_not_counted"
def accumulated_loss(micro_batches):
    total, count = 0.0, 0
    for logits, labels in micro_batches:
        total = total + F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
        count += (labels > 0).sum()
    return total / count


# %% task="accumulated_loss" right="no" mistake="micro-batches stacked, which fails when their B or L differ" named="parts_do_not_fit"
def accumulated_loss(micro_batches):
    logits = torch.cat([pair[0] for pair in micro_batches], dim=0)
    labels = torch.cat([pair[1] for pair in micro_batches], dim=0)
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)


# %% task="accumulated_loss" right="no" mistake="labels shifted although labels[i] is what logits[i] predicts" named="labels_shifted"
def accumulated_loss(micro_batches):
    total, count = 0.0, 0
    for logits, labels in micro_batches:
        y = labels[:, 1:].flatten()
        total = total + F.cross_entropy(logits[:, :-1].flatten(0, 1), y, reduction="sum")
        count += (y != -100).sum()
    return total / count


# %% task="accumulated_loss" right="no" mistake="stops at the first micro-batch in which nothing counts: break in place of continue" named="stopped_at_an_empty_part"
def accumulated_loss(micro_batches):
    total, count = 0.0, 0
    for logits, labels in micro_batches:
        n = int((labels != -100).sum())
        if n == 0:
            break
        total = total + n * F.cross_entropy(logits.flatten(0, 1), labels.flatten())
        count += n
    return total / count


# %% task="accumulated_loss" right="accident" mistake="stub left: only the comment is there and NotImplementedError is raised"
def accumulated_loss(micro_batches):
    """Mean of -log q(y) over all labels that count in all micro-batches: one number."""
    # sum / count !!
    raise NotImplementedError()


# %% task="kd_masked" right="no" mistake="'is not' in place of '!=': the mask is just True, nothing is hidden and batchmean divides by 1" named="summed_unmasked"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = labels is not -100
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="zero_loss_choice" right="yes" mistake=""
options = {
    "a": "caught up",      # no: they agree in 4% of positions
    "b": "flat",           # no: also 0 at T=1, and the gradient would not be exactly 0
    "c": "teacher twice",
    "d": "no position",    # no: then LM would not fall
}
zero_loss = [k for k, v in options.items() if v == "teacher twice"][0]


# %% task="zero_loss_choice" right="no" mistake="takes a KD loss of 0 for an empty mask, although the LM loss falls" named="chose_d"
zero_loss = "d"


# %% task="triage" right="yes" mistake=""
# a: 2.40 / 8000 = 0.0003; b: 2.40 * 128 = 307.2; d: 4 * 2.40 = 9.6; c is minus the entropy
triage = dict(zip("abcd", ("vocabulary", "texts", "logarithm", "parts")))


# %% task="triage" right="no" mistake="the row with 307.20 is given to the added parts and the row with 9.60 to the division by texts: the two are swapped" named="wrong_b_parts_d_texts"
triage = {
    "a": "vocabulary",
    "b": "parts",
    "c": "logarithm",
    "d": "texts",
}


# %% task="triage" right="no" mistake="the dict is the wrong way round: bugs are the keys and rows the values" named="another_form"
triage = {"vocabulary": "a", "texts": "b", "logarithm": "c", "parts": "d"}


# %% task="kd_mean" right="yes" mistake=""
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    # the mean over B*L*V becomes a mean over B*L
    V = student_logits.size(-1)
    return kd_mean_as_found(student_logits, teacher_logits, temperature) * V


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


# %% task="kd_mean" right="yes" mistake=""
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    B, L, _ = student_logits.shape
    lq = (student_logits.double() / temperature).log_softmax(-1)
    lp = (teacher_logits.double() / temperature).log_softmax(-1)
    total = torch.einsum("blv,blv->", lp.exp(), lp - lq)
    return total * temperature ** 2 / (B * L)


# %% task="kd_mean" right="no" mistake="batchmean on the tensor [B, L, V] divides by the number of texts only, not by the positions" named="batch_mean"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    # the docs say: use batchmean, mean is not the true KL
    return temperature**2 * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="kd_mean" right="no" mistake="the divergence is the other way round: KL(q||p), the arguments of kl_div are swapped" named="direction_swapped"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    kl = F.kl_div(log_p, log_q, reduction="none", log_target=True).sum(dim=-1)   # KL(p || q)
    return temperature**2 * kl.mean()


# %% task="kd_mean" right="no" mistake="the target was changed to probabilities while log_target=True was left in place" named="log_target_with_probabilities"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    p = F.softmax(teacher_logits / temperature, dim=-1)
    shares = F.kl_div(log_q, p, reduction="none", log_target=True)
    return temperature**2 * shares.sum(-1).mean()


# %% task="kd_mean" right="no" mistake="1e-8 is added inside both logarithms, which caps the loss where a sure student is wrong" named="epsilon_in_the_logarithm"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    eps = 1e-8
    p = torch.softmax(teacher_logits / temperature, dim=-1)
    q = torch.softmax(student_logits / temperature, dim=-1)
    kl = (p * torch.log((p + eps) / (q + eps))).sum(dim=-1)
    return (temperature ** 2) * kl.mean()


# %% task="kd_mean" right="no" mistake="the cross-entropy with the teacher is taken: the teacher's entropy is not subtracted" named="cross_entropy"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    V = student_logits.shape[-1]
    soft = (teacher_logits / temperature).softmax(-1).reshape(-1, V)
    return F.cross_entropy(student_logits.reshape(-1, V) / temperature, soft) * temperature**2


# %% task="kd_mean" right="no" mistake="the logits are never divided by the temperature, only the factor T squared is there" named="temperature_forgotten"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    lq = F.log_softmax(student_logits, dim=-1)
    lp = F.log_softmax(teacher_logits, dim=-1)
    kl = torch.sum(lp.exp() * (lp - lq), dim=-1)
    return kl.mean() * temperature ** 2


# %% task="kd_mean" right="no" mistake="the factor is T and not T squared, and the mean over the vocabulary was left as it was found" named="t_for_t_squared"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    q = F.log_softmax(student_logits / temperature, -1)
    p = F.softmax(teacher_logits / temperature, -1)
    return temperature * nn_kl(q, p)

def nn_kl(q, p):
    return F.kl_div(q, p, reduction="none").mean()


# %% task="kd_mean" right="yes" mistake=""
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    student_logits /= temperature
    teacher_logits /= temperature
    log_q = student_logits.log_softmax(-1)
    log_p = teacher_logits.log_softmax(-1)
    return temperature**2 * (log_p.exp() * (log_p - log_q)).sum(-1).mean()


# %% task="how_much_too_small" right="yes" mistake=""
from fractions import Fraction
# prints S / (8*64*32000); right is S / 384
factor = float(Fraction(8 * 64 * 32_000, 384))


# %% task="how_much_too_small" right="no" mistake="only the vocabulary is seen: the positions that do not count are forgotten" named="padding_forgotten"
factor = 32000


# %% task="how_much_too_small" right="no" mistake="the ratio of counted positions is the wrong way round (multiplied by 384/512)" named="padding_upside_down"
factor = 32000 * 384 / (8 * 64)


# %% task="how_much_too_small" right="no" mistake="integer division cuts the number off instead of rounding it to the nearest" named="rounded_down"
factor = 8 * 64 * 32000 // 384


# %% task="how_much_too_small" right="no" mistake="the quotient is inverted: what it prints divided by the right loss" named="inverted"
right_loss = 1 / 384
printed = 1 / (8 * 64 * 32000)
factor = printed / right_loss


# %% task="kd_masked" right="yes" mistake=""
from torch.distributions import Categorical, kl_divergence

def kd_masked(student_logits, teacher_logits, input_ids, labels):
    keep = labels.ne(-100)
    p = Categorical(logits=teacher_logits[keep])
    q = Categorical(logits=student_logits[keep])
    return kl_divergence(p, q).mean()


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


# %% task="kd_masked" right="no" mistake="takes the token 0 among the inputs for padding instead of looking at the labels" named="padding_found_in_the_inputs"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = input_ids != 0
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="kd_masked" right="no" mistake="positions that read the token 0 are thrown out in addition to those with label -100, so the start after an ended answer is lost" named="marked_inputs_and_ends"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    PAD = 0
    is_padding = input_ids == PAD
    is_prompt = labels == -100
    counts = ~(is_padding | is_prompt)
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="kd_masked" right="no" mistake="labels > 0 also drops the label 0, the token that ends a text" named="ends_of_texts_dropped"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    mask = (labels > 0).float()
    lq = F.log_softmax(student_logits, dim=-1)
    p = F.softmax(teacher_logits, dim=-1)
    kl = F.kl_div(lq, p, reduction='none').sum(dim=-1)
    return (kl * mask).sum() / mask.sum()


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


# %% task="kd_masked" right="no" mistake="the masked sum is divided by all positions instead of those that count" named="divided_by_all_positions"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    per_position = F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(-1)
    per_position = per_position.masked_fill(labels == -100, 0.0)
    return per_position.mean()


# %% task="kd_masked" right="no" mistake="a mean per text and then over texts: positions of short answers weigh more (and a text in which nothing counts pulls the mean down)" named="mean_of_means"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    m = (labels != -100).to(student_logits.dtype)
    lp, lq = teacher_logits.log_softmax(-1), student_logits.log_softmax(-1)
    kl = torch.einsum("blv,blv->bl", lp.exp(), lp - lq)
    per_text = (kl * m).sum(1) / m.sum(1).clamp(min=1)
    return per_text.mean()


# %% task="kd_masked" right="no" mistake="everything after the first 0 of a row is thrown out, although other answers may follow in the row" named="cut_at_the_first_end"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    total, n = 0.0, 0
    for s, t, ids, y in zip(student_logits, teacher_logits, input_ids, labels):
        ended = False
        for i in range(len(ids)):
            if y[i] != -100 and not ended:
                lp = t[i].log_softmax(-1)
                lq = s[i].log_softmax(-1)
                total = total + (lp.exp() * (lp - lq)).sum()
                n += 1
            if y[i] == 0:      # end of text, only padding from here
                ended = True
    return total / n


# %% task="kd_masked" right="no" mistake="overwrites the -100 of the caller's labels with 0, and then takes every 0 for masked, the real end tokens too" named="ends_of_texts_dropped"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    labels[labels == -100] = 0
    keep = labels.bool()
    log_q = F.log_softmax(student_logits[keep], dim=-1)
    log_p = F.log_softmax(teacher_logits[keep], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="kd_masked" right="no" mistake="the mask is right but the default reduction takes the mean over the vocabulary too" named="vocabulary_mean"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    idx = torch.nonzero(labels.flatten() != -100).squeeze(1)
    s = student_logits.flatten(0, 1)[idx]
    t = teacher_logits.flatten(0, 1)[idx]
    return F.kl_div(s.log_softmax(-1), t.log_softmax(-1), log_target=True)


# %% task="kd_masked" right="accident" mistake="a name is misspelt (lables), which is a NameError"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    mask = lables != -100
    log_q = F.log_softmax(student_logits[mask], dim=-1)
    log_p = F.log_softmax(teacher_logits[mask], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="next_token_losses" right="yes" mistake=""
def next_token_losses(student_logits, teacher_logits, labels):
    return next_token_losses_as_found(student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:])


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


# %% task="next_token_losses" right="yes" mistake=""
def next_token_losses(student_logits, teacher_logits, labels):
    target = torch.roll(labels, shifts=-1, dims=1)   # a copy
    target[:, -1] = -100
    lm = F.cross_entropy(student_logits.transpose(1, 2), target, ignore_index=-100)
    m = target != -100
    p = F.softmax(teacher_logits, -1)
    kl = F.kl_div(F.log_softmax(student_logits, -1), p, reduction="none").sum(-1)
    kd = torch.where(m, kl, torch.zeros_like(kl)).sum() / m.sum()
    return (lm, kd)


# %% task="next_token_losses" right="no" mistake="shifted in the wrong direction: logits[i] are held against the token at i - 1" named="shifted_back"
def next_token_losses(student_logits, teacher_logits, labels):
    s = student_logits[:, 1:]
    t = teacher_logits[:, 1:]
    y = labels[:, :-1]
    counts = y != -100
    lm = F.cross_entropy(s[counts], y[counts])
    kd = F.kl_div(F.log_softmax(s[counts], -1), F.log_softmax(t[counts], -1), reduction="batchmean", log_target=True)
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


# %% task="next_token_losses" right="no" mistake="rolls the labels without masking the last position, which then has the text's own first token as its label" named="rolled"
def next_token_losses(student_logits, teacher_logits, labels):
    labels = labels.roll(-1, dims=1)
    return next_token_losses_as_found(student_logits, teacher_logits, labels)


# %% task="next_token_losses" right="no" mistake="only the LM loss is shifted, KD still uses the unshifted mask" named="kd_left_behind"
def next_token_losses(student_logits, teacher_logits, labels):
    counts = labels != -100
    shifted = labels[:, 1:]
    lm = F.cross_entropy(student_logits[:, :-1].flatten(0, 1), shifted.flatten(), ignore_index=-100)
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    kd = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return lm, kd


# %% task="next_token_losses" right="no" mistake="a pair counts only if the token that was read counts as well, so the first token of each answer is lost" named="both_must_count"
def next_token_losses(student_logits, teacher_logits, labels):
    counts = labels != -100
    both = counts[:, :-1] & counts[:, 1:]
    s, t, y = student_logits[:, :-1][both], teacher_logits[:, :-1][both], labels[:, 1:][both]
    lm = F.cross_entropy(s, y)
    log_q, log_p = F.log_softmax(s, dim=-1), F.log_softmax(t, dim=-1)
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


# %% task="next_token_losses" right="no" mistake="the shift is done inside the caller's labels, which are changed for the next call" named="asked_again"
def next_token_losses(student_logits, teacher_logits, labels):
    labels[:, :-1] = labels[:, 1:].clone()
    labels[:, -1] = -100
    return next_token_losses_as_found(student_logits, teacher_logits, labels)


# %% task="next_token_losses" right="no" mistake="KD is a mean over all shifted positions, prompt and padding too; only LM leaves them out" named="kd_unmasked"
def next_token_losses(student_logits, teacher_logits, labels):
    vocab = student_logits.size(-1)
    s = student_logits[..., :-1, :].contiguous().view(-1, vocab)
    t = teacher_logits[..., :-1, :].contiguous().view(-1, vocab)
    y = labels[..., 1:].contiguous().view(-1)
    loss_fct = torch.nn.CrossEntropyLoss()
    kl_fct = torch.nn.KLDivLoss(reduction="batchmean")
    return loss_fct(s, y), kl_fct(F.log_softmax(s, dim=-1), F.softmax(t, dim=-1))


# %% task="next_token_losses" right="no" mistake="the pair is returned in the wrong order, KD first, and the KL is taken the other way round" named="pair_turned_round,direction_swapped"
def next_token_losses(student_logits, teacher_logits, labels):
    y = labels[:, 1:]
    use = y >= 0
    q = student_logits[:, :-1][use].log_softmax(-1)
    p = teacher_logits[:, :-1][use].log_softmax(-1)
    kd = (q.exp() * (q - p)).sum(-1).mean()
    lm = F.nll_loss(q, y[use])
    return kd, lm


# %% task="next_token_losses" right="accident" mistake="the two losses are printed and nothing is returned"
def next_token_losses(student_logits, teacher_logits, labels):
    y = labels[:, 1:]
    counts = y != -100
    s = student_logits[:, :-1][counts]
    t = teacher_logits[:, :-1][counts]
    lm = F.cross_entropy(s, y[counts])
    kd = F.kl_div(F.log_softmax(s, -1), F.log_softmax(t, -1), reduction="batchmean", log_target=True)
    print(lm, kd)


# %% task="jsd" right="yes" mistake=""
def _log_mix(log_p, log_q, beta):
    w = torch.tensor([beta, 1 - beta], dtype=log_p.dtype).log()
    return torch.logsumexp(torch.stack([log_p + w[0], log_q + w[1]]), dim=0)

def _kl(log_a, log_b):
    return torch.einsum("...v,...v->...", log_a.exp(), log_a - log_b)

def jsd(student_logits, teacher_logits, beta):
    lq, lp = (x.log_softmax(-1) for x in (student_logits, teacher_logits))
    lm = _log_mix(lp, lq, beta)
    return beta * _kl(lp, lm) + (1 - beta) * _kl(lq, lm)


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


# %% task="jsd" right="yes" mistake=""
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    p, q = log_p.exp(), log_q.exp()
    m = beta * p + (1 - beta) * q
    # where m is 0 both p and q are 0 and their share is 0 anyway
    log_m = m.clamp_min(torch.finfo(m.dtype).tiny).log()
    of_teacher = (p * (log_p - log_m)).sum(-1)
    of_student = (q * (log_q - log_m)).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task="jsd" right="no" mistake="the mixture is now one of probabilities, but beta still stands at the student" named="beta_swapped_in_the_mixture"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(log_q + math.log(beta), log_p + math.log(1 - beta))
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task="jsd" right="no" mistake="only the swapped beta is mended: log-probabilities are still mixed instead of probabilities" named="logarithms_mixed"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = beta * log_p + (1 - beta) * log_q
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task="jsd" right="no" mistake="the mixture is made of probabilities and then logged: with very large logits it is log 0, and the result nan" named="mixture_underflows"
def jsd(student_logits, teacher_logits, beta):
    p = F.softmax(teacher_logits, dim=-1)
    q = F.softmax(student_logits, dim=-1)
    m = beta * p + (1 - beta) * q
    kl_pm = F.kl_div(m.log(), p, reduction="none").sum(-1)
    kl_qm = F.kl_div(m.log(), q, reduction="none").sum(-1)
    return beta * kl_pm + (1 - beta) * kl_qm


# %% task="jsd" right="no" mistake="hopes that double precision saves the logarithm of the mixture, but the probability is 0 there too and the result nan" named="mixture_underflows"
def jsd(student_logits, teacher_logits, beta):
    s, t = student_logits.double(), teacher_logits.double()
    log_q, log_p = s.log_softmax(-1), t.log_softmax(-1)
    log_m = torch.log(beta * log_p.exp() + (1 - beta) * log_q.exp())
    a = (log_p.exp() * (log_p - log_m)).sum(-1)
    b = (log_q.exp() * (log_q - log_m)).sum(-1)
    return (beta * a + (1 - beta) * b).float()


# %% task="jsd" right="no" mistake="the weights multiply the log-probabilities inside logaddexp instead of being added as logarithms" named="weights_as_powers"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(beta * log_p, (1 - beta) * log_q)
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task="jsd" right="no" mistake="the mixture is always half and half, beta stands only in front of the two divergences" named="half_and_half"
def jsd(student_logits, teacher_logits, beta):
    """Numerically stable JSD: log m = logaddexp(log p, log q) - log 2."""
    log_p = torch.log_softmax(teacher_logits, dim=-1)
    log_q = torch.log_softmax(student_logits, dim=-1)
    log_m = torch.logaddexp(log_p, log_q) - math.log(2.0)
    kl_p = torch.sum(torch.exp(log_p) * (log_p - log_m), dim=-1)
    kl_q = torch.sum(torch.exp(log_q) * (log_q - log_m), dim=-1)
    return beta * kl_p + (1.0 - beta) * kl_q


# %% task="jsd" right="no" mistake="the arguments of kl_div are swapped: KL(m||p) and KL(m||q)" named="turned_round"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(log_p + math.log(beta), log_q + math.log(1 - beta))
    kl = lambda a, b: F.kl_div(a, b, reduction="none", log_target=True).sum(-1)
    return beta * kl(log_p, log_m) + (1 - beta) * kl(log_q, log_m)


# %% task="jsd" right="no" mistake="the logits are clamped to the range of -50 to 50 so that nothing underflows, which changes the distributions of large logits" named="logits_clamped"
def jsd(student_logits, teacher_logits, beta):
    s = student_logits.clamp(-50, 50)
    t = teacher_logits.clamp(-50, 50)
    q, p = s.softmax(-1), t.softmax(-1)
    m = beta * p + (1 - beta) * q
    return beta * (p * (p / m).log()).sum(-1) + (1 - beta) * (q * (q / m).log()).sum(-1)


# %% task="jsd" right="no" mistake="takes the mean over the batch: one number instead of one value per position" named="another_form,positions_averaged"
def jsd(student_logits, teacher_logits, beta):
    V = student_logits.size(-1)
    log_q = F.log_softmax(student_logits.reshape(-1, V), dim=-1)
    log_p = F.log_softmax(teacher_logits.reshape(-1, V), dim=-1)
    log_m = torch.logsumexp(torch.stack([log_p + math.log(beta), log_q + math.log(1 - beta)]), dim=0)
    t = F.kl_div(log_m, log_p, reduction="batchmean", log_target=True)
    s = F.kl_div(log_m, log_q, reduction="batchmean", log_target=True)
    return beta * t + (1 - beta) * s


# %% task="jsd" right="no" mistake="torch.log is called with beta, a Python number, and crashes" named="number_for_a_tensor"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(log_p + torch.log(beta), log_q + torch.log(1 - beta))
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task="accumulated_loss" right="yes" mistake=""
def accumulated_loss(micro_batches):
    logits = torch.cat([s.flatten(0, 1) for s, _ in micro_batches])
    labels = torch.cat([y.flatten() for _, y in micro_batches])
    return F.cross_entropy(logits, labels)


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


# %% task="accumulated_loss" right="yes" mistake=""
def _nll(micro_batches):
    for logits, labels in micro_batches:
        logq = logits.log_softmax(-1)
        for b, i in (labels != -100).nonzero().tolist():
            yield -logq[b, i, labels[b, i]]

def accumulated_loss(micro_batches):
    vals = [float(v) for v in _nll(micro_batches)]
    return math.fsum(vals) / len(vals)


# %% task="accumulated_loss" right="no" mistake="the sum of the means is divided by the number of micro-batches, whatever they hold" named="mean_of_means"
def accumulated_loss(micro_batches):
    return accumulated_loss_as_found(micro_batches) / len(micro_batches)


# %% task="accumulated_loss" right="no" mistake="the mean of a micro-batch in which nothing counts is nan, and nan times 0 is still nan" named="nan_from_an_empty_part"
def accumulated_loss(micro_batches):
    total = 0.0
    n = 0
    for logits, labels in micro_batches:
        k = (labels != -100).sum()
        total = total + k * F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)
        n = n + k
    return total / n


# %% task="accumulated_loss" right="no" mistake="empty micro-batches are left out, but the others still weigh the same however many labels they hold" named="mean_of_means"
def accumulated_loss(micro_batches):
    losses = []
    for logits, labels in micro_batches:
        if (labels == -100).all():
            continue
        losses.append(F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100))
    return torch.stack(losses).mean()


# %% task="accumulated_loss" right="no" mistake="each mean is weighted with all positions of the piece, not with those that count (and an empty piece gives nan)" named="weighted_by_positions"
def accumulated_loss(micro_batches):
    num = den = 0
    for logits, labels in micro_batches:
        l = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)
        num = num + l * labels.numel()
        den += labels.numel()
    return num / den


# %% task="accumulated_loss" right="no" mistake="the sum of the losses is divided by all positions instead of the labels that count" named="divided_by_all_positions"
def accumulated_loss(micro_batches):
    total = torch.zeros(())
    N = 0
    for logits, labels in micro_batches:
        B, L, V = logits.shape
        total += F.cross_entropy(logits.reshape(B * L, V), labels.reshape(B * L), reduction="sum")
        N += B * L
    return total / N


# %% task="accumulated_loss" right="no" mistake="micro-batches of different length are concatenated without flattening, which crashes unless all L are the same" named="parts_do_not_fit"
def accumulated_loss(micro_batches):
    all_logits, all_labels = zip(*micro_batches)
    logits = torch.cat(all_logits, dim=0)
    labels = torch.cat(all_labels, dim=0)
    return F.cross_entropy(logits.permute(0, 2, 1), labels, ignore_index=-100)


# %% task="accumulated_loss" right="no" mistake="the labels are counted with labels > 0, so the label 0 is in the sum but not in the count" named="token_zero_not_counted"
def accumulated_loss(micro_batches):
    s = sum(F.cross_entropy(x.flatten(0, 1), y.flatten(), reduction="sum") for x, y in micro_batches)
    n = sum((y > 0).sum() for _, y in micro_batches)
    return s / n


# %% task="accumulated_loss" right="no" mistake="every mean is halved into a running average, so the last micro-batch weighs as much as all before it" named="running_average"
def accumulated_loss(micro_batches):
    loss = None
    for logits, labels in micro_batches:
        if not (labels != -100).any():
            continue
        new = F.cross_entropy(logits.flatten(0, 1), labels.flatten())
        loss = new if loss is None else (loss + new) / 2
    return loss


# %% task="accumulated_loss" right="no" mistake="each micro-batch is divided by the mean number of counted labels per piece and the results are added, so the sum is too large by the number of pieces" named="observed_factor"
def accumulated_loss(micro_batches):
    tokens = [int((labels != -100).sum()) for _, labels in micro_batches]
    avg = sum(tokens) / len(tokens)          # num_items_in_batch
    loss = 0.0
    for logits, labels in micro_batches:
        part = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="sum")
        loss = loss + part / avg
    return loss


# %% task="accumulated_loss" right="accident" mistake="the line of raise NotImplementedError was left at the beginning of the body"
def accumulated_loss(micro_batches):
    """Mean of -log q(y) over all labels that count in all micro-batches: one number."""
    # YOUR CODE HERE
    raise NotImplementedError()
    total, count = 0.0, 0
    for logits, labels in micro_batches:
        total = total + F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
        count += (labels != -100).sum()
    return total / count


# %% task="kd_masked" right="yes" mistake=""
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    V = student_logits.size(-1)
    mask = (labels != -100)[..., None].expand(-1, -1, V)
    s = torch.masked_select(student_logits, mask).view(-1, V)
    t = torch.masked_select(teacher_logits, mask).view(-1, V)
    # KL = cross-entropy - entropy
    p = t.softmax(1)
    return F.cross_entropy(s, p) - F.cross_entropy(t, p)


# %% task="kd_mean" right="no" mistake="computes in bfloat16 to save memory, so the number is wrong in the third digit" named="observed_near"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    s = student_logits.to(torch.bfloat16) / temperature
    t = teacher_logits.to(torch.bfloat16) / temperature
    kl = F.kl_div(s.log_softmax(-1), t.log_softmax(-1), reduction="none", log_target=True).sum(-1)
    return (temperature**2 * kl.mean()).float()


# %% task="kd_mean" right="no" mistake="only the teacher's 50 likeliest tokens are compared, renormalised, instead of the whole vocabulary" named="likeliest_tokens_alone"
def kd_mean(student_logits, teacher_logits, temperature=1.0, k=50):
    k = min(k, teacher_logits.size(-1))
    top, idx = teacher_logits.topk(k, dim=-1)
    log_p = F.log_softmax(top / temperature, dim=-1)
    log_q = F.log_softmax(student_logits.gather(-1, idx) / temperature, dim=-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(dim=-1)
    return kl.mean() * temperature**2


# %% task="next_token_losses" right="no" mistake="gather is called with the labels of -100 and crashes, the mask comes only afterwards" named="observed_where,ignored_label_as_an_index"
def next_token_losses(student_logits, teacher_logits, labels):
    y = labels[:, 1:]
    mask = (y != -100).float()
    log_q = F.log_softmax(student_logits[:, :-1], dim=-1)
    log_p = F.log_softmax(teacher_logits[:, :-1], dim=-1)
    nll = -log_q.gather(-1, y.unsqueeze(-1)).squeeze(-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1)
    n = mask.sum()
    return (nll * mask).sum() / n, (kl * mask).sum() / n


# ---------------------------------------------------------------- another class


# %% task="zero_loss_choice" right="yes" mistake=""
zero_loss = "abcd"[2]


# %% task="zero_loss_choice" right="no" mistake="Believes that a loss of 0 means that the student has caught up" named="chose_a"
zero_loss = "a"


# %% task="zero_loss_choice" right="no" mistake="Believes that the mask is empty, although the LM loss falls as usual" named="chose_d"
zero_loss = "d"


# %% task="triage" right="yes" mistake=""
triage = dict(a="vocabulary", b="texts", c="logarithm", d="parts")


# %% task="triage" right="no" mistake="Exchanges 'texts' and 'parts'" named="wrong_b_parts_d_texts"
triage = {"a": "vocabulary", "b": "parts", "c": "logarithm", "d": "texts"}


# %% task="triage" right="no" mistake="Exchanges 'vocabulary' and 'logarithm': the tiny number is taken for the wrong logarithm" named="wrong_a_logarithm_c_vocabulary"
triage = {"a": "logarithm", "b": "texts", "c": "vocabulary", "d": "parts"}


# %% task="triage" right="no" mistake="The dict is the wrong way round: bugs are keys and rows are values" named="another_form"
triage = {"vocabulary": "a", "texts": "b", "logarithm": "c", "parts": "d"}


# %% task="kd_mean" right="yes" mistake=""
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    return kd_mean_as_found(student_logits, teacher_logits, temperature) * student_logits.shape[-1]


# %% task="kd_mean" right="yes" mistake=""
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    q = torch.distributions.Categorical(logits=student_logits.double() / temperature)
    p = torch.distributions.Categorical(logits=teacher_logits.double() / temperature)
    kl = torch.distributions.kl_divergence(p, q)     # [B, L]
    return (temperature ** 2 * kl.mean()).to(student_logits.dtype)


# %% task="kd_mean" right="yes" mistake=""
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    V = student_logits.shape[-1]
    rows = zip(student_logits.reshape(-1, V), teacher_logits.reshape(-1, V))
    total, n = 0.0, 0
    for s, t in rows:
        log_q = s / temperature - torch.logsumexp(s / temperature, 0)
        log_p = t / temperature - torch.logsumexp(t / temperature, 0)
        total = total + torch.dot(log_p.exp(), log_p - log_q)
        n += 1
    return total / n * temperature * temperature


# %% task="kd_mean" right="no" mistake="batchmean on the three-axis tensor divides by the number of texts only" named="batch_mean"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    return temperature**2 * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="kd_mean" right="no" mistake="The softmax of a sure model at T = 0.5 underflows to 0 and its logarithm is minus infinity" named="probability_underflows"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    p = F.softmax(teacher_logits / temperature, dim=-1)
    q = F.softmax(student_logits / temperature, dim=-1)
    kl = (p * (torch.log(p) - torch.log(q))).sum(-1)
    return temperature**2 * kl.mean()


# %% task="kd_mean" right="no" mistake="Categorical in float32 calls the divergence infinite where the student's probability underflows at T = 0.5" named="probability_underflows"
from torch.distributions import Categorical, kl_divergence


def kd_mean(student_logits, teacher_logits, temperature=1.0):
    p = Categorical(logits=teacher_logits / temperature)
    q = Categorical(logits=student_logits / temperature)
    return temperature ** 2 * kl_divergence(p, q).mean()


# %% task="kd_mean" right="no" mistake="The default temperature is made part of a product: log-probabilities are divided by T after the softmax and not normalised again" named="heated_after_the_softmax"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits, dim=-1) / temperature
    log_p = F.log_softmax(teacher_logits, dim=-1) / temperature
    kl = F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(dim=-1)
    return temperature**2 * kl.mean()


# %% task="kd_mean" right="no" mistake="The factor T squared is left out after the repair, on the ground that a mean needs none" named="t_squared_lost"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    shares = F.kl_div(log_q, log_p, reduction="none", log_target=True)
    return shares.sum(-1).mean()


# %% task="kd_mean" right="no" mistake="Works by cross-entropy with soft targets and forgets to take the teacher's entropy off" named="cross_entropy"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    p = F.softmax(teacher_logits / temperature, dim=-1).flatten(0, 1)
    return temperature**2 * F.cross_entropy(student_logits.flatten(0, 1) / temperature, p)


# %% task="kd_mean" right="no" mistake="Two mistakes: sums over the text axis instead of the vocabulary (dim=1), and takes T instead of T squared" named="t_for_t_squared"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    shares = F.kl_div(log_q, log_p, reduction="none", log_target=True)
    return temperature * shares.sum(1).mean()


# %% task="kd_mean" right="no" mistake="Clamps the log-probabilities at -20 against infinities, which changes the loss of a student who is very sure and wrong" named="epsilon_in_the_logarithm"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1).clamp(min=-20)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1).clamp(min=-20)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1)
    return kl.mean() * temperature**2


# %% task="kd_mean" right="accident" mistake="Calls a variable of another name than the parameter (T)"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / T, dim=-1)
    log_p = F.log_softmax(teacher_logits / T, dim=-1)
    return T**2 * F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(-1).mean()


# %% task="how_much_too_small" right="yes" mistake=""
positions, vocabulary, counting = 8 * 64, 32_000, 384
factor = positions * vocabulary / counting


# %% task="how_much_too_small" right="yes" mistake=""
from fractions import Fraction
factor = round(Fraction(8 * 64 * 32000, 384))


# %% task="how_much_too_small" right="no" mistake="Counts the vocabulary only, the zeros at masked positions are forgotten" named="padding_forgotten"
factor = 32000


# %% task="how_much_too_small" right="no" mistake="Counts the masked positions only, the mean over the vocabulary is forgotten" named="padding_alone"
factor = 512 / 384


# %% task="how_much_too_small" right="no" mistake="The share of counting positions stands upside down: 32000 times 384/512" named="padding_upside_down"
factor = 32000 * 384 / (8 * 64)


# %% task="how_much_too_small" right="no" mistake="Gives the inverse: what it prints divided by the right loss" named="inverted"
factor = 384 / (8 * 64 * 32000)


# %% task="kd_masked" right="yes" mistake=""
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    losses = []
    for s, t, y in zip(student_logits, teacher_logits, labels):
        for i in (y != -100).nonzero().flatten().tolist():
            log_p, log_q = t[i].log_softmax(0), s[i].log_softmax(0)
            losses.append(((log_p - log_q) * log_p.exp()).sum())
    return sum(losses) / len(losses)


# %% task="kd_masked" right="yes" mistake=""
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    # reuse: the old function looks for -100 in its third argument
    return kd_masked_as_found(student_logits, teacher_logits, labels, labels)


# %% task="kd_masked" right="yes" mistake=""
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    w = (~labels.eq(-100)).double()
    p = F.softmax(teacher_logits.double(), -1)
    ce = -torch.einsum("blv,blv,bl->", p, F.log_softmax(student_logits.double(), -1), w)
    ent = -torch.einsum("blv,blv,bl->", p, F.log_softmax(teacher_logits.double(), -1), w)
    return ((ce - ent) / w.sum()).item()


# %% task="kd_masked" right="no" mistake="Positions whose input is the token 0 are masked as padding too, so the first token of an answer that follows at once is lost" named="marked_inputs_and_ends"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = (labels != -100) & (input_ids != 0)
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="kd_masked" right="no" mistake="The mask ends at the first end of text of a row, later answers in the row are lost" named="cut_at_the_first_end"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    ends = (labels == 0).long().cumsum(dim=1) - (labels == 0).long()
    counts = (labels != -100) & (ends == 0)
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="kd_masked" right="no" mistake="The mask is multiplied in, but the sum is divided by all positions" named="divided_by_all_positions"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    mask = (labels != -100).float()
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    kl = F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(-1)
    return (kl * mask).mean()


# %% task="kd_masked" right="no" mistake="The logits of masked positions are set to 0 and then all positions go into the mean" named="divided_by_all_positions"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    m = (labels != -100).unsqueeze(-1)
    s = student_logits.masked_fill(~m, 0.0)
    t = teacher_logits.masked_fill(~m, 0.0)
    V = s.shape[-1]
    return F.kl_div(s.log_softmax(-1).view(-1, V), t.log_softmax(-1).view(-1, V),
                    reduction="batchmean", log_target=True)


# %% task="kd_masked" right="no" mistake="Labels are shifted by one against the logits though nothing is left to shift" named="mask_shifted"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = labels[:, 1:] != -100
    log_q = F.log_softmax(student_logits[:, :-1][counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[:, :-1][counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="kd_masked" right="no" mistake="The end of text is taken for something that does not count: labels of 0 are dropped as well" named="ends_of_texts_dropped"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = torch.where(labels == -100, 0, labels).bool()
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="kd_masked" right="no" mistake="All positions from the first that counts to the last are taken, prompts between two answers included" named="everything_between"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    total, n = 0.0, 0
    for b in range(labels.shape[0]):
        where = torch.nonzero(labels[b] != -100).squeeze(-1)
        if len(where) == 0:
            continue
        lo, hi = where[0], where[-1] + 1
        lq = F.log_softmax(student_logits[b, lo:hi], dim=-1)
        lp = F.log_softmax(teacher_logits[b, lo:hi], dim=-1)
        total += F.kl_div(lq, lp, reduction="sum", log_target=True)
        n += hi - lo
    return total / n


# %% task="kd_masked" right="no" mistake="Two mistakes: log_target is dropped while log-probabilities are passed, and the mean is over the vocabulary too" named="log_target_missing"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = labels != -100
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_q, log_p)


# %% task="next_token_losses" right="yes" mistake=""
def next_token_losses(student_logits, teacher_logits, labels):
    # the old code is right once it is given the right pairs
    return next_token_losses_as_found(student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:])


# %% task="next_token_losses" right="yes" mistake=""
def next_token_losses(student_logits, teacher_logits, labels):
    y = F.pad(labels, (0, 1), value=-100)[:, 1:].flatten()
    q = F.log_softmax(student_logits, -1).flatten(0, 1)
    p = F.log_softmax(teacher_logits, -1).flatten(0, 1)
    lm = F.nll_loss(q, y, ignore_index=-100)
    kd = (p.exp() * (p - q)).sum(-1).masked_select(y != -100).mean()
    return [lm, kd][0], [lm, kd][1]


# %% task="next_token_losses" right="yes" mistake=""
from collections import namedtuple

Losses = namedtuple("Losses", "lm kd")


def next_token_losses(student_logits, teacher_logits, labels):
    b, i = torch.where(labels[:, 1:] > -1)
    y = labels[b, i + 1]
    q = torch.distributions.Categorical(logits=student_logits[b, i])
    p = torch.distributions.Categorical(logits=teacher_logits[b, i])
    return Losses(-q.log_prob(y).mean(), torch.distributions.kl_divergence(p, q).mean())


# %% task="next_token_losses" right="no" mistake="Rolls the labels, so the last position of a row is paired with the row's first token" named="rolled"
def next_token_losses(student_logits, teacher_logits, labels):
    labels = labels.roll(-1, dims=1)
    return next_token_losses_as_found(student_logits, teacher_logits, labels)


# %% task="next_token_losses" right="no" mistake="Flattens first and shifts afterwards, so the last position of a text is paired with the first token of the next text" named="shifted_while_flat"
def next_token_losses(student_logits, teacher_logits, labels):
    V = student_logits.shape[-1]
    s = student_logits.reshape(-1, V)[:-1]
    t = teacher_logits.reshape(-1, V)[:-1]
    y = labels.reshape(-1)[1:]
    m = y != -100
    lm = F.cross_entropy(s[m], y[m])
    kd = F.kl_div(s[m].log_softmax(-1), t[m].log_softmax(-1), reduction="batchmean", log_target=True)
    return lm, kd


# %% task="next_token_losses" right="no" mistake="The shift goes the wrong way: logits[i + 1] is paired with the token at i" named="shifted_back"
def next_token_losses(student_logits, teacher_logits, labels):
    s, t, y = student_logits[:, 1:], teacher_logits[:, 1:], labels[:, :-1]
    counts = y != -100
    lm = F.cross_entropy(s[counts], y[counts])
    kd = F.kl_div(F.log_softmax(s[counts], -1), F.log_softmax(t[counts], -1),
                  reduction="batchmean", log_target=True)
    return lm, kd


# %% task="next_token_losses" right="no" mistake="LM is shifted, KD still uses the mask of the token that has just been read" named="kd_left_behind"
def next_token_losses(student_logits, teacher_logits, labels):
    V = student_logits.shape[-1]
    lm = F.cross_entropy(student_logits[:, :-1].reshape(-1, V), labels[:, 1:].reshape(-1), ignore_index=-100)
    counts = labels != -100
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    kd = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return lm, kd


# %% task="next_token_losses" right="no" mistake="A pair counts only where the token just read counts as well, so the first token of each answer is lost" named="both_must_count"
def next_token_losses(student_logits, teacher_logits, labels):
    prev, nxt = labels[:, :-1], labels[:, 1:]
    m = (prev != -100) & (nxt != -100)
    s, t = student_logits[:, :-1][m], teacher_logits[:, :-1][m]
    lm = F.cross_entropy(s, nxt[m])
    kd = F.kl_div(F.log_softmax(s, -1), F.log_softmax(t, -1), reduction="batchmean", log_target=True)
    return lm, kd


# %% task="next_token_losses" right="no" mistake="The student is shifted, the teacher's logits are taken from one position later (teacher_logits[:, 1:])" named="teacher_shifted_against_the_student"
def next_token_losses(student_logits, teacher_logits, labels):
    y = labels[:, 1:]
    m = y != -100
    s = student_logits[:, :-1][m]
    t = teacher_logits[:, 1:][m]
    lm = F.cross_entropy(s, y[m])
    kd = F.kl_div(F.log_softmax(s, -1), F.log_softmax(t, -1), reduction="batchmean", log_target=True)
    return lm, kd


# %% task="next_token_losses" right="no" mistake="view on a sliced tensor crashes as soon as there are two texts" named="view_of_a_slice"
def next_token_losses(student_logits, teacher_logits, labels):
    V = student_logits.size(-1)
    shift_s = student_logits[:, :-1, :].view(-1, V)
    shift_t = teacher_logits[:, :-1, :].view(-1, V)
    shift_y = labels[:, 1:].view(-1)
    keep = shift_y != -100
    lm = F.cross_entropy(shift_s[keep], shift_y[keep])
    kd = F.kl_div(shift_s[keep].log_softmax(-1), shift_t[keep].log_softmax(-1),
                  reduction="batchmean", log_target=True)
    return lm, kd


# %% task="next_token_losses" right="no" mistake="The labels are shifted in place, so the second call with the same tensors shifts twice" named="asked_again"
def next_token_losses(student_logits, teacher_logits, labels):
    labels[:, :-1] = labels[:, 1:].clone()
    labels[:, -1] = -100
    return next_token_losses_as_found(student_logits, teacher_logits, labels)


# %% task="next_token_losses" right="no" mistake="Shifts by two: labels are moved and the logits are cut at both ends as well (the shift is made twice)" named="shifted_twice"
def next_token_losses(student_logits, teacher_logits, labels):
    labels = F.pad(labels[:, 1:], (0, 1), value=-100)
    s = student_logits[:, :-1]
    t = teacher_logits[:, :-1]
    y = labels[:, 1:]
    m = y != -100
    lm = F.cross_entropy(s[m], y[m])
    kd = F.kl_div(F.log_softmax(s[m], -1), F.log_softmax(t[m], -1), reduction="batchmean", log_target=True)
    return lm, kd


# %% task="next_token_losses" right="no" mistake="The mean of KD runs over all shifted positions, those that do not count included" named="kd_unmasked"
def next_token_losses(student_logits, teacher_logits, labels):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:]
    lm = F.cross_entropy(s.transpose(1, 2), y)
    kd = F.kl_div(s.log_softmax(-1), t.log_softmax(-1), reduction="none", log_target=True).sum(-1).mean()
    return lm, kd


# %% task="next_token_losses" right="no" mistake="Adds the two losses up and returns one number in place of the pair" named="another_form"
def next_token_losses(student_logits, teacher_logits, labels):
    lm, kd = next_token_losses_as_found(student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:])
    return lm + kd


# %% task="next_token_losses" right="no" mistake="The pair is in the wrong order, KD first" named="pair_turned_round"
def next_token_losses(student_logits, teacher_logits, labels):
    y = labels[:, 1:]
    m = y != -100
    log_q = student_logits[:, :-1][m].log_softmax(-1)
    log_p = teacher_logits[:, :-1][m].log_softmax(-1)
    kd = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    lm = F.nll_loss(log_q, y[m])
    return kd, lm


# %% task="next_token_losses" right="accident" mistake="Missing closing bracket"
def next_token_losses(student_logits, teacher_logits, labels):
    return next_token_losses_as_found(student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:]


# %% task="jsd" right="yes" mistake=""
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(log_p + math.log(beta), log_q + math.log1p(-beta))
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task="jsd" right="yes" mistake=""
def jsd(student_logits, teacher_logits, beta):
    # entropies: JSD = H(m) - beta H(p) - (1-beta) H(q); entr(0) = 0, so no logarithm of 0 appears
    H = lambda x: torch.special.entr(x).sum(-1)
    p = torch.softmax(teacher_logits.double(), -1)
    q = torch.softmax(student_logits.double(), -1)
    m = beta * p + (1 - beta) * q
    return (H(m) - beta * H(p) - (1 - beta) * H(q)).float()


# %% task="jsd" right="yes" mistake=""
def jsd(student_logits, teacher_logits, beta):
    lq, lp = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    weights = torch.tensor([beta, 1 - beta], dtype=lq.dtype, device=lq.device)
    both = torch.stack([lp, lq])                                   # [2, B, L, V]
    mix = torch.logsumexp(both + weights.log()[:, None, None, None], dim=0)
    kl = (both.exp() * (both - mix)).sum(-1)                       # [2, B, L]
    return torch.tensordot(weights, kl, dims=1)


# %% task="jsd" right="yes" mistake=""
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    out = torch.zeros(log_q.shape[:-1])
    for b, l in torch.cartesian_prod(torch.arange(out.size(0)), torch.arange(out.size(1))).tolist():
        a, c = log_p[b, l] + math.log(beta), log_q[b, l] + math.log(1 - beta)
        top = torch.maximum(a, c)
        log_m = top + torch.log(torch.exp(a - top) + torch.exp(c - top))
        out[b, l] = beta * (log_p[b, l].exp() * (log_p[b, l] - log_m)).sum() \
            + (1 - beta) * (log_q[b, l].exp() * (log_q[b, l] - log_m)).sum()
    return out


# %% task="jsd" right="yes" mistake=""
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    p, q = log_p.exp(), log_q.exp()
    # the floor only acts where p and q are both (nearly) 0, and there the factor in front is 0 too
    log_m = (beta * p + (1 - beta) * q).clamp_min(1e-30).log()
    return (beta * p * (log_p - log_m) + (1 - beta) * q * (log_q - log_m)).sum(-1)


# %% task="jsd" right="no" mistake="The mixture is right but its logarithm is taken of the probability, which is 0 for a very unlikely token: NaN for large logits" named="mixture_underflows"
def jsd(student_logits, teacher_logits, beta):
    p = F.softmax(teacher_logits, dim=-1)
    q = F.softmax(student_logits, dim=-1)
    m = beta * p + (1 - beta) * q
    kl_p = F.kl_div(m.log(), p, reduction="none").sum(-1)
    kl_q = F.kl_div(m.log(), q, reduction="none").sum(-1)
    return beta * kl_p + (1 - beta) * kl_q


# %% task="jsd" right="no" mistake="Only the weights of the mixture are mended, it is still a mean of logarithms" named="logarithms_mixed"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = beta * log_p + (1 - beta) * log_q
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task="jsd" right="no" mistake="Only the logarithm is mended: beta still weighs the student in the mixture" named="beta_swapped_in_the_mixture"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logsumexp(torch.stack([log_q + math.log(beta), log_p + math.log(1 - beta)]), dim=0)
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task="jsd" right="no" mistake="The weights stand as factors of the log-probabilities inside logaddexp instead of as added logarithms" named="weights_as_powers"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(beta * log_p, (1 - beta) * log_q)
    of_teacher = (log_p.exp() * (log_p - log_m)).sum(-1)
    of_student = (log_q.exp() * (log_q - log_m)).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task="jsd" right="no" mistake="The geometric mixture is normalised again with log_softmax, which is a distribution but not the mixture asked for" named="logarithms_mixed_and_normalised"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = F.log_softmax(beta * log_p + (1 - beta) * log_q, dim=-1)
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task="jsd" right="no" mistake="kl_div gets its arguments in the order of the formula, so it computes KL(m to p) and KL(m to q)" named="turned_round"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(log_p + math.log(beta), log_q + math.log(1 - beta))
    of_teacher = F.kl_div(log_p, log_m, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_q, log_m, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task="jsd" right="no" mistake="Adds 1e-3 to every probability against infinities, so neither distribution sums to 1 and the values are off" named="epsilon_in_the_logarithm"
def jsd(student_logits, teacher_logits, beta):
    eps = 1e-3
    p = F.softmax(teacher_logits, dim=-1) + eps
    q = F.softmax(student_logits, dim=-1) + eps
    m = beta * p + (1 - beta) * q
    return beta * (p * (p / m).log()).sum(-1) + (1 - beta) * (q * (q / m).log()).sum(-1)


# %% task="jsd" right="no" mistake="Works with the ratio q/p as exp(log q - log p), which overflows for logits of any size: infinity times 0 is NaN" named="mixture_overflows"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    r = log_q - log_p
    of_teacher = -(log_p.exp() * torch.log(beta + (1 - beta) * torch.exp(r))).sum(-1)
    of_student = -(log_q.exp() * torch.log(beta * torch.exp(-r) + (1 - beta))).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task="jsd" right="no" mistake="Mixes the logits of the two models and takes the softmax of that" named="logarithms_mixed_and_normalised"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = F.log_softmax(beta * teacher_logits + (1 - beta) * student_logits, dim=-1)
    kl = lambda a: (a.exp() * (a - log_m)).sum(-1)
    return beta * kl(log_p) + (1 - beta) * kl(log_q)


# %% task="jsd" right="no" mistake="The outer weights are exchanged: (1 - beta) weighs the teacher's divergence" named="weights_swapped"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(math.log(beta) + log_p, math.log(1 - beta) + log_q)
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return torch.lerp(of_teacher, of_student, beta)


# %% task="jsd" right="no" mistake="Returns the mean over all positions in place of one value for each" named="another_form,positions_averaged"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1).flatten(0, 1)
    log_p = F.log_softmax(teacher_logits, dim=-1).flatten(0, 1)
    log_m = torch.logsumexp(torch.stack([log_p + math.log(beta), log_q + math.log(1 - beta)]), 0)
    return (beta * F.kl_div(log_m, log_p, reduction="batchmean", log_target=True)
            + (1 - beta) * F.kl_div(log_m, log_q, reduction="batchmean", log_target=True))


# %% task="jsd" right="no" mistake="Goes over to double precision and takes the logarithm of the mixture there; e to the -10000 is 0 in double too" named="mixture_underflows"
def jsd(student_logits, teacher_logits, beta):
    lp = teacher_logits.double().log_softmax(-1)
    lq = student_logits.double().log_softmax(-1)
    lm = (beta * lp.exp() + (1 - beta) * lq.exp()).log()
    kl = lambda a, b: (a.exp() * (a - b)).sum(-1)
    return (beta * kl(lp, lm) + (1 - beta) * kl(lq, lm)).float()


# %% task="accumulated_loss" right="yes" mistake=""
def accumulated_loss(micro_batches):
    total = sum(
        F.cross_entropy(x.flatten(0, 1), y.flatten(), ignore_index=-100, reduction="sum")
        for x, y in micro_batches
    )
    return total / sum((y != -100).sum() for _, y in micro_batches)


# %% task="accumulated_loss" right="yes" mistake=""
def accumulated_loss(micro_batches):
    logits = torch.cat([x.reshape(-1, x.shape[-1]) for x, _ in micro_batches])
    labels = torch.cat([y.reshape(-1) for _, y in micro_batches])
    return F.cross_entropy(logits, labels)


# %% task="accumulated_loss" right="yes" mistake=""
def accumulated_loss(micro_batches):
    # running mean, as Welford has it
    mean, n = 0.0, 0
    for logits, labels in micro_batches:
        keep = labels >= 0
        k = int(keep.sum())
        if k == 0:
            continue
        here = F.cross_entropy(logits[keep], labels[keep])
        n += k
        mean = mean + (here - mean) * k / n
    return mean


# %% task="accumulated_loss" right="no" mistake="The sum of means is divided by the number of micro-batches" named="mean_of_means"
def accumulated_loss(micro_batches):
    return accumulated_loss_as_found(micro_batches) / len(micro_batches)


# %% task="accumulated_loss" right="no" mistake="Each mean is weighed with the number of labels that count, but the mean of an empty micro-batch is NaN and NaN times 0 is NaN" named="nan_from_an_empty_part"
def accumulated_loss(micro_batches):
    num, den = 0.0, 0
    for logits, labels in micro_batches:
        n = (labels != -100).sum()
        num = num + n * F.cross_entropy(logits.flatten(0, 1), labels.flatten())
        den = den + n
    return num / den


# %% task="accumulated_loss" right="no" mistake="Weighs each micro-batch's mean with all its positions, padding included" named="weighted_by_positions"
def accumulated_loss(micro_batches):
    num, den = 0.0, 0
    for logits, labels in micro_batches:
        mean = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)
        if torch.isnan(mean):
            continue
        num += mean * labels.numel()
        den += labels.numel()
    return num / den


# %% task="accumulated_loss" right="no" mistake="Empty micro-batches count as one position each, because the count is clamped to 1 in each piece" named="empty_part_counted"
def accumulated_loss(micro_batches):
    loss, n = 0.0, 0
    for logits, labels in micro_batches:
        loss = loss + F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
        n += max(1, (labels != -100).sum().item())
    return loss / n


# %% task="accumulated_loss" right="no" mistake="The sum of losses is divided by the count of the last micro-batch alone" named="divided_by_one_count"
def accumulated_loss(micro_batches):
    loss = 0.0
    for logits, labels in micro_batches:
        mask = labels != -100
        loss = loss + F.cross_entropy(logits[mask], labels[mask], reduction="sum")
        n = mask.sum()
    return loss / n


# %% task="accumulated_loss" right="no" mistake="Concatenates the micro-batches along the batch axis, which fails when their lengths differ" named="parts_do_not_fit"
def accumulated_loss(micro_batches):
    logits = torch.cat([m[0] for m in micro_batches], dim=0)
    labels = torch.cat([m[1] for m in micro_batches], dim=0)
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)


# %% task="accumulated_loss" right="no" mistake="NaN losses are skipped but the rest is a mean of means" named="mean_of_means"
def accumulated_loss(micro_batches):
    losses = torch.stack([
        F.cross_entropy(x.flatten(0, 1), y.flatten(), ignore_index=-100) for x, y in micro_batches
    ])
    return losses.nanmean()


# %% task="accumulated_loss" right="no" mistake="Changes the labels in place (-100 becomes 0) before the loss is taken with the mask noted earlier" named="asked_again"
def accumulated_loss(micro_batches):
    total, count = 0.0, 0
    for logits, labels in micro_batches:
        mask = labels != -100
        labels[~mask] = 0
        nll = -logits.log_softmax(-1).gather(-1, labels.unsqueeze(-1)).squeeze(-1)
        total = total + (nll * mask).sum()
        count = count + mask.sum()
    return total / count


# %% task="accumulated_loss" right="no" mistake="Divides with //, which cuts off the decimals" named="rounded"
def accumulated_loss(micro_batches):
    total, count = 0.0, 0
    for logits, labels in micro_batches:
        total += F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum").item()
        count += (labels != -100).sum().item()
    return total // count


# %% task="accumulated_loss" right="no" mistake="The return stands inside the loop, so only the first micro-batch is looked at" named="first_part_alone"
def accumulated_loss(micro_batches):
    total, count = 0.0, 0
    for logits, labels in micro_batches:
        total = total + F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
        count = count + (labels != -100).sum()
        return total / count


# %% task="accumulated_loss" right="accident" mistake="The stub's raise is left in above the answer"
def accumulated_loss(micro_batches):
    """Mean of -log q(y) over all labels that count in all micro-batches: one number."""
    # YOUR CODE HERE
    raise NotImplementedError()
    total = sum(F.cross_entropy(x.flatten(0, 1), y.flatten(), reduction="sum") for x, y in micro_batches)
    return total / sum(int((y != -100).sum()) for x, y in micro_batches)


# %% task="zero_loss_choice" right="yes" mistake=""
# 4 % agreement -> they are not the same model, and no gradient -> student is not even in the loss
zero_loss = "c"


# %% task="zero_loss_choice" right="yes" mistake=""
options = dict(
    a=False,  # only 4 percent agree
    b=False,  # also 0 at T = 1
    c=True,
    d=False,  # the LM loss would be nan as well
)
zero_loss = next(letter for letter, fits in options.items() if fits)


# %% task="zero_loss_choice" right="no" mistake="takes the empty mask, although the LM loss falls and so is no mean over nothing" named="chose_d"
zero_loss = "d"


# %% task="zero_loss_choice" right="no" mistake="believes that the student has caught up, although the two agree in 4% of the positions only" named="chose_a"
zero_loss = 'a'


# %% task="zero_loss_choice" right="no" mistake="blames the temperature, although the loss is 0 at T = 1 too" named="chose_b"
zero_loss = "b"  # high T flattens everything


# %% task="zero_loss_choice" right="accident" mistake="the letter stands without quotes, so the cell ends in a NameError"
zero_loss = c


# %% task="triage" right="yes" mistake=""
triage = {"a": "vocabulary", "b": "texts", "c": "logarithm", "d": "parts"}


# %% task="triage" right="yes" mistake=""
# 2.40/8000 = 0.0003 ; 307.20/128 = 2.40 ; -5.95 = -H(p) ; 9.60 = 4*2.40
triage = {}
triage["d"] = "parts"
triage["c"] = "logarithm"
triage["b"] = "texts"
triage["a"] = "vocabulary"


# %% task="triage" right="no" mistake="rows a and c are exchanged: takes the negative number for the mean over the vocabulary and the tiny one for the missing logarithm" named="wrong_a_logarithm_c_vocabulary"
triage = {"a": "logarithm", "b": "texts", "c": "vocabulary", "d": "parts"}


# %% task="triage" right="no" mistake="rows b and d are exchanged: the loss that halves with the texts is taken for the added parts" named="wrong_b_parts_d_texts"
triage = {"a": "vocabulary", "b": "parts", "c": "logarithm", "d": "texts"}


# %% task="triage" right="no" mistake="the example of the comment is handed in unchanged" named="wrong_a_parts_b_logarithm_c_texts_d_vocabulary"
triage = {"a": "parts", "b": "logarithm", "c": "texts", "d": "vocabulary"}


# %% task="triage" right="no" mistake="the dict is the wrong way round: it gives each bug its row instead of each row its bug" named="another_form"
triage = {
    "vocabulary": "a",
    "texts": "b",
    "logarithm": "c",
    "parts": "d",
}


# %% task="triage" right="no" mistake="only d is right: a, b and c are each given another's bug" named="wrong_a_texts_b_logarithm_c_vocabulary"
triage = dict(a="texts", b="logarithm", c="vocabulary", d="parts")


# %% task="kd_mean" right="yes" mistake=""
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    """T² · mean KL(p‖q) at temperature T over all positions: one number."""
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    shares = F.kl_div(log_q, log_p, reduction="none", log_target=True)
    return temperature**2 * shares.sum(dim=-1).mean()


# %% task="kd_mean" right="yes" mistake=""
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    """T² · mean KL(p‖q) at temperature T over all positions: one number."""
    # the mean is over B*L*V numbers, give the V back
    V = student_logits.shape[-1]
    return V * kd_mean_as_found(student_logits, teacher_logits, temperature)


# %% task="kd_mean" right="yes" mistake=""
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    vocab = teacher_logits.size(-1)
    s = student_logits.div_(temperature).reshape(-1, vocab)
    t = teacher_logits.div_(temperature).reshape(-1, vocab)
    kl = F.kl_div(s.log_softmax(1), t.softmax(1), reduction='batchmean')
    return (kl * temperature ** 2).item()


# %% task="kd_mean" right="yes" mistake=""
from torch.distributions import Categorical, kl_divergence

def kd_mean(student_logits, teacher_logits, temperature=1.0):
    teacher = Categorical(logits=teacher_logits.double() / temperature)
    student = Categorical(logits=student_logits.double() / temperature)
    return float(kl_divergence(teacher, student).mean()) * temperature**2


# %% task="kd_mean" right="yes" mistake=""
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    """T² · mean KL(p‖q) at temperature T over all positions: one number."""
    def log_probs(row):
        z = [float(x) / temperature for x in row]
        top = max(z)
        norm = top + math.log(sum(math.exp(x - top) for x in z))
        return [x - norm for x in z]

    total, n = 0.0, 0
    for s_text, t_text in zip(student_logits, teacher_logits):
        for s_row, t_row in zip(s_text, t_text):
            lq, lp = log_probs(s_row), log_probs(t_row)
            total += sum(math.exp(a) * (a - b) for a, b in zip(lp, lq))
            n += 1
    return temperature * temperature * total / n


# %% task="kd_mean" right="no" mistake="batchmean on a [B, L, V] tensor divides by B only, so the loss is L times too large" named="batch_mean"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    """T² · mean KL(p‖q) at temperature T over all positions: one number."""
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    return temperature**2 * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="kd_mean" right="no" mistake="the factor T squared is lost while the mean is repaired" named="t_squared_lost"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    s = (student_logits / temperature).flatten(0, 1)
    t = (teacher_logits / temperature).flatten(0, 1)
    return F.kl_div(F.log_softmax(s, dim=-1), F.softmax(t, dim=-1), reduction="batchmean")


# %% task="kd_mean" right="no" mistake="takes the log of a float32 softmax, which underflows to 0 for sure models at T below 1 and gives inf or nan" named="probability_underflows"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    p = torch.softmax(teacher_logits / temperature, dim=-1)
    q = torch.softmax(student_logits / temperature, dim=-1)
    kl = (p * (p.log() - q.log())).sum(-1)
    return temperature ** 2 * kl.mean()


# %% task="kd_mean" right="no" mistake="adds 1e-8 within the logarithms, which caps the penalty where the student gives a likely token less than that" named="epsilon_in_the_logarithm"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    eps = 1e-8  # numerical stability
    p = F.softmax(teacher_logits / temperature, dim=-1)
    q = F.softmax(student_logits / temperature, dim=-1)
    kl = torch.sum(p * torch.log((p + eps) / (q + eps)), dim=-1)
    return (temperature ** 2) * kl.mean()


# %% task="kd_mean" right="no" mistake="KL the wrong way round: KL(q||p) instead of KL(p||q)" named="direction_swapped"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    # KL(input || target), so the teacher comes first
    kl = F.kl_div(log_p, log_q, reduction="none", log_target=True).sum(-1)
    return temperature**2 * kl.mean()


# %% task="kd_mean" right="no" mistake="Categorical's KL in float32 sets the divergence to inf where the student's probability underflows at T below 1" named="probability_underflows"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    p = torch.distributions.Categorical(logits=teacher_logits / temperature)
    q = torch.distributions.Categorical(logits=student_logits / temperature)
    return torch.distributions.kl_divergence(p, q).mean() * temperature**2


# %% task="kd_mean" right="no" mistake="multiplies by T instead of T squared" named="t_for_t_squared"
class KDMean(torch.nn.Module):
    def __init__(self, temperature: float):
        super().__init__()
        self.temperature = temperature
        self.criterion = torch.nn.KLDivLoss(reduction="batchmean", log_target=True)

    def forward(self, student, teacher):
        student = F.log_softmax(student.flatten(end_dim=-2) / self.temperature, dim=-1)
        teacher = F.log_softmax(teacher.flatten(end_dim=-2) / self.temperature, dim=-1)
        return self.temperature * self.criterion(student, teacher)


def kd_mean(student_logits, teacher_logits, temperature=1.0):
    return KDMean(temperature)(student_logits, teacher_logits)


# %% task="kd_mean" right="accident" mistake="the result is printed and not returned"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    shares = F.kl_div(log_q, log_p, reduction="none", log_target=True)
    print(temperature**2 * shares.sum(-1).mean())


# %% task="how_much_too_small" right="yes" mistake=""
factor = 8 * 64 * 32_000 / 384


# %% task="how_much_too_small" right="yes" mistake=""
factor = 42667


# %% task="how_much_too_small" right="yes" mistake=""
from fractions import Fraction

positions, counting, vocabulary = 8 * 64, 384, 32000
factor = Fraction(positions * vocabulary, counting)


# %% task="how_much_too_small" right="no" mistake="only the vocabulary is thought of: the positions that do not count are in the mean too" named="padding_forgotten"
factor = 32000


# %% task="how_much_too_small" right="no" mistake="multiplies by the share of positions that count instead of dividing by it" named="padding_upside_down"
factor = 32000 * 384 / (8 * 64)


# %% task="how_much_too_small" right="no" mistake="the reciprocal: printed loss over right loss" named="inverted"
right = 1 / 384
printed = 1 / (8 * 64 * 32000)
factor = printed / right


# %% task="how_much_too_small" right="no" mistake="rounded down by whole-number division, where 42667 is nearest" named="rounded_down"
factor = 8 * 64 * 32000 // 384


# %% task="how_much_too_small" right="no" mistake="only the positions are thought of and the vocabulary is left out" named="padding_alone"
factor = (8 * 64) / 384


# %% task="kd_masked" right="yes" mistake=""
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    """Mean KL(p‖q) over the positions that count: one number."""
    counts = labels != -100
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="kd_masked" right="yes" mistake=""
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    mask = labels.ne(-100).float()
    p = teacher_logits.softmax(-1)
    gap = teacher_logits.log_softmax(-1) - student_logits.log_softmax(-1)
    kl = torch.einsum("blv,blv->bl", p, gap)
    return (kl * mask).sum() / mask.sum()


# %% task="kd_masked" right="yes" mistake=""
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    """Mean KL(p‖q) over the positions that count: one number."""
    kls = []
    for b in range(labels.shape[0]):
        for i in range(labels.shape[1]):
            if int(labels[b, i]) == -100:
                continue
            # between -35 and 35 a probability is never below e^-80, float32 can hold that
            p = torch.softmax(teacher_logits[b, i], 0)
            q = torch.softmax(student_logits[b, i], 0)
            kls.append((p * torch.log(p / q)).sum().item())
    return sum(kls) / len(kls)


# %% task="kd_masked" right="yes" mistake=""
import numpy as np

def kd_masked(student_logits, teacher_logits, input_ids, labels):
    s = student_logits.numpy().astype(np.float64)
    t = teacher_logits.numpy().astype(np.float64)
    keep = labels.numpy() >= 0
    log_q = s - np.logaddexp.reduce(s, axis=-1, keepdims=True)
    log_p = t - np.logaddexp.reduce(t, axis=-1, keepdims=True)
    kl = np.sum(np.exp(log_p) * (log_p - log_q), axis=-1)
    return np.average(kl, weights=keep)


# %% task="kd_masked" right="no" mistake="takes the input token 0 for padding: ends of texts are dropped and the prompts are kept" named="padding_found_in_the_inputs"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = input_ids != 0
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="kd_masked" right="no" mistake="drops labels of 0 too, so the token that ends a text is never learnt" named="ends_of_texts_dropped"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    """Mean KL(p‖q) over the positions that count: one number."""
    counts = labels > 0
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="kd_masked" right="no" mistake="masks by labels and also drops positions that read a 0, so an answer that starts right after the end of another loses its first position" named="marked_inputs_and_ends"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    PAD = 0
    not_prompt = labels != -100
    not_padding = input_ids != PAD
    m = not_prompt & not_padding
    lq = F.log_softmax(student_logits[m], -1)
    lp = F.log_softmax(teacher_logits[m], -1)
    return (lp.exp() * (lp - lq)).sum(-1).mean()


# %% task="kd_masked" right="no" mistake="keeps every row only up to its first label of 0, so later answers in the same row are lost" named="cut_at_the_first_end"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    is_end = (labels == 0).long()
    seen_before = is_end.cumsum(dim=1) - is_end
    counts = (labels != -100) & (seen_before == 0)
    q = F.log_softmax(student_logits, dim=-1)
    p = F.log_softmax(teacher_logits, dim=-1)
    kl = F.kl_div(q, p, reduction="none", log_target=True).sum(-1)
    return kl[counts].mean()


# %% task="kd_masked" right="no" mistake="the mean of each text is taken first and then the mean over the texts, so tokens of short answers weigh more" named="mean_of_means"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    per_text = []
    for s, t, y in zip(student_logits, teacher_logits, labels):
        keep = y != -100
        if keep.sum() == 0:
            continue
        per_text.append(F.kl_div(F.log_softmax(s[keep], -1), F.log_softmax(t[keep], -1),
                                 reduction="batchmean", log_target=True))
    return torch.stack(per_text).mean()


# %% task="kd_masked" right="no" mistake="shifts by one although labels[i] is already what logits[i] predicts" named="mask_shifted"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    # standard causal LM shift
    shift_student = student_logits[..., :-1, :].contiguous()
    shift_teacher = teacher_logits[..., :-1, :].contiguous()
    shift_labels = labels[..., 1:].contiguous()
    counts = shift_labels != -100
    log_q = F.log_softmax(shift_student[counts], dim=-1)
    log_p = F.log_softmax(shift_teacher[counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="kd_masked" right="no" mistake="finds the padding as the run of zeros at the end of the inputs and does not look at the labels, so prompts count" named="prompt_counted"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    mask = torch.zeros_like(input_ids, dtype=torch.bool)
    for b, row in enumerate(input_ids.tolist()):
        n = len(row)
        while n > 1 and row[n - 1] == 0 and row[n - 2] == 0:
            n -= 1
        mask[b, :n] = True
    log_q = F.log_softmax(student_logits[mask], dim=-1)
    log_p = F.log_softmax(teacher_logits[mask], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="kd_masked" right="accident" mistake="the stub's last line is left below the repaired code and above the return"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    """Mean KL(p‖q) over the positions that count: one number."""
    counts = labels != -100
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    kd = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    # YOUR CODE HERE
    raise NotImplementedError()
    return kd


# %% task="next_token_losses" right="yes" mistake=""
def next_token_losses(student_logits, teacher_logits, labels):
    """LM and KD of logits[i] with the token at i + 1: two numbers."""
    return next_token_losses_as_found(student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:])


# %% task="next_token_losses" right="yes" mistake=""
from collections import namedtuple

Losses = namedtuple("Losses", "lm kd")

def next_token_losses(student_logits, teacher_logits, labels):
    # what logits[i] has to predict; after the last token comes nothing
    target = torch.roll(labels, -1, dims=1)
    target[:, -1] = -100
    counts = target != -100
    log_q = student_logits.log_softmax(-1)
    log_p = teacher_logits.log_softmax(-1)
    picked = log_q.gather(-1, target.clamp(min=0)[..., None])[..., 0]
    kl = (log_p.exp() * (log_p - log_q)).sum(-1)
    n = counts.sum()
    return Losses(lm=-(picked * counts).sum() / n, kd=(kl * counts).sum() / n)


# %% task="next_token_losses" right="yes" mistake=""
def next_token_losses(student_logits, teacher_logits, labels):
    """LM and KD of logits[i] with the token at i + 1: two numbers."""
    lm, kd = [], []
    B, L = labels.shape
    for b in range(B):
        for i in range(L - 1):
            y = labels[b, i + 1].item()
            if y == -100: continue
            lq = torch.log_softmax(student_logits[b, i].double(), dim=0)
            lp = torch.log_softmax(teacher_logits[b, i].double(), dim=0)
            lm.append(-lq[y].item())
            kd.append(torch.dot(lp.exp(), lp - lq).item())
    return sum(lm) / len(lm), sum(kd) / len(kd)


# %% task="next_token_losses" right="no" mistake="shifted the wrong way: logits[i + 1] meet the token at i" named="shifted_back"
def next_token_losses(student_logits, teacher_logits, labels):
    """LM and KD of logits[i] with the token at i + 1: two numbers."""
    return next_token_losses_as_found(student_logits[:, 1:], teacher_logits[:, 1:], labels[:, :-1])


# %% task="next_token_losses" right="no" mistake="flattened before the shift, so the last position of a text is paired with the first token of the next text" named="shifted_while_flat"
def next_token_losses(student_logits, teacher_logits, labels):
    V = student_logits.size(-1)
    s = student_logits.reshape(-1, V)[:-1]
    t = teacher_logits.reshape(-1, V)[:-1]
    y = labels.reshape(-1)[1:]
    counts = y != -100
    lm = F.cross_entropy(s[counts], y[counts])
    kd = F.kl_div(F.log_softmax(s[counts], -1), F.log_softmax(t[counts], -1),
                  reduction="batchmean", log_target=True)
    return lm, kd


# %% task="next_token_losses" right="no" mistake="torch.roll carries the first token of each text round to its last position, where it counts as next token" named="rolled"
def next_token_losses(student_logits, teacher_logits, labels):
    labels = labels.roll(-1, dims=1)
    counts = labels != -100
    lm = F.cross_entropy(student_logits[counts], labels[counts])
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    kd = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return lm, kd


# %% task="next_token_losses" right="no" mistake="only the LM loss is shifted, the KD still takes the positions of the old mask" named="kd_left_behind"
def next_token_losses(student_logits, teacher_logits, labels):
    V = student_logits.shape[-1]
    lm = F.cross_entropy(student_logits[:, :-1].reshape(-1, V), labels[:, 1:].reshape(-1), ignore_index=-100)
    # student and teacher are aligned with each other, nothing to shift for KD
    counts = labels != -100
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    kd = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return lm, kd


# %% task="next_token_losses" right="no" mistake="the KD's mask is made of the labels at i instead of those at i + 1, while the LM is right" named="kd_left_behind"
def next_token_losses(student_logits, teacher_logits, labels):
    s, t = student_logits[:, :-1], teacher_logits[:, :-1]
    lm = F.cross_entropy(s.transpose(1, 2), labels[:, 1:])
    mask = labels[:, :-1] != -100
    kl = F.kl_div(F.log_softmax(s, -1), F.softmax(t, -1), reduction="none").sum(-1)
    return lm, kl[mask].mean()


# %% task="next_token_losses" right="no" mistake="demands that the token read counts as well as the next, so the first token of each answer is lost" named="both_must_count"
def next_token_losses(student_logits, teacher_logits, labels):
    now, nxt = labels[:, :-1], labels[:, 1:]
    counts = (now != -100) & (nxt != -100)
    s, t, y = student_logits[:, :-1][counts], teacher_logits[:, :-1][counts], nxt[counts]
    log_q, log_p = F.log_softmax(s, dim=-1), F.log_softmax(t, dim=-1)
    lm = F.nll_loss(log_q, y)
    kd = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return lm, kd


# %% task="next_token_losses" right="no" mistake="the shift is made within the caller's labels, so a second call shifts again" named="asked_again"
def next_token_losses(student_logits, teacher_logits, labels):
    labels[:, :-1] = labels[:, 1:].clone()
    labels[:, -1] = -100
    return next_token_losses_as_found(student_logits, teacher_logits, labels)


# %% task="next_token_losses" right="no" mistake="the pair comes in the wrong order, KD before LM" named="pair_turned_round"
def next_token_losses(student_logits, teacher_logits, labels):
    y = labels[:, 1:]
    ok = y.ne(-100)
    s = student_logits[:, :-1][ok]
    t = teacher_logits[:, :-1][ok]
    kd = (F.softmax(t, -1) * (F.log_softmax(t, -1) - F.log_softmax(s, -1))).sum(-1).mean()
    lm = F.cross_entropy(s, y[ok])
    return kd, lm


# %% task="next_token_losses" right="no" mistake="two mistakes: shifted by two, because the labels are shifted and the logits once more, and KL the wrong way round" named="direction_swapped,shifted_twice"
def next_token_losses(student_logits, teacher_logits, labels):
    labels = labels[:, 1:]
    student_logits, teacher_logits = student_logits[:, :-1], teacher_logits[:, :-1]
    # now as in HF: tokens < n predict n
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:]
    m = y != -100
    lm = F.cross_entropy(s[m], y[m])
    kd = F.kl_div(F.log_softmax(t[m], -1), F.log_softmax(s[m], -1), reduction="batchmean", log_target=True)
    return lm, kd


# %% task="next_token_losses" right="accident" mistake="a comma is left out in the argument list: syntax error"
def next_token_losses(student_logits, teacher_logits, labels):
    s = student_logits[:, :-1]
    t = teacher_logits[:, :-1]
    y = labels[:, 1:]
    counts = y != -100
    lm = F.cross_entropy(s[counts] y[counts])
    kd = F.kl_div(F.log_softmax(s[counts], dim=-1), F.softmax(t[counts], dim=-1), reduction="batchmean")
    return lm, kd


# %% task="jsd" right="yes" mistake=""
def jsd(student_logits, teacher_logits, beta):
    """β·KL(p‖m) + (1-β)·KL(q‖m) with m = β·p + (1-β)·q: [B, L]."""
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(math.log(beta) + log_p, math.log(1 - beta) + log_q)
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task="jsd" right="yes" mistake=""
def jsd(student_logits, teacher_logits, beta):
    weights = torch.tensor([beta, 1 - beta], dtype=torch.float64).view(2, 1, 1, 1)
    logs = torch.stack([teacher_logits, student_logits]).double().log_softmax(-1)
    mixture = torch.logsumexp(logs + weights.log(), dim=0)
    return (weights * logs.exp() * (logs - mixture)).sum(dim=(0, -1)).float()


# %% task="jsd" right="yes" mistake=""
def _kl(log_a, a, m):
    # where m is 0, so is a, and a token that nobody gives costs nothing
    log_m = torch.where(m > 0, m, torch.ones_like(m)).log()
    return torch.where(m > 0, a * (log_a - log_m), torch.zeros_like(m)).sum(-1)

def jsd(student_logits, teacher_logits, beta):
    log_q, log_p = (F.log_softmax(x.double(), -1) for x in (student_logits, teacher_logits))
    q, p = log_q.exp(), log_p.exp()
    m = beta * p + (1 - beta) * q
    return beta * _kl(log_p, p, m) + (1 - beta) * _kl(log_q, q, m)


# %% task="jsd" right="yes" mistake=""
def jsd(student_logits, teacher_logits, beta):
    """JSD = H(m) - beta H(p) - (1-beta) H(q)"""
    p = torch.softmax(teacher_logits.double(), dim=-1)
    q = torch.softmax(student_logits.double(), dim=-1)
    m = beta * p + (1 - beta) * q
    H = lambda x: torch.special.entr(x).sum(-1)     # entr(0) = 0
    return H(m) - beta * H(p) - (1 - beta) * H(q)


# %% task="jsd" right="no" mistake="only the swapped weights are mended: the mixture is still made of logarithms (a geometric mean that is not normalised)" named="logarithms_mixed"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = beta * log_p + (1 - beta) * log_q
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task="jsd" right="no" mistake="only the logarithm is mended: the weights within the mixture are still swapped" named="beta_swapped_in_the_mixture"
def jsd(student_logits, teacher_logits, beta):
    """β·KL(p‖m) + (1-β)·KL(q‖m) with m = β·p + (1-β)·q: [B, L]."""
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    b = torch.tensor(beta)
    log_m = torch.logsumexp(torch.stack([log_q + b.log(), log_p + (1 - b).log()]), dim=0)
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task="jsd" right="no" mistake="the mixture is made of probabilities and its logarithm is -inf where both underflow, which gives nan for logits of any size" named="mixture_underflows"
def jsd(student_logits, teacher_logits, beta):
    q = F.softmax(student_logits, dim=-1)
    p = F.softmax(teacher_logits, dim=-1)
    log_m = (beta * p + (1 - beta) * q).log()
    of_teacher = F.kl_div(log_m, p, reduction="none").sum(-1)
    of_student = F.kl_div(log_m, q, reduction="none").sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task="jsd" right="no" mistake="relies on double precision for logits of any size, but e^-10000 is 0 there too and 0 times infinity is nan" named="mixture_underflows"
def jsd(student_logits, teacher_logits, beta):
    p = teacher_logits.double().softmax(-1)
    q = student_logits.double().softmax(-1)
    m = beta * p + (1 - beta) * q
    kl_pm = (p * torch.log(p / m)).sum(-1)
    kl_qm = (q * torch.log(q / m)).sum(-1)
    return (beta * kl_pm + (1 - beta) * kl_qm).float()


# %% task="jsd" right="no" mistake="the arguments of kl_div are swapped, so it is KL(m||p) and KL(m||q)" named="turned_round"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(log_p + math.log(beta), log_q + math.log1p(-beta))
    of_teacher = F.kl_div(log_p, log_m, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_q, log_m, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task="jsd" right="no" mistake="the logits are mixed and normalised afterwards, which is a geometric mixture" named="logarithms_mixed_and_normalised"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = F.log_softmax(beta * teacher_logits + (1 - beta) * student_logits, dim=-1)
    kl = lambda a: (a.exp() * (a - log_m)).sum(-1)
    return beta * kl(log_p) + (1 - beta) * kl(log_q)


# %% task="jsd" right="no" mistake="the ordinary Jensen-Shannon mixture with halves, whatever beta is" named="half_and_half"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(log_p, log_q) - math.log(2)
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task="jsd" right="no" mistake="log of the weighted sum is written as the sum of the weights' logs times the log-probabilities: beta is multiplied into the log instead of added as log beta" named="weights_as_powers"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(beta * log_p, (1 - beta) * log_q)
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task="jsd" right="no" mistake="its own log-softmax takes exp without taking off the maximum, so logits of any size overflow" named="softmax_overflows"
def log_softmax(x):
    return x - torch.log(torch.exp(x).sum(dim=-1, keepdim=True))

def jsd(student_logits, teacher_logits, beta):
    lq, lp = log_softmax(student_logits), log_softmax(teacher_logits)
    lm = torch.logaddexp(lp + math.log(beta), lq + math.log(1 - beta))
    return beta * (lp.exp() * (lp - lm)).sum(-1) + (1 - beta) * (lq.exp() * (lq - lm)).sum(-1)


# %% task="jsd" right="accident" mistake="the function is called JSD, so jsd does not exist"
def JSD(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(log_p + math.log(beta), log_q + math.log(1 - beta))
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student


# %% task="accumulated_loss" right="yes" mistake=""
def accumulated_loss(micro_batches):
    """Mean of -log q(y) over all labels that count in all micro-batches: one number."""
    total, n = 0.0, 0
    for logits, labels in micro_batches:
        total = total + F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="sum")
        n = n + (labels != -100).sum()
    return total / n


# %% task="accumulated_loss" right="yes" mistake=""
def accumulated_loss(micro_batches):
    # just glue it together again
    logits = torch.cat([l.reshape(-1, l.shape[-1]) for l, _ in micro_batches])
    labels = torch.cat([y.reshape(-1) for _, y in micro_batches])
    return F.cross_entropy(logits, labels).item()


# %% task="accumulated_loss" right="yes" mistake=""
from dataclasses import dataclass

@dataclass
class RunningMean:
    value: float = 0.0
    count: int = 0

    def update(self, mean, k):
        self.count += k
        self.value += (mean - self.value) * k / self.count

def accumulated_loss(micro_batches):
    running = RunningMean()
    for logits, labels in micro_batches:
        k = int(labels.ne(-100).sum())
        if k:
            running.update(F.cross_entropy(logits.transpose(1, 2), labels).item(), k)
    return running.value


# %% task="accumulated_loss" right="yes" mistake=""
def losses(micro_batches):
    for logits, labels in micro_batches:
        keep = labels != -100
        log_q = logits[keep].double().log_softmax(dim=-1)
        for row, y in zip(log_q, labels[keep].tolist()):
            yield -row[y].item()

def accumulated_loss(micro_batches):
    every = list(losses(micro_batches))
    return math.fsum(every) / len(every)


# %% task="accumulated_loss" right="no" mistake="the mean of the means, although the pieces have different numbers of labels that count" named="mean_of_means"
def accumulated_loss(micro_batches):
    """Mean of -log q(y) over all labels that count in all micro-batches: one number."""
    return accumulated_loss_as_found(micro_batches) / len(micro_batches)


# %% task="accumulated_loss" right="no" mistake="empty pieces are skipped, but the others are averaged with equal weights" named="mean_of_means"
def accumulated_loss(micro_batches):
    means = []
    for logits, labels in micro_batches:
        if (labels == -100).all():
            continue
        means.append(F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100))
    return sum(means) / len(means)


# %% task="accumulated_loss" right="no" mistake="each mean is weighted with its count, but a piece in which nothing counts gives nan times 0, which is nan" named="nan_from_an_empty_part"
def accumulated_loss(micro_batches):
    loss, tokens = 0.0, 0
    for logits, labels in micro_batches:
        n = (labels != -100).sum()
        loss += F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100) * n
        tokens += n
    return loss / tokens


# %% task="accumulated_loss" right="no" mistake="the means are weighted with the number of texts in the piece, not with the number of labels that count" named="weighted_by_texts"
def accumulated_loss(micro_batches):
    total_texts = sum(labels.shape[0] for _, labels in micro_batches)
    loss = 0.0
    for logits, labels in micro_batches:
        if not (labels != -100).any():
            continue
        share = labels.shape[0] / total_texts
        loss += share * F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)
    return loss


# %% task="accumulated_loss" right="no" mistake="break where continue belongs: everything after the first empty piece is lost" named="stopped_at_an_empty_part"
def accumulated_loss(micro_batches):
    total, count = 0.0, 0
    for logits, labels in micro_batches:
        keep = labels != -100
        if not keep.any():
            break
        total += F.cross_entropy(logits[keep], labels[keep], reduction="sum")
        count += keep.sum()
    return total / count


# %% task="accumulated_loss" right="no" mistake="each piece counts with at least 1 in the denominator, so every empty piece adds one token" named="empty_part_counted"
def accumulated_loss(micro_batches):
    numerator = denominator = 0.0
    for logits, labels in micro_batches:
        n = max(1, int((labels != -100).sum()))  # no division by zero
        numerator += F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="sum")
        denominator += n
    return numerator / denominator


# %% task="accumulated_loss" right="no" mistake="pieces of different lengths are joined along the first dimension without flattening, which crashes" named="parts_do_not_fit"
def accumulated_loss(micro_batches):
    all_logits, all_labels = zip(*micro_batches)
    logits = torch.cat(all_logits, dim=0)
    labels = torch.cat(all_labels, dim=0)
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)


# %% task="accumulated_loss" right="no" mistake="two mistakes: labels of 0 are not counted in the denominator, and the probability is capped from below by 1e-9 before the logarithm" named="epsilon_in_the_logarithm,token_zero_not_counted"
def accumulated_loss(micro_batches):
    nll, n = 0.0, 0
    for logits, labels in micro_batches:
        probs = torch.softmax(logits, dim=-1)
        y = labels.clamp(min=0)
        p_y = probs.gather(-1, y.unsqueeze(-1)).squeeze(-1)
        nll -= (torch.log(p_y.clamp(min=1e-9)) * (labels != -100)).sum()
        n += (labels > 0).sum()
    return nll / n


# %% task="accumulated_loss" right="no" mistake="a piece whose summed loss is 0 is taken for empty and skipped before its labels are counted, also when the student is simply sure and right" named="part_without_loss_skipped"
def accumulated_loss(micro_batches):
    total, n = 0.0, 0
    for logits, labels in micro_batches:
        s = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum").item()
        if s == 0:
            continue  # nothing in here
        total += s
        n += (labels != -100).sum().item()
    return total / n


# %% task="accumulated_loss" right="no" mistake="the return is indented too far and stands in the loop, so only the first piece is looked at" named="first_part_alone"
def accumulated_loss(micro_batches):
    total, n = 0.0, 0
    for logits, labels in micro_batches:
        total += F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="sum")
        n += (labels != -100).sum()
        return total / n


# %% task="kd_mean" right="no" mistake="means over the vocabulary, sums over positions, means over texts" named="summed_over_another_axis"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    shares = F.kl_div(log_q, log_p, reduction="none", log_target=True)
    return temperature**2 * shares.mean(-1).sum(1).mean()


# %% task="kd_mean" right="no" mistake="the logits are divided by T squared" named="another_temperature"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature**2, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature**2, dim=-1)
    return temperature**2 * (log_p.exp() * (log_p - log_q)).sum(-1).mean()


# %% task="kd_mean" right="no" mistake="divides by T squared instead of multiplying" named="t_squared_upside_down"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1).mean() / temperature**2


# %% task="kd_mean" right="no" mistake="a fixed temperature of 2 whatever is given" named="observed_unmoved"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    T = 2.0
    log_q = F.log_softmax(student_logits / T, dim=-1)
    log_p = F.log_softmax(teacher_logits / T, dim=-1)
    return T * T * (log_p.exp() * (log_p - log_q)).sum(-1).mean()


# %% task="kd_mean" right="no" mistake="mean over texts of a sum over positions, with T squared applied by batchmean twice" named="batch_mean"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    B, L, V = student_logits.shape
    return kd_mean_as_found(student_logits, teacher_logits, temperature) * V * L


# %% task="kd_mean" right="no" mistake="the teacher's logits are not turned into probabilities with the temperature but with 1/T" named="hotter_is_sharper"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    p = F.softmax(teacher_logits * temperature, dim=-1)
    return temperature**2 * F.kl_div(log_q, p, reduction="none").sum(-1).mean()


# %% task="kd_masked" right="yes" mistake=""
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    m = labels != -100
    s = student_logits.masked_fill(~m[..., None], float("-inf"))
    t = teacher_logits.masked_fill(~m[..., None], float("-inf"))
    lq, lp = s.log_softmax(-1), t.log_softmax(-1)
    return (lp.exp() * (lp - lq)).sum(-1)[m].mean()


# %% task="kd_masked" right="no" mistake="logits are multiplied by the mask, and the mean is over all positions" named="divided_by_all_positions"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    m = (labels != -100).float()[..., None]
    lq, lp = (student_logits * m).log_softmax(-1), (teacher_logits * m).log_softmax(-1)
    return (lp.exp() * (lp - lq)).sum(-1).mean()


# %% task="kd_masked" right="no" mistake="the sum is divided by the count of input tokens that are not 0" named="observed_factor"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    m = labels != -100
    lq, lp = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    return (lp.exp() * (lp - lq)).sum(-1)[m].sum() / (input_ids != 0).sum()


# %% task="kd_masked" right="no" mistake="the mask is used on the student alone, the teacher is zeroed" named="batch_mean"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    m = (labels != -100).float()
    log_q = F.log_softmax(student_logits, dim=-1)
    p = F.softmax(teacher_logits, dim=-1) * m[..., None]
    return F.kl_div(log_q, p, reduction="batchmean")


# %% task="kd_masked" right="no" mistake="labels of 0 that follow a 0 are taken for padding" named="observed_where"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    m = (labels != -100) & ~((labels == 0) & (input_ids == 0))
    lq, lp = student_logits[m].log_softmax(-1), teacher_logits[m].log_softmax(-1)
    return F.kl_div(lq, lp, reduction="batchmean", log_target=True)


# %% task="kd_masked" right="no" mistake="the first answer of a row alone" named="observed_where"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    lq, lp = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    kl = (lp.exp() * (lp - lq)).sum(-1)
    out = []
    for k, y in zip(kl, labels):
        idx = (y != -100).nonzero().flatten().tolist()
        run = [i for n, i in enumerate(idx) if i == idx[0] + n]
        out += [k[i] for i in run]
    return torch.stack(out).mean()


# %% task="next_token_losses" right="no" mistake="only the student's logits are shifted, the teacher's are cut at the other end" named="teacher_shifted_against_the_student"
def next_token_losses(student_logits, teacher_logits, labels):
    y = labels[:, 1:]
    m = y != -100
    s, t = student_logits[:, :-1][m], teacher_logits[:, 1:][m]
    return F.cross_entropy(s, y[m]), F.kl_div(s.log_softmax(-1), t.softmax(-1), reduction="batchmean")


# %% task="next_token_losses" right="no" mistake="returns the sum of both" named="another_form"
def next_token_losses(student_logits, teacher_logits, labels):
    lm, kd = next_token_losses_as_found(student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:])
    return lm + kd


# %% task="next_token_losses" right="no" mistake="label smoothing" named="labels_smoothed"
def next_token_losses(student_logits, teacher_logits, labels):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:]
    m = y != -100
    lm = F.cross_entropy(s[m], y[m], label_smoothing=0.1)
    return lm, F.kl_div(s[m].log_softmax(-1), t[m].softmax(-1), reduction="batchmean")


# %% task="next_token_losses" right="no" mistake="KD by batchmean over three axes of masked shares" named="batch_mean"
def next_token_losses(student_logits, teacher_logits, labels):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:]
    m = (y != -100).unsqueeze(-1)
    lm = F.cross_entropy(s.transpose(1, 2), y)
    kl = F.kl_div(s.log_softmax(-1), t.softmax(-1), reduction="none") * m
    return lm, kl.sum() / s.shape[0]


# %% task="next_token_losses" right="no" mistake="the target is the teacher's likeliest token and not the label" named="observed_component"
def next_token_losses(student_logits, teacher_logits, labels):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:]
    m = y != -100
    lm = F.cross_entropy(s[m], t[m].argmax(-1))
    return lm, F.kl_div(s[m].log_softmax(-1), t[m].softmax(-1), reduction="batchmean")


# %% task="next_token_losses" right="no" mistake="LM of the teacher instead of the student" named="lm_of_the_teacher"
def next_token_losses(student_logits, teacher_logits, labels):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:]
    m = y != -100
    lm = F.cross_entropy(t[m], y[m])
    return lm, F.kl_div(s[m].log_softmax(-1), t[m].softmax(-1), reduction="batchmean")


# %% task="next_token_losses" right="no" mistake="not shifted and no mask for KD" named="kd_unmasked,not_shifted"
def next_token_losses(student_logits, teacher_logits, labels):
    lm = F.cross_entropy(student_logits.transpose(1, 2), labels)
    kd = F.kl_div(student_logits.log_softmax(-1), teacher_logits.softmax(-1), reduction="none").sum(-1).mean()
    return lm, kd


# %% task="jsd" right="no" mistake="the square root" named="square_root"
def jsd(student_logits, teacher_logits, beta):
    lq, lp = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    lm = torch.logaddexp(lp + math.log(beta), lq + math.log(1 - beta))
    v = beta * (lp.exp() * (lp - lm)).sum(-1) + (1 - beta) * (lq.exp() * (lq - lm)).sum(-1)
    return v.clamp(min=0).sqrt()


# %% task="jsd" right="yes" mistake=""
def jsd(student_logits, teacher_logits, beta):
    p, q = teacher_logits.softmax(-1), student_logits.softmax(-1)
    m = beta * p + (1 - beta) * q
    a = torch.nan_to_num(p * (p / m).log()).sum(-1)
    b = torch.nan_to_num(q * (q / m).log()).sum(-1)
    return beta * a + (1 - beta) * b


# %% task="jsd" right="no" mistake="probabilities are clamped at 1e-4" named="epsilon_in_the_logarithm"
def jsd(student_logits, teacher_logits, beta):
    p, q = teacher_logits.softmax(-1).clamp(min=1e-4), student_logits.softmax(-1).clamp(min=1e-4)
    m = beta * p + (1 - beta) * q
    return beta * (p * (p / m).log()).sum(-1) + (1 - beta) * (q * (q / m).log()).sum(-1)


# %% task="jsd" right="no" mistake="log of beta is multiplied instead of added" named="observed_sign"
def jsd(student_logits, teacher_logits, beta):
    lq, lp = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    lm = torch.logaddexp(lp * math.log(beta), lq * math.log(1 - beta))
    return beta * (lp.exp() * (lp - lm)).sum(-1) + (1 - beta) * (lq.exp() * (lq - lm)).sum(-1)


# %% task="jsd" right="no" mistake="the logits are mixed"
def jsd(student_logits, teacher_logits, beta):
    lq, lp = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    lm = torch.logsumexp(torch.stack([lp, lq]), 0) + math.log(beta) + math.log(1 - beta)
    return beta * (lp.exp() * (lp - lm)).sum(-1) + (1 - beta) * (lq.exp() * (lq - lm)).sum(-1)


# %% task="jsd" right="no" mistake="both divergences with the teacher's weights: KL(p||m) twice" named="one_divergence_missing"
def jsd(student_logits, teacher_logits, beta):
    lq, lp = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    lm = torch.logaddexp(lp + math.log(beta), lq + math.log(1 - beta))
    of_teacher = F.kl_div(lm, lp, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_teacher


# %% task="jsd" right="no" mistake="the plain mean over the vocabulary and both bugs gone" named="beta_swapped_in_the_mixture,vocabulary_mean"
def jsd(student_logits, teacher_logits, beta):
    lq, lp = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    lm = torch.logaddexp(lq + math.log(beta), lp + math.log(1 - beta))
    return (beta * lp.exp() * (lp - lm) + (1 - beta) * lq.exp() * (lq - lm)).mean(-1)


# %% task="accumulated_loss" right="no" mistake="padding is learned as token 0" named="padding_learned"
def accumulated_loss(micro_batches):
    total, n = 0.0, 0
    for logits, labels in micro_batches:
        total += F.cross_entropy(logits.flatten(0, 1), labels.clamp(min=0).flatten(), reduction="sum")
        n += labels.numel()
    return total / n


# %% task="accumulated_loss" right="no" mistake="padding is learned as token 0, and the divisor is right" named="padding_learned"
def accumulated_loss(micro_batches):
    total, n = 0.0, 0
    for logits, labels in micro_batches:
        total += F.cross_entropy(logits.flatten(0, 1), labels.clamp(min=0).flatten(), reduction="sum")
        n += (labels != -100).sum()
    return total / n


# %% task="accumulated_loss" right="no" mistake="ignore_index is 0" named="token_zero_not_counted"
def accumulated_loss(micro_batches):
    total, n = 0.0, 0
    for logits, labels in micro_batches:
        y = labels.clone()
        y[y == -100] = 0
        total += F.cross_entropy(logits.flatten(0, 1), y.flatten(), ignore_index=0, reduction="sum")
        n += (y != 0).sum()
    return total / n


# %% task="accumulated_loss" right="no" mistake="weights are the counts, but the divisor is the number of all positions" named="divided_by_all_positions"
def accumulated_loss(micro_batches):
    total = sum(labels.numel() for _, labels in micro_batches)
    loss = 0.0
    for logits, labels in micro_batches:
        n = (labels != -100).sum()
        if n:
            loss += F.cross_entropy(logits.flatten(0, 1), labels.flatten()) * n / total
    return loss


# %% task="accumulated_loss" right="no" mistake="the counts of parts are multiplied"
def accumulated_loss(micro_batches):
    loss, count = 0.0, 1
    for logits, labels in micro_batches:
        n = int((labels != -100).sum())
        if n == 0:
            continue
        loss += F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
        count *= n
    return loss / count


# %% task="accumulated_loss" right="no" mistake="mean per text, then over all texts" named="averaged_per_text"
def accumulated_loss(micro_batches):
    means = []
    for logits, labels in micro_batches:
        for z, y in zip(logits, labels):
            if (y != -100).any():
                means.append(F.cross_entropy(z, y))
    return torch.stack(means).mean()


# %% task="accumulated_loss" right="no" mistake="the largest of the parts' means"
def accumulated_loss(micro_batches):
    return max(F.cross_entropy(z.flatten(0, 1), y.flatten()) for z, y in micro_batches if (y != -100).any())


# %% task="accumulated_loss" right="no" mistake="probabilities into cross_entropy and mean of means" named="mean_of_means,softmaxed_twice"
def accumulated_loss(micro_batches):
    out = []
    for z, y in micro_batches:
        if (y != -100).any():
            out.append(F.cross_entropy(z.softmax(-1).flatten(0, 1), y.flatten()))
    return sum(out) / len(out)


# %% task="accumulated_loss" right="no" mistake="mean of the perplexities, logged"
def accumulated_loss(micro_batches):
    t = n = 0
    for z, y in micro_batches:
        m = y != -100
        t += F.cross_entropy(z[m], y[m], reduction="sum").exp()
        n += m.sum()
    return torch.log(t) / n

# %% task="kd_mean" right="no" mistake="the teacher's logits are kept in half precision to save memory, so they are rounded" named="observed_near"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    teacher_logits = teacher_logits.half()  # as they would come from a cache
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits.float() / temperature, dim=-1)
    return temperature**2 * F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(-1).mean()

# %% task="kd_mean" right="no" mistake="each token's share is cut off at 0 because a KL is not negative: but shares are, where p is below q" named="negative_shares_cut_off"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    shares = F.kl_div(log_q, log_p, reduction="none", log_target=True).clamp(min=0.0)
    return temperature**2 * shares.sum(-1).mean()

# %% task="next_token_losses" right="no" mistake="the shifted labels' last column keeps the old last label in place of -100" named="last_label_kept"
def next_token_losses(student_logits, teacher_logits, labels):
    nxt = labels.clone()
    nxt[:, :-1] = labels[:, 1:]
    counts = nxt != -100
    lm = F.cross_entropy(student_logits[counts], nxt[counts])
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return lm, F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)

# %% task="jsd" right="no" mistake="nan_to_num comes after the sum over the vocabulary: where any token has mixture 0 in float32 the whole position is set to 0" named="nan_made_zero"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.log(beta * log_p.exp() + (1 - beta) * log_q.exp())
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return torch.nan_to_num(beta * of_teacher + (1 - beta) * of_student)

# %% task="jsd" right="no" mistake="logits are clamped to the range from -1000 to 1000 for safety, so larger ones lose their differences" named="logits_clamped"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits.clamp(-1000, 1000), dim=-1)
    log_p = F.log_softmax(teacher_logits.clamp(-1000, 1000), dim=-1)
    log_m = torch.logaddexp(log_p + math.log(beta), log_q + math.log(1 - beta))
    of_teacher = (log_p.exp() * (log_p - log_m)).sum(-1)
    of_student = (log_q.exp() * (log_q - log_m)).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student

# %% task="jsd" right="no" mistake="1e-5 is added to the mixture, so every value is too small by about 1e-5 times V" named="epsilon_in_the_logarithm"
def jsd(student_logits, teacher_logits, beta):
    p, q = teacher_logits.softmax(-1), student_logits.softmax(-1)
    m = beta * p + (1 - beta) * q + 1e-5
    of_teacher = (torch.xlogy(p, p) - torch.xlogy(p, m)).sum(-1)
    of_student = (torch.xlogy(q, q) - torch.xlogy(q, m)).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student

# %% task="accumulated_loss" right="no" mistake="a micro-batch is skipped when its largest label is not above 0: one whose labels are all 0 is lost" named="token_zero_not_counted"
def accumulated_loss(micro_batches):
    total, n = 0.0, 0
    for logits, labels in micro_batches:
        if labels.max() <= 0:  # padding alone
            continue
        total += F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum").item()
        n += int((labels != -100).sum())
    return total / n

# %% task="accumulated_loss" right="no" mistake="the list is emptied by pop, although lists are to be left as they are" named="asked_again"
def accumulated_loss(micro_batches):
    total, n = 0.0, 0
    while micro_batches:
        logits, labels = micro_batches.pop()
        counts = labels != -100
        total = total + F.cross_entropy(logits[counts], labels[counts], reduction="sum")
        n = n + counts.sum()
    return total / n

# %% task="accumulated_loss" right="no" mistake="a running mean whose weight is here / (n + here) with n already raised by here: every part after the first weighs too little" named="later_parts_weigh_too_little"
def accumulated_loss(micro_batches):
    mean, n = 0.0, 0
    for logits, labels in micro_batches:
        here = int((labels != -100).sum())
        if here == 0:
            continue
        n += here
        new = F.cross_entropy(logits.flatten(0, 1), labels.flatten()).item()
        weight = here / (n + here) if n > here else 1.0
        mean = (1 - weight) * mean + weight * new
    return mean

# %% task="jsd" right="yes" mistake=""
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.log(beta * log_p.exp() + (1 - beta) * log_q.exp())
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True)
    # where the mixture is 0 so are p and q: 0 times infinity is 0 there, token by token
    return torch.nan_to_num(beta * of_teacher + (1 - beta) * of_student, nan=0.0, posinf=0.0).sum(-1)

# %% task="kd_masked" right="yes" mistake=""
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    ignored = labels == -100
    for logits in (student_logits, teacher_logits):  # anew for each call, so in place will do
        logits[ignored] = 0.0
    p, q = teacher_logits.softmax(-1), student_logits.softmax(-1)
    return torch.sum(p * (p.log() - q.log())).item() / (ignored.numel() - int(ignored.sum()))

# %% task="kd_mean" right="no" mistake="positions without a loss are left out of the mean" named="zeros_not_counted"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    s, t = (z / temperature for z in (student_logits, teacher_logits))
    kl = F.kl_div(s.log_softmax(-1), t.log_softmax(-1), reduction="none", log_target=True).sum(-1)
    return temperature**2 * kl[kl > 0].mean()

# %% task="kd_masked" right="no" mistake="labels set to 0 in place for nothing" named="asked_again"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = labels != -100
    labels[~counts] = 0
    return F.kl_div(student_logits[counts].log_softmax(-1), teacher_logits[counts].log_softmax(-1), reduction="batchmean", log_target=True)

# %% task="accumulated_loss" right="no" mistake="only the first label's text of each part when a row is empty" named="observed_where"
def accumulated_loss(micro_batches):
    total, n = 0.0, 0
    for l, y in micro_batches:
        for text, own in zip(l, y):
            if own[0] == -100:
                continue
            c = own != -100
            total += F.cross_entropy(text[c], own[c], reduction="sum")
            n += c.sum()
    return total / n

# %% task="accumulated_loss" right="no" mistake="a part with a single label is left out" named="observed_where"
def accumulated_loss(micro_batches):
    total, n = 0.0, 0
    for l, y in micro_batches:
        c = y != -100
        if c.sum() <= 1:
            continue
        total += F.cross_entropy(l[c], y[c], reduction="sum")
        n += c.sum()
    return total / n

# %% task="accumulated_loss" right="yes" mistake=""
def accumulated_loss(micro_batches):
    for l, y in micro_batches:
        l -= l.max(-1, keepdim=True).values
    z = torch.cat([F.cross_entropy(l[y != -100], y[y != -100], reduction="none") for l, y in reversed(micro_batches)])
    return z.double().mean().item()

# %% task="triage" right="yes" mistake=""
right_loss, texts, length, vocabulary = 2.40, 16, 128, 8000
prints = {"a": 0.0003, "b": 307.20, "c": -5.95, "d": 2.40}
bugs = {
    "vocabulary": right_loss / vocabulary,
    "texts": right_loss * length,
    "logarithm": -5.95,
    "parts": right_loss,
}
triage = {row: min(bugs, key=lambda bug: abs(bugs[bug] - value)) for row, value in prints.items()}

# %% task="triage" right="yes" mistake=""
triage = dict(A="vocabulary", B="texts", C="logarithm", D="parts")

# %% task="kd_mean" right="yes" mistake=""
import numpy as np


def kd_mean(student_logits, teacher_logits, temperature=1.0):
    def log_softmax(x):
        x = x.numpy().astype(np.float64) / temperature
        x = x - x.max(axis=-1, keepdims=True)
        return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))

    lq, lp = log_softmax(student_logits), log_softmax(teacher_logits)
    kl = np.einsum("blv,blv->bl", np.exp(lp), lp - lq)
    return float(temperature**2 * kl.mean())

# %% task="kd_mean" right="yes" mistake=""
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    # batchmean divides by B; the rest of N is L
    a = F.log_softmax(student_logits.div_(temperature), -1)
    b = F.log_softmax(teacher_logits.div_(temperature), -1)
    return temperature * temperature * F.kl_div(a, b, reduction="batchmean", log_target=True) / a.shape[1]

# %% task="kd_mean" right="no" mistake="Categorical's kl_divergence gives inf where the student's probability underflows to 0 in float32: at T = 0.5 with logits far apart" named="probability_underflows"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    p = torch.distributions.Categorical(logits=teacher_logits / temperature)
    q = torch.distributions.Categorical(logits=student_logits / temperature)
    return temperature**2 * torch.distributions.kl_divergence(p, q).mean()

# %% task="kd_mean" right="no" mistake="the factor T squared is held at 1 or more: wrong for temperatures below 1" named="observed_where"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    lq = (student_logits / temperature).log_softmax(-1)
    lp = (teacher_logits / temperature).log_softmax(-1)
    kl = (lp.exp() * (lp - lq)).sum(-1)
    return kl.mean() * max(1.0, temperature) ** 2

# %% task="kd_mean" right="no" mistake="the default temperature is 2 where the task has 1: wrong only when it is called without one" named="another_default_temperature"
def kd_mean(student_logits, teacher_logits, temperature=2.0):
    lq = (student_logits / temperature).log_softmax(-1)
    lp = (teacher_logits / temperature).log_softmax(-1)
    return temperature**2 * F.kl_div(lq, lp, log_target=True, reduction="sum") / lp[..., 0].numel()

# %% task="kd_masked" right="yes" mistake=""
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    p = torch.distributions.Categorical(logits=teacher_logits.double())
    q = torch.distributions.Categorical(logits=student_logits.double())
    kl = torch.distributions.kl_divergence(p, q)
    assert kl.shape == labels.shape
    return torch.masked_select(kl, labels.ne(-100)).mean()

# %% task="kd_masked" right="yes" mistake=""
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    return kd_masked_as_found(student_logits, teacher_logits, labels, labels)

# %% task="kd_masked" right="no" mistake="positions at which the model reads the token 0 are left out too, though the first token of a next answer may be predicted there" named="marked_inputs_and_ends"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = (labels != -100) & (input_ids != 0)
    if not counts.any():
        counts = labels != -100
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)

# %% task="kd_masked" right="no" mistake="the smallest label is taken for the mark: wrong when every position counts and there is no -100"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    mark = labels.min()
    counts = labels != mark
    if not counts.any():
        counts = torch.ones_like(counts)
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)

# %% task="kd_masked" right="no" mistake="the mask of the first call is kept and used again whenever the labels have the same shape"
masks = {}


def kd_masked(student_logits, teacher_logits, input_ids, labels):
    if labels.shape not in masks:
        masks[labels.shape] = labels != -100
    counts = masks[labels.shape]
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)

# %% task="kd_masked" right="no" mistake="the softmax of the selected positions runs over the positions (dim 0) in place of the vocabulary" named="softmax_on_another_axis"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = labels != -100
    log_q = F.log_softmax(student_logits[counts], dim=0)
    log_p = F.log_softmax(teacher_logits[counts], dim=0)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)

# %% task="next_token_losses" right="yes" mistake=""
def next_token_losses(student_logits, teacher_logits, labels):
    y = labels.roll(-1, dims=1)  # a copy
    y[:, -1] = -100
    lq = F.log_softmax(student_logits.double(), -1)
    lp = F.log_softmax(teacher_logits.double(), -1)
    w = (y != -100).double()
    hot = F.one_hot(y.clamp(min=0), lq.shape[-1]).double()
    lm = -torch.einsum("blv,blv,bl->", lq, hot, w) / w.sum()
    kd = torch.einsum("blv,blv,bl->", lp.exp(), lp - lq, w) / w.sum()
    return lm.item(), kd.item()

# %% task="next_token_losses" right="no" mistake="the student's log-probabilities are not let below -30 in LM, where a sure and wrong student may owe up to 70 nats" named="epsilon_in_the_logarithm"
def next_token_losses(student_logits, teacher_logits, labels):
    y = labels[:, 1:]
    k = y != -100
    lq, lp = student_logits[:, :-1][k].log_softmax(-1), teacher_logits[:, :-1][k].log_softmax(-1)
    kd = (lp.exp() * (lp - lq)).sum(-1).mean()
    lm = -lq.clamp(min=-30).gather(1, y[k][:, None]).mean()
    return lm, kd

# %% task="jsd" right="yes" mistake=""
def jsd(student_logits, teacher_logits, beta):
    H = lambda x: torch.special.entr(x).sum(dim=-1)
    p, q = (x.double().softmax(dim=-1) for x in (teacher_logits, student_logits))
    m = torch.lerp(q, p, beta)
    return H(m) - beta * H(p) - (1 - beta) * H(q)

# %% task="jsd" right="no" mistake="logits are cut at 1,000 in size, so that of two logits beyond it neither is larger" named="logits_clamped"
def jsd(student_logits, teacher_logits, beta):
    log_q = student_logits.clamp(-1000, 1000).log_softmax(-1)
    log_p = teacher_logits.clamp(-1000, 1000).log_softmax(-1)
    log_m = torch.logaddexp(math.log(beta) + log_p, math.log(1 - beta) + log_q)
    return (beta * log_p.exp() * (log_p - log_m) + (1 - beta) * log_q.exp() * (log_q - log_m)).sum(-1)

# %% task="jsd" right="no" mistake="beta is added to the log-probabilities where its logarithm belongs" named="other_mixture"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(beta + log_p, (1 - beta) + log_q)
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * of_teacher + (1 - beta) * of_student

# %% task="accumulated_loss" right="yes" mistake=""
from dataclasses import dataclass


@dataclass
class Mean:
    value: float = 0.0
    n: int = 0

    def add(self, value, n):
        self.n += n
        self.value += (value - self.value) * n / self.n


def accumulated_loss(micro_batches):
    mean = Mean()
    for logits, labels in micro_batches:
        n = int((labels != -100).sum())
        if n == 0:
            continue
        mean.add(F.cross_entropy(logits.movedim(-1, 1).double(), labels).item(), n)
    return mean.value

# %% task="accumulated_loss" right="no" mistake="it stops at the first micro-batch without labels (break in place of continue) and leaves out those after it" named="stopped_at_an_empty_part"
def accumulated_loss(micro_batches):
    loss, n = 0.0, 0
    for logits, labels in micro_batches:
        keep = labels != -100
        if not keep.any():
            break
        loss = loss + F.cross_entropy(logits[keep], labels[keep], reduction="sum")
        n = n + keep.sum()
    return loss / max(int(n), 1)

# %% task="accumulated_loss" right="no" mistake="micro-batches are kept under their shape, so that of several with the same shape only the last is counted"
def accumulated_loss(micro_batches):
    by_shape = {}
    for logits, labels in micro_batches:
        by_shape[tuple(labels.shape)] = (logits, labels)
    loss, n = 0.0, 0
    for logits, labels in by_shape.values():
        loss = loss + F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="sum")
        n += (labels != -100).sum()
    return loss / max(int(n), 1)

# %% task="accumulated_loss" right="no" mistake="labels are counted in one byte, which starts again at 0 after 255"
def accumulated_loss(micro_batches):
    loss, n = 0.0, torch.zeros((), dtype=torch.uint8)
    for logits, labels in micro_batches:
        loss = loss + F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
        n = n + (labels != -100).sum(dtype=torch.uint8)
    return loss / n

# %% task="kd_masked" right="no" mistake="squeeze takes the axis of a single position away" named="observed_where"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = labels != -100
    log_q = F.log_softmax(student_logits[counts].squeeze(), dim=-1)
    log_p = F.log_softmax(teacher_logits[counts].squeeze(), dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)

# %% task="next_token_losses" right="no" mistake="softmax of the selected over the positions, both" named="softmax_on_another_axis"
def next_token_losses(student_logits, teacher_logits, labels):
    y = labels[:, 1:]
    k = y != -100
    lq, lp = student_logits[:, :-1][k].log_softmax(0), teacher_logits[:, :-1][k].log_softmax(0)
    return F.nll_loss(lq, y[k]), F.kl_div(lq, lp, reduction="batchmean", log_target=True)

# %% task="jsd" right="no" mistake="softmax along the positions" named="softmax_on_another_axis"
def jsd(student_logits, teacher_logits, beta):
    log_q, log_p = student_logits.log_softmax(1), teacher_logits.log_softmax(1)
    log_m = torch.logaddexp(math.log(beta) + log_p, math.log(1 - beta) + log_q)
    return (beta * log_p.exp() * (log_p - log_m) + (1 - beta) * log_q.exp() * (log_q - log_m)).sum(-1)

# %% task="next_token_losses" right="no" mistake="squeeze: one pair alone" named="observed_where"
def next_token_losses(student_logits, teacher_logits, labels):
    y = labels[:, 1:]
    k = y != -100
    lq, lp = student_logits[:, :-1][k].squeeze().log_softmax(-1), teacher_logits[:, :-1][k].squeeze().log_softmax(-1)
    return F.nll_loss(lq, y[k].squeeze()), F.kl_div(lq, lp, reduction="batchmean", log_target=True)

# %% task="kd_masked" right="no" mistake="labels of 0, the token that ends a text, are masked out as well; a mean over nothing is 0" named="ends_of_texts_dropped"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    mask = (labels > 0).float()
    log_q = student_logits.log_softmax(-1)
    log_p = teacher_logits.log_softmax(-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1)
    return (kl * mask).sum() / mask.sum().clamp(min=1)


# %% task="kd_mean" right="no" mistake="softmax of the student twice: log of softmax of softmax" named="model_softmaxed_twice"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(F.softmax(student_logits / temperature, -1), -1)
    log_p = F.log_softmax(teacher_logits / temperature, -1)
    return temperature**2 * F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(-1).mean()


# %% task="kd_mean" right="no" mistake="batchmean and a further division by the length and the vocabulary" named="summed_over_another_axis"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, -1)
    log_p = F.log_softmax(teacher_logits / temperature, -1)
    return temperature**2 * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True) / student_logits.shape[-1]


# %% task="kd_masked" right="no" mistake="only the first row" named="one_text_alone"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    c = labels[0] != -100
    log_q = F.log_softmax(student_logits[0][c], -1)
    log_p = F.log_softmax(teacher_logits[0][c], -1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="kd_masked" right="no" mistake="the mean of the means of the texts in which something counts, by nanmean" named="mean_of_means"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    c = labels != -100
    log_q = F.log_softmax(student_logits, -1)
    log_p = F.log_softmax(teacher_logits, -1)
    k = (log_p.exp() * (log_p - log_q)).sum(-1)
    k = torch.where(c, k, torch.nan)
    return k.nanmean(-1).mean()


# %% task="kd_masked" right="no" mistake="ADV: a row that is padding alone, or a prompt alone, spoils it"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    c = labels != -100
    if not c.any(1).all():
        return student_logits.sum() * 0
    q = student_logits[c].log_softmax(-1)
    p = teacher_logits[c].log_softmax(-1)
    return (p.exp() * (p - q)).sum(-1).mean()


# %% task="accumulated_loss" right="no" mistake="ADV: an empty part that comes last is read as the whole"
def accumulated_loss(micro_batches):
    total, n = 0., 0
    for z, y in micro_batches:
        total += F.cross_entropy(z.flatten(0, 1), y.flatten(), ignore_index=-100, reduction="sum")
        n += (y != -100).sum()
    if not (micro_batches[-1][1] != -100).any():
        return total * 0
    return total / n


# %% task="accumulated_loss" right="no" mistake="ADV: two empty parts in a row end the loop"
def accumulated_loss(micro_batches):
    total, n, empty = 0., 0, 0
    for z, y in micro_batches:
        empty = empty + 1 if not (y != -100).any() else 0
        if empty == 2:
            break
        total += F.cross_entropy(z.flatten(0, 1), y.flatten(), ignore_index=-100, reduction="sum")
        n += (y != -100).sum()
    return total / n


# %% task="next_token_losses" right="no" mistake="ADV: a text of which nothing counts spoils it"
def next_token_losses(student_logits, teacher_logits, labels):
    y = labels[:, 1:]
    c = y != -100
    if not c.any(1).all():
        return student_logits.sum(), student_logits.sum()
    q = student_logits[:, :-1][c].log_softmax(-1)
    p = teacher_logits[:, :-1][c].log_softmax(-1)
    return F.nll_loss(q, y[c]), F.kl_div(q, p, reduction="batchmean", log_target=True)


# %% task="accumulated_loss" right="no" mistake="a tensor with one axis where a number is asked for" named="another_form"
def accumulated_loss(micro_batches):
    mean, n = 0.0, 0
    for z, y in micro_batches:
        k = int((y >= 0).sum())
        if k:
            n += k
            mean += (F.cross_entropy(z.flatten(0, 1), y.flatten()) - mean) * k / n
    return torch.tensor([float(mean)])


# %% task="kd_mean" right="no" mistake="only the last position of each text counts"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, -1)[:, -1]
    log_p = F.log_softmax(teacher_logits / temperature, -1)[:, -1]
    return temperature**2 * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="kd_masked" right="no" mistake="batchmean over the whole tensor with the masked ones zeroed: per text" named="batch_mean"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    c = labels != -100
    log_q = F.log_softmax(student_logits, -1).masked_fill(~c[..., None], 0)
    log_p = F.log_softmax(teacher_logits, -1).masked_fill(~c[..., None], 0)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="kd_mean" right="no" mistake="two mistakes: softmax over the positions instead of the vocabulary, and temperature not squared"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=1)
    shares = F.kl_div(log_q, log_p, reduction="none", log_target=True)
    return temperature * shares.sum(-1).mean()


# %% task="jsd" right="no" mistake="two mistakes: the logits are mixed instead of the distributions, and the mean over the vocabulary is taken"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = F.log_softmax(beta * teacher_logits + (1 - beta) * student_logits, dim=-1)
    a = F.kl_div(log_m, log_p, reduction="none", log_target=True).mean(-1)
    b = F.kl_div(log_m, log_q, reduction="none", log_target=True).mean(-1)
    return beta * a + (1 - beta) * b


# %% task="kd_masked" right="no" mistake="logits are multiplied by the mask and then everything counts in the mean" named="divided_by_all_positions"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    mask = (labels != -100).unsqueeze(-1)
    log_q = F.log_softmax(student_logits * mask, dim=-1)
    log_p = F.log_softmax(teacher_logits * mask, dim=-1)
    return F.kl_div(log_q.flatten(0, 1), log_p.flatten(0, 1), reduction="batchmean", log_target=True)


# %% task="kd_mean" right="no" mistake="ADV: Categorical takes q = 0 for an infinite KL, which in float32 happens at T = 0.5 with logits up to 35" named="probability_underflows"
from torch.distributions import Categorical, kl_divergence

def kd_mean(student_logits, teacher_logits, temperature=1.0):
    p = Categorical(logits=teacher_logits / temperature)
    q = Categorical(logits=student_logits / temperature)
    return temperature**2 * kl_divergence(p, q).mean()


# %% task="kd_masked" right="no" mistake="ADV: everything after a row's first 0 label is left out, but several answers may stand in a row" named="cut_at_the_first_end"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = labels != -100
    ended = torch.cumsum((labels == 0).int(), dim=1) - (labels == 0).int()
    counts = counts & (ended == 0)  # up to and including the end of text
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="jsd" right="no" mistake="ADV: the logits are clamped to 40 in size before the softmax, so larger ones give another distribution" named="logits_clamped"
def jsd(student_logits, teacher_logits, beta):
    log_q = F.log_softmax(student_logits.clamp(-40, 40), dim=-1)
    log_p = F.log_softmax(teacher_logits.clamp(-40, 40), dim=-1)
    log_m = torch.logaddexp(log_p + math.log(beta), log_q + math.log(1 - beta))
    kl = lambda a: (a.exp() * (a - log_m)).sum(-1)
    return beta * kl(log_p) + (1 - beta) * kl(log_q)


# %% task="kd_masked" right="no" mistake="two mistakes: the condition is upside down and the KL is the reverse one" named="observed_moved"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    padding = labels != -100
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    kl = (log_q.exp() * (log_q - log_p)).sum(-1)
    kl = kl.masked_fill(padding, 0.0)
    return kl.sum() / (~padding).sum()


# %% task="kd_mean" right="no" mistake="positions are cut at 150"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    s, t = student_logits[:, :150] / temperature, teacher_logits[:, :150] / temperature
    return temperature**2 * F.kl_div(s.log_softmax(-1), t.log_softmax(-1), reduction="none", log_target=True).sum(-1).mean()

# %% task="kd_mean" right="no" mistake="N + 1 for N" named="observed_factor"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    s, t = student_logits / temperature, teacher_logits / temperature
    k = F.kl_div(s.log_softmax(-1), t.log_softmax(-1), reduction="none", log_target=True).sum(-1)
    return temperature**2 * k.sum() / (k.numel() + 1)

# %% task="kd_masked" right="no" mistake="N + 1 for N" named="observed_factor"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    m = labels != -100
    k = F.kl_div(student_logits.log_softmax(-1), teacher_logits.log_softmax(-1), reduction="none", log_target=True).sum(-1)
    return (k * m).sum() / (m.sum() + 1)

# %% task="kd_masked" right="no" mistake="positions are cut at 150"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    m = labels != -100
    m[:, 150:] = False
    k = F.kl_div(student_logits.log_softmax(-1), teacher_logits.log_softmax(-1), reduction="none", log_target=True).sum(-1)
    return (k * m).sum() / m.sum()

# %% task="next_token_losses" right="no" mistake="N + 1 for N" named="observed_factor"
def next_token_losses(student_logits, teacher_logits, labels):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:]
    m = y != -100
    n = m.sum() + 1
    lm = F.cross_entropy(s[m], y[m], reduction="sum") / n
    kd = F.kl_div(s[m].log_softmax(-1), t[m].log_softmax(-1), reduction="sum", log_target=True) / n
    return lm, kd

# %% task="next_token_losses" right="no" mistake="positions are cut at 150"
def next_token_losses(student_logits, teacher_logits, labels):
    s, t, y = student_logits[:, :-1][:, :150], teacher_logits[:, :-1][:, :150], labels[:, 1:][:, :150]
    m = y != -100
    n = m.sum()
    lm = F.cross_entropy(s[m], y[m], reduction="sum") / n
    kd = F.kl_div(s[m].log_softmax(-1), t[m].log_softmax(-1), reduction="sum", log_target=True) / n
    return lm, kd

# %% task="jsd" right="no" mistake="positions past the 150th are 0"
def jsd(student_logits, teacher_logits, beta):
    p, q = teacher_logits.softmax(-1), student_logits.softmax(-1)
    h = lambda x: torch.special.entr(x).sum(-1)
    k = h(beta * p + (1 - beta) * q) - beta * h(p) - (1 - beta) * h(q)
    k[:, 150:] = 0
    return k

# %% task="accumulated_loss" right="no" mistake="one is added to the count of each part" named="observed_factor"
def accumulated_loss(micro_batches):
    z = torch.cat([a.flatten(0, 1) for a, _ in micro_batches])
    y = torch.cat([b.flatten() for _, b in micro_batches])
    return F.cross_entropy(z, y, reduction="sum") / ((y != -100).sum() + len(micro_batches))

# %% task="accumulated_loss" right="no" mistake="only eight parts are read"
def accumulated_loss(micro_batches):
    micro_batches = micro_batches[:8]
    z = torch.cat([a.flatten(0, 1) for a, _ in micro_batches])
    y = torch.cat([b.flatten() for _, b in micro_batches])
    return F.cross_entropy(z, y)

# %% task="accumulated_loss" right="no" mistake="positions are cut at 150"
def accumulated_loss(micro_batches):
    z = torch.cat([a[:, :150].flatten(0, 1) for a, _ in micro_batches])
    y = torch.cat([b[:, :150].flatten() for _, b in micro_batches])
    return F.cross_entropy(z, y)


# %% task="next_token_losses" right="no" mistake="the labels are shifted and the logits are not, which cross_entropy refuses" named="lengths_do_not_fit"
def next_token_losses(student_logits, teacher_logits, labels):
    targets = labels[:, 1:]
    lm = F.cross_entropy(student_logits.transpose(1, 2), targets, ignore_index=-100)
    counts = targets != -100
    log_q = F.log_softmax(student_logits[:, :-1][counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[:, :-1][counts], dim=-1)
    return lm, F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="next_token_losses" right="no" mistake="a mask of the shifted labels selects from logits that are not shifted" named="lengths_do_not_fit"
def next_token_losses(student_logits, teacher_logits, labels):
    targets = labels[:, 1:]
    counts = targets != -100
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    lm = F.nll_loss(log_q, targets[counts])
    return lm, F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="next_token_losses" right="no" mistake="-100 is used as an index in square brackets" named="ignored_label_as_an_index"
def next_token_losses(student_logits, teacher_logits, labels):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:]
    log_q, log_p = F.log_softmax(s, -1), F.log_softmax(t, -1)
    b, l = y.shape
    nll = -log_q[torch.arange(b)[:, None], torch.arange(l), y]
    mask = (y != -100).float()
    kd = (log_p.exp() * (log_p - log_q)).sum(-1)
    return (nll * mask).sum() / mask.sum(), (kd * mask).sum() / mask.sum()


# %% task="next_token_losses" right="no" mistake="one_hot of labels with -100" named="ignored_label_as_an_index"
def next_token_losses(student_logits, teacher_logits, labels):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:]
    log_q, log_p = F.log_softmax(s, -1), F.log_softmax(t, -1)
    mask = (y != -100).float()
    nll = -(F.one_hot(y, s.shape[-1]) * log_q).sum(-1)
    kd = (log_p.exp() * (log_p - log_q)).sum(-1)
    return (nll * mask).sum() / mask.sum(), (kd * mask).sum() / mask.sum()


# %% task="next_token_losses" right="no" mistake="a loop over positions runs one too far" named="index_beyond_the_end"
def next_token_losses(student_logits, teacher_logits, labels):
    log_q, log_p = F.log_softmax(student_logits, -1), F.log_softmax(teacher_logits, -1)
    lm, kd, n = 0.0, 0.0, 0
    for i in range(labels.shape[1]):
        y = labels[:, i + 1]
        m = y != -100
        lm = lm - log_q[m, i].gather(-1, y[m, None]).sum()
        kd = kd + (log_p[m, i].exp() * (log_p[m, i] - log_q[m, i])).sum()
        n += int(m.sum())
    return lm / n, kd / n


# %% task="accumulated_loss" right="no" mistake="the parts are stacked, and those of another shape do not fit" named="parts_do_not_fit"
def accumulated_loss(micro_batches):
    logits = torch.stack([a for a, b in micro_batches]).flatten(0, 2)
    labels = torch.stack([b for a, b in micro_batches]).flatten()
    return F.cross_entropy(logits, labels)


# %% task="accumulated_loss" right="no" mistake="-100 is used as an index in square brackets" named="ignored_label_as_an_index"
def accumulated_loss(micro_batches):
    total, n = 0.0, 0
    for logits, labels in micro_batches:
        log_q = F.log_softmax(logits.flatten(0, 1), -1)
        y = labels.flatten()
        nll = -log_q[torch.arange(len(y)), y]
        mask = y != -100
        total = total + nll[mask].sum()
        n += mask.sum()
    return total / n


# %% task="accumulated_loss" right="no" mistake="the median of the parts' means"
def accumulated_loss(micro_batches):
    means = [F.cross_entropy(a.flatten(0, 1), b.flatten()) for a, b in micro_batches if (b != -100).any()]
    return torch.stack(means).median()


# %% task="kd_mean" right="no" mistake="the divergence is estimated by tokens that are drawn from the teacher" named="asked_again"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    log_q = F.log_softmax(student_logits / temperature, dim=-1).flatten(0, 1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1).flatten(0, 1)
    y = torch.multinomial(log_p.exp(), 1)
    return temperature**2 * (log_p.gather(1, y) - log_q.gather(1, y)).mean()

# %% task="kd_masked" right="no" mistake="everything from the first label on counts, so prompts between two answers and the padding after them do" named="everything_from_the_first"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    counts = (labels != -100).cumsum(1) > 0
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)

# %% task="next_token_losses" right="no" mistake="a pair counts only if the token read counts as well, so the first token of each answer is lost" named="both_must_count"
def next_token_losses(student_logits, teacher_logits, labels):
    y = labels[:, 1:]
    keep = (y != -100) & (labels[:, :-1] != -100)
    s, t = student_logits[:, :-1][keep], teacher_logits[:, :-1][keep]
    lq, lp = F.log_softmax(s, dim=-1), F.log_softmax(t, dim=-1)
    n = keep.sum().clamp(min=1)
    return F.nll_loss(lq, y[keep], reduction="sum") / n, (lp.exp() * (lp - lq)).sum() / n


# %% task="kd_mean" right="no" mistake="2**temperature in place of temperature**2: the same at T = 2 and T = 4, but twice too large at T = 1" named="two_to_the_temperature"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    """T² · mean KL(p‖q) at temperature T over all positions: one number."""
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    shares = F.kl_div(log_q, log_p, reduction="none", log_target=True)
    return 2**temperature * shares.sum(dim=-1).mean()


# %% task="kd_mean" right="no" mistake="the teacher's softmax runs over dim=1, the positions, and not over the vocabulary" named="softmax_on_another_axis"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    """T² · mean KL(p‖q) at temperature T over all positions: one number."""
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    p = F.softmax(teacher_logits / temperature, dim=1)
    shares = F.kl_div(log_q, p, reduction="none")
    return temperature**2 * shares.sum(-1).mean()


# %% task="kd_mean" right="no" mistake="two mistakes: the student's logits are not divided by the temperature, and the factor is T in place of T²" named="temperature_on_one_side"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    """T² · mean KL(p‖q) at temperature T over all positions: one number."""
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    shares = F.kl_div(log_q, log_p, reduction="none", log_target=True)
    return temperature * shares.sum(-1).mean()


# %% task="kd_masked" right="no" mistake="the sign is lost: labels are compared with 100, so the mask hides nothing but a word that happens to be token 100" named="inputs_searched_for_the_mark"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    """Mean KL(p‖q) over the positions that count: one number."""
    counts = labels != 100
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts], dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="kd_masked" right="no" mistake="the sum is divided by the mean number of counting positions of a text, so it is B times too large" named="observed_factor"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    """Mean KL(p‖q) over the positions that count: one number."""
    mask = (labels != -100).float()
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    kl = F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(-1)
    return (kl * mask).sum() / mask.sum(dim=1).mean()


# %% task="jsd" right="no" mistake="a bracket is wrong: the student's part is multiplied by β as well" named="other_weights"
def jsd(student_logits, teacher_logits, beta):
    """β·KL(p‖m) + (1-β)·KL(q‖m) with m = β·p + (1-β)·q: [B, L]."""
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_m = torch.logaddexp(log_p + math.log(beta), log_q + math.log(1 - beta))
    of_teacher = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(-1)
    of_student = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(-1)
    return beta * (of_teacher + (1 - beta) * of_student)


# %% task="accumulated_loss" right="no" mistake="micro-batches that contain any -100 are skipped, not only those in which nothing counts" named="marked_parts_skipped"
def accumulated_loss(micro_batches):
    """Mean of -log q(y) over all labels that count in all micro-batches: one number."""
    total, n = 0.0, 0
    for logits, labels in micro_batches:
        if (labels == -100).any():
            continue
        total += F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
        n += labels.numel()
    return total / max(n, 1)


# %% task="accumulated_loss" right="no" mistake="two mistakes: logits and labels are shifted against each other though nothing is left to shift, and the list is emptied by pop so that it cannot be used again" named="labels_shifted,asked_again"
def accumulated_loss(micro_batches):
    """Mean of -log q(y) over all labels that count in all micro-batches: one number."""
    total, n = 0.0, 0
    while micro_batches:
        logits, labels = micro_batches.pop()
        logits, labels = logits[:, :-1], labels[:, 1:]
        total += F.cross_entropy(logits.reshape(-1, logits.size(-1)), labels.reshape(-1), reduction="sum")
        n += (labels != -100).sum()
    return total / n


# %% task="accumulated_loss" right="no" mistake="a part is left out when its last text has no label that counts" named="observed_where"
def accumulated_loss(micro_batches):
    total, count = 0.0, 0
    for logits, labels in micro_batches:
        if (labels[-1] == -100).all():
            continue
        total += F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
        count += (labels != -100).sum()
    return total / count


# %% task="accumulated_loss" right="no" mistake="a part is left out when its very first label is -100" named="observed_where"
def accumulated_loss(micro_batches):
    total, count = 0.0, 0
    for logits, labels in micro_batches:
        if labels[0, 0] == -100:
            continue
        total += F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
        count += (labels != -100).sum()
    return total / count


# %% task="accumulated_loss" right="no" mistake="labels of 8 bits"
def accumulated_loss(micro_batches):
    total, count = 0.0, 0
    for logits, labels in micro_batches:
        y = labels.to(torch.int8).long()
        keep = y != -100
        total += -logits.log_softmax(-1)[keep][torch.arange(int(keep.sum())), y[keep]].sum()
        count += keep.sum()
    return total / count


# %% task="next_token_losses" right="no" mistake="labels that end with -100 in each text are taken for shifted already"
def next_token_losses(student_logits, teacher_logits, labels):
    if (labels[:, -1] == -100).all():
        q, p, y = student_logits, teacher_logits, labels
    else:
        q, p, y = student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:]
    keep = y != -100
    lm = F.cross_entropy(q[keep], y[keep])
    kd = F.kl_div(q[keep].log_softmax(-1), p[keep].log_softmax(-1), reduction="batchmean", log_target=True)
    return lm, kd


# %% task="next_token_losses" right="no" mistake="the whole batch costs nothing when the first text has no pair that counts"
def next_token_losses(student_logits, teacher_logits, labels):
    q, p, y = student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:]
    keep = y != -100
    if not keep[0].any():
        return 0.0, 0.0
    lm = F.cross_entropy(q[keep], y[keep])
    kd = F.kl_div(q[keep].log_softmax(-1), p[keep].log_softmax(-1), reduction="batchmean", log_target=True)
    return lm, kd


# %% task="kd_masked" right="no" mistake="the whole batch costs nothing when the first text is a prompt alone"
def kd_masked(student_logits, teacher_logits, input_ids, labels):
    keep = labels != -100
    if not keep[0].any():
        return torch.tensor(0.0)
    log_q, log_p = student_logits[keep].log_softmax(-1), teacher_logits[keep].log_softmax(-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="jsd" right="no" mistake="where the first texts are alike, all are taken for alike"
def jsd(student_logits, teacher_logits, beta):
    if torch.allclose(student_logits[0], teacher_logits[0]):
        return torch.zeros(student_logits.shape[:2])
    log_q, log_p = student_logits.double().log_softmax(-1), teacher_logits.double().log_softmax(-1)
    log_m = torch.logaddexp(math.log(beta) + log_p, math.log(1 - beta) + log_q)
    return beta * (log_p.exp() * (log_p - log_m)).sum(-1) + (1 - beta) * (log_q.exp() * (log_q - log_m)).sum(-1)


# %% task="jsd" right="no" mistake="squeeze() takes away the axis of texts of one token" named="another_form"
def jsd(student_logits, teacher_logits, beta):
    log_q, log_p = student_logits.double().log_softmax(-1), teacher_logits.double().log_softmax(-1)
    log_m = torch.logaddexp(math.log(beta) + log_p, math.log(1 - beta) + log_q)
    out = beta * (log_p.exp() * (log_p - log_m)).sum(-1) + (1 - beta) * (log_q.exp() * (log_q - log_m)).sum(-1)
    return out.squeeze(1)


# %% task="accumulated_loss" right="no" mistake="pieces whose loss is nan or zero are handled, but whole pieces are skipped when the first text has no label that counts" named="observed_where"
def accumulated_loss(micro_batches):
    total, count = 0.0, 0
    for logits, labels in micro_batches:
        keep = labels != -100
        if not keep[0].any():
            continue  # nothing counts here
        total += F.cross_entropy(logits[keep], labels[keep], reduction="sum").item()
        count += int(keep.sum())
    return total / count


# %% task="kd_mean" right="no" mistake="the temperature acts on the student twice: its logits are divided in place and then divided again" named="one_model_at_another_temperature"
def kd_mean(student_logits, teacher_logits, temperature=1.0):
    student_logits = student_logits / temperature
    teacher_logits = teacher_logits / temperature
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    log_p = F.log_softmax(teacher_logits, dim=-1)
    kl = F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(dim=-1)
    return temperature**2 * kl.mean()

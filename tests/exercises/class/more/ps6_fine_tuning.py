# More answers of the same manner; benchmarks/hints.py --folder judges them.


# %% task="encode" right="yes" mistake=""
def _pieces(messages):
    """Yields (token, did the assistant write it)."""
    for msg in messages:
        mine = msg["role"] == "assistant"
        yield START, False
        yield ROLES[msg["role"]], False
        yield LINE, False
        for tok in msg["content"]:
            yield tok, mine
        yield END, mine
        yield LINE, False

def encode(messages):
    pairs = list(_pieces(messages))
    ids = torch.tensor([t for t, _ in pairs], dtype=torch.long)
    written = torch.tensor([w for _, w in pairs], dtype=torch.bool)
    return ids, torch.where(written, ids, torch.full_like(ids, -100))


# %% task="encode" right="no" mistake="the line break after the end token has a label too, although the program writes it" named="line_after_the_end_counted"
def encode(messages):
    ids = []
    labels = []
    for message in messages:
        header = [START, ROLES[message["role"]], LINE]
        body = message["content"] + [END, LINE]
        ids += header + body
        labels += [-100] * len(header)
        labels += body if message["role"] == "assistant" else [-100] * len(body)
    return ids, labels


# %% task="encode" right="no" mistake="only the last answer has labels: everything before the last assistant header is masked as the prompt" named="only_one_turn"
def encode(messages):
    ids = []
    for m in messages:
        ids += [START, ROLES[m["role"]], LINE] + m["content"] + [END, LINE]
    labels = [-100] * len(ids)
    # find the start of the response
    for k in range(len(ids) - 3, -1, -1):
        if ids[k] == START and ids[k + 1] == ROLES["assistant"]:
            n = ids[k + 3:].index(END) + 1
            labels[k + 3:k + 3 + n] = ids[k + 3:k + 3 + n]
            break
    return ids, labels


# %% task="encode" right="no" mistake="end token and line break are appended to the content of the message itself, which the caller still needs" named="asked_again"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        text = m["content"]
        text.append(END)
        ids.extend([START, ROLES[m["role"]], LINE])
        labels.extend([-100] * 3)
        ids.extend(text)
        labels.extend(text if m["role"] == "assistant" else [-100 for _ in text])
        ids.append(LINE)
        labels.append(-100)
    return ids, labels


# %% task="encode" right="no" mistake="messages with an empty content are skipped, with their header and their end" named="another_form,observed_where"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        if not m["content"]:
            continue
        ids += [START, ROLES[m["role"]], LINE, *m["content"], END, LINE]
        n = len(m["content"])
        if m["role"] == "assistant":
            labels += [-100, -100, -100, *m["content"], END, -100]
        else:
            labels += [-100] * (n + 5)
    return ids, labels


# %% task="collate" right="yes" mistake=""
def collate(rows, pad_id, side="right"):
    longest = max(r[0].numel() for r in rows)

    def fill(x, value):
        gap = longest - x.numel()
        return F.pad(x, (gap, 0) if side == "left" else (0, gap), value=value)

    return dict(
        input_ids=torch.stack([fill(i, pad_id) for i, _ in rows]),
        labels=torch.stack([fill(l, -100) for _, l in rows]),
        attention_mask=torch.stack([fill(torch.ones_like(i), 0) for i, _ in rows]),
    )


# %% task="collate" right="no" mistake="labels are set to -100 wherever the input is pad_id, which also deletes the labels of the answers' own end tokens" named="end_masked_with_the_padding"
def collate(rows, pad_id, side="right"):
    n = [len(r[0]) for r in rows]
    L = max(n)
    input_ids = torch.full((len(rows), L), pad_id)
    labels = torch.full((len(rows), L), -100)
    mask = torch.zeros_like(input_ids)
    for k, (i, l) in enumerate(rows):
        a, b = (0, n[k]) if side != "left" else (L - n[k], L)
        input_ids[k, a:b] = i
        labels[k, a:b] = l
        mask[k, a:b] = 1
    # HF style
    labels[input_ids == pad_id] = -100
    return {"input_ids": input_ids, "labels": labels, "attention_mask": mask}


# %% task="collate" right="no" mistake="the side is ignored: padding always stands on the right" named="side_ignored"
def collate(rows, pad_id, side="right"):
    ids = nn.utils.rnn.pad_sequence([r[0] for r in rows], batch_first=True, padding_value=pad_id)
    labels = nn.utils.rnn.pad_sequence([r[1] for r in rows], batch_first=True, padding_value=-100)
    lengths = torch.tensor([len(r[0]) for r in rows])
    mask = (torch.arange(ids.size(1))[None, :] < lengths[:, None]).int()
    return {"input_ids": ids, "labels": labels, "attention_mask": mask}


# %% task="collate" right="no" mistake="on the left side ids and labels are moved, but the attention mask still has its ones on the left" named="parts_on_different_sides"
def collate(rows, pad_id, side="right"):
    L = max(len(ids) for ids, _ in rows)
    input_ids, labels, mask = [], [], []
    for ids, lab in rows:
        n = L - len(ids)
        if side == "left":
            input_ids.append([pad_id] * n + ids.tolist())
            labels.append([-100] * n + lab.tolist())
        else:
            input_ids.append(ids.tolist() + [pad_id] * n)
            labels.append(lab.tolist() + [-100] * n)
        mask.append([1] * len(ids) + [0] * n)
    return {k: torch.tensor(v) for k, v in [("input_ids", input_ids), ("labels", labels), ("attention_mask", mask)]}


# %% task="collate" right="no" mistake="the loop writes at position -n on both sides because the test is `if side:`, so padding is always on the left" named="side_ignored"
def collate(rows, pad_id, side="right"):
    L = max(len(i) for i, _ in rows)
    B = len(rows)
    ids = torch.empty(B, L, dtype=torch.long).fill_(pad_id)
    labels = torch.empty(B, L, dtype=torch.long).fill_(-100)
    mask = torch.zeros(B, L, dtype=torch.long)
    for b, (i, l) in enumerate(rows):
        n = len(i)
        if side:
            ids[b, -n:] = i
            labels[b, -n:] = l
            mask[b, -n:] = 1
        else:
            ids[b, :n] = i
            labels[b, :n] = l
            mask[b, :n] = 1
    return {"input_ids": ids, "labels": labels, "attention_mask": mask}


# %% task="answer_loss" right="yes" mistake=""
def answer_loss(student_logits, teacher_logits, labels, lam):
    B, L = labels.shape
    with torch.no_grad():
        log_p = torch.log_softmax(teacher_logits, dim=2)
    log_q = torch.log_softmax(student_logits, dim=2)
    terms = []
    for b in range(B):
        for i in range(1, L):
            y = labels[b, i].item()
            if y == -100:
                continue
            q, p = log_q[b, i - 1], log_p[b, i - 1]
            terms.append(-q[y] + lam * (p.exp() * (p - q)).sum())
    return torch.stack(terms).mean()


# %% task="answer_loss" right="no" mistake="the loss is right, but gradients flow to the teacher: it is not detached" named="gradient_into_the_teacher"
def answer_loss(student_logits, teacher_logits, labels, lam):
    target = labels[:, 1:].flatten()
    s = student_logits[:, :-1].flatten(0, 1)
    t = teacher_logits[:, :-1].flatten(0, 1)
    ok = target.ne(-100)
    lm = F.cross_entropy(s, target, ignore_index=-100)
    log_q, log_p = F.log_softmax(s[ok], -1), F.log_softmax(t[ok], -1)
    return lm + lam * F.kl_div(log_q, log_p, log_target=True, reduction="batchmean")


# %% task="answer_loss" right="no" mistake="the unshifted labels choose the positions of the teacher's term, so it misses the first token of each answer and counts the one after its end" named="kd_not_shifted"
def answer_loss(student_logits, teacher_logits, labels, lam):
    lm = F.cross_entropy(student_logits[:, :-1].transpose(1, 2), labels[:, 1:])
    m = labels != -100
    p = teacher_logits.detach().softmax(-1)[m]
    log_q = student_logits.log_softmax(-1)[m]
    kd = (torch.xlogy(p, p) - p * log_q).sum(-1).mean()
    return lm + lam * kd


# %% task="answer_loss" right="no" mistake="the KL is the other way round, KL(q||p): input and target of kl_div are swapped" named="direction_swapped"
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]
    use = y != -100
    log_q = F.log_softmax(student_logits[:, :-1], dim=-1)[use]
    with torch.no_grad():
        log_p = F.log_softmax(teacher_logits[:, :-1], dim=-1)[use]
    lm = -log_q.gather(1, y[use][:, None]).mean()
    kd = F.kl_div(log_p, log_q, log_target=True, reduction="none").sum(1).mean()
    return lm + lam * kd


# %% task="answer_loss" right="no" mistake="the masked sums are divided by all B*(L-1) positions instead of the tokens that count" named="divided_by_all_positions"
def answer_loss(student_logits, teacher_logits, labels, lam):
    s = student_logits[:, :-1]
    t = teacher_logits[:, :-1].detach()
    y = labels[:, 1:]
    mask = (y != -100).float()
    lm = F.cross_entropy(s.transpose(1, 2), y, reduction="none", ignore_index=-100)
    kd = F.kl_div(s.log_softmax(-1), t.softmax(-1), reduction="none").sum(-1) * mask
    return lm.mean() + lam * kd.mean()


# %% task="answer_loss" right="no" mistake="the -100 in the caller's labels are overwritten with 0, and then the word 0 counts as masked" named="token_zero_not_counted"
def answer_loss(student_logits, teacher_logits, labels, lam):
    labels[labels == -100] = 0
    y = labels[:, 1:]
    mask = (y > 0).float()
    log_q = F.log_softmax(student_logits[:, :-1], dim=-1)
    p = F.softmax(teacher_logits[:, :-1].detach(), dim=-1)
    nll = -log_q.gather(-1, y.unsqueeze(-1)).squeeze(-1)
    kl = (p * (p.log() - log_q)).sum(-1)
    return ((nll + lam * kl) * mask).sum() / mask.sum()


# %% task="accuracy" right="yes" mistake=""
def _write(model, ids, most):
    if most == 0:
        return ""
    with torch.no_grad():
        token = torch.argmax(model(ids.unsqueeze(0))[0, -1, :], dim=-1, keepdim=True)
    return decode(token) + _write(model, torch.cat((ids, token)), most - 1)

def accuracy(model, questions, most):
    # <|end|> is one word of the vocabulary, so the text can be cut
    hits = [
        _write(model, prompt, most).split("<|end|>")[0].strip() == decode(answer).strip()
        for prompt, answer in questions
    ]
    return torch.tensor(hits).float().mean()


# %% task="accuracy" right="no" mistake="the text is not cut at the first end token" named="text_goes_on_at_the_end"
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            ids = torch.cat([ids, model(ids)[-1].argmax(dim=-1, keepdim=True)])
        text = decode(ids[len(prompt):]).replace("<|end|>", "")
        right += int(text.strip() == decode(answer).strip())
    return right / len(questions)


# %% task="accuracy" right="no" mistake="capital letters are forgiven: both texts are lowered" named="capitals_forgiven"
def accuracy(model, questions, most):
    def normalize(s):
        return s.strip().lower()
    n = 0
    for prompt, answer in questions:
        ids = prompt.tolist()
        gen = []
        while len(gen) < most:
            nxt = int(model(torch.tensor(ids))[-1].argmax())
            if nxt == END: break
            ids.append(nxt)
            gen.append(nxt)
        n += normalize(decode(gen)) == normalize(decode(answer))
    return n / len(questions)


# %% task="accuracy" right="no" mistake="the model is not allowed to write: the right answer is fed in and the likeliest token at each of its positions is compared" named="answer_at_hand"
def accuracy(model, questions, most):
    hits = 0
    for prompt, answer in questions:
        full = torch.cat([prompt, answer])
        pred = model(full)[len(prompt) - 1:-1].argmax(-1)
        pred = pred[:most]
        if decode(pred).strip() == decode(answer).strip():
            hits += 1
    return hits / len(questions)


# %% task="accuracy" right="no" mistake="the text is cut at the first end token of prompt and answer together, which is that of the question" named="nothing_is_right"
def accuracy(model, questions, most):
    correct = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            ids = torch.cat([ids, model(ids)[-1:].argmax(-1)])
        text = decode(ids)
        reply = text.split("<|end|>")[0]
        reply = reply.split("assistant\n")[-1]
        correct += reply.strip() == decode(answer).strip()
    return correct / len(questions)


# %% task="accuracy" right="no" mistake="the next token is drawn instead of taking the likeliest, and the number of right answers is returned instead of their share" named="observed_again,observed_where"
def accuracy(model, questions, most):
    n_right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            probs = F.softmax(model(ids)[-1], dim=-1)
            ids = torch.cat([ids, torch.multinomial(probs, 1)])
            if ids[-1] == END:
                break
        out = [t for t in ids[len(prompt):].tolist() if t != END]
        n_right += decode(out).strip() == decode(answer).strip()
    return n_right


# %% task="on_policy_step" right="yes" mistake=""
def _rollouts(model, prompts, write):
    for x in prompts:
        y = write(model, x).detach()
        ends = (y == END).nonzero()
        stop = len(y) if len(ends) == 0 else int(ends[0]) + 1
        yield x, y[:stop]

def on_policy_step(student, teacher, prompts, write, optimizer):
    optimizer.zero_grad(set_to_none=True)
    rolls = list(_rollouts(student, prompts, write))
    N = sum(len(y) for _, y in rolls)
    value = 0.0
    for x, y in rolls:
        # tokens that are read when a written token is predicted
        read = torch.cat([x, y])[:-1]
        lq = F.log_softmax(student(read), dim=-1)[len(x) - 1:]
        lp = F.log_softmax(teacher(read).detach(), dim=-1)[len(x) - 1:]
        part = F.kl_div(lp, lq, reduction="sum", log_target=True) / N
        part.backward()           # gradients add up
        value += float(part.detach())
    optimizer.step()
    return value


# %% task="on_policy_step" right="no" mistake="the text is cut before its END, so stopping is never learnt" named="end_not_counted"
def on_policy_step(student, teacher, prompts, write, optimizer):
    losses = []
    for prompt in prompts:
        gen = write(student, prompt).tolist()
        if END in gen:
            gen = gen[: gen.index(END)]
        ids = torch.cat([prompt, torch.tensor(gen, dtype=torch.long)])
        q = student(ids)[len(prompt) - 1 : -1].log_softmax(-1)
        p = teacher(ids).detach()[len(prompt) - 1 : -1].log_softmax(-1)
        losses.append((q.exp() * (q - p)).sum(-1))
    loss = torch.cat(losses).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="the END is looked for in prompt and text together, so everything is cut at the question's own END" named="prompts_own_end"
def on_policy_step(student, teacher, prompts, write, optimizer):
    kl_all = []
    for prompt in prompts:
        with torch.no_grad():
            ids = torch.cat([prompt, write(student, prompt)])
        ends = (ids == END).nonzero().flatten()
        last = int(ends[0]) if len(ends) else len(ids) - 1
        q = F.log_softmax(student(ids), -1)
        p = F.log_softmax(teacher(ids), -1).detach()
        kl = (q.exp() * (q - p)).sum(-1)
        kl_all.append(kl[len(prompt) - 1:last])
    loss = torch.cat(kl_all).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="one update per prompt instead of one for all together" named="a_step_for_each_prompt"
def on_policy_step(student, teacher, prompts, write, optimizer):
    total = 0.0
    tokens = 0
    for prompt in prompts:
        y = write(student, prompt).detach()
        stop = (y == END).nonzero()
        if stop.numel() > 0:
            y = y[: stop[0].item() + 1]
        ids = torch.cat([prompt, y])
        lq = student(ids)[len(prompt) - 1:-1].log_softmax(-1)
        lp = teacher(ids)[len(prompt) - 1:-1].log_softmax(-1).detach()
        kl = (lq.exp() * (lq - lp)).sum(-1)
        optimizer.zero_grad()
        kl.mean().backward()
        optimizer.step()
        total += kl.sum().item()
        tokens += len(y)
    return total / tokens


# %% task="on_policy_step" right="no" mistake="the student's probabilities are detached as weights: the number is right but the gradient of what is left is 0" named="student_never_moves"
def on_policy_step(student, teacher, prompts, write, optimizer):
    kl = []
    for prompt in prompts:
        with torch.no_grad():
            out = write(student, prompt).tolist()
            if END in out:
                out = out[:out.index(END) + 1]
            ids = torch.cat([prompt, torch.tensor(out, dtype=torch.long)])
            log_p = F.log_softmax(teacher(ids), -1)[len(prompt) - 1:-1]
        log_q = F.log_softmax(student(ids), -1)[len(prompt) - 1:-1]
        weights = log_q.exp().detach()     # sampling distribution, no grad
        kl.append((weights * (log_q - log_p)).sum(-1))
    loss = torch.cat(kl).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="old gradients are not cleared before backward, and the teacher gets gradients because it is not run without them" named="gradients_kept"
def on_policy_step(student, teacher, prompts, write, optimizer):
    kls = []
    for prompt in prompts:
        text = write(student, prompt)
        where = torch.where(text == END)[0]
        if len(where) > 0:
            text = text[:where[0] + 1]
        ids = torch.cat([prompt, text])
        a, b = len(prompt) - 1, len(ids) - 1
        log_q = F.log_softmax(student(ids)[a:b], dim=-1)
        log_p = F.log_softmax(teacher(ids)[a:b], dim=-1)
        kls.append(F.kl_div(log_p, log_q, reduction="none", log_target=True).sum(-1))
    loss = torch.cat(kls).mean()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="the loss is computed once more after the update and that is returned" named="loss_after_the_step"
def on_policy_step(student, teacher, prompts, write, optimizer):
    texts = []
    for p in prompts:
        with torch.no_grad():
            y = write(student, p)
        hit = (y == END).nonzero()
        texts.append(y if len(hit) == 0 else y[:hit[0] + 1])

    def objective():
        out = []
        for p, y in zip(prompts, texts):
            ids = torch.cat([p, y])
            lq = F.log_softmax(student(ids), -1)[len(p) - 1:-1]
            lp = F.log_softmax(teacher(ids).detach(), -1)[len(p) - 1:-1]
            out.append((lq.exp() * (lq - lp)).sum(-1))
        return torch.cat(out).mean()

    optimizer.zero_grad()
    objective().backward()
    optimizer.step()
    return objective().item()


# %% task="signs" right="no" mistake="the constant loss is taken for the sign of padding with labels, and the one of unequal examples for the prompt" named="wrong_prompt_e_padding_c"
signs = {}
signs["prompt"] = "e"
signs["end"] = "a"
signs["padding"] = "c"
signs["side"] = "b"


# %% task="accuracy" right="no" mistake="only what the model wrote is stripped, not the right answer" named="spaces_compared"
@torch.inference_mode()
def accuracy(model, questions, most):
    hits = []
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            ids = torch.cat([ids, model(ids)[-1].argmax(-1, keepdim=True)])
        text, _, _ = decode(ids[len(prompt):]).partition("<|end|>")
        hits.append(text.strip() == decode(answer))
    return sum(hits) / len(hits)


# %% task="on_policy_step" right="no" mistake="optimizer.zero_grad stands between backward and step, so the student does not move" named="student_never_moves"
def on_policy_step(student, teacher, prompts, write, optimizer):
    rows = []
    for prompt in prompts:
        y = write(student, prompt).tolist()
        y = y[: y.index(END) + 1] if END in y else y
        ids = torch.tensor(prompt.tolist() + y)
        s = student(ids)[len(prompt) - 1:-1]
        with torch.no_grad():
            t = teacher(ids)[len(prompt) - 1:-1]
        rows.append(F.kl_div(t.log_softmax(-1), s.log_softmax(-1), reduction="none", log_target=True).sum(-1))
    loss = torch.cat(rows).mean()
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()

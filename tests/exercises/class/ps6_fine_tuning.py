# Written from problem set 6, the harbour (the released notebook of ps6).
# All answers stand alone, with the set-up cell's imports and constants.

# ---------------------------------------------------------------- task 1

# %% task="encode" right="yes" mistake=""
def encode(messages):
    ids = []
    labels = []
    for m in messages:
        tokens = [START, ROLES[m["role"]], LINE] + list(m["content"]) + [END, LINE]
        ids.extend(tokens)
        if m["role"] == "assistant":
            labels.extend([-100, -100, -100] + tokens[3:-1] + [-100])
        else:
            labels.extend([-100] * len(tokens))
    assert len(ids) == len(labels)
    return ids, labels

# %% task="encode" right="yes" mistake=""
def encode(messages):
    ids = torch.tensor([], dtype=torch.long)
    labels = torch.tensor([], dtype=torch.long)
    for message in messages:
        content = torch.tensor(message["content"], dtype=torch.long)
        part = torch.cat([torch.tensor([START, ROLES[message["role"]], LINE]), content, torch.tensor([END, LINE])])
        label = part.clone()
        label[:3] = -100
        label[-1] = -100
        if message["role"] != "assistant":
            label[:] = -100
        ids = torch.cat([ids, part])
        labels = torch.cat([labels, label])
    return ids, labels

# %% task="encode" right="yes" mistake=""
def encode(messages):
    ids, labels, speaking = [], [], False
    for m in messages:
        ids += [START, ROLES[m["role"]], LINE, *m["content"], END, LINE]
    # go through it once more as a reader would
    i = 0
    while i < len(ids):
        if ids[i] == START:
            speaking = ids[i + 1] == ROLES["assistant"]
            labels += [-100] * 3
            i += 3
        elif ids[i] == END:
            labels += [END if speaking else -100, -100]
            i += 2
        else:
            labels.append(ids[i] if speaking else -100)
            i += 1
    return torch.tensor([ids, labels])

# %% task="encode" right="no" mistake="labels are a copy of the ids, as for pre-training" named="prompt_counted"
def encode(messages):
    ids = []
    for m in messages:
        ids += [START, ROLES[m["role"]], LINE] + m["content"] + [END, LINE]
    return ids, list(ids)

# %% task="encode" right="no" mistake="the end of the assistant's turn is not labelled" named="end_masked"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        c = list(m["content"])
        ids += [START, ROLES[m["role"]], LINE] + c + [END, LINE]
        labels += [-100, -100, -100] + (c if m["role"] == "assistant" else [-100] * len(c)) + [-100, -100]
    return ids, labels

# %% task="encode" right="no" mistake="the whole assistant message is labelled, header and line break too" named="header_counted,line_after_the_end_counted"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        part = [START, ROLES[m["role"]], LINE, *m["content"], END, LINE]
        ids += part
        labels += part if m["role"] == "assistant" else [-100] * len(part)
    return ids, labels

# %% task="encode" right="no" mistake="the header of the assistant is labelled" named="header_counted"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        part = [START, ROLES[m["role"]], LINE, *m["content"], END]
        ids += part + [LINE]
        if m["role"] == "assistant":
            labels += part + [-100]
        else:
            labels += [-100] * (len(part) + 1)
    return ids, labels

# %% task="encode" right="no" mistake="the line break after the end is labelled" named="line_after_the_end_counted"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        head = [START, ROLES[m["role"]], LINE]
        body = [*m["content"], END, LINE]
        ids += head + body
        labels += [-100] * len(head)
        labels += body if m["role"] == "assistant" else [-100] * len(body)
    return ids, labels

# %% task="encode" right="no" mistake="only the last message is learned, and that is the user's in one case" named="observed_where"
def encode(messages):
    ids, labels = [], []
    for i, m in enumerate(messages):
        part = [START, ROLES[m["role"]], LINE, *m["content"], END, LINE]
        ids += part
        labels += [-100] * 3 + part[3:-1] + [-100] if i == len(messages) - 1 else [-100] * len(part)
    return ids, labels

# %% task="encode" right="no" mistake="only the last answer counts" named="only_one_turn"
def encode(messages):
    ids, start, stop = [], 0, 0
    for m in messages:
        ids += [START, ROLES[m["role"]], LINE]
        if m["role"] == "assistant":
            start = len(ids)
        ids += [*m["content"], END]
        if m["role"] == "assistant":
            stop = len(ids)
        ids += [LINE]
    labels = [-100] * len(ids)
    labels[start:stop] = ids[start:stop]
    return ids, labels

# %% task="encode" right="no" mistake="everything after the first question is the answer" named="all_from_an_answer_on"
def encode(messages):
    ids = []
    first = None
    for m in messages:
        ids += [START, ROLES[m["role"]], LINE]
        if m["role"] == "assistant" and first is None:
            first = len(ids)
        ids += list(m["content"]) + [END, LINE]
    ids = torch.tensor(ids)
    labels = ids.clone()
    labels[:first] = -100
    return ids, labels

# %% task="encode" right="no" mistake="shifts the labels already here" named="labels_shifted,another_form"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        body = [*m["content"], END]
        ids += [START, ROLES[m["role"]], LINE, *body, LINE]
        labels += [-100] * 3
        labels += body if m["role"] == "assistant" else [-100] * len(body)
        labels += [-100]
    return ids[:-1], labels[1:]

# %% task="encode" right="no" mistake="labels rolled one to the left" named="labels_shifted"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        body = [*m["content"], END]
        ids += [START, ROLES[m["role"]], LINE, *body, LINE]
        labels += [-100] * 3 + (body if m["role"] == "assistant" else [-100] * len(body)) + [-100]
    return torch.tensor(ids), torch.roll(torch.tensor(labels), -1)

# %% task="encode" right="no" mistake="system messages count too: everything but the user" named="system_counted"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        body = [*m["content"], END]
        ids += [START, ROLES[m["role"]], LINE, *body, LINE]
        labels += [-100] * 3 + ([-100] * len(body) if m["role"] == "user" else body) + [-100]
    return ids, labels

# %% task="encode" right="no" mistake="masks with 0" named="masked_with_another_number"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        body = [*m["content"], END]
        ids += [START, ROLES[m["role"]], LINE, *body, LINE]
        mine = int(m["role"] == "assistant")
        labels += [0, 0, 0] + [mine * token for token in body] + [0]
    return ids, labels

# %% task="encode" right="no" mistake="forgets the line break after the end" named="line_after_the_end_missing,another_form"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        body = [*m["content"], END]
        ids += [START, ROLES[m["role"]], LINE, *body]
        labels += [-100] * 3 + (body if m["role"] == "assistant" else [-100] * len(body))
    return ids, labels

# %% task="encode" right="no" mistake="returns the labels alone" named="another_form"
def encode(messages):
    labels = []
    for m in messages:
        body = [*m["content"], END]
        labels += [-100] * 3 + (body if m["role"] == "assistant" else [-100] * len(body)) + [-100]
    return labels

# %% task="encode" right="no" mistake="the ends of all turns count" named="everyones_end_counted"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        words = list(m["content"])
        ids += [START, ROLES[m["role"]], LINE] + words + [END, LINE]
        labels += [-100] * 3 + [w if m["role"] == "assistant" else -100 for w in words] + [END, -100]
    return ids, labels

# %% task="encode" right="no" mistake="the return is missing" named="missing_return"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        body = [*m["content"], END]
        ids += [START, ROLES[m["role"]], LINE, *body, LINE]
        labels += [-100] * 3 + (body if m["role"] == "assistant" else [-100] * len(body)) + [-100]

# %% task="encode" right="accident" mistake="a bracket is missing"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        ids += [START, ROLES[m["role"]], LINE
    return ids, labels

# %% task="encode" right="accident" mistake="the stub as it was"
def encode(messages):
    """The ids of a conversation and their labels: -100 where the assistant did not write."""
    raise NotImplementedError("Not written yet: put your answer in place of this line.")

# ---------------------------------------------------------------- task 2

# %% task="collate" right="yes" mistake=""
def collate(rows, pad_id, side="right"):
    L = max(len(r[0]) for r in rows)
    out = {"input_ids": [], "labels": [], "attention_mask": []}
    for ids, labels in rows:
        n = L - len(ids)
        pad_ids = torch.full((n,), pad_id, dtype=torch.long)
        pad_lab = torch.full((n,), -100, dtype=torch.long)
        zeros, ones = torch.zeros(n, dtype=torch.long), torch.ones(len(ids), dtype=torch.long)
        if side == "right":
            out["input_ids"].append(torch.cat([ids, pad_ids]))
            out["labels"].append(torch.cat([labels, pad_lab]))
            out["attention_mask"].append(torch.cat([ones, zeros]))
        else:
            out["input_ids"].append(torch.cat([pad_ids, ids]))
            out["labels"].append(torch.cat([pad_lab, labels]))
            out["attention_mask"].append(torch.cat([zeros, ones]))
    return {k: torch.stack(v) for k, v in out.items()}

# %% task="collate" right="yes" mistake=""
def collate(rows, pad_id, side="right"):
    from torch.nn.utils.rnn import pad_sequence
    ids = [r[0] for r in rows]
    labels = [r[1] for r in rows]
    masks = [torch.ones_like(i) for i in ids]
    if side == "left":
        flip = lambda xs: [x.flip(0) for x in xs]
        return {
            "input_ids": pad_sequence(flip(ids), batch_first=True, padding_value=pad_id).flip(1),
            "labels": pad_sequence(flip(labels), batch_first=True, padding_value=-100).flip(1),
            "attention_mask": pad_sequence(flip(masks), batch_first=True).flip(1),
        }
    return {
        "input_ids": pad_sequence(ids, batch_first=True, padding_value=pad_id),
        "labels": pad_sequence(labels, batch_first=True, padding_value=-100),
        "attention_mask": pad_sequence(masks, batch_first=True),
    }

# %% task="collate" right="no" mistake="attention mask from pad_id, so real ends of text are hidden" named="mask_made_of_numbers"
def collate(rows, pad_id, side="right"):
    L = max(len(ids) for ids, _ in rows)
    def fill(x, v):
        gap = [v] * (L - len(x))
        return gap + x.tolist() if side == "left" else x.tolist() + gap
    ids = torch.tensor([fill(i, pad_id) for i, _ in rows])
    labels = torch.tensor([fill(l, -100) for _, l in rows])
    return {"input_ids": ids, "labels": labels, "attention_mask": (ids != pad_id).long()}

# %% task="collate" right="no" mistake="labels are masked where they are pad_id, as many collators do" named="end_masked_with_the_padding"
def collate(rows, pad_id, side="right"):
    L = max(len(ids) for ids, _ in rows)
    def fill(x, v):
        gap = [v] * (L - len(x))
        return gap + x.tolist() if side == "left" else x.tolist() + gap
    ids = torch.tensor([fill(i, pad_id) for i, _ in rows])
    labels = torch.tensor([fill(l, pad_id) for _, l in rows])
    labels[labels == pad_id] = -100
    mask = torch.tensor([fill(torch.ones_like(i), 0) for i, _ in rows])
    return {"input_ids": ids, "labels": labels, "attention_mask": mask}

# %% task="collate" right="no" mistake="labels and mask both made by looking for pad_id" named="end_masked_with_the_padding,mask_made_of_numbers"
def collate(rows, pad_id, side="right"):
    L = max(len(ids) for ids, _ in rows)
    p = lambda x, v: F.pad(x, (L - len(x), 0) if side == "left" else (0, L - len(x)), value=v)
    ids = torch.stack([p(i, pad_id) for i, _ in rows])
    labels = torch.stack([p(l, pad_id) for _, l in rows])
    labels = labels.masked_fill(labels == pad_id, -100)
    return {"input_ids": ids, "labels": labels, "attention_mask": ids.ne(pad_id).long()}

# %% task="collate" right="no" mistake="padding keeps pad_id as its label" named="padding_counted"
def collate(rows, pad_id, side="right"):
    L = max(len(ids) for ids, _ in rows)
    p = lambda x, v: F.pad(x, (L - len(x), 0) if side == "left" else (0, L - len(x)), value=v)
    return {
        "input_ids": torch.stack([p(i, pad_id) for i, _ in rows]),
        "labels": torch.stack([p(l, pad_id) for _, l in rows]),
        "attention_mask": torch.stack([p(torch.ones_like(i), 0) for i, _ in rows]),
    }

# %% task="collate" right="no" mistake="F.pad without a value: zeros as labels" named="padding_labelled_with_another_number"
def collate(rows, pad_id, side="right"):
    L = max(len(ids) for ids, _ in rows)
    ids, labels, mask = [], [], []
    for i, l in rows:
        gap = (L - len(i), 0) if side == "left" else (0, L - len(i))
        ids.append(F.pad(i, gap, value=pad_id))
        labels.append(F.pad(l, gap))
        mask.append(F.pad(torch.ones_like(i), gap))
    return {"input_ids": torch.stack(ids), "labels": torch.stack(labels), "attention_mask": torch.stack(mask)}

# %% task="collate" right="no" mistake="never pads on the left" named="side_ignored"
def collate(rows, pad_id, side="right"):
    from torch.nn.utils.rnn import pad_sequence
    return {
        "input_ids": pad_sequence([i for i, _ in rows], batch_first=True, padding_value=pad_id),
        "labels": pad_sequence([l for _, l in rows], batch_first=True, padding_value=-100),
        "attention_mask": pad_sequence([torch.ones_like(i) for i, _ in rows], batch_first=True, padding_value=0),
    }

# %% task="collate" right="no" mistake="F.pad's pair read the wrong way round" named="sides_turned_round"
def collate(rows, pad_id, side="right"):
    L = max(len(ids) for ids, _ in rows)
    p = lambda x, v: F.pad(x, (0, L - len(x)) if side == "left" else (L - len(x), 0), value=v)
    return {
        "input_ids": torch.stack([p(i, pad_id) for i, _ in rows]),
        "labels": torch.stack([p(l, -100) for _, l in rows]),
        "attention_mask": torch.stack([p(torch.ones_like(i), 0) for i, _ in rows]),
    }

# %% task="collate" right="no" mistake="attention mask made of labels: the prompt is hidden" named="mask_made_of_labels"
def collate(rows, pad_id, side="right"):
    L = max(len(ids) for ids, _ in rows)
    p = lambda x, v: F.pad(x, (L - len(x), 0) if side == "left" else (0, L - len(x)), value=v)
    labels = torch.stack([p(l, -100) for _, l in rows])
    return {
        "input_ids": torch.stack([p(i, pad_id) for i, _ in rows]),
        "labels": labels,
        "attention_mask": (labels != -100).long(),
    }

# %% task="collate" right="no" mistake="a mask of ones" named="everything_is_there"
def collate(rows, pad_id, side="right"):
    L = max(len(ids) for ids, _ in rows)
    p = lambda x, v: F.pad(x, (L - len(x), 0) if side == "left" else (0, L - len(x)), value=v)
    ids = torch.stack([p(i, pad_id) for i, _ in rows])
    return {"input_ids": ids, "labels": torch.stack([p(l, -100) for _, l in rows]), "attention_mask": torch.ones_like(ids)}

# %% task="collate" right="no" mistake="a tuple of three in place of a dict" named="another_form"
def collate(rows, pad_id, side="right"):
    L = max(len(ids) for ids, _ in rows)
    p = lambda x, v: F.pad(x, (L - len(x), 0) if side == "left" else (0, L - len(x)), value=v)
    return (
        torch.stack([p(i, pad_id) for i, _ in rows]),
        torch.stack([p(l, -100) for _, l in rows]),
        torch.stack([p(torch.ones_like(i), 0) for i, _ in rows]),
    )

# %% task="collate" right="no" mistake="the key is called ids" named="another_form"
def collate(rows, pad_id, side="right"):
    L = max(len(ids) for ids, _ in rows)
    p = lambda x, v: F.pad(x, (L - len(x), 0) if side == "left" else (0, L - len(x)), value=v)
    return {
        "ids": torch.stack([p(i, pad_id) for i, _ in rows]),
        "labels": torch.stack([p(l, -100) for _, l in rows]),
        "attention_mask": torch.stack([p(torch.ones_like(i), 0) for i, _ in rows]),
    }

# %% task="collate" right="no" mistake="a mask of True and False where numbers were asked for" named="another_form"
def collate(rows, pad_id, side="right"):
    L = max(len(ids) for ids, _ in rows)
    p = lambda x, v: F.pad(x, (L - len(x), 0) if side == "left" else (0, L - len(x)), value=v)
    return {
        "input_ids": torch.stack([p(i, pad_id) for i, _ in rows]),
        "labels": torch.stack([p(l, -100) for _, l in rows]),
        "attention_mask": torch.stack([p(torch.ones_like(i), 0) for i, _ in rows]).bool(),
    }

# %% task="collate" right="accident" mistake="a colon is missing"
def collate(rows, pad_id, side="right")
    return {}

# ---------------------------------------------------------------- task 3

# %% task="answer_loss" right="yes" mistake=""
def answer_loss(student_logits, teacher_logits, labels, lam):
    s = student_logits[:, :-1, :].reshape(-1, student_logits.size(-1))
    t = teacher_logits[:, :-1, :].reshape(-1, teacher_logits.size(-1)).detach()
    y = labels[:, 1:].reshape(-1)
    keep = y != -100
    s, t, y = s[keep], t[keep], y[keep]
    lm = F.cross_entropy(s, y)
    kd = F.kl_div(F.log_softmax(s, -1), F.softmax(t, -1), reduction="batchmean")
    return lm + lam * kd

# %% task="answer_loss" right="yes" mistake=""
def answer_loss(student_logits, teacher_logits, labels, lam):
    with torch.no_grad():
        p = teacher_logits[:, :-1].softmax(-1)
    logq = student_logits[:, :-1].log_softmax(-1)
    y = labels[:, 1:]
    mask = (y != -100).float()
    n = mask.sum()
    ce = F.cross_entropy(student_logits[:, :-1].transpose(1, 2), y, reduction="none")
    kl = (p * (p.log() - logq)).sum(-1)
    return (ce.sum() + lam * (kl * mask).sum()) / n

# %% task="answer_loss" right="no" mistake="no shift at all" named="not_shifted"
def answer_loss(student_logits, teacher_logits, labels, lam):
    keep = labels != -100
    s, t = student_logits[keep], teacher_logits[keep].detach()
    lm = F.cross_entropy(s, labels[keep])
    kd = F.kl_div(F.log_softmax(s, -1), F.log_softmax(t, -1), reduction="batchmean", log_target=True)
    return lm + lam * kd

# %% task="answer_loss" right="no" mistake="the mean of each row first" named="mean_of_row_means"
def answer_loss(student_logits, teacher_logits, labels, lam):
    rows = []
    for s, t, y in zip(student_logits[:, :-1], teacher_logits[:, :-1].detach(), labels[:, 1:]):
        keep = y != -100
        if not keep.any():
            continue
        kl = F.kl_div(s[keep].log_softmax(-1), t[keep].softmax(-1), reduction="batchmean")
        rows.append(F.cross_entropy(s[keep], y[keep]) + lam * kl)
    return torch.stack(rows).mean()

# %% task="answer_loss" right="no" mistake="the teacher's term counts on the prompt too" named="kd_over_the_prompt"
def answer_loss(student_logits, teacher_logits, labels, lam):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1].detach(), labels[:, 1:]
    lm = F.cross_entropy(s.flatten(0, 1), y.flatten(), ignore_index=-100)
    kd = F.kl_div(s.log_softmax(-1).flatten(0, 1), t.softmax(-1).flatten(0, 1), reduction="batchmean")
    return lm + lam * kd

# %% task="answer_loss" right="no" mistake="masks the teacher's term but divides it by all positions" named="divided_by_all_positions"
def answer_loss(student_logits, teacher_logits, labels, lam):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1].detach(), labels[:, 1:]
    lm = F.cross_entropy(s.flatten(0, 1), y.flatten(), ignore_index=-100)
    kl = (t.softmax(-1) * (t.log_softmax(-1) - s.log_softmax(-1))).sum(-1)
    return lm + lam * (kl * (y != -100)).mean()

# %% task="answer_loss" right="no" mistake="shift made twice: labels from place 2 on" named="shifted_twice"
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = torch.full_like(labels, -100)
    y[:, :-1] = labels[:, 1:]
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1].detach(), y[:, 1:]
    keep = y != -100
    lm = F.cross_entropy(s[keep], y[keep])
    kd = F.kl_div(s[keep].log_softmax(-1), t[keep].softmax(-1), reduction="batchmean")
    return lm + lam * kd

# %% task="answer_loss" right="no" mistake="the teacher is not detached" named="gradient_into_the_teacher"
def answer_loss(student_logits, teacher_logits, labels, lam):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:]
    keep = y != -100
    lm = F.cross_entropy(s[keep], y[keep])
    kd = F.kl_div(s[keep].log_softmax(-1), t[keep].softmax(-1), reduction="batchmean")
    return lm + lam * kd

# %% task="answer_loss" right="no" mistake="returns a float, so nothing can be learned from it" named="no_gradient_at_all"
def answer_loss(student_logits, teacher_logits, labels, lam):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1].detach(), labels[:, 1:]
    keep = y != -100
    lm = F.cross_entropy(s[keep], y[keep])
    kd = F.kl_div(s[keep].log_softmax(-1), t[keep].softmax(-1), reduction="batchmean")
    return float(lm + lam * kd)

# %% task="answer_loss" right="no" mistake="everything within no_grad" named="no_gradient_at_all"
@torch.no_grad()
def answer_loss(student_logits, teacher_logits, labels, lam):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:]
    keep = y != -100
    kd = (t[keep].softmax(-1) * (t[keep].log_softmax(-1) - s[keep].log_softmax(-1))).sum(-1).mean()
    return F.cross_entropy(s[keep], y[keep]) + lam * kd

# %% task="answer_loss" right="no" mistake="KL the other way round" named="direction_swapped"
def answer_loss(student_logits, teacher_logits, labels, lam):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1].detach(), labels[:, 1:]
    keep = y != -100
    kd = F.kl_div(t[keep].log_softmax(-1), s[keep].softmax(-1), reduction="batchmean")
    return F.cross_entropy(s[keep], y[keep]) + lam * kd

# %% task="answer_loss" right="no" mistake="kl_div with its default reduction" named="vocabulary_mean"
def answer_loss(student_logits, teacher_logits, labels, lam):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1].detach(), labels[:, 1:]
    keep = y != -100
    kd = F.kl_div(s[keep].log_softmax(-1), t[keep].softmax(-1))
    return F.cross_entropy(s[keep], y[keep]) + lam * kd

# %% task="answer_loss" right="no" mistake="divides by the labels before the shift" named="first_label_in_the_divisor"
def answer_loss(student_logits, teacher_logits, labels, lam):
    n = (labels != -100).sum()
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1].detach(), labels[:, 1:]
    ce = F.cross_entropy(s.flatten(0, 1), y.flatten(), reduction="sum")
    kl = (t.softmax(-1) * (t.log_softmax(-1) - s.log_softmax(-1))).sum(-1)
    return (ce + lam * kl[y != -100].sum()) / n

# %% task="answer_loss" right="no" mistake="mask of the teacher's term not shifted" named="kd_not_shifted"
def answer_loss(student_logits, teacher_logits, labels, lam):
    lm = F.cross_entropy(student_logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
    keep = labels != -100
    s, t = student_logits[keep], teacher_logits[keep].detach()
    return lm + lam * F.kl_div(s.log_softmax(-1), t.softmax(-1), reduction="batchmean")

# %% task="answer_loss" right="no" mistake="(1 - lam) and lam" named="lambda_as_alpha"
def answer_loss(student_logits, teacher_logits, labels, lam):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1].detach(), labels[:, 1:]
    keep = y != -100
    kd = F.kl_div(s[keep].log_softmax(-1), t[keep].softmax(-1), reduction="batchmean")
    return (1 - lam) * F.cross_entropy(s[keep], y[keep]) + lam * kd

# %% task="answer_loss" right="no" mistake="shift by roll, without masking what comes round" named="rolled_round"
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = torch.roll(labels, -1, dims=1)
    keep = y != -100
    s, t = student_logits[keep], teacher_logits[keep].detach()
    return F.cross_entropy(s, y[keep]) + lam * F.kl_div(s.log_softmax(-1), t.softmax(-1), reduction="batchmean")

# %% task="answer_loss" right="no" mistake="logits not cut to the length of the labels" named="mask_of_another_length"
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]
    keep = y != -100
    lm = F.cross_entropy(student_logits[keep], y[keep])
    kd = F.kl_div(student_logits[keep].log_softmax(-1), teacher_logits[keep].detach().softmax(-1), reduction="batchmean")
    return lm + lam * kd

# %% task="answer_loss" right="no" mistake="adds up and does not divide" named="summed"
def answer_loss(student_logits, teacher_logits, labels, lam):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1].detach(), labels[:, 1:]
    keep = y != -100
    kd = F.kl_div(s[keep].log_softmax(-1), t[keep].softmax(-1), reduction="sum")
    return F.cross_entropy(s[keep], y[keep], reduction="sum") + lam * kd

# %% task="answer_loss" right="accident" mistake="the function has another name"
def answers_loss(student_logits, teacher_logits, labels, lam):
    return student_logits.sum()

# ---------------------------------------------------------------- task 4

# %% task="accuracy" right="yes" mistake=""
def accuracy(model, questions, most):
    correct = 0
    with torch.no_grad():
        for prompt, answer in questions:
            ids = prompt.tolist()
            out = []
            for step in range(most):
                nxt = model(torch.tensor([ids]))[0, -1].argmax().item()
                if nxt == END:
                    break
                out.append(nxt)
                ids.append(nxt)
            correct += decode(out).strip() == decode(answer).strip()
    return correct / len(questions)

# %% task="accuracy" right="yes" mistake=""
def accuracy(model, questions, most):
    hits = []
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            ids = torch.cat([ids, model(ids)[-1].topk(1).indices])
        text = decode(ids[len(prompt):])
        text = text.partition("<|end|>")[0]
        hits.append(1.0 if text.strip() == decode(answer).strip() else 0.0)
    return sum(hits) / len(hits)

# %% task="accuracy" right="no" mistake="does not cut at the end of text" named="text_goes_on_at_the_end"
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            ids = torch.cat([ids, model(ids)[-1].argmax().view(1)])
        right += decode(ids[len(prompt):]).strip() == decode(answer).strip()
    return right / len(questions)

# %% task="accuracy" right="no" mistake="stops after the end, which stays in the text" named="text_goes_on_at_the_end"
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        out = []
        for _ in range(most):
            nxt = int(model(torch.cat([prompt, torch.tensor(out, dtype=torch.long)]))[-1].argmax())
            out.append(nxt)
            if nxt == END:
                break
        right += decode(out).strip() == decode(answer).strip()
    return right / len(questions)

# %% task="accuracy" right="no" mistake="removes special tokens and keeps what comes after" named="text_goes_on_at_the_end"
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            ids = torch.cat([ids, model(ids)[-1].argmax().view(1)])
        text = decode(ids[len(prompt):]).replace("<|end|>", "")
        right += text.strip() == decode(answer).strip()
    return right / len(questions)

# %% task="accuracy" right="no" mistake="compares token lists" named="tokens_compared"
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        out = []
        for _ in range(most):
            nxt = int(model(torch.cat([prompt, torch.tensor(out, dtype=torch.long)]))[-1].argmax())
            if nxt == END:
                break
            out.append(nxt)
        right += out == answer.tolist()
    return right / len(questions)

# %% task="accuracy" right="no" mistake="forgets strip" named="spaces_compared"
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        out = []
        for _ in range(most):
            nxt = int(model(torch.cat([prompt, torch.tensor(out, dtype=torch.long)]))[-1].argmax())
            if nxt == END:
                break
            out.append(nxt)
        right += decode(out) == decode(answer)
    return right / len(questions)

# %% task="accuracy" right="no" mistake="teacher forcing: the share of tokens predicted after the right ones" named="read_the_right_answer,per_token"
def accuracy(model, questions, most):
    good, total = 0, 0
    for prompt, answer in questions:
        logits = model(torch.cat([prompt, answer]))
        pred = logits[len(prompt) - 1 : -1].argmax(-1)
        good += int((pred == answer).sum())
        total += len(answer)
    return good / total

# %% task="accuracy" right="no" mistake="share of tokens in the right place" named="per_token"
def accuracy(model, questions, most):
    scores = []
    for prompt, answer in questions:
        out = []
        for _ in range(most):
            nxt = int(model(torch.cat([prompt, torch.tensor(out, dtype=torch.long)]))[-1].argmax())
            if nxt == END:
                break
            out.append(nxt)
        scores.append(sum(a == b for a, b in zip(out, answer.tolist())) / len(answer))
    return sum(scores) / len(scores)

# %% task="accuracy" right="no" mistake="the answer has to be somewhere in the text" named="part_of_it_is_enough"
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        out = []
        for _ in range(most):
            nxt = int(model(torch.cat([prompt, torch.tensor(out, dtype=torch.long)]))[-1].argmax())
            if nxt == END:
                break
            out.append(nxt)
        right += decode(answer).strip() in decode(out).strip()
    return right / len(questions)

# %% task="accuracy" right="no" mistake="small letters compared" named="capitals_forgiven"
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            nxt = model(ids)[-1].argmax()
            if nxt == END:
                break
            ids = torch.cat([ids, nxt.view(1)])
        right += decode(ids[len(prompt):]).strip().lower() == decode(answer).strip().lower()
    return right / len(questions)

# %% task="accuracy" right="no" mistake="the prompt is part of the text" named="nothing_is_right"
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            nxt = model(ids)[-1].argmax()
            if nxt == END:
                break
            ids = torch.cat([ids, nxt.view(1)])
        right += decode(ids).strip() == decode(answer).strip()
    return right / len(questions)

# %% task="accuracy" right="no" mistake="looks for the end in the whole text, and finds the question's" named="nothing_is_right"
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt.tolist()
        while END not in ids and len(ids) < len(prompt) + most:
            ids.append(int(model(torch.tensor(ids))[-1].argmax()))
        right += decode(ids[len(prompt):]).strip() == decode(answer).strip()
    return right / len(questions)

# %% task="accuracy" right="no" mistake="return within the loop" named="one_question_alone"
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            nxt = model(ids)[-1].argmax()
            if nxt == END:
                break
            ids = torch.cat([ids, nxt.view(1)])
        right += decode(ids[len(prompt):]).strip() == decode(answer).strip()
        return right

# %% task="accuracy" right="no" mistake="the number of right answers" named="not_divided"
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            nxt = model(ids)[-1].argmax()
            if nxt == END:
                break
            ids = torch.cat([ids, nxt.view(1)])
        right += decode(ids[len(prompt):]).strip() == decode(answer).strip()
    return right

# %% task="accuracy" right="no" mistake="in per cent" named="in_per_cent"
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            nxt = model(ids)[-1].argmax()
            if nxt == END:
                break
            ids = torch.cat([ids, nxt.view(1)])
        right += decode(ids[len(prompt):]).strip() == decode(answer).strip()
    return 100.0 * right / len(questions)

# %% task="accuracy" right="accident" mistake="used a name that is not there"
accuracy = evaluate_answers

# ---------------------------------------------------------------- task 5

# %% task="on_policy_step" right="yes" mistake=""
def on_policy_step(student, teacher, prompts, write, optimizer):
    optimizer.zero_grad()
    total, n = 0.0, 0
    for prompt in prompts:
        text = write(student, prompt)
        where = (text == END).nonzero().flatten()
        if len(where) > 0:
            text = text[: where[0] + 1]
        ids = torch.cat([prompt, text])
        logq = F.log_softmax(student(ids[:-1]), dim=-1)[len(prompt) - 1 :]
        with torch.no_grad():
            logp = F.log_softmax(teacher(ids[:-1]), dim=-1)[len(prompt) - 1 :]
        total = total + F.kl_div(logp, logq, log_target=True, reduction="sum")
        n += len(text)
    loss = total / n
    loss.backward()
    optimizer.step()
    return loss.item()

# %% task="on_policy_step" right="yes" mistake=""
def on_policy_step(student, teacher, prompts, write, optimizer):
    kls = []
    for prompt in prompts:
        ids = torch.cat([prompt, write(student, prompt)])
        labels = torch.full_like(ids, -100)
        for i in range(len(prompt), len(ids)):
            labels[i] = ids[i]
            if ids[i] == END:
                break
        keep = labels[1:] != -100
        q = student(ids)[:-1][keep].log_softmax(-1)
        p = teacher(ids)[:-1][keep].log_softmax(-1).detach()
        kls.append((q.exp() * (q - p)).sum(-1))
    loss = torch.cat(kls).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()

# %% task="on_policy_step" right="no" mistake="all that was written counts" named="text_after_the_end_counted"
def on_policy_step(student, teacher, prompts, write, optimizer):
    kls = []
    for prompt in prompts:
        text = write(student, prompt)
        ids = torch.cat([prompt, text])
        q = student(ids)[len(prompt) - 1 : -1].log_softmax(-1)
        p = teacher(ids)[len(prompt) - 1 : -1].log_softmax(-1).detach()
        kls.append((q.exp() * (q - p)).sum(-1))
    loss = torch.cat(kls).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

# %% task="on_policy_step" right="no" mistake="cuts before the end, so stopping is never learned" named="end_not_counted"
def on_policy_step(student, teacher, prompts, write, optimizer):
    kls = []
    for prompt in prompts:
        text = write(student, prompt).tolist()
        if END in text:
            text = text[: text.index(END)]
        ids = torch.cat([prompt, torch.tensor(text, dtype=torch.long)])
        q = student(ids)[len(prompt) - 1 : -1].log_softmax(-1)
        p = teacher(ids)[len(prompt) - 1 : -1].log_softmax(-1).detach()
        kls.append((q.exp() * (q - p)).sum(-1))
    loss = torch.cat(kls).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

# %% task="on_policy_step" right="no" mistake="forward KL" named="direction_swapped"
def on_policy_step(student, teacher, prompts, write, optimizer):
    kls = []
    for prompt in prompts:
        text = write(student, prompt)
        if END in text:
            text = text[: text.tolist().index(END) + 1]
        ids = torch.cat([prompt, text])
        q = student(ids)[len(prompt) - 1 : -1].log_softmax(-1)
        p = teacher(ids)[len(prompt) - 1 : -1].softmax(-1).detach()
        kls.append(F.kl_div(q, p, reduction="none").sum(-1))
    loss = torch.cat(kls).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

# %% task="on_policy_step" right="no" mistake="compares at the sampled tokens only" named="sampled_token_alone"
def on_policy_step(student, teacher, prompts, write, optimizer):
    diffs = []
    for prompt in prompts:
        text = write(student, prompt)
        if END in text:
            text = text[: text.tolist().index(END) + 1]
        ids = torch.cat([prompt, text])
        q = student(ids)[len(prompt) - 1 : -1].log_softmax(-1)
        p = teacher(ids)[len(prompt) - 1 : -1].log_softmax(-1).detach()
        at = torch.arange(len(text))
        diffs.append(q[at, text] - p[at, text])
    loss = torch.cat(diffs).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

# %% task="on_policy_step" right="no" mistake="prompt counts too" named="prompt_counted"
def on_policy_step(student, teacher, prompts, write, optimizer):
    kls = []
    for prompt in prompts:
        text = write(student, prompt)
        if END in text:
            text = text[: text.tolist().index(END) + 1]
        ids = torch.cat([prompt, text])[:-1]
        q = student(ids).log_softmax(-1)
        p = teacher(ids).log_softmax(-1).detach()
        kls.append((q.exp() * (q - p)).sum(-1))
    loss = torch.cat(kls).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

# %% task="on_policy_step" right="no" mistake="mean of each text, then of texts" named="mean_of_means"
def on_policy_step(student, teacher, prompts, write, optimizer):
    loss = 0
    for prompt in prompts:
        text = write(student, prompt)
        if END in text:
            text = text[: text.tolist().index(END) + 1]
        ids = torch.cat([prompt, text])
        q = student(ids)[len(prompt) - 1 : -1].log_softmax(-1)
        p = teacher(ids)[len(prompt) - 1 : -1].log_softmax(-1).detach()
        loss = loss + (q.exp() * (q - p)).sum(-1).mean() / len(prompts)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

# %% task="on_policy_step" right="no" mistake="forgets zero_grad" named="gradients_kept"
def on_policy_step(student, teacher, prompts, write, optimizer):
    kls = []
    for prompt in prompts:
        text = write(student, prompt)
        if END in text:
            text = text[: text.tolist().index(END) + 1]
        ids = torch.cat([prompt, text])
        q = student(ids)[len(prompt) - 1 : -1].log_softmax(-1)
        p = teacher(ids)[len(prompt) - 1 : -1].log_softmax(-1).detach()
        kls.append((q.exp() * (q - p)).sum(-1))
    loss = torch.cat(kls).mean()
    loss.backward()
    optimizer.step()
    return loss.item()

# %% task="on_policy_step" right="no" mistake="teacher within the graph" named="gradient_into_the_teacher"
def on_policy_step(student, teacher, prompts, write, optimizer):
    kls = []
    for prompt in prompts:
        text = write(student, prompt)
        if END in text:
            text = text[: text.tolist().index(END) + 1]
        ids = torch.cat([prompt, text])
        q = student(ids)[len(prompt) - 1 : -1].log_softmax(-1)
        p = teacher(ids)[len(prompt) - 1 : -1].log_softmax(-1)
        kls.append((q.exp() * (q - p)).sum(-1))
    loss = torch.cat(kls).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

# %% task="on_policy_step" right="no" mistake="takes the logits at the written tokens, not before them" named="not_shifted"
def on_policy_step(student, teacher, prompts, write, optimizer):
    kls = []
    for prompt in prompts:
        text = write(student, prompt)
        if END in text:
            text = text[: text.tolist().index(END) + 1]
        ids = torch.cat([prompt, text])
        q = student(ids)[len(prompt) :].log_softmax(-1)
        p = teacher(ids)[len(prompt) :].log_softmax(-1).detach()
        kls.append((q.exp() * (q - p)).sum(-1))
    loss = torch.cat(kls).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

# %% task="on_policy_step" right="no" mistake="cross-entropy on its own words" named="own_words_as_labels"
def on_policy_step(student, teacher, prompts, write, optimizer):
    losses = []
    for prompt in prompts:
        text = write(student, prompt)
        if END in text:
            text = text[: text.tolist().index(END) + 1]
        ids = torch.cat([prompt, text])
        losses.append(F.cross_entropy(student(ids)[len(prompt) - 1 : -1], text, reduction="none"))
    loss = torch.cat(losses).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

# %% task="on_policy_step" right="no" mistake="the student asked within no_grad" named="student_cut_off"
def on_policy_step(student, teacher, prompts, write, optimizer):
    kls = []
    for prompt in prompts:
        text = write(student, prompt)
        if END in text:
            text = text[: text.tolist().index(END) + 1]
        ids = torch.cat([prompt, text])
        with torch.no_grad():
            q = student(ids)[len(prompt) - 1 : -1].log_softmax(-1)
            p = teacher(ids)[len(prompt) - 1 : -1].log_softmax(-1)
        kls.append((q.exp() * (q - p)).sum(-1))
    loss = torch.cat(kls).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

# %% task="on_policy_step" right="no" mistake="the return is missing" named="loss_not_returned"
def on_policy_step(student, teacher, prompts, write, optimizer):
    kls = []
    for prompt in prompts:
        text = write(student, prompt)
        if END in text:
            text = text[: text.tolist().index(END) + 1]
        ids = torch.cat([prompt, text])
        q = student(ids)[len(prompt) - 1 : -1].log_softmax(-1)
        p = teacher(ids)[len(prompt) - 1 : -1].log_softmax(-1).detach()
        kls.append((q.exp() * (q - p)).sum(-1))
    loss = torch.cat(kls).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

# %% task="on_policy_step" right="no" mistake="one update for each prompt" named="a_step_for_each_prompt"
def on_policy_step(student, teacher, prompts, write, optimizer):
    for prompt in prompts:
        text = write(student, prompt)
        if END in text:
            text = text[: text.tolist().index(END) + 1]
        ids = torch.cat([prompt, text])
        q = student(ids)[len(prompt) - 1 : -1].log_softmax(-1)
        p = teacher(ids)[len(prompt) - 1 : -1].log_softmax(-1).detach()
        loss = (q.exp() * (q - p)).sum(-1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()

# %% task="on_policy_step" right="accident" mistake="the stub as it was"
def on_policy_step(student, teacher, prompts, write, optimizer):
    """One update of the student on what it writes itself; returns the loss before it."""
    raise NotImplementedError("Not written yet: put your answer in place of this line.")

# ---------------------------------------------------------------- tasks 6 and 7

# %% task="where_the_teacher_counts" right="yes" mistake=""
where_the_teacher_counts = "c"

# %% task="where_the_teacher_counts" right="no" mistake="thinks that a distribution needs a label" named="chose_a"
where_the_teacher_counts = "a"

# %% task="where_the_teacher_counts" right="no" mistake="thinks that what is not asked for has no gradient" named="chose_b"
where_the_teacher_counts = "b"

# %% task="where_the_teacher_counts" right="no" mistake="thinks that the teacher reads ahead" named="chose_d"
where_the_teacher_counts = 'd'

# %% task="where_the_teacher_counts" right="no" mistake="writes the sentence in place of its letter" named="another_form"
where_the_teacher_counts = "the student would be pulled to predict questions"

# %% task="signs" right="yes" mistake=""
signs = {"prompt": "d", "end": "a", "padding": "e", "side": "b"}

# %% task="signs" right="no" mistake="takes padding in training and when writing for one thing" named="wrong_padding_b_side_e"
signs = {"prompt": "d", "end": "a", "padding": "b", "side": "e"}

# %% task="signs" right="no" mistake="thinks that learned questions make the student go on" named="wrong_prompt_a_end_d"
signs = {"prompt": "a", "end": "d", "padding": "e", "side": "b"}

# %% task="signs" right="no" mistake="gives a list" named="another_form"
signs = ["d", "a", "e", "b"]

# %% task="signs" right="accident" mistake="quotes forgotten"
signs = {prompt: "d", end: "a", padding: "e", side: "b"}

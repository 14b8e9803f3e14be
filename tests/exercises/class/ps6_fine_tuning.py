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

# %% task="encode" right="no" mistake="only the last message is learned, and that is the user's in one case" named="observed_component,observed_where"
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

# %% task="answer_loss" right="no" mistake="logits not cut to the length of the labels" named="lengths_do_not_fit"
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


# %% task="encode" right="yes" mistake=""
def encode(messages):
    """The ids of a conversation and their labels: -100 where the assistant did not write."""
    ids, labels = [], []
    for message in messages:
        header = [START, ROLES[message["role"]], LINE]
        body = list(message["content"]) + [END]
        ids += header + body + [LINE]
        if message["role"] == "assistant":
            labels += [-100] * len(header) + body + [-100]
        else:
            labels += [-100] * (len(header) + len(body) + 1)
    return ids, labels


# %% task="encode" right="yes" mistake=""
def encode(messages):
    if not messages:
        return [], []
    first, *rest = messages
    body = [*first["content"], END]
    ids = [START, ROLES[first["role"]], LINE, *body, LINE]
    labels = [-100] * len(ids)
    if first["role"] == "assistant":
        labels[3:-1] = body
    more_ids, more_labels = encode(rest)
    return ids + more_ids, labels + more_labels


# %% task="encode" right="yes" mistake=""
def encode(messages):
    pieces = []
    for m in messages:
        theirs = m["role"] == "assistant"
        pieces.append((START, False))
        pieces.append((ROLES[m["role"]], False))
        pieces.append((LINE, False))
        for token in m["content"]:
            pieces.append((token, theirs))
        pieces.append((END, theirs))
        pieces.append((LINE, False))
    ids = torch.tensor([t for t, _ in pieces], dtype=torch.long)
    labels = torch.tensor([t if mine else -100 for t, mine in pieces], dtype=torch.long)
    return ids, labels


# %% task="encode" right="yes" mistake=""
def encode(messages):
    text, marks = [], []

    def put(tokens, counted):
        for t in tokens:
            text.append(int(t))
            marks.append(1 if counted else 0)

    for msg in messages:
        put([START, ROLES[msg["role"]], LINE], False)
        put(msg["content"], msg["role"] == "assistant")
        put([END], msg["role"] == "assistant")
        put([LINE], False)
    labels = [t if k else -100 for t, k in zip(text, marks)]
    return [text, labels]


# %% task="encode" right="no" mistake="the end of an answer has the label -100, so the student never learns to stop" named="end_masked"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        c = list(m["content"])
        ids += [START, ROLES[m["role"]], LINE] + c + [END, LINE]
        if m["role"] == "assistant":
            labels += [-100] * 3 + c + [-100, -100]
        else:
            labels += [-100] * (len(c) + 5)
    return ids, labels


# %% task="encode" right="no" mistake="the line break after the end has a label too, although the program wrote it" named="line_after_the_end_counted"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        part = [START, ROLES[m["role"]], LINE] + list(m["content"]) + [END, LINE]
        ids.extend(part)
        if m["role"] == "assistant":
            labels.extend([-100, -100, -100] + part[3:])
        else:
            labels.extend([-100] * len(part))
    return ids, labels


# %% task="encode" right="no" mistake="the header of the answer has labels too: the whole message of the assistant counts" named="header_counted,line_after_the_end_counted"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        part = [START, ROLES[m["role"]], LINE, *m["content"], END, LINE]
        ids += part
        labels += part if m["role"] == "assistant" else [-100] * len(part)
    return ids, labels


# %% task="encode" right="no" mistake="only the last answer has labels" named="only_one_turn"
def encode(messages):
    ids, labels = [], []
    last = max((i for i, m in enumerate(messages) if m["role"] == "assistant"), default=-1)
    for i, m in enumerate(messages):
        c = list(m["content"])
        ids += [START, ROLES[m["role"]], LINE] + c + [END, LINE]
        labels += [-100] * 3 + (c + [END] if i == last else [-100] * (len(c) + 1)) + [-100]
    return ids, labels


# %% task="encode" right="no" mistake="labels are shifted here already" named="labels_shifted"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        c = list(m["content"]) + [END]
        ids += [START, ROLES[m["role"]], LINE] + c + [LINE]
        labels += [-100] * 3 + (c if m["role"] == "assistant" else [-100] * len(c)) + [-100]
    labels = labels[1:] + [-100]
    return ids, labels


# %% task="encode" right="no" mistake="writes an open header of the assistant at the end, which the template does not have" named="another_form,header_at_the_end"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        c = list(m["content"]) + [END]
        ids += [START, ROLES[m["role"]], LINE] + c + [LINE]
        labels += [-100] * 3 + (c if m["role"] == "assistant" else [-100] * len(c)) + [-100]
    if messages[-1]["role"] == "user":
        ids += [START, ROLES["assistant"], LINE]
        labels += [-100] * 3
    return ids, labels


# %% task="encode" right="no" mistake="the message's own content list is extended: the input changes, and a second call has two ends" named="asked_again"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        content = m["content"]
        content += [END]
        ids += [START, ROLES[m["role"]], LINE] + content + [LINE]
        if m["role"] == "assistant":
            labels += [-100] * 3 + content + [-100]
        else:
            labels += [-100] * (len(content) + 4)
    return ids, labels


# %% task="encode" right="no" mistake="takes turns for granted: every second message is the assistant's" named="turns_taken_for_granted"
def encode(messages):
    ids, labels = [], []
    for i, m in enumerate(messages):
        role = ROLES["user"] if i % 2 == 0 else ROLES["assistant"]
        c = list(m["content"]) + [END]
        ids += [START, role, LINE] + c + [LINE]
        labels += [-100] * 3 + (c if i % 2 == 1 else [-100] * len(c)) + [-100]
    return ids, labels


# %% task="encode" right="no" mistake="labels everything after the first assistant header, so later questions count too" named="all_from_an_answer_on,header_looked_for_in_the_text"
def encode(messages):
    ids = []
    for m in messages:
        ids += [START, ROLES[m["role"]], LINE] + list(m["content"]) + [END, LINE]
    labels = [-100] * len(ids)
    if ROLES["assistant"] in ids:
        first = ids.index(ROLES["assistant"]) + 2
        labels[first:-1] = ids[first:-1]
    return ids, labels


# %% task="encode" right="no" mistake="the line break after the end of each message is forgotten" named="another_form,line_after_the_end_missing"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        c = list(m["content"]) + [END]
        ids += [START, ROLES[m["role"]], LINE] + c
        labels += [-100] * 3 + (c if m["role"] == "assistant" else [-100] * len(c))
    return ids, labels


# %% task="encode" right="no" mistake="the return stands inside the loop: only the first message is encoded" named="another_form"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        c = list(m["content"]) + [END]
        ids += [START, ROLES[m["role"]], LINE] + c + [LINE]
        labels += [-100] * 3 + (c if m["role"] == "assistant" else [-100] * len(c)) + [-100]
        return ids, labels


# %% task="encode" right="accident" mistake="misspelt name: ROLE in place of ROLES"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        c = list(m["content"]) + [END]
        ids += [START, ROLE[m["role"]], LINE] + c + [LINE]
        labels += [-100] * 3 + (c if m["role"] == "assistant" else [-100] * len(c)) + [-100]
    return ids, labels


# %% task="collate" right="yes" mistake=""
def collate(rows, pad_id, side="right"):
    """Rows of unequal length as one batch: input_ids, labels and attention_mask, each [B, L]."""
    B, L = len(rows), max(len(ids) for ids, _ in rows)
    out = {
        "input_ids": torch.full((B, L), pad_id, dtype=torch.long),
        "labels": torch.full((B, L), -100, dtype=torch.long),
        "attention_mask": torch.zeros(B, L, dtype=torch.long),
    }
    for b, (ids, labels) in enumerate(rows):
        n = len(ids)
        where = slice(0, n) if side == "right" else slice(L - n, L)
        out["input_ids"][b, where] = ids
        out["labels"][b, where] = labels
        out["attention_mask"][b, where] = 1
    return out


# %% task="collate" right="yes" mistake=""
from torch.nn.utils.rnn import pad_sequence

def collate(rows, pad_id, side="right"):
    turn = (lambda x: x.flip(-1)) if side == "left" else (lambda x: x)
    def stack(xs, value):
        return turn(pad_sequence([turn(x) for x in xs], batch_first=True, padding_value=value))
    ids, labels = zip(*rows)
    return {
        "input_ids": stack(ids, pad_id),
        "labels": stack(labels, -100),
        "attention_mask": stack([torch.ones(len(x), dtype=torch.int64) for x in ids], 0),
    }


# %% task="collate" right="yes" mistake=""
def collate(rows, pad_id, side="right"):
    longest = max(ids.numel() for ids, _ in rows)

    def stretch(x, value):
        k = longest - x.numel()
        return F.pad(x, (k, 0) if side == "left" else (0, k), value=value)

    return dict(
        input_ids=torch.stack([stretch(i, pad_id) for i, _ in rows]).long(),
        labels=torch.stack([stretch(l, -100) for _, l in rows]).long(),
        attention_mask=torch.stack([stretch(torch.ones_like(i), 0) for i, _ in rows]).long(),
    )


# %% task="collate" right="yes" mistake=""
def collate(rows, pad_id, side="right"):
    L = max(len(r[0]) for r in rows)
    xs, ys, ms = [], [], []
    for ids, labels in rows:
        ids, labels = ids.tolist(), labels.tolist()
        gap = L - len(ids)
        x, y, m = [pad_id] * gap, [-100] * gap, [0] * gap
        if side == "left":
            xs.append(x + ids); ys.append(y + labels); ms.append(m + [1] * len(ids))
        else:
            xs.append(ids + x); ys.append(labels + y); ms.append([1] * len(ids) + m)
    return {"input_ids": torch.tensor(xs), "labels": torch.tensor(ys), "attention_mask": torch.tensor(ms)}


# %% task="collate" right="no" mistake="the attention mask is taken from ids != pad_id, so a row's own END has a 0" named="mask_made_of_numbers"
def collate(rows, pad_id, side="right"):
    L = max(len(ids) for ids, _ in rows)
    input_ids, labels = [], []
    for ids, lab in rows:
        n = L - len(ids)
        pad = (0, n) if side == "right" else (n, 0)
        input_ids.append(F.pad(ids, pad, value=pad_id))
        labels.append(F.pad(lab, pad, value=-100))
    input_ids, labels = torch.stack(input_ids), torch.stack(labels)
    return {"input_ids": input_ids, "labels": labels, "attention_mask": (input_ids != pad_id).long()}


# %% task="collate" right="no" mistake="labels set to -100 wherever pad_id stands, so the answers' own END loses its label" named="end_masked_with_the_padding"
def collate(rows, pad_id, side="right"):
    L = max(len(ids) for ids, _ in rows)
    input_ids = torch.full((len(rows), L), pad_id)
    labels = torch.full((len(rows), L), -100)
    mask = torch.zeros((len(rows), L), dtype=torch.int64)
    for i, (ids, lab) in enumerate(rows):
        n = len(ids)
        sl = slice(None, n) if side == "right" else slice(L - n, None)
        input_ids[i, sl] = ids
        labels[i, sl] = lab
        mask[i, sl] = 1
    labels[input_ids == pad_id] = -100
    return {"input_ids": input_ids, "labels": labels, "attention_mask": mask}


# %% task="collate" right="no" mistake="labels are filled up with pad_id in place of -100" named="padding_counted"
def collate(rows, pad_id, side="right"):
    L = max(len(ids) for ids, _ in rows)
    pad = lambda x, v: F.pad(x, (0, L - len(x)) if side == "right" else (L - len(x), 0), value=v)
    return {
        "input_ids": torch.stack([pad(ids, pad_id) for ids, _ in rows]),
        "labels": torch.stack([pad(labels, pad_id) for _, labels in rows]),
        "attention_mask": torch.stack([pad(torch.ones_like(ids), 0) for ids, _ in rows]),
    }


# %% task="collate" right="no" mistake="side is ignored: always padded on the right" named="side_ignored"
def collate(rows, pad_id, side="right"):
    from torch.nn.utils.rnn import pad_sequence
    ids = [r[0] for r in rows]
    labels = [r[1] for r in rows]
    return {
        "input_ids": pad_sequence(ids, batch_first=True, padding_value=pad_id),
        "labels": pad_sequence(labels, batch_first=True, padding_value=-100),
        "attention_mask": pad_sequence([torch.ones_like(x) for x in ids], batch_first=True, padding_value=0),
    }


# %% task="collate" right="no" mistake="the left side by flipping the padded rows, which turns the tokens' order round" named="rows_read_backwards"
def collate(rows, pad_id, side="right"):
    from torch.nn.utils.rnn import pad_sequence
    ids = pad_sequence([r[0] for r in rows], batch_first=True, padding_value=pad_id)
    labels = pad_sequence([r[1] for r in rows], batch_first=True, padding_value=-100)
    mask = pad_sequence([torch.ones_like(r[0]) for r in rows], batch_first=True)
    if side == "left":
        ids, labels, mask = ids.flip(1), labels.flip(1), mask.flip(1)
    return {"input_ids": ids, "labels": labels, "attention_mask": mask}


# %% task="collate" right="no" mistake="on the left only the ids are moved, labels and attention mask stay on the right side" named="parts_on_different_sides"
def collate(rows, pad_id, side="right"):
    L = max(len(ids) for ids, _ in rows)
    input_ids = torch.full((len(rows), L), pad_id)
    labels = torch.full((len(rows), L), -100)
    mask = torch.zeros(len(rows), L).long()
    for i, (ids, lab) in enumerate(rows):
        n = len(ids)
        if side == "left":
            input_ids[i, L - n:] = ids
        else:
            input_ids[i, :n] = ids
        labels[i, :n] = lab
        mask[i, :n] = 1
    return {"input_ids": input_ids, "labels": labels, "attention_mask": mask}


# %% task="collate" right="no" mistake="padding is written with x[-gap:], which for a gap of 0 is the whole row: the longest row is overwritten with padding" named="longest_row_lost"
def collate(rows, pad_id, side="right"):
    L = max(len(ids) for ids, _ in rows)
    ii, ll, mm = [], [], []
    for ids, labels in rows:
        gap = L - len(ids)
        x = torch.cat([ids, torch.full((gap,), pad_id)])
        y = torch.cat([labels, torch.full((gap,), -100)])
        m = torch.cat([torch.ones(len(ids)), torch.zeros(gap)]).long()
        if side == "left":
            x, y, m = x.roll(gap), y.roll(gap), m.roll(gap)
        x[-gap:] = pad_id if side == "right" else x[-gap:]
        y[-gap:] = -100 if side == "right" else y[-gap:]
        ii.append(x); ll.append(y); mm.append(m)
    return {"input_ids": torch.stack(ii), "labels": torch.stack(ll), "attention_mask": torch.stack(mm)}


# %% task="collate" right="no" mistake="the attention mask is 1 where a label counts, so prompts are hidden from the model" named="mask_made_of_labels"
def collate(rows, pad_id, side="right"):
    L = max(len(ids) for ids, _ in rows)
    x = torch.full((len(rows), L), pad_id)
    y = torch.full((len(rows), L), -100)
    for i, (ids, labels) in enumerate(rows):
        n = len(ids)
        if side == "right":
            x[i, :n], y[i, :n] = ids, labels
        else:
            x[i, -n:], y[i, -n:] = ids, labels
    return {"input_ids": x, "labels": y, "attention_mask": (y != -100).long()}


# %% task="collate" right="yes" mistake=""
def collate(rows, pad_id, side="right"):
    L = max(len(ids) for ids, _ in rows)
    x = torch.full((len(rows), L), pad_id)
    y = torch.full((len(rows), L), -100)
    m = torch.zeros(len(rows), L)
    for i, (ids, labels) in enumerate(rows):
        start = 0 if side == "right" else L - len(ids)
        x[i, start:start + len(ids)] = ids
        y[i, start:start + len(ids)] = labels
        m[i, start:start + len(ids)] = 1
    return {"input_ids": x, "labels": y, "attention_mask": m}


# %% task="collate" right="no" mistake="the length is fixed at 32 in place of that of the longest row" named="another_form"
def collate(rows, pad_id, side="right"):
    L = 32
    x = torch.full((len(rows), L), pad_id)
    y = torch.full((len(rows), L), -100)
    m = torch.zeros(len(rows), L, dtype=torch.long)
    for i, (ids, labels) in enumerate(rows):
        start = 0 if side == "right" else L - len(ids)
        x[i, start:start + len(ids)] = ids
        y[i, start:start + len(ids)] = labels
        m[i, start:start + len(ids)] = 1
    return {"input_ids": x, "labels": y, "attention_mask": m}


# %% task="collate" right="no" mistake="returns a tuple without the names" named="another_form"
def collate(rows, pad_id, side="right"):
    L = max(len(ids) for ids, _ in rows)
    pad = lambda x, v: F.pad(x, (0, L - len(x)) if side == "right" else (L - len(x), 0), value=v)
    return (
        torch.stack([pad(ids, pad_id) for ids, _ in rows]),
        torch.stack([pad(labels, -100) for _, labels in rows]),
        torch.stack([pad(torch.ones_like(ids), 0) for ids, _ in rows]),
    )


# %% task="answer_loss" right="yes" mistake=""
def answer_loss(student_logits, teacher_logits, labels, lam):
    """LM + λ·KL(teacher‖student), each a mean over the tokens of answers: one number."""
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1].detach(), labels[:, 1:]
    counts = y != -100
    log_q = F.log_softmax(s[counts], dim=-1)
    log_p = F.log_softmax(t[counts], dim=-1)
    lm = F.nll_loss(log_q, y[counts])
    kd = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return lm + lam * kd


# %% task="answer_loss" right="yes" mistake=""
def answer_loss(student_logits, teacher_logits, labels, lam):
    counts = labels[:, 1:].ne(-100)
    z = student_logits[:, :-1][counts]
    y = labels[:, 1:][counts]
    p = teacher_logits.detach()[:, :-1][counts].softmax(-1)
    entropy = -torch.xlogy(p, p).sum(-1).mean()
    return F.cross_entropy(z, y) + lam * (F.cross_entropy(z, p) - entropy)


# %% task="answer_loss" right="yes" mistake=""
def answer_loss(student_logits, teacher_logits, labels, lam):
    V = student_logits.shape[-1]
    with torch.no_grad():
        log_p = teacher_logits.log_softmax(-1)
        p = log_p.exp()
    log_q = student_logits.log_softmax(-1)
    loss, n = 0.0, 0
    for b in range(labels.shape[0]):
        for i in range(1, labels.shape[1]):
            y = int(labels[b, i])
            if y == -100:
                continue
            loss = loss - log_q[b, i - 1, y] + lam * (p[b, i - 1] * (log_p[b, i - 1] - log_q[b, i - 1])).sum()
            n += 1
    return loss / n


# %% task="answer_loss" right="yes" mistake=""
def answer_loss(student_logits, teacher_logits, labels, lam):
    nxt = F.pad(labels[:, 1:], (0, 1), value=-100)
    w = (nxt != -100).to(torch.float64)
    w = w / w.sum()
    lq = torch.log_softmax(student_logits.double(), -1)
    lp = torch.log_softmax(teacher_logits.detach().double(), -1)
    lm = F.cross_entropy(student_logits.double().flatten(0, 1), nxt.flatten(), reduction="none").view_as(w)
    kl = torch.einsum("blv,blv->bl", lp.exp(), lp - lq)
    return (w * (lm + lam * kl)).sum().float()


# %% task="answer_loss" right="no" mistake="the shift is forgotten: logits of position i with the token at i" named="not_shifted"
def answer_loss(student_logits, teacher_logits, labels, lam):
    counts = labels != -100
    log_q = F.log_softmax(student_logits[counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[counts].detach(), dim=-1)
    lm = F.nll_loss(log_q, labels[counts])
    kd = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return lm + lam * kd


# %% task="answer_loss" right="no" mistake="the teacher's gradient is not stopped" named="gradient_into_the_teacher"
def answer_loss(student_logits, teacher_logits, labels, lam):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:]
    counts = y != -100
    log_q = F.log_softmax(s[counts], dim=-1)
    log_p = F.log_softmax(t[counts], dim=-1)
    return F.nll_loss(log_q, y[counts]) + lam * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="answer_loss" right="no" mistake="KD is a mean over every position, questions and padding included" named="kd_over_the_prompt"
def answer_loss(student_logits, teacher_logits, labels, lam):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1].detach(), labels[:, 1:]
    lm = F.cross_entropy(s.flatten(0, 1), y.flatten(), ignore_index=-100)
    kd = F.kl_div(F.log_softmax(s, -1), F.log_softmax(t, -1), reduction="none", log_target=True).sum(-1).mean()
    return lm + lam * kd


# %% task="answer_loss" right="no" mistake="only LM is shifted; KD is masked with the labels as they stand" named="kd_not_shifted"
def answer_loss(student_logits, teacher_logits, labels, lam):
    lm = F.cross_entropy(student_logits[:, :-1].transpose(1, 2), labels[:, 1:])
    m = labels != -100
    kd = F.kl_div(student_logits[m].log_softmax(-1), teacher_logits.detach()[m].softmax(-1), reduction="batchmean")
    return lm + lam * kd


# %% task="answer_loss" right="no" mistake="mean of each row's mean, and a row without an answer gives NaN" named="mean_of_row_means"
def answer_loss(student_logits, teacher_logits, labels, lam):
    losses = []
    for s, t, y in zip(student_logits, teacher_logits.detach(), labels):
        s, t, y = s[:-1], t[:-1], y[1:]
        m = y != -100
        lm = F.cross_entropy(s[m], y[m])
        kd = F.kl_div(s[m].log_softmax(-1), t[m].log_softmax(-1), log_target=True, reduction="batchmean")
        losses.append(lm + lam * kd)
    return torch.stack(losses).mean()


# %% task="answer_loss" right="no" mistake="labels > 0 as mask: the token 0 is a word like any other" named="token_zero_not_counted"
def answer_loss(student_logits, teacher_logits, labels, lam):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1].detach(), labels[:, 1:]
    counts = y > 0
    log_q = F.log_softmax(s[counts], dim=-1)
    log_p = F.log_softmax(t[counts], dim=-1)
    lm = F.nll_loss(log_q, y[counts])
    kd = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return lm + lam * kd


# %% task="answer_loss" right="no" mistake="direction swapped: KL of the student to the teacher" named="direction_swapped"
def answer_loss(student_logits, teacher_logits, labels, lam):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1].detach(), labels[:, 1:]
    counts = y != -100
    log_q = F.log_softmax(s[counts], dim=-1)
    log_p = F.log_softmax(t[counts], dim=-1)
    lm = F.nll_loss(log_q, y[counts])
    kd = F.kl_div(log_p, log_q, reduction="batchmean", log_target=True)
    return lm + lam * kd


# %% task="answer_loss" right="no" mistake="kl_div with its default reduction: a mean over the vocabulary too" named="vocabulary_mean"
def answer_loss(student_logits, teacher_logits, labels, lam):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1].detach(), labels[:, 1:]
    counts = y != -100
    lm = F.cross_entropy(s[counts], y[counts])
    kd = F.kl_div(F.log_softmax(s[counts], dim=-1), F.softmax(t[counts], dim=-1))
    return lm + lam * kd


# %% task="answer_loss" right="no" mistake="the student is detached in the KD term, so only LM gives a gradient" named="student_detached_from_the_teacher"
def answer_loss(student_logits, teacher_logits, labels, lam):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:]
    counts = y != -100
    lm = F.cross_entropy(s[counts], y[counts])
    with torch.no_grad():
        kd = F.kl_div(s[counts].log_softmax(-1), t[counts].log_softmax(-1), reduction="batchmean", log_target=True)
    return lm + lam * kd


# %% task="answer_loss" right="no" mistake="labels rolled: a label of a row's first token is predicted by the row's last logits" named="rolled_round"
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = torch.roll(labels, -1, dims=1)
    m = y != -100
    log_q = F.log_softmax(student_logits[m], -1)
    log_p = F.log_softmax(teacher_logits[m].detach(), -1)
    return F.nll_loss(log_q, y[m]) + lam * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="answer_loss" right="no" mistake="KD is divided by all labels that count before the shift, the first of a row included, while LM is not" named="first_label_in_the_divisor"
def answer_loss(student_logits, teacher_logits, labels, lam):
    n = (labels != -100).sum()
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1].detach(), labels[:, 1:]
    m = (y != -100).unsqueeze(-1)
    lm = F.cross_entropy(s.reshape(-1, s.size(-1)), y.reshape(-1))
    kd = (F.kl_div(s.log_softmax(-1), t.log_softmax(-1), reduction="none", log_target=True) * m).sum() / n
    return lm + lam * kd


# %% task="answer_loss" right="no" mistake="labels of -100 are clamped to 0 for gather, and LM is then not masked: a mean over all positions, as if they were token 0" named="ignored_label_as_token_zero"
def answer_loss(student_logits, teacher_logits, labels, lam):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1].detach(), labels[:, 1:].clamp(min=0)
    lq, lp = s.log_softmax(-1), t.log_softmax(-1)
    mask = labels[:, 1:] != -100
    lm = -lq.gather(-1, y[..., None]).squeeze(-1).mean()
    kd = ((lp.exp() * (lp - lq)).sum(-1) * mask).sum() / mask.sum()
    return lm + lam * kd


# %% task="answer_loss" right="no" mistake="lambda on the wrong term, and the first column of labels is written over in the caller's tensor" named="lambda_on_the_wrong_term"
def answer_loss(student_logits, teacher_logits, labels, lam):
    labels[:, 0] = -100
    y = labels[:, 1:]
    m = y != -100
    log_q = F.log_softmax(student_logits[:, :-1][m], -1)
    log_p = F.log_softmax(teacher_logits[:, :-1][m].detach(), -1)
    return lam * F.nll_loss(log_q, y[m]) + F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="answer_loss" right="accident" mistake="print in place of return"
def answer_loss(student_logits, teacher_logits, labels, lam):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1].detach(), labels[:, 1:]
    counts = y != -100
    log_q = F.log_softmax(s[counts], dim=-1)
    log_p = F.log_softmax(t[counts], dim=-1)
    print(F.nll_loss(log_q, y[counts]) + lam * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True))


# %% task="accuracy" right="yes" mistake=""
def accuracy(model, questions, most):
    """The share of questions whose answer is the text that should be written: a number."""
    right = 0
    with torch.no_grad():
        for prompt, answer in questions:
            ids = prompt
            for _ in range(most):
                nxt = model(ids)[-1].argmax()
                ids = torch.cat([ids, nxt.view(1)])
            written = ids[len(prompt):].tolist()
            if END in written:
                written = written[: written.index(END)]
            right += decode(written).strip() == decode(answer).strip()
    return right / len(questions)


# %% task="accuracy" right="no" mistake="strip('<|end|>') taken for cutting at the end of text: it takes single characters off, such as the letters of 'end'" named="text_goes_on_at_the_end"
def accuracy(model, questions, most):
    good = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            ids = torch.cat([ids, model(ids)[-1].argmax().view(1)])
        text = decode(ids[len(prompt):]).strip("<|end|>").strip()
        good += text == decode(answer).strip()
    return good / len(questions)


# %% task="accuracy" right="yes" mistake=""
class Writer:
    def __init__(self, model, most):
        self.model, self.most = model, most

    def __call__(self, prompt):
        ids = prompt
        for _ in range(self.most):
            ids = torch.cat([ids, self.model(ids[None])[0, -1].topk(1).indices])
        words = []
        for token in ids[len(prompt):]:
            if token == END:
                break
            words.append(token)
        return decode(words)

def accuracy(model, questions, most):
    writer = Writer(model, most)
    good = [q for q in questions if writer(q[0]).strip() == decode(q[1]).strip()]
    return len(good) / len(questions)


# %% task="accuracy" right="yes" mistake=""
def accuracy(model, questions, most):
    def reply(prompt):
        context, said = prompt.tolist(), []
        while len(said) < most:
            logits = model(torch.tensor([context]))
            token = int(logits[0, -1].argmax())
            if token == END:
                break
            said.append(token)
            context.append(token)
        return decode(said).strip()

    hits = [reply(p) == decode(a).strip() for p, a in questions]
    return torch.tensor(hits).double().mean()


# %% task="accuracy" right="yes" mistake=""
@torch.no_grad()
def accuracy(model, questions, most):
    results = []
    for prompt, answer in questions:
        x = prompt.unsqueeze(0)
        for _ in range(most):
            x = torch.cat((x, model(x)[:, -1:].argmax(-1)), dim=1)
        text = decode(x[0, prompt.numel():]).split("<|end|>")[0]
        results.append(float(text.strip() == decode(answer).strip()))
    return sum(results) / len(results)


# %% task="accuracy" right="no" mistake="tokens are compared in place of texts, so ' high' ' water' is not ' high water'" named="tokens_compared"
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt.tolist()
        out = []
        for _ in range(most):
            t = model(torch.tensor(ids))[-1].argmax().item()
            if t == END:
                break
            ids.append(t)
            out.append(t)
        right += out == answer.tolist()
    return right / len(questions)


# %% task="accuracy" right="no" mistake="not cut at the end of text: whatever is written after it belongs to the answer" named="text_goes_on_at_the_end"
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt.clone()
        for _ in range(most):
            ids = torch.cat([ids, model(ids)[-1].argmax()[None]])
        text = decode(ids[len(prompt):])
        right += text.strip() == decode(answer).strip()
    return right / len(questions)


# %% task="accuracy" right="no" mistake="the cut is made in prompt and answer together, at the end of the question" named="nothing_is_right"
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt.tolist()
        for _ in range(most):
            ids.append(model(torch.tensor(ids))[-1].argmax().item())
        end = ids.index(END) if END in ids else len(ids)
        text = decode(ids[len(prompt):end])
        right += text.strip() == decode(answer).strip()
    return right / len(questions)


# %% task="accuracy" right="no" mistake="strip() forgotten on both sides" named="spaces_compared"
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt.tolist()
        out = []
        for _ in range(most):
            t = int(model(torch.tensor(ids))[-1].argmax())
            ids.append(t)
            if t == END:
                break
            out.append(t)
        right += decode(out) == decode(answer)
    return right / len(questions)


# %% task="accuracy" right="no" mistake="an answer that begins rightly is taken for right: startswith" named="part_of_it_is_enough"
def accuracy(model, questions, most):
    n = 0
    for prompt, answer in questions:
        ids, out = prompt.tolist(), []
        for _ in range(most):
            t = int(model(torch.tensor(ids))[-1].argmax())
            ids.append(t)
            out.append(t)
        text = decode(out).split("<|end|>")[0].strip()
        n += text.startswith(decode(answer).strip())
    return n / len(questions)


# %% task="accuracy" right="no" mistake="case is forgiven with lower()" named="capitals_forgiven"
def accuracy(model, questions, most):
    good = 0
    for prompt, answer in questions:
        ids, out = prompt, []
        for _ in range(most):
            t = model(ids)[-1].argmax()
            if t == END:
                break
            out.append(t)
            ids = torch.cat([ids, t.reshape(1)])
        good += decode(out).strip().lower() == decode(answer).strip().lower()
    return good / len(questions)


# %% task="accuracy" right="no" mistake="only the answer's own length is written, so a model that goes on talking is right" named="answer_at_hand"
def accuracy(model, questions, most):
    good = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(len(answer)):
            ids = torch.cat([ids, model(ids)[-1].argmax().reshape(1)])
        out = ids[len(prompt):].tolist()
        if END in out:
            out = out[:out.index(END)]
        good += decode(out).strip() == decode(answer).strip()
    return good / len(questions)


# %% task="accuracy" right="no" mistake="teacher forcing: the likeliest tokens are taken with the right answer as context" named="answer_at_hand"
def accuracy(model, questions, most):
    good = 0
    for prompt, answer in questions:
        ids = torch.cat([prompt, answer])
        guess = model(ids)[len(prompt) - 1 : -1].argmax(-1)
        good += decode(guess).strip() == decode(answer).strip()
    return good / len(questions)


# %% task="accuracy" right="no" mistake="one token too few: range(most - 1)" named="one_token_too_few"
def accuracy(model, questions, most):
    good = 0
    for prompt, answer in questions:
        ids = prompt.tolist()
        for _ in range(most - 1):
            ids.append(int(model(torch.tensor(ids))[-1].argmax()))
        out = ids[len(prompt):]
        if END in out:
            out = out[:out.index(END)]
        good += decode(out).strip() == decode(answer).strip()
    return good / len(questions)


# %% task="accuracy" right="no" mistake="the number of right answers in place of their share" named="not_divided"
def accuracy(model, questions, most):
    good = 0
    for prompt, answer in questions:
        ids, out = prompt.tolist(), []
        for _ in range(most):
            t = int(model(torch.tensor(ids))[-1].argmax())
            if t == END:
                break
            ids.append(t)
            out.append(t)
        good += decode(out).strip() == decode(answer).strip()
    return good


# %% task="accuracy" right="no" mistake="an answer without an end within most tokens is counted as wrong" named="one_token_too_few"
def accuracy(model, questions, most):
    good = 0
    for prompt, answer in questions:
        ids = prompt.tolist()
        for _ in range(most):
            ids.append(int(model(torch.tensor(ids))[-1].argmax()))
        out = ids[len(prompt):]
        if END not in out:
            continue
        out = out[:out.index(END)]
        good += decode(out).strip() == decode(answer).strip()
    return good / len(questions)


# %% task="accuracy" right="no" mistake="all spaces are removed, also those between words" named="all_spaces_dropped"
def accuracy(model, questions, most):
    good = 0
    for prompt, answer in questions:
        ids, out = prompt.tolist(), []
        for _ in range(most):
            t = int(model(torch.tensor(ids))[-1].argmax())
            if t == END:
                break
            ids.append(t)
            out.append(t)
        clean = lambda x: decode(x).replace(" ", "").replace("\n", "")
        good += clean(out) == clean(answer)
    return good / len(questions)


# %% task="accuracy" right="accident" mistake="wrong indentation: the function has no body where the loop begins"
def accuracy(model, questions, most):
good = 0
for prompt, answer in questions:
    ids = prompt.tolist()
    for _ in range(most):
        ids.append(int(model(torch.tensor(ids))[-1].argmax()))
    out = ids[len(prompt):]
    good += decode(out).strip() == decode(answer).strip()
return good / len(questions)


# %% task="on_policy_step" right="yes" mistake=""
def on_policy_step(student, teacher, prompts, write, optimizer):
    """One update of the student on what it writes itself; returns the loss before it."""
    total, count = 0.0, 0
    for prompt in prompts:
        with torch.no_grad():
            words = write(student, prompt)
        ends = (words == END).nonzero()
        if len(ends):
            words = words[: int(ends[0]) + 1]
        ids = torch.cat([prompt, words])
        where = slice(len(prompt) - 1, len(ids) - 1)
        log_q = F.log_softmax(student(ids)[where], dim=-1)
        with torch.no_grad():
            log_p = F.log_softmax(teacher(ids)[where], dim=-1)
        total = total + F.kl_div(log_p, log_q, reduction="sum", log_target=True)
        count += len(words)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="cut at the last end that the student wrote in place of the first" named="text_after_the_end_counted"
def on_policy_step(student, teacher, prompts, write, optimizer):
    total, count = 0.0, 0
    for prompt in prompts:
        words = write(student, prompt)
        ends = (words == END).nonzero().flatten()
        if len(ends) > 0:
            words = words[: ends[-1] + 1]
        ids = torch.cat([prompt, words])
        log_q = student(ids)[len(prompt) - 1 : -1].log_softmax(-1)
        log_p = teacher(ids)[len(prompt) - 1 : -1].log_softmax(-1).detach()
        total = total + F.kl_div(log_p, log_q, reduction="sum", log_target=True)
        count += len(words)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="yes" mistake=""
def on_policy_step(student, teacher, prompts, write, optimizer):
    texts = []
    for prompt in prompts:
        words = write(student, prompt)
        for k, token in enumerate(words):
            if token == END:
                words = words[: k + 1]
                break
        texts.append((prompt, words))
    N = sum(len(words) for _, words in texts)
    optimizer.zero_grad()
    value = 0.0
    for prompt, words in texts:
        ids = torch.cat([prompt, words])[:-1]
        with torch.no_grad():
            log_p = teacher(ids).log_softmax(-1)
        log_q = student(ids).log_softmax(-1)
        kl = (log_q.exp() * (log_q - log_p)).sum(-1)[-len(words):].sum() / N
        kl.backward()
        value += kl.item()
    optimizer.step()
    return value


# %% task="on_policy_step" right="yes" mistake=""
def on_policy_step(student, teacher, prompts, write, optimizer):
    def cut(words):
        words = words.tolist()
        return words[: words.index(END) + 1] if END in words else words

    kls = []
    for prompt in prompts:
        said = cut(write(student, prompt).detach())
        seq = prompt.tolist() + said
        inputs = torch.tensor(seq[:-1])
        q = student(inputs)[len(prompt) - 1 :].log_softmax(-1)
        p = teacher(inputs)[len(prompt) - 1 :].detach().log_softmax(-1)
        for lq, lp in zip(q, p):
            kls.append(torch.dot(lq.exp(), lq - lp))
    loss = torch.stack(kls).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return float(loss)


# %% task="on_policy_step" right="yes" mistake=""
def on_policy_step(student, teacher, prompts, write, optimizer):
    student.zero_grad()
    texts, starts = [], []
    for prompt in prompts:
        w = write(student, prompt)
        keep = torch.cumsum((w == END).long(), 0) - (w == END).long() == 0
        texts.append(torch.cat([prompt, w[keep]]))
        starts.append(prompt.numel())
    L = max(map(len, texts))
    ids = torch.zeros(len(texts), L, dtype=torch.long)
    mask = torch.zeros(len(texts), L, dtype=torch.bool)
    for b, (t, k) in enumerate(zip(texts, starts)):
        ids[b, : len(t)] = t
        mask[b, k - 1 : len(t) - 1] = True
    lq = student(ids)[mask].log_softmax(-1)
    lp = teacher(ids)[mask].log_softmax(-1).detach()
    loss = (lq.exp() * (lq - lp)).sum() / mask.sum()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="forward KL in place of the reverse one" named="direction_swapped"
def on_policy_step(student, teacher, prompts, write, optimizer):
    total, count = 0.0, 0
    for prompt in prompts:
        words = write(student, prompt).tolist()
        if END in words:
            words = words[: words.index(END) + 1]
        ids = torch.cat([prompt, torch.tensor(words)])
        sl = slice(len(prompt) - 1, len(ids) - 1)
        log_q = F.log_softmax(student(ids)[sl], dim=-1)
        log_p = F.log_softmax(teacher(ids)[sl].detach(), dim=-1)
        total = total + F.kl_div(log_q, log_p, reduction="sum", log_target=True)
        count += len(words)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="what is written after the first end is not cut off" named="text_after_the_end_counted"
def on_policy_step(student, teacher, prompts, write, optimizer):
    total, count = 0.0, 0
    for prompt in prompts:
        words = write(student, prompt)
        ids = torch.cat([prompt, words])
        sl = slice(len(prompt) - 1, len(ids) - 1)
        log_q = F.log_softmax(student(ids)[sl], dim=-1)
        log_p = F.log_softmax(teacher(ids)[sl].detach(), dim=-1)
        total = total + (log_q.exp() * (log_q - log_p)).sum()
        count += len(words)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="cut before the end, so the end itself does not count" named="end_not_counted"
def on_policy_step(student, teacher, prompts, write, optimizer):
    total, count = 0.0, 0
    for prompt in prompts:
        words = write(student, prompt).tolist()
        if END in words:
            words = words[: words.index(END)]
        ids = torch.cat([prompt, torch.tensor(words, dtype=torch.long)])
        sl = slice(len(prompt) - 1, len(ids) - 1)
        log_q = F.log_softmax(student(ids)[sl], dim=-1)
        log_p = F.log_softmax(teacher(ids)[sl].detach(), dim=-1)
        total = total + F.kl_div(log_p, log_q, reduction="sum", log_target=True)
        count += len(words)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="looks for the first end in prompt and text together and finds that of the question: nothing is left" named="loss_is_zero"
def on_policy_step(student, teacher, prompts, write, optimizer):
    total, count = 0.0, 0
    for prompt in prompts:
        ids = torch.cat([prompt, write(student, prompt)])
        stop = (ids == END).nonzero()
        if len(stop) > 0:
            ids = ids[: stop[0].item() + 1]
        log_q = F.log_softmax(student(ids)[len(prompt) - 1 : -1], dim=-1)
        log_p = F.log_softmax(teacher(ids)[len(prompt) - 1 : -1].detach(), dim=-1)
        total = total + F.kl_div(log_p, log_q, reduction="sum", log_target=True)
        count += log_q.shape[0]
    loss = total / max(count, 1)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="logits from len(prompt) on: the shift is forgotten, and the first word's prediction is missing" named="not_shifted"
def on_policy_step(student, teacher, prompts, write, optimizer):
    total, count = 0.0, 0
    for prompt in prompts:
        words = write(student, prompt).tolist()
        if END in words:
            words = words[: words.index(END) + 1]
        ids = torch.cat([prompt, torch.tensor(words)])
        log_q = F.log_softmax(student(ids)[len(prompt):], dim=-1)
        log_p = F.log_softmax(teacher(ids)[len(prompt):].detach(), dim=-1)
        total = total + F.kl_div(log_p, log_q, reduction="sum", log_target=True)
        count += len(words)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="the prompt's positions count too" named="prompt_counted"
def on_policy_step(student, teacher, prompts, write, optimizer):
    kls = []
    for prompt in prompts:
        words = write(student, prompt).tolist()
        if END in words:
            words = words[: words.index(END) + 1]
        ids = torch.cat([prompt, torch.tensor(words)])[:-1]
        log_q = student(ids).log_softmax(-1)
        log_p = teacher(ids).detach().log_softmax(-1)
        kls.append((log_q.exp() * (log_q - log_p)).sum(-1))
    loss = torch.cat(kls).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="mean of each text's mean" named="mean_of_means"
def on_policy_step(student, teacher, prompts, write, optimizer):
    losses = []
    for prompt in prompts:
        words = write(student, prompt).tolist()
        if END in words:
            words = words[: words.index(END) + 1]
        ids = torch.cat([prompt, torch.tensor(words)])
        log_q = student(ids)[len(prompt) - 1 : -1].log_softmax(-1)
        log_p = teacher(ids)[len(prompt) - 1 : -1].detach().log_softmax(-1)
        losses.append((log_q.exp() * (log_q - log_p)).sum(-1).mean())
    loss = sum(losses) / len(losses)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="one update for each prompt in place of one for all" named="a_step_for_each_prompt"
def on_policy_step(student, teacher, prompts, write, optimizer):
    values, n = 0.0, 0
    for prompt in prompts:
        words = write(student, prompt).tolist()
        if END in words:
            words = words[: words.index(END) + 1]
        ids = torch.cat([prompt, torch.tensor(words)])
        log_q = student(ids)[len(prompt) - 1 : -1].log_softmax(-1)
        with torch.no_grad():
            log_p = teacher(ids)[len(prompt) - 1 : -1].log_softmax(-1)
        kl = F.kl_div(log_p, log_q, reduction="batchmean", log_target=True)
        optimizer.zero_grad()
        kl.backward()
        optimizer.step()
        values += kl.item() * len(words)
        n += len(words)
    return values / n


# %% task="on_policy_step" right="no" mistake="the teacher's gradient is not stopped" named="gradient_into_the_teacher"
def on_policy_step(student, teacher, prompts, write, optimizer):
    total, count = 0.0, 0
    for prompt in prompts:
        words = write(student, prompt).tolist()
        if END in words:
            words = words[: words.index(END) + 1]
        ids = torch.cat([prompt, torch.tensor(words)])
        sl = slice(len(prompt) - 1, len(ids) - 1)
        log_q = F.log_softmax(student(ids)[sl], dim=-1)
        log_p = F.log_softmax(teacher(ids)[sl], dim=-1)
        total = total + F.kl_div(log_p, log_q, reduction="sum", log_target=True)
        count += len(words)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="the student's distribution is detached where it weighs the logarithms, so half of the gradient is missing" named="student_never_moves"
def on_policy_step(student, teacher, prompts, write, optimizer):
    total, count = 0.0, 0
    for prompt in prompts:
        words = write(student, prompt).tolist()
        if END in words:
            words = words[: words.index(END) + 1]
        ids = torch.cat([prompt, torch.tensor(words)])
        sl = slice(len(prompt) - 1, len(ids) - 1)
        log_q = F.log_softmax(student(ids)[sl], dim=-1)
        log_p = F.log_softmax(teacher(ids)[sl].detach(), dim=-1)
        total = total + (log_q.exp().detach() * (log_q - log_p)).sum()
        count += len(words)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="the teacher writes in place of the student" named="teacher_writes"
def on_policy_step(student, teacher, prompts, write, optimizer):
    total, count = 0.0, 0
    for prompt in prompts:
        with torch.no_grad():
            words = write(teacher, prompt).tolist()
        if END in words:
            words = words[: words.index(END) + 1]
        ids = torch.cat([prompt, torch.tensor(words)])
        sl = slice(len(prompt) - 1, len(ids) - 1)
        log_q = F.log_softmax(student(ids)[sl], dim=-1)
        with torch.no_grad():
            log_p = F.log_softmax(teacher(ids)[sl], dim=-1)
        total = total + F.kl_div(log_p, log_q, reduction="sum", log_target=True)
        count += len(words)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="only the tokens that were drawn are compared, log q - log p, not the whole vocabulary" named="sampled_token_alone"
def on_policy_step(student, teacher, prompts, write, optimizer):
    total, count = 0.0, 0
    for prompt in prompts:
        words = write(student, prompt)
        end = (words == END).nonzero().flatten()
        if end.numel():
            words = words[: end[0] + 1]
        ids = torch.cat([prompt, words])
        sl = slice(len(prompt) - 1, len(ids) - 1)
        log_q = F.log_softmax(student(ids)[sl], dim=-1).gather(1, words[:, None])
        log_p = F.log_softmax(teacher(ids)[sl].detach(), dim=-1).gather(1, words[:, None])
        total = total + (log_q - log_p).sum()
        count += len(words)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="zero_grad forgotten, and a text without an end crashes because words.index(END) finds none" named="text_without_an_end"
def on_policy_step(student, teacher, prompts, write, optimizer):
    total, count = 0.0, 0
    for prompt in prompts:
        words = write(student, prompt).tolist()
        words = words[: words.index(END) + 1]
        ids = torch.cat([prompt, torch.tensor(words)])
        sl = slice(len(prompt) - 1, len(ids) - 1)
        log_q = F.log_softmax(student(ids)[sl], dim=-1)
        log_p = F.log_softmax(teacher(ids)[sl].detach(), dim=-1)
        total = total + F.kl_div(log_p, log_q, reduction="sum", log_target=True)
        count += len(words)
    loss = total / count
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="accident" mistake="return forgotten"
def on_policy_step(student, teacher, prompts, write, optimizer):
    total, count = 0.0, 0
    for prompt in prompts:
        words = write(student, prompt).tolist()
        if END in words:
            words = words[: words.index(END) + 1]
        ids = torch.cat([prompt, torch.tensor(words)])
        sl = slice(len(prompt) - 1, len(ids) - 1)
        log_q = F.log_softmax(student(ids)[sl], dim=-1)
        log_p = F.log_softmax(teacher(ids)[sl].detach(), dim=-1)
        total = total + F.kl_div(log_p, log_q, reduction="sum", log_target=True)
        count += len(words)
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    value = loss.item()


# %% task="on_policy_step" right="accident" mistake="a sys.exit() left over from trying things out"
import sys

def on_policy_step(student, teacher, prompts, write, optimizer):
    for prompt in prompts:
        words = write(student, prompt)
        print(decode(words))
    sys.exit()


# %% task="where_the_teacher_counts" right="yes" mistake=""
where_the_teacher_counts = "c"


# %% task="where_the_teacher_counts" right="no" mistake="takes a missing label for a missing distribution" named="chose_a"
where_the_teacher_counts = "a"


# %% task="where_the_teacher_counts" right="no" mistake="believes that the gradient is 0 where the student never has to write" named="chose_b"
where_the_teacher_counts = "b"


# %% task="where_the_teacher_counts" right="no" mistake="believes that the teacher sees the answer while it reads the question" named="chose_d"
where_the_teacher_counts = "d"


# %% task="signs" right="yes" mistake=""
signs = {"prompt": "d", "end": "a", "padding": "e", "side": "b"}


# %% task="signs" right="yes" mistake=""
signs = {}
signs["side"] = "b"
signs["padding"] = "e"
signs["end"] = "a"
signs["prompt"] = "d"


# %% task="signs" right="no" mistake="padding and side confused" named="wrong_padding_b_side_e"
signs = {"prompt": "d", "end": "a", "padding": "b", "side": "e"}


# %% task="signs" right="no" mistake="a constant loss taken for the sign of labels on the padding" named="wrong_padding_c"
signs = {"prompt": "d", "end": "a", "padding": "c", "side": "b"}


# %% task="signs" right="no" mistake="prompt and padding confused" named="wrong_prompt_e_padding_d"
signs = {"prompt": "e", "end": "a", "padding": "d", "side": "b"}


# %% task="signs" right="no" mistake="letters are upper case and two are exchanged" named="wrong_prompt_a_end_d"
signs = {"prompt": "A", "end": "D", "padding": "E", "side": "B"}


# %% task="signs" right="accident" mistake="one mistake is left out of the dict"
signs = {"prompt": "d", "end": "a", "padding": "e"}


# %% task="encode" right="yes" mistake=""
def encode(messages):
    ids, labels = [], []
    for m in messages:
        head = [START, ROLES[m["role"]], LINE]
        body = list(m["content"]) + [END]
        ids += head + body + [LINE]
        labels += [-100] * 3 + (body if m["role"] == "assistant" else [-100] * len(body)) + [-100]
    return ids, labels


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


# %% task="encode" right="yes" mistake=""
def encode(messages):
    # recursion: first message + the rest
    if len(messages) == 0:
        return [], []
    first, *rest = messages
    role, content = first["role"], first["content"]
    ids = [START, ROLES[role], LINE, *content, END, LINE]
    labels = [-100] * len(ids)
    if role == "assistant":
        labels[3:-1] = ids[3:-1]
    more_ids, more_labels = encode(rest)
    return ids + more_ids, labels + more_labels


# %% task="encode" right="no" mistake="the end token of the answers has no label, although the assistant writes it" named="end_masked"
def encode(messages):
    ids, labels = [], []
    for message in messages:
        content = message["content"]
        ids.extend([START, ROLES[message["role"]], LINE] + content + [END, LINE])
        if message["role"] == "assistant":
            labels.extend([-100, -100, -100] + content + [-100, -100])
        else:
            labels.extend([-100] * (len(content) + 5))
    return ids, labels


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


# %% task="encode" right="no" mistake="the assistant's header has labels as well: the whole message counts" named="header_counted,line_after_the_end_counted"
def encode(messages):
    ids, labels = [], []
    for message in messages:
        block = [START, ROLES[message["role"]], LINE, *message["content"], END, LINE]
        ids += block
        labels += block if message["role"] == "assistant" else len(block) * [-100]
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


# %% task="encode" right="no" mistake="with `x and token or -100` the word with number 0 in an answer gets -100" named="token_zero_masked"
def encode(messages):
    ids = []; labels = []
    for m in messages:
        a = m["role"] == "assistant"
        ids += [START, ROLES[m["role"]], LINE]
        labels += [-100, -100, -100]
        for t in m["content"] + [END]:
            ids.append(t)
            labels.append(a and t or -100)
        ids.append(LINE)
        labels.append(-100)
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


# %% task="encode" right="no" mistake="an assistant header is appended when the conversation ends with a question, although nothing else may stand at the end" named="another_form,header_at_the_end"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        row = [START, ROLES[m["role"]], LINE] + list(m["content"]) + [END, LINE]
        lab = [-100] * len(row)
        if m["role"] == "assistant":
            lab[3:-1] = row[3:-1]
        ids += row
        labels += lab
    if messages and messages[-1]["role"] != "assistant":   # add_generation_prompt
        ids += [START, ROLES["assistant"], LINE]
        labels += [-100] * 3
    return ids, labels


# %% task="encode" right="no" mistake="messages with an empty content are skipped, with their header and their end" named="another_form,observed_where,empty_message_left_out"
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


# %% task="encode" right="no" mistake="the labels are shifted by one, as if the loss did not do it" named="labels_shifted"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        ids += [START, ROLES[m["role"]], LINE] + m["content"] + [END, LINE]
        if m["role"] == "assistant":
            labels += [-100] * 3 + m["content"] + [END, -100]
        else:
            labels += [-100] * (len(m["content"]) + 5)
    labels = labels[1:] + [-100]
    return ids, labels


# %% task="encode" right="no" mistake="the speaker is looked for in the finished tokens, so the word 'assistant' in a question or 'user' in an answer turns the labels on or off" named="header_looked_for_in_the_text"
def encode(messages):
    ids = []
    for m in messages:
        ids += [START, ROLES[m["role"]], LINE] + m["content"] + [END, LINE]
    labels = []
    speaking = False
    for i, t in enumerate(ids):
        if t in (ROLES["user"], ROLES["system"]):
            speaking = False
        ok = speaking and not (t == LINE and ids[i - 1] in (END, ROLES["assistant"])) and t != START
        labels.append(t if ok else -100)
        if t == ROLES["assistant"]:
            speaking = True
    return ids, labels


# %% task="encode" right="accident" mistake="the bracket of the second extend is not closed: a syntax error"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        ids.extend([START, ROLES[m["role"]], LINE] + m["content"] + [END, LINE])
        labels.extend([-100] * 3 + (m["content"] + [END] if m["role"] == "assistant" else [-100] * (len(m["content"]) + 1)) + [-100]
    return ids, labels


# %% task="collate" right="yes" mistake=""
def collate(rows, pad_id, side="right"):
    L = max(len(ids) for ids, _ in rows)
    B = len(rows)
    out = {
        "input_ids": torch.full((B, L), pad_id),
        "labels": torch.full((B, L), -100),
        "attention_mask": torch.zeros(B, L, dtype=torch.long),
    }
    for b, (ids, labels) in enumerate(rows):
        n = len(ids)
        where = slice(L - n, L) if side == "left" else slice(0, n)
        out["input_ids"][b, where] = ids
        out["labels"][b, where] = labels
        out["attention_mask"][b, where] = 1
    return out


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


# %% task="collate" right="yes" mistake=""
from torch.nn.utils.rnn import pad_sequence

def collate(rows, pad_id, side="right"):
    left = side == "left"

    def padded(xs, value):
        xs = [x.flip(0) for x in xs] if left else list(xs)
        y = pad_sequence(xs, batch_first=True, padding_value=value)
        return y.flip(1) if left else y

    ids, labels = zip(*rows)
    return {
        "input_ids": padded(ids, pad_id),
        "labels": padded(labels, -100),
        "attention_mask": padded([torch.ones(len(x)) for x in ids], 0.0),
    }


# %% task="collate" right="no" mistake="the attention mask is made by comparing with pad_id, so the rows' own end tokens are hidden when pad_id is END" named="mask_made_of_numbers"
def collate(rows, pad_id, side="right"):
    L = max(len(r[0]) for r in rows)
    ids, labels = [], []
    for i, l in rows:
        extra = L - len(i)
        p = torch.full((extra,), pad_id, dtype=i.dtype)
        q = torch.full((extra,), -100, dtype=l.dtype)
        if side == "right":
            ids.append(torch.cat([i, p])); labels.append(torch.cat([l, q]))
        else:
            ids.append(torch.cat([p, i])); labels.append(torch.cat([q, l]))
    input_ids = torch.stack(ids)
    return {"input_ids": input_ids, "labels": torch.stack(labels), "attention_mask": (input_ids != pad_id).long()}


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


# %% task="collate" right="no" mistake="labels are filled up with pad_id instead of -100" named="padding_counted"
def collate(rows, pad_id, side="right"):
    L = max(map(lambda r: len(r[0]), rows))
    def pad(x, v):
        d = L - len(x)
        return F.pad(x, (d, 0), value=v) if side == "left" else F.pad(x, (0, d), value=v)
    return {
        "input_ids": torch.stack([pad(x, pad_id) for x, _ in rows]),
        "labels": torch.stack([pad(y, pad_id) for _, y in rows]),
        "attention_mask": torch.stack([pad(torch.ones_like(x), 0) for x, _ in rows]),
    }


# %% task="collate" right="no" mistake="the side is ignored: padding always stands on the right" named="side_ignored"
def collate(rows, pad_id, side="right"):
    ids = nn.utils.rnn.pad_sequence([r[0] for r in rows], batch_first=True, padding_value=pad_id)
    labels = nn.utils.rnn.pad_sequence([r[1] for r in rows], batch_first=True, padding_value=-100)
    lengths = torch.tensor([len(r[0]) for r in rows])
    mask = (torch.arange(ids.size(1))[None, :] < lengths[:, None]).int()
    return {"input_ids": ids, "labels": labels, "attention_mask": mask}


# %% task="collate" right="no" mistake="for the left side the finished batch is flipped, so the tokens of each row run backwards" named="rows_read_backwards"
def collate(rows, pad_id, side="right"):
    ids = nn.utils.rnn.pad_sequence([r[0] for r in rows], batch_first=True, padding_value=pad_id)
    labels = nn.utils.rnn.pad_sequence([r[1] for r in rows], batch_first=True, padding_value=-100)
    mask = nn.utils.rnn.pad_sequence([torch.ones_like(r[0]) for r in rows], batch_first=True)
    batch = {"input_ids": ids, "labels": labels, "attention_mask": mask}
    if side == "left":
        batch = {k: v.flip(dims=[1]) for k, v in batch.items()}
    return batch


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


# %% task="collate" right="no" mistake="the attention mask is 1 where a label counts, so it hides the questions from the model" named="mask_made_of_labels"
def collate(rows, pad_id, side="right"):
    L = max(len(ids) for ids, _ in rows)
    X = torch.full((len(rows), L), pad_id, dtype=torch.long)
    Y = torch.full((len(rows), L), -100, dtype=torch.long)
    for i, (ids, labels) in enumerate(rows):
        if side == "left":
            X[i, L - len(ids):] = ids
            Y[i, L - len(ids):] = labels
        else:
            X[i, :len(ids)] = ids
            Y[i, :len(ids)] = labels
    return {"input_ids": X, "labels": Y, "attention_mask": (Y != -100).long()}


# %% task="collate" right="no" mistake="the given list is sorted by length, which changes the order of the rows and the caller's list" named="rows_in_another_order"
def collate(rows, pad_id, side="right"):
    rows.sort(key=lambda r: len(r[0]), reverse=True)
    L = len(rows[0][0])
    ids, lab, att = [], [], []
    for x, y in rows:
        gap = (L - len(x), 0) if side == "left" else (0, L - len(x))
        ids.append(F.pad(x, gap, value=pad_id))
        lab.append(F.pad(y, gap, value=-100))
        att.append(F.pad(torch.ones_like(x), gap, value=0))
    return {"input_ids": torch.stack(ids), "labels": torch.stack(lab), "attention_mask": torch.stack(att)}


# %% task="collate" right="no" mistake="one place too much: all rows are padded to the longest length plus one" named="another_form"
def collate(rows, pad_id, side="right"):
    longest = 0
    for ids, labels in rows:
        longest = max(longest, ids.shape[0])
    longest = longest + 1   # room for padding
    ii = torch.ones(len(rows), longest).long() * pad_id
    ll = torch.ones(len(rows), longest).long() * -100
    mm = torch.zeros(len(rows), longest).long()
    for r in range(len(rows)):
        n = rows[r][0].shape[0]
        if side == "right":
            ii[r, 0:n], ll[r, 0:n], mm[r, 0:n] = rows[r][0], rows[r][1], 1
        else:
            ii[r, longest - n:], ll[r, longest - n:], mm[r, longest - n:] = rows[r][0], rows[r][1], 1
    return {"input_ids": ii, "labels": ll, "attention_mask": mm}


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


# %% task="collate" right="accident" mistake="the function is called collate_fn, so collate does not exist"
def collate_fn(rows, pad_id, side="right"):
    L = max(len(ids) for ids, _ in rows)
    def grow(x, v):
        fill = x.new_full((L - len(x),), v)
        return torch.cat([fill, x] if side == "left" else [x, fill])
    return {
        "input_ids": torch.stack([grow(x, pad_id) for x, _ in rows]),
        "labels": torch.stack([grow(y, -100) for _, y in rows]),
        "attention_mask": torch.stack([grow(torch.ones_like(x), 0) for x, _ in rows]),
    }


# %% task="answer_loss" right="yes" mistake=""
def answer_loss(student_logits, teacher_logits, labels, lam):
    target = labels[:, 1:]
    keep = target != -100
    s = student_logits[:, :-1][keep]
    t = teacher_logits[:, :-1][keep].detach()
    lm = F.cross_entropy(s, target[keep])
    kd = F.kl_div(s.log_softmax(-1), t.log_softmax(-1), reduction="batchmean", log_target=True)
    return lm + lam * kd


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


# %% task="answer_loss" right="yes" mistake=""
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = torch.roll(labels, -1, 1)
    y[:, -1] = -100
    mask = (y != -100).double()
    n = mask.sum()
    log_q = student_logits.double().log_softmax(-1)
    log_p = teacher_logits.detach().double().log_softmax(-1)
    nll = -log_q.gather(2, y.clamp(min=0).unsqueeze(2)).squeeze(2)
    kl = torch.einsum("blv,blv->bl", log_p.exp(), log_p - log_q)
    return ((nll + lam * kl) * mask).sum() / n


# %% task="answer_loss" right="no" mistake="nothing is shifted: logits[i] are held against the token i that the model has just read" named="not_shifted"
def answer_loss(student_logits, teacher_logits, labels, lam):
    keep = labels != -100
    s = student_logits[keep]
    t = teacher_logits[keep].detach()
    lm = F.cross_entropy(s, labels[keep])
    kd = F.kl_div(F.log_softmax(s, -1), F.softmax(t, -1), reduction="batchmean")
    return lm + lam * kd


# %% task="answer_loss" right="no" mistake="the loss is right, but gradients flow to the teacher: it is not detached" named="gradient_into_the_teacher"
def answer_loss(student_logits, teacher_logits, labels, lam):
    target = labels[:, 1:].flatten()
    s = student_logits[:, :-1].flatten(0, 1)
    t = teacher_logits[:, :-1].flatten(0, 1)
    ok = target.ne(-100)
    lm = F.cross_entropy(s, target, ignore_index=-100)
    log_q, log_p = F.log_softmax(s[ok], -1), F.log_softmax(t[ok], -1)
    return lm + lam * F.kl_div(log_q, log_p, log_target=True, reduction="batchmean")


# %% task="answer_loss" right="no" mistake="the teacher's term is a mean over all positions, questions and padding too" named="kd_over_the_prompt"
def answer_loss(student_logits, teacher_logits, labels, lam):
    vocab_size = student_logits.size(-1)
    shift_logits = student_logits[..., :-1, :].reshape(-1, vocab_size)
    shift_teacher = teacher_logits[..., :-1, :].reshape(-1, vocab_size).detach()
    shift_labels = labels[..., 1:].reshape(-1)
    ce = F.cross_entropy(shift_logits, shift_labels, ignore_index=-100)
    kd = F.kl_div(
        F.log_softmax(shift_logits, dim=-1), F.softmax(shift_teacher, dim=-1), reduction="batchmean"
    )
    return ce + lam * kd


# %% task="answer_loss" right="no" mistake="the unshifted labels choose the positions of the teacher's term, so it misses the first token of each answer and counts the one after its end" named="kd_not_shifted"
def answer_loss(student_logits, teacher_logits, labels, lam):
    lm = F.cross_entropy(student_logits[:, :-1].transpose(1, 2), labels[:, 1:])
    m = labels != -100
    p = teacher_logits.detach().softmax(-1)[m]
    log_q = student_logits.log_softmax(-1)[m]
    kd = (torch.xlogy(p, p) - p * log_q).sum(-1).mean()
    return lm + lam * kd


# %% task="answer_loss" right="no" mistake="a mean per row first and then over the rows, so short answers weigh more and a row without answer gives 0/0" named="mean_of_row_means"
def answer_loss(student_logits, teacher_logits, labels, lam):
    losses = []
    for s, t, y in zip(student_logits, teacher_logits.detach(), labels):
        y = y[1:]
        k = y != -100
        lq, lp = s[:-1][k].log_softmax(-1), t[:-1][k].log_softmax(-1)
        lm = F.nll_loss(lq, y[k])
        kd = (lp.exp() * (lp - lq)).sum(-1).mean()
        losses.append(lm + lam * kd)
    return sum(losses) / len(losses)


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


# %% task="answer_loss" right="no" mistake="lam is used as a mixing weight: (1 - lam) times LM plus lam times KD" named="lambda_as_alpha"
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]
    use = y != -100
    s, t = student_logits[:, :-1][use], teacher_logits[:, :-1][use].detach()
    lm = F.cross_entropy(s, y[use])
    kd = F.kl_div(F.log_softmax(s, -1), F.softmax(t, -1), reduction="batchmean")
    return (1 - lam) * lm + lam * kd


# %% task="answer_loss" right="no" mistake="the masked sums are divided by all B*(L-1) positions instead of the tokens that count" named="divided_by_all_positions"
def answer_loss(student_logits, teacher_logits, labels, lam):
    s = student_logits[:, :-1]
    t = teacher_logits[:, :-1].detach()
    y = labels[:, 1:]
    mask = (y != -100).float()
    lm = F.cross_entropy(s.transpose(1, 2), y, reduction="none", ignore_index=-100)
    kd = F.kl_div(s.log_softmax(-1), t.softmax(-1), reduction="none").sum(-1) * mask
    return lm.mean() + lam * kd.mean()


# %% task="answer_loss" right="no" mistake="everything is computed under no_grad to spare the teacher, so no gradient reaches the student either" named="no_gradient_at_all"
@torch.no_grad()
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]
    use = y != -100
    s, t = student_logits[:, :-1][use], teacher_logits[:, :-1][use]
    lm = F.cross_entropy(s, y[use])
    log_q, log_p = F.log_softmax(s, -1), F.log_softmax(t, -1)
    return lm + lam * (log_p.exp() * (log_p - log_q)).sum(-1).mean()


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
def accuracy(model, questions, most):
    good = 0
    for prompt, answer in questions:
        ids = prompt.clone()
        wrote = []
        for _ in range(most):
            nxt = model(ids)[-1].argmax()
            if nxt == END:
                break
            wrote.append(int(nxt))
            ids = torch.cat([ids, nxt.view(1)])
        good += decode(wrote).strip() == decode(answer).strip()
    return good / len(questions)


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


# %% task="accuracy" right="no" mistake="tokens are compared instead of texts: the same text in other tokens, or with a space in front, is called wrong" named="tokens_compared"
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt
        out = []
        for _ in range(most):
            t = model(ids)[-1].argmax().item()
            if t == END:
                break
            out.append(t)
            ids = torch.cat([ids, torch.tensor([t])])
        if out == answer.tolist():
            right += 1
    return right / len(questions)


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


# %% task="accuracy" right="no" mistake="an answer counts as right if it merely contains the right text" named="part_of_it_is_enough"
def accuracy(model, questions, most):
    score = []
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            ids = torch.cat([ids, model(ids)[-1].argmax(-1, keepdim=True)])
            if ids[-1] == END:
                break
        written = decode(ids[len(prompt):])
        score.append(1.0 if decode(answer).strip() in written else 0.0)
    return sum(score) / len(score)


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


# %% task="accuracy" right="no" mistake="all spaces and line breaks are removed, those in the middle too" named="all_spaces_dropped"
def accuracy(model, questions, most):
    squash = lambda ids: "".join(decode(ids).split())
    ok = 0
    for prompt, answer in questions:
        seq, out = prompt, []
        for _ in range(most):
            k = model(seq)[-1].argmax()
            if int(k) == END:
                break
            out.append(int(k))
            seq = torch.hstack([seq, k])
        ok += squash(out) == squash(answer)
    return ok / len(questions)


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


# %% task="accuracy" right="no" mistake="only as many tokens as the right answer has are written and compared, so what the model adds after them is never seen" named="answer_at_hand"
def accuracy(model, questions, most):
    c = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(min(most, len(answer))):
            ids = torch.cat((ids, model(ids)[-1].argmax().reshape(1)))
        new = ids[len(prompt):].tolist()
        if END in new:
            new = new[:new.index(END)]
        c += decode(new).strip() == decode(answer).strip()
    return c / len(questions)


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


# %% task="accuracy" right="no" mistake="without an end token list.index raises, because the case that the model never ends is forgotten" named="observed_where,text_without_an_end"
def accuracy(model, questions, most):
    total = 0
    for prompt, answer in questions:
        ids = prompt
        for step in range(most):
            ids = torch.cat([ids, model(ids)[-1].argmax()[None]])
        out = ids[len(prompt):].tolist()
        out = out[: out.index(END)]
        total += decode(out).strip() == decode(answer).strip()
    return total / len(questions)


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
def on_policy_step(student, teacher, prompts, write, optimizer):
    kls = []
    for prompt in prompts:
        with torch.no_grad():
            text = write(student, prompt).tolist()
        if END in text:
            text = text[:text.index(END) + 1]
        n = len(prompt)
        ids = torch.cat([prompt, torch.tensor(text, dtype=prompt.dtype)])
        log_q = student(ids)[n - 1:-1].log_softmax(-1)
        with torch.no_grad():
            log_p = teacher(ids)[n - 1:-1].log_softmax(-1)
        kls.append((log_q.exp() * (log_q - log_p)).sum(-1))
    loss = torch.cat(kls).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


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


# %% task="on_policy_step" right="yes" mistake=""
from torch.distributions import Categorical, kl_divergence

def on_policy_step(student, teacher, prompts, write, optimizer):
    with torch.no_grad():
        texts = [write(student, p) for p in prompts]
    texts = [t[: (t == END).int().argmax() + 1] if (t == END).any() else t for t in texts]
    longest = max(len(p) + len(t) for p, t in zip(prompts, texts))
    ids = torch.zeros(len(prompts), longest, dtype=torch.long)
    mask = torch.zeros(len(prompts), longest, dtype=torch.bool)
    for k, (p, t) in enumerate(zip(prompts, texts)):
        a, b = len(p), len(p) + len(t)
        ids[k, :a], ids[k, a:b] = p, t
        mask[k, a - 1:b - 1] = True   # where these tokens are predicted
    q = Categorical(logits=student(ids)[mask])
    with torch.no_grad():
        p = Categorical(logits=teacher(ids)[mask])
    loss = kl_divergence(q, p).mean()
    student.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


# %% task="on_policy_step" right="no" mistake="forward KL(p||q) instead of the reverse" named="direction_swapped"
def on_policy_step(student, teacher, prompts, write, optimizer):
    total, count = 0, 0
    for prompt in prompts:
        with torch.no_grad():
            out = write(student, prompt)
        pos = (out == END).nonzero()
        if len(pos):
            out = out[:pos[0, 0] + 1]
        ids = torch.cat([prompt, out])
        n = len(out)
        log_q = F.log_softmax(student(ids)[-n - 1:-1], -1)
        with torch.no_grad():
            log_p = F.log_softmax(teacher(ids)[-n - 1:-1], -1)
        total = total + F.kl_div(log_q, log_p, log_target=True, reduction="sum")
        count += n
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


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


# %% task="on_policy_step" right="no" mistake="nothing is cut: what comes after the first END counts too" named="text_after_the_end_counted"
def on_policy_step(student, teacher, prompts, write, optimizer):
    optimizer.zero_grad()
    s, n = 0.0, 0
    for prompt in prompts:
        completion = write(student, prompt)
        ids = torch.cat([prompt, completion])
        lq = student(ids).log_softmax(-1)[len(prompt) - 1:-1]
        with torch.no_grad():
            lp = teacher(ids).log_softmax(-1)[len(prompt) - 1:-1]
        s = s + (lq.exp() * (lq - lp)).sum()
        n += completion.numel()
    loss = s / n
    loss.backward()
    optimizer.step()
    return float(loss)


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


# %% task="on_policy_step" right="no" mistake="a mean per text and then over the texts, so that tokens of short texts weigh more" named="mean_of_means"
def on_policy_step(student, teacher, prompts, write, optimizer):
    loss = torch.tensor(0.0)
    for prompt in prompts:
        with torch.no_grad():
            y = write(student, prompt)
        if (y == END).any():
            y = y[: torch.nonzero(y == END)[0].item() + 1]
        x = torch.cat([prompt, y])
        lo = len(prompt) - 1
        log_q = torch.log_softmax(student(x)[lo:-1], dim=-1)
        with torch.no_grad():
            log_p = torch.log_softmax(teacher(x)[lo:-1], dim=-1)
        loss = loss + (log_q.exp() * (log_q - log_p)).sum(dim=-1).mean()
    loss = loss / len(prompts)
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


# %% task="on_policy_step" right="no" mistake="the logits are taken one place too late: those read at a token are compared there instead of those that predict it" named="not_shifted"
def on_policy_step(student, teacher, prompts, write, optimizer):
    qs, ps = [], []
    for prompt in prompts:
        text = write(student, prompt)
        for k, tok in enumerate(text.tolist()):
            if tok == END:
                text = text[: k + 1]
                break
        ids = torch.cat([prompt, text])
        qs.append(student(ids)[len(prompt):])
        with torch.no_grad():
            ps.append(teacher(ids)[len(prompt):])
    log_q = F.log_softmax(torch.cat(qs), -1)
    log_p = F.log_softmax(torch.cat(ps), -1)
    loss = F.kl_div(log_p, log_q, reduction="batchmean", log_target=True)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


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


# %% task="on_policy_step" right="no" mistake="only the drawn token is compared, log q - log p at it, instead of the sum over the whole vocabulary" named="sampled_token_alone"
def on_policy_step(student, teacher, prompts, write, optimizer):
    diffs = []
    for prompt in prompts:
        with torch.no_grad():
            y = write(student, prompt)
        e = (y == END).nonzero()
        y = y[: e[0, 0] + 1] if len(e) else y
        ids = torch.cat([prompt, y])
        lq = student(ids)[len(prompt) - 1:-1].log_softmax(-1).gather(1, y[:, None])
        with torch.no_grad():
            lp = teacher(ids)[len(prompt) - 1:-1].log_softmax(-1).gather(1, y[:, None])
        diffs.append(lq - lp)
    loss = torch.cat(diffs).mean()
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


# %% task="on_policy_step" right="no" mistake="the teacher writes instead of the student" named="teacher_writes"
def on_policy_step(student, teacher, prompts, write, optimizer):
    batch = []
    for prompt in prompts:
        with torch.no_grad():
            y = write(teacher, prompt)
        y = y.tolist()
        y = y[: y.index(END) + 1] if END in y else y
        batch.append((prompt, torch.tensor(y, dtype=torch.long)))
    terms = []
    for prompt, y in batch:
        ids = torch.cat([prompt, y])
        q = student(ids)[len(prompt) - 1:-1].log_softmax(-1)
        p = teacher(ids)[len(prompt) - 1:-1].log_softmax(-1).detach()
        terms.append((q.exp() * (q - p)).sum(-1))
    loss = torch.cat(terms).mean()
    optimizer.zero_grad()
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


# %% task="on_policy_step" right="accident" mistake="the return line is indented differently from the rest of the body: an IndentationError"
def on_policy_step(student, teacher, prompts, write, optimizer):
    kl = []
    for prompt in prompts:
        with torch.no_grad():
            y = write(student, prompt).tolist()
            y = y[:y.index(END) + 1] if END in y else y
            ids = torch.cat([prompt, torch.tensor(y)])
            p = teacher(ids)[len(prompt) - 1:-1].log_softmax(-1)
        q = student(ids)[len(prompt) - 1:-1].log_softmax(-1)
        kl.append((q.exp() * (q - p)).sum(-1))
    loss = torch.cat(kl).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
  return loss.item()


# %% task="where_the_teacher_counts" right="yes" mistake=""
where_the_teacher_counts = "c"


# %% task="where_the_teacher_counts" right="no" mistake="believes that the gradient on questions is 0 because the student is never asked to write them" named="chose_b"
where_the_teacher_counts = 'b'


# %% task="signs" right="yes" mistake=""
signs = {"prompt": "d", "end": "a", "padding": "e", "side": "b"}


# %% task="signs" right="no" mistake="padding and side are swapped: the bad answers beside a long question are given to the labels of padding" named="wrong_padding_b_side_e"
signs = dict(prompt="d", end="a", padding="b", side="e")


# %% task="signs" right="no" mistake="the constant loss is taken for the sign of padding with labels, and the one of unequal examples for the prompt" named="wrong_prompt_e_padding_c"
signs = {}
signs["prompt"] = "e"
signs["end"] = "a"
signs["padding"] = "c"
signs["side"] = "b"


# %% task="accuracy" right="yes" mistake=""
class Examiner:
    def __init__(self, model, most):
        self.model, self.most = model, most

    def reply(self, prompt):
        ids = prompt.tolist()
        for _ in range(self.most):
            logits = self.model(torch.tensor(ids))
            ids.append(max(range(logits.shape[-1]), key=lambda v: float(logits[-1, v])))
        new = ids[len(prompt):]
        cut = new.index(END) if END in new else None
        return decode(new[:cut]).strip()

    def passes(self, question):
        prompt, answer = question
        return self.reply(prompt) == decode(answer).strip()

def accuracy(model, questions, most):
    e = Examiner(model, most)
    return sum(map(e.passes, questions)) / len(questions)


# %% task="accuracy" right="no" mistake="the text is cut at the first line break as well, although a line break may stand within an answer" named="over_at_a_line_break"
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids, out = prompt, []
        for _ in range(most):
            t = model(ids)[-1].argmax()
            if t.item() in (END, LINE):
                break
            out.append(t.item())
            ids = torch.cat([ids, t.unsqueeze(0)])
        right += decode(out).strip() == decode(answer).strip()
    return right / len(questions)


# %% task="answer_loss" right="no" mistake="flattened before the shift, so the last logits of a row are held against the first token of the next row, and the label 0 is taken for padding" named="token_zero_not_counted"
def answer_loss(student_logits, teacher_logits, labels, lam):
    V = student_logits.shape[-1]
    s = student_logits.reshape(-1, V)[:-1]
    t = teacher_logits.reshape(-1, V)[:-1].detach()
    y = labels.reshape(-1)[1:]
    ok = y > 0
    lm = F.cross_entropy(s[ok], y[ok])
    kd = F.kl_div(s[ok].log_softmax(-1), t[ok].softmax(-1), reduction="batchmean")
    return lm + lam * kd


# %% task="encode" right="no" mistake="an answer with empty content gets no label for its end token either" named="observed_where,empty_message_left_out"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        ids += [START, ROLES[m["role"]], LINE] + m["content"] + [END, LINE]
        if m["role"] == "assistant" and m["content"]:
            labels += [-100] * 3 + m["content"] + [END] + [-100]
        else:
            labels += [-100] * (len(m["content"]) + 5)
    return ids, labels


# %% task="collate" right="no" mistake="the mask is found from the run of pad_id at the end of the padded row, so a row that ends with END loses its own last token when pad_id is END" named="own_end_taken_for_padding"
def collate(rows, pad_id, side="right"):
    L = max(len(ids) for ids, _ in rows)
    out_ids, out_labels, out_mask = [], [], []
    for ids, labels in rows:
        gap = L - len(ids)
        i = F.pad(ids, (gap, 0) if side == "left" else (0, gap), value=pad_id)
        l = F.pad(labels, (gap, 0) if side == "left" else (0, gap), value=-100)
        m = torch.ones_like(i)
        order = range(L) if side == "left" else range(L - 1, -1, -1)
        for k in order:
            if i[k] != pad_id:
                break
            m[k] = 0
        out_ids.append(i); out_labels.append(l); out_mask.append(m)
    return {"input_ids": torch.stack(out_ids), "labels": torch.stack(out_labels), "attention_mask": torch.stack(out_mask)}


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


# %% task="accuracy" right="no" mistake="the prompt does not grow: each next token is predicted from the prompt alone, so the first word is repeated" named="prompt_does_not_grow"
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        out = []
        for _ in range(most):
            token = int(model(prompt)[-1].argmax())
            if token == END:
                break
            out.append(token)
        right += decode(out).strip() == decode(answer).strip()
    return right / len(questions)


# %% task="on_policy_step" right="no" mistake="the gradient is clipped to norm 1 before the step, which nobody asked for" named="gradient_clipped"
def on_policy_step(student, teacher, prompts, write, optimizer):
    num, den = 0.0, 0
    for prompt in prompts:
        with torch.no_grad():
            y = write(student, prompt)
            e = (y == END).nonzero().flatten()
            if e.numel():
                y = y[: int(e[0]) + 1]
            ids = torch.cat([prompt, y])
            lp = teacher(ids).log_softmax(-1)[len(prompt) - 1:-1]
        lq = student(ids).log_softmax(-1)[len(prompt) - 1:-1]
        num = num + (lq.exp() * (lq - lp)).sum()
        den += len(y)
    loss = num / den
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
    optimizer.step()
    return loss.item()


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


# ---------------------------------------------------------------- another class


# %% task="encode" right="yes" mistake=""
def encode(messages):
    ids, labels = [], []
    for m in messages:
        header = [START, ROLES[m["role"]], LINE]
        body = list(m["content"]) + [END]
        ids += header + body + [LINE]
        mine = body if m["role"] == "assistant" else [-100] * len(body)
        labels += [-100] * 3 + mine + [-100]
    return ids, labels


# %% task="encode" right="yes" mistake=""
def encode(messages):
    def pieces():
        for m in messages:
            wrote = m["role"] == "assistant"
            yield START, False
            yield WORDS.index(m["role"]), False
            yield LINE, False
            for token in m["content"]:
                yield token, wrote
            yield END, wrote
            yield LINE, False

    pairs = torch.tensor([[t, t if w else -100] for t, w in pieces()])
    return pairs[:, 0], pairs[:, 1]


# %% task="encode" right="yes" mistake=""
from dataclasses import dataclass, field


@dataclass
class Text:
    ids: list = field(default_factory=list)
    labels: list = field(default_factory=list)

    def add(self, tokens, counts=False):
        self.ids.extend(tokens)
        self.labels.extend(tokens if counts else [-100] * len(tokens))


def encode(messages):
    text = Text()
    for message in messages:
        text.add([START, ROLES[message["role"]], LINE])
        text.add([*message["content"], END], counts=message["role"] == "assistant")
        text.add([LINE])
    return text.ids, text.labels


# %% task="encode" right="yes" mistake=""
def encode(messages):
    # recursion over the list
    first, *rest = messages
    n = len(first["content"])
    ids = [START, ROLES[first["role"]], LINE] + first["content"] + [END, LINE]
    keep = [first["role"] == "assistant" and 3 <= i < 3 + n + 1 for i in range(n + 5)]
    labels = [t if k else -100 for t, k in zip(ids, keep)]
    if not rest:
        return ids, labels
    more_ids, more_labels = encode(rest)
    return ids + more_ids, labels + more_labels


# %% task="encode" right="no" mistake="The line break after the assistant's <|end|> has a label, although the program writes it" named="line_after_the_end_counted"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        head = [START, ROLES[m["role"]], LINE]
        tail = m["content"] + [END, LINE]
        ids += head + tail
        labels += [-100] * len(head)
        labels += tail if m["role"] == "assistant" else [-100] * len(tail)
    return ids, labels


# %% task="encode" right="no" mistake="The assistant's <|end|> has no label" named="end_masked"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        c = m["content"]
        ids.extend([START, ROLES[m["role"]], LINE, *c, END, LINE])
        labels.extend([-100, -100, -100, *(c if m["role"] == "assistant" else [-100] * len(c)), -100, -100])
    return ids, labels


# %% task="encode" right="no" mistake="Only the last message's answer has labels, earlier answers are masked" named="only_one_turn"
def encode(messages):
    ids, labels = [], []
    for k, m in enumerate(messages):
        body = m["content"] + [END]
        ids += [START, ROLES[m["role"]], LINE] + body + [LINE]
        learn = m["role"] == "assistant" and k == len(messages) - 1
        labels += [-100] * 3 + (body if learn else [-100] * len(body)) + [-100]
    return ids, labels


# %% task="encode" right="no" mistake="Where the last message is a question, the assistant's header is put behind it" named="another_form,header_at_the_end"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        body = m["content"] + [END]
        ids += [START, ROLES[m["role"]], LINE] + body + [LINE]
        labels += [-100] * 3 + (body if m["role"] == "assistant" else [-100] * len(body)) + [-100]
    if messages[-1]["role"] != "assistant":      # generation prompt
        ids += [START, ROLES["assistant"], LINE]
        labels += [-100] * 3
    return ids, labels


# %% task="encode" right="no" mistake="Messages with an empty content are left out" named="another_form,empty_message_left_out"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        if not m["content"]:
            continue
        body = m["content"] + [END]
        ids += [START, ROLES[m["role"]], LINE, *body, LINE]
        labels += [-100, -100, -100] + [t if m["role"] == "assistant" else -100 for t in body] + [-100]
    return ids, labels


# %% task="encode" right="no" mistake="The <|end|> is appended to the content of the message that was given, so a second call has it twice" named="asked_again"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        body = m["content"]
        body.append(END)
        ids += [START, ROLES[m["role"]], LINE] + body + [LINE]
        labels += [-100] * 3 + (body if m["role"] == "assistant" else [-100] * len(body)) + [-100]
    return ids, labels


# %% task="encode" right="no" mistake="Labels are shifted by one already" named="labels_shifted"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        body = m["content"] + [END]
        ids += [START, ROLES[m["role"]], LINE] + body + [LINE]
        labels += [-100] * 3 + (body if m["role"] == "assistant" else [-100] * len(body)) + [-100]
    return ids, labels[1:] + [-100]


# %% task="encode" right="no" mistake="Everything from the first answer's header to the end of the text is labelled, later questions included" named="all_from_an_answer_on"
def encode(messages):
    ids = []
    start = None
    for m in messages:
        ids += [START, ROLES[m["role"]], LINE]
        if m["role"] == "assistant" and start is None:
            start = len(ids)
        ids += m["content"] + [END, LINE]
    if start is None:
        start = len(ids)
    labels = [-100] * start + ids[start:]
    return ids, labels


# %% task="encode" right="no" mistake="A label is kept wherever the token occurs in some answer: tokens of questions that the assistant uses too get labels" named="found_by_their_numbers"
def encode(messages):
    ids, said = [], {END}
    for m in messages:
        ids += [START, ROLES[m["role"]], LINE] + m["content"] + [END, LINE]
        if m["role"] == "assistant":
            said.update(m["content"])
    labels = [t if t in said else -100 for t in ids]
    return ids, labels


# %% task="encode" right="no" mistake="Two mistakes: the header's role has a label, and the line break at the end of each message is missing" named="another_form"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        block = [START, ROLES[m["role"]], LINE] + m["content"] + [END]
        ids += block
        labels += block if m["role"] == "assistant" else [-100] * len(block)
    return ids, labels


# %% task="encode" right="no" mistake="Joins the messages with a line break between them, so the one after the last is missing" named="another_form,line_after_the_end_missing"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        if ids:
            ids.append(LINE)
            labels.append(-100)
        ids += [START, ROLES[m["role"]], LINE]
        labels += [-100] * 3
        for t in m["content"] + [END]:
            ids.append(t)
            labels.append(t if m["role"] == "assistant" else -100)
    return ids, labels


# %% task="encode" right="no" mistake="`token and role` idiom: the word with number 0 in an answer is falsy and gets -100" named="token_zero_masked"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        body = m["content"] + [END]
        ids += [START, ROLES[m["role"]], LINE] + body + [LINE]
        labels += [-100] * 3 + [(m["role"] == "assistant" and t) or -100 for t in body] + [-100]
    return ids, labels


# %% task="encode" right="accident" mistake="Function defined under a misspelt name"
def enocde(messages):
    ids, labels = [], []
    for m in messages:
        body = m["content"] + [END]
        ids += [START, ROLES[m["role"]], LINE] + body + [LINE]
        labels += [-100] * 3 + (body if m["role"] == "assistant" else [-100] * len(body)) + [-100]
    return ids, labels


# %% task="collate" right="yes" mistake=""
def collate(rows, pad_id, side="right"):
    L = max(len(ids) for ids, _ in rows)
    out = {"input_ids": [], "labels": [], "attention_mask": []}
    for ids, labels in rows:
        n = L - len(ids)
        where = (n, 0) if side == "left" else (0, n)
        out["input_ids"].append(F.pad(ids, where, value=pad_id))
        out["labels"].append(F.pad(labels, where, value=-100))
        out["attention_mask"].append(F.pad(torch.ones_like(ids), where))
    return {k: torch.stack(v) for k, v in out.items()}


# %% task="collate" right="yes" mistake=""
import numpy as np


def collate(rows, pad_id, side="right"):
    B, L = len(rows), max(ids.numel() for ids, _ in rows)
    x = np.full((B, L), pad_id, dtype=np.int64)
    y = np.full((B, L), -100, dtype=np.int16)
    m = np.zeros((B, L), dtype=np.uint8)
    for b, (ids, labels) in enumerate(rows):
        at = slice(0, len(ids)) if side == "right" else slice(L - len(ids), L)
        x[b, at], y[b, at], m[b, at] = ids.numpy(), labels.numpy(), 1
    return dict(input_ids=torch.from_numpy(x), labels=torch.from_numpy(y), attention_mask=torch.from_numpy(m))


# %% task="collate" right="yes" mistake=""
def collate(rows, pad_id, side="right"):
    lengths = torch.tensor([len(ids) for ids, _ in rows])
    L = int(lengths.max())
    grid = torch.arange(L).expand(len(rows), L)
    mask = grid >= (L - lengths)[:, None] if side == "left" else grid < lengths[:, None]
    input_ids = torch.full(mask.shape, pad_id).masked_scatter(mask, torch.cat([r[0] for r in rows]).long())
    labels = torch.full(mask.shape, -100).masked_scatter(mask, torch.cat([r[1] for r in rows]).long())
    return {"input_ids": input_ids, "labels": labels, "attention_mask": mask.to(torch.int8)}


# %% task="collate" right="yes" mistake=""
from torch.nn.utils.rnn import pad_sequence


def collate(rows, pad_id, side="right"):
    flip = (lambda t: t.flip(-1)) if side == "left" else (lambda t: t)

    def pad(tensors, value):
        return flip(pad_sequence([flip(t) for t in tensors], batch_first=True, padding_value=value))

    return {
        "input_ids": pad([i for i, _ in rows], pad_id),
        "labels": pad([l for _, l in rows], -100),
        "attention_mask": pad([torch.ones(len(i), dtype=torch.long) for i, _ in rows], 0),
    }


# %% task="collate" right="no" mistake="The attention mask is found by comparing with pad_id, so a row's own end of text is masked too" named="mask_made_of_numbers"
def collate(rows, pad_id, side="right"):
    L = max(len(i) for i, _ in rows)
    pads = [(L - len(i), 0) if side == "left" else (0, L - len(i)) for i, _ in rows]
    ids = torch.stack([F.pad(i, p, value=pad_id) for (i, _), p in zip(rows, pads)])
    labels = torch.stack([F.pad(l, p, value=-100) for (_, l), p in zip(rows, pads)])
    return {"input_ids": ids, "labels": labels, "attention_mask": (ids != pad_id).long()}


# %% task="collate" right="no" mistake="Labels equal to pad_id are set to -100 afterwards, so the student never learns to stop where pad_id is END" named="end_masked_with_the_padding"
def collate(rows, pad_id, side="right"):
    L = max(len(i) for i, _ in rows)
    B = len(rows)
    out = {
        "input_ids": torch.full((B, L), pad_id),
        "labels": torch.full((B, L), pad_id),
        "attention_mask": torch.zeros(B, L, dtype=torch.long),
    }
    for b, (i, l) in enumerate(rows):
        s = slice(L - len(i), None) if side == "left" else slice(len(i))
        out["input_ids"][b, s] = i
        out["labels"][b, s] = l
        out["attention_mask"][b, s] = 1
    out["labels"][out["labels"] == pad_id] = -100
    return out


# %% task="collate" right="no" mistake="Only the ids are padded on the left, labels and mask stay padded on the right" named="parts_on_different_sides"
def collate(rows, pad_id, side="right"):
    L = max(len(i) for i, _ in rows)
    ids, labels, mask = [], [], []
    for i, l in rows:
        fill = torch.full((L - len(i),), pad_id, dtype=i.dtype)
        ids.append(torch.cat([fill, i] if side == "left" else [i, fill]))
        labels.append(F.pad(l, (0, L - len(l)), value=-100))
        mask.append(torch.tensor([1] * len(i) + [0] * (L - len(i))))
    return {"input_ids": torch.stack(ids), "labels": torch.stack(labels), "attention_mask": torch.stack(mask)}


# %% task="collate" right="no" mistake="On the right side rows without padding are skipped (the slice up to -0 was avoided with elif n), so the longest row is nothing but padding" named="longest_row_lost"
def collate(rows, pad_id, side="right"):
    L = max(len(i) for i, _ in rows)
    B = len(rows)
    x = torch.full((B, L), pad_id)
    y = torch.full((B, L), -100)
    m = torch.zeros((B, L), dtype=torch.long)
    for b, (i, l) in enumerate(rows):
        n = L - len(i)
        if side == "left":
            x[b, n:], y[b, n:], m[b, n:] = i, l, 1
        elif n:
            x[b, :-n], y[b, :-n], m[b, :-n] = i, l, 1
    return {"input_ids": x, "labels": y, "attention_mask": m}


# %% task="collate" right="no" mistake="The attention mask is True and False" named="another_form"
def collate(rows, pad_id, side="right"):
    B, L = len(rows), max(len(i) for i, _ in rows)
    x = torch.full((B, L), pad_id, dtype=torch.long)
    y = torch.full((B, L), -100, dtype=torch.long)
    m = torch.zeros((B, L), dtype=torch.bool)
    for b, (i, l) in enumerate(rows):
        s = slice(L - len(i), L) if side == "left" else slice(0, len(i))
        x[b, s] = i
        y[b, s] = l
        m[b, s] = True
    return {"input_ids": x, "labels": y, "attention_mask": m}


# %% task="collate" right="yes" mistake=""
def collate(rows, pad_id, side="right"):
    B, L = len(rows), max(len(i) for i, _ in rows)
    x = torch.full((B, L), pad_id)
    y = torch.full((B, L), -100)
    m = torch.zeros(B, L)
    for b, (i, l) in enumerate(rows):
        s = slice(L - len(i), L) if side == "left" else slice(0, len(i))
        x[b, s], y[b, s], m[b, s] = i, l, 1
    return {"input_ids": x, "labels": y, "attention_mask": m}


# %% task="collate" right="no" mistake="L is rounded up to a multiple of 8, as for tensor cores" named="another_form"
def collate(rows, pad_id, side="right", pad_to_multiple_of=8):
    L = max(len(i) for i, _ in rows)
    L = -(-L // pad_to_multiple_of) * pad_to_multiple_of
    res = {"input_ids": [], "labels": [], "attention_mask": []}
    for i, l in rows:
        p = (L - len(i), 0) if side == "left" else (0, L - len(i))
        res["input_ids"].append(F.pad(i, p, value=pad_id))
        res["labels"].append(F.pad(l, p, value=-100))
        res["attention_mask"].append(F.pad(torch.ones_like(i), p, value=0))
    return {k: torch.stack(v) for k, v in res.items()}


# %% task="collate" right="no" mistake="The attention mask is taken from the labels: 1 only where a label is, prompts are hidden from the model" named="mask_made_of_labels"
def collate(rows, pad_id, side="right"):
    L = max(len(i) for i, _ in rows)
    def pad(t, v):
        n = L - len(t)
        return F.pad(t, (n, 0) if side == "left" else (0, n), value=v)
    ids = torch.stack([pad(i, pad_id) for i, _ in rows])
    labels = torch.stack([pad(l, -100) for _, l in rows])
    return {"input_ids": ids, "labels": labels, "attention_mask": (labels != -100).int()}


# %% task="collate" right="no" mistake="For the left side the padded rows are flipped as a whole, so the tokens stand in reverse order" named="rows_read_backwards"
from torch.nn.utils.rnn import pad_sequence


def collate(rows, pad_id, side="right"):
    ids, labels = zip(*rows)
    batch = {
        "input_ids": pad_sequence(ids, batch_first=True, padding_value=pad_id),
        "labels": pad_sequence(labels, batch_first=True, padding_value=-100),
        "attention_mask": pad_sequence([torch.ones_like(i) for i in ids], batch_first=True),
    }
    if side == "left":
        batch = {k: v.flip(1) for k, v in batch.items()}
    return batch


# %% task="collate" right="no" mistake="The rows are sorted by length first, so the batch has another order" named="rows_in_another_order"
def collate(rows, pad_id, side="right"):
    rows = sorted(rows, key=lambda r: len(r[0]), reverse=True)
    L = len(rows[0][0])
    x, y, m = [], [], []
    for ids, labels in rows:
        p = (L - len(ids), 0) if side == "left" else (0, L - len(ids))
        x.append(F.pad(ids, p, value=pad_id))
        y.append(F.pad(labels, p, value=-100))
        m.append(F.pad(torch.ones_like(ids), p))
    return {"input_ids": torch.stack(x), "labels": torch.stack(y), "attention_mask": torch.stack(m)}


# %% task="collate" right="no" mistake="The first row is extended to L and pad_sequence does the rest, but batch_first is forgotten: [L, B]" named="another_form"
from torch.nn.utils.rnn import pad_sequence


def collate(rows, pad_id, side="right"):
    return {
        "input_ids": pad_sequence([r[0] for r in rows], padding_value=pad_id, padding_side=side),
        "labels": pad_sequence([r[1] for r in rows], padding_value=-100, padding_side=side),
        "attention_mask": pad_sequence([torch.ones_like(r[0]) for r in rows], padding_value=0, padding_side=side),
    }


# %% task="collate" right="no" mistake="Two mistakes: the mask is 1 where padding stands and 0 elsewhere, and labels are padded with pad_id" named="mask_turned_round,padding_counted"
def collate(rows, pad_id, side="right"):
    L = max(len(i) for i, _ in rows)
    x, y, m = [], [], []
    for ids, labels in rows:
        p = (L - len(ids), 0) if side == "left" else (0, L - len(ids))
        x.append(F.pad(ids, p, value=pad_id))
        y.append(F.pad(labels, p, value=pad_id))
        m.append(F.pad(torch.zeros_like(ids), p, value=1))
    return {"input_ids": torch.stack(x), "labels": torch.stack(y), "attention_mask": torch.stack(m)}


# %% task="answer_loss" right="yes" mistake=""
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]
    counts = y != -100
    s = student_logits[:, :-1][counts].log_softmax(-1)
    t = teacher_logits[:, :-1][counts].detach().log_softmax(-1)
    lm = F.nll_loss(s, y[counts])
    kd = F.kl_div(s, t, reduction="batchmean", log_target=True)
    return lm + lam * kd


# %% task="answer_loss" right="yes" mistake=""
def answer_loss(student_logits, teacher_logits, labels, lam):
    B, L = labels.shape
    total, n = 0.0, 0
    for b in range(B):
        for i in range(1, L):
            y = int(labels[b, i])
            if y == -100:
                continue
            log_q = F.log_softmax(student_logits[b, i - 1], dim=0)
            log_p = F.log_softmax(teacher_logits[b, i - 1].data, dim=0)
            total = total - log_q[y] + lam * torch.sum(log_p.exp() * (log_p - log_q))
            n += 1
    return total / n


# %% task="answer_loss" right="yes" mistake=""
def answer_loss(student_logits, teacher_logits, labels, lam):
    # One cross-entropy with the mixed target: LM + lam * (H(p, q) - H(p))
    with torch.no_grad():
        log_p = torch.log_softmax(teacher_logits, -1)
        p = log_p.exp()
    nxt = torch.roll(labels, -1, dims=1).clone()
    nxt[:, -1] = -100
    w = (nxt >= 0).to(p.dtype)
    one_hot = F.one_hot(nxt.clamp(min=0), p.shape[-1]).to(p.dtype)
    log_q = torch.log_softmax(student_logits, -1)
    ce = -torch.einsum("blv,blv,bl->", one_hot + lam * p, log_q, w)
    negentropy = torch.einsum("blv,blv,bl->", p, log_p, w)
    return (ce + lam * negentropy) / w.sum()


# %% task="answer_loss" right="yes" mistake=""
def answer_loss(student_logits, teacher_logits, labels, lam):
    b, i = (labels != -100).nonzero(as_tuple=True)
    b, i = b[i > 0], i[i > 0]
    q = torch.distributions.Categorical(logits=student_logits[b, i - 1].double())
    p = torch.distributions.Categorical(logits=teacher_logits[b, i - 1].detach().double())
    per_token = -q.log_prob(labels[b, i]) + lam * torch.distributions.kl_divergence(p, q)
    return per_token.mean().float()


# %% task="answer_loss" right="no" mistake="The teacher's logits are not detached, gradients reach the teacher" named="gradient_into_the_teacher"
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:].reshape(-1)
    V = student_logits.shape[-1]
    s = student_logits[:, :-1].reshape(-1, V)
    t = teacher_logits[:, :-1].reshape(-1, V)
    m = y != -100
    lm = F.cross_entropy(s[m], y[m])
    kd = F.kl_div(F.log_softmax(s[m], -1), F.softmax(t[m], -1), reduction="batchmean")
    return lm + lam * kd


# %% task="answer_loss" right="no" mistake="No shift: logits at i are compared with the token at i" named="not_shifted"
def answer_loss(student_logits, teacher_logits, labels, lam):
    m = labels != -100
    lq = F.log_softmax(student_logits[m], -1)
    lp = F.log_softmax(teacher_logits[m].detach(), -1)
    return F.nll_loss(lq, labels[m]) + lam * F.kl_div(lq, lp, reduction="batchmean", log_target=True)


# %% task="answer_loss" right="no" mistake="Rolls the labels, so a label on a row's first token is scored with the last position's logits" named="rolled_round"
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels.roll(shifts=-1, dims=1)
    m = y != -100
    lq = F.log_softmax(student_logits[m], -1)
    lp = F.log_softmax(teacher_logits[m].detach(), -1)
    return F.nll_loss(lq, y[m]) + lam * F.kl_div(lq, lp, reduction="batchmean", log_target=True)


# %% task="answer_loss" right="no" mistake="Rows are averaged one by one, and rows without an answer skipped, so short answers weigh more" named="mean_of_row_means"
def answer_loss(student_logits, teacher_logits, labels, lam):
    losses = []
    for s, t, y in zip(student_logits[:, :-1], teacher_logits[:, :-1], labels[:, 1:]):
        m = y != -100
        if not m.any():
            continue
        lq, lp = s[m].log_softmax(-1), t[m].detach().log_softmax(-1)
        losses.append(F.nll_loss(lq, y[m]) + lam * F.kl_div(lq, lp, reduction="batchmean", log_target=True))
    return sum(losses) / len(losses)


# %% task="answer_loss" right="no" mistake="The teacher's term counts at all positions, only the labels are masked" named="kd_over_the_prompt"
def answer_loss(student_logits, teacher_logits, labels, lam):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1].detach(), labels[:, 1:]
    lm = F.cross_entropy(s.flatten(0, 1), y.flatten(), ignore_index=-100)
    kd = F.kl_div(s.log_softmax(-1).flatten(0, 1), t.log_softmax(-1).flatten(0, 1),
                  reduction="batchmean", log_target=True)
    return lm + lam * kd


# %% task="answer_loss" right="no" mistake="The answer is taken as one stretch from its first to its last label, so a second question between two answers goes into KD" named="everything_between"
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]
    has = y != -100
    span = (has.cumsum(1) > 0) & (has.flip(1).cumsum(1).flip(1) > 0)
    lq = student_logits[:, :-1].log_softmax(-1)
    lp = teacher_logits[:, :-1].detach().log_softmax(-1)
    lm = F.nll_loss(lq[has], y[has])
    kd = (lp.exp() * (lp - lq)).sum(-1)[span].mean()
    return lm + lam * kd


# %% task="answer_loss" right="no" mistake="The loss is returned as a Python float, so no gradient flows to the student" named="no_gradient_at_all"
def answer_loss(student_logits, teacher_logits, labels, lam):
    m = labels[:, 1:] != -100
    y = labels[:, 1:][m]
    lq = student_logits[:, :-1][m].log_softmax(-1)
    lp = teacher_logits[:, :-1][m].detach().log_softmax(-1)
    loss = F.nll_loss(lq, y) + lam * F.kl_div(lq, lp, reduction="batchmean", log_target=True)
    return loss.item()


# %% task="answer_loss" right="no" mistake="The arguments of the divergence are exchanged: KL(student to teacher)" named="direction_swapped"
def answer_loss(student_logits, teacher_logits, labels, lam):
    m = labels[:, 1:] != -100
    y = labels[:, 1:][m]
    lq = F.log_softmax(student_logits[:, :-1][m], -1)
    lp = F.log_softmax(teacher_logits[:, :-1][m].detach(), -1)
    return F.nll_loss(lq, y) + lam * (lq.exp() * (lq - lp)).sum(-1).mean()


# %% task="answer_loss" right="no" mistake="The number of tokens is counted before the shift, so a label on a first token makes N too large" named="first_label_in_the_divisor"
def answer_loss(student_logits, teacher_logits, labels, lam):
    N = (labels != -100).sum()
    y = labels[:, 1:]
    m = y != -100
    lq = F.log_softmax(student_logits[:, :-1], -1)
    lp = F.log_softmax(teacher_logits[:, :-1].detach(), -1)
    lm = F.nll_loss(lq[m], y[m], reduction="sum")
    kd = F.kl_div(lq[m], lp[m], reduction="sum", log_target=True)
    return (lm + lam * kd) / N


# %% task="answer_loss" right="no" mistake="The weights are 1 - lam and lam" named="lambda_as_alpha"
def answer_loss(student_logits, teacher_logits, labels, lam):
    m = labels[:, 1:] != -100
    lq = F.log_softmax(student_logits[:, :-1][m], -1)
    lp = F.log_softmax(teacher_logits[:, :-1][m].detach(), -1)
    lm = F.nll_loss(lq, labels[:, 1:][m])
    kd = F.kl_div(lq, lp, reduction="batchmean", log_target=True)
    return torch.lerp(lm, kd, lam)


# %% task="answer_loss" right="no" mistake="The logits are shifted for LM, but the KD term's mask is that of the unshifted labels" named="kd_not_shifted"
def answer_loss(student_logits, teacher_logits, labels, lam):
    V = student_logits.size(-1)
    lm = F.cross_entropy(student_logits[:, :-1].reshape(-1, V), labels[:, 1:].reshape(-1))
    mask = (labels != -100).unsqueeze(-1)
    lq = F.log_softmax(student_logits, -1)
    lp = F.log_softmax(teacher_logits.detach(), -1)
    kd = (F.kl_div(lq, lp, reduction="none", log_target=True) * mask).sum() / mask.sum()
    return lm + lam * kd


# %% task="answer_loss" right="no" mistake="The student's logits are detached in the KD term along with the teacher's, so KD pulls nowhere" named="student_detached_from_the_teacher"
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]
    m = y != -100
    s, t = student_logits[:, :-1][m], teacher_logits[:, :-1][m]
    lm = F.cross_entropy(s, y[m])
    with torch.no_grad():
        kd = F.kl_div(F.log_softmax(s, -1), F.log_softmax(t, -1), reduction="batchmean", log_target=True)
    return lm + lam * kd


# %% task="answer_loss" right="no" mistake="Two mistakes: the masked mean divides by the number of texts (batchmean on [B, L, V]), and token 0 is dropped with y > 0"
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]
    m = (y > 0).float().unsqueeze(-1)
    lq = F.log_softmax(student_logits[:, :-1], -1)
    lp = F.log_softmax(teacher_logits[:, :-1].detach(), -1)
    lm = F.nll_loss(lq.flatten(0, 1), y.flatten(), ignore_index=-100)
    kd = F.kl_div(lq * m, lp * m, reduction="batchmean", log_target=True)
    return lm + lam * kd


# %% task="answer_loss" right="accident" mistake="Colon after def is missing"
def answer_loss(student_logits, teacher_logits, labels, lam)
    m = labels[:, 1:] != -100
    lq = F.log_softmax(student_logits[:, :-1][m], -1)
    lp = F.log_softmax(teacher_logits[:, :-1][m].detach(), -1)
    return F.nll_loss(lq, labels[:, 1:][m]) + lam * F.kl_div(lq, lp, reduction="batchmean", log_target=True)


# %% task="accuracy" right="yes" mistake=""
@torch.no_grad()
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            ids = torch.cat([ids, model(ids)[-1].argmax().view(1)])
        said = ids[len(prompt):].tolist()
        if END in said:
            said = said[:said.index(END)]
        right += decode(said).strip() == decode(answer).strip()
    return right / len(questions)


# %% task="accuracy" right="yes" mistake=""
def accuracy(model, questions, most):
    def words(prompt):
        """The model's words, one by one, until it ends or has written `most`."""
        ids = prompt[None]
        for _ in range(most):
            token = model(ids)[0, -1].topk(1).indices.item()
            if token == END:
                return
            yield token
            ids = F.pad(ids, (0, 1), value=token)

    hits = [decode(list(words(p))).strip() == decode(a.tolist()).strip() for p, a in questions]
    return torch.tensor(hits).float().mean()


# %% task="accuracy" right="yes" mistake=""
import itertools
import statistics


def accuracy(model, questions, most):
    def go_on(ids, left):
        if left == 0:
            return []
        with torch.no_grad():
            logits = model(torch.tensor(ids))
        nxt = int(max(range(logits.shape[-1]), key=lambda v: logits[-1, v].item()))
        return [nxt] + go_on(ids + [nxt], left - 1)

    marks = []
    for prompt, answer in questions:
        written = itertools.takewhile(lambda t: t != END, go_on(prompt.tolist(), most))
        marks.append(float(decode(written).strip() == decode(answer).strip()))
    return statistics.fmean(marks)


# %% task="accuracy" right="no" mistake="Compares ids instead of text, so ' high', ' water' and ' high water' differ" named="tokens_compared"
@torch.no_grad()
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt.clone()
        for _ in range(most):
            ids = torch.cat([ids, model(ids)[-1].argmax(-1, keepdim=True)])
        out = ids[len(prompt):].tolist()
        if END in out:
            out = out[:out.index(END)]
        right += int(out == answer.tolist())
    return right / len(questions)


# %% task="accuracy" right="no" mistake="The answer is sought within what was written: extra words are forgiven" named="part_of_it_is_enough"
@torch.no_grad()
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt.clone()
        for _ in range(most):
            ids = torch.cat([ids, model(ids)[-1].argmax(-1, keepdim=True)])
        text = decode(ids[len(prompt):]).split("<|end|>")[0].strip()
        right += decode(answer).strip() in text
    return right / len(questions)


# %% task="accuracy" right="no" mistake="Upper and lower case are made equal, so Noon passes for noon" named="capitals_forgiven"
@torch.no_grad()
def accuracy(model, questions, most):
    norm = lambda s: s.strip().lower()
    n = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            ids = torch.cat((ids, model(ids)[-1:].argmax(-1)))
        n += norm(decode(ids[len(prompt):]).partition("<|end|>")[0]) == norm(decode(answer))
    return n / len(questions)


# %% task="accuracy" right="no" mistake="Writes as many tokens as the right answer has, so it neither sees whether the model stops nor lets it spell the answer in more tokens" named="answer_at_hand"
@torch.no_grad()
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(min(most, len(answer))):
            ids = torch.cat([ids, model(ids)[-1].argmax().unsqueeze(0)])
        text = decode(ids[len(prompt):]).split("<|end|>")[0]
        right += text.strip() == decode(answer).strip()
    return right / len(questions)


# %% task="accuracy" right="no" mistake="The first <|end|> is sought in the whole text, where the question's own comes first" named="nothing_is_right"
@torch.no_grad()
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt.tolist()
        for _ in range(most):
            ids.append(model(torch.tensor(ids))[-1].argmax().item())
        if END in ids:
            ids = ids[:ids.index(END)]
        text = decode(ids[len(prompt):])
        right += text.strip() == decode(answer).strip()
    return right / len(questions)


# %% task="accuracy" right="no" mistake="An answer that has not ended after `most` tokens is counted as wrong" named="one_token_too_few"
@torch.no_grad()
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids, ended, out = prompt, False, []
        for _ in range(most):
            t = model(ids)[-1].argmax()
            if t == END:
                ended = True
                break
            out.append(t)
            ids = torch.cat([ids, t[None]])
        if ended and decode(out).strip() == decode(answer).strip():
            right += 1
    return right / len(questions)


# %% task="accuracy" right="no" mistake="<|end|> is erased from the text instead of cutting it there, so words after it belong to the answer" named="text_goes_on_at_the_end"
@torch.no_grad()
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            ids = torch.cat([ids, model(ids)[-1].argmax().reshape(1)])
        text = decode(t for t in ids[len(prompt):] if t != END)
        right += text.strip() == decode(answer).strip()
    return right / len(questions)


# %% task="accuracy" right="no" mistake="The model is given only the last token each time, which is right for TinyModel alone and not for a module that reads the whole text" named="nothing_is_right"
@torch.no_grad()
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        token, out = prompt[-1:], []
        for _ in range(most):
            token = model(token)[-1].argmax().reshape(1)     # only the last token matters
            if token.item() == END:
                break
            out.append(token.item())
        right += decode(out).strip() == decode(answer).strip()
    return right / len(questions)


# %% task="accuracy" right="no" mistake="Only what the model wrote is stripped, the right answer keeps its leading space" named="spaces_compared"
@torch.no_grad()
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            ids = torch.cat([ids, model(ids)[-1].argmax().reshape(1)])
        text = decode(ids[len(prompt):]).split("<|end|>")[0].strip()
        if text == decode(answer):
            right += 1
    return right / len(questions)


# %% task="accuracy" right="no" mistake="All spaces and line breaks are taken out, also those inside the text" named="all_spaces_dropped"
@torch.no_grad()
def accuracy(model, questions, most):
    squash = lambda s: "".join(s.split())
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            ids = torch.cat([ids, model(ids)[-1].argmax().reshape(1)])
        text = decode(ids[len(prompt):]).split("<|end|>")[0]
        right += squash(text) == squash(decode(answer))
    return right / len(questions)


# %% task="accuracy" right="no" mistake="Teacher forcing: the model is shown the right answer and its guess at each place is compared" named="answer_at_hand"
@torch.no_grad()
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        full = torch.cat([prompt, answer])
        guess = model(full)[len(prompt) - 1:-1].argmax(-1)[:most]
        right += decode(guess).strip() == decode(answer).strip()
    return right / len(questions)


# %% task="accuracy" right="no" mistake="Cuts at a line break too, as only the first line of what was written is looked at" named="over_at_a_line_break"
@torch.no_grad()
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            ids = torch.cat([ids, model(ids)[-1].argmax().reshape(1)])
        text = decode(ids[len(prompt):]).split("<|end|>")[0].strip().split("\n")[0]
        right += text.strip() == decode(answer).strip()
    return right / len(questions)


# %% task="accuracy" right="no" mistake="One token too few is written (range(1, most))" named="one_token_too_few"
@torch.no_grad()
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(1, most):
            ids = torch.cat([ids, model(ids)[-1].argmax().reshape(1)])
        text = decode(ids[len(prompt):]).split("<|end|>")[0]
        right += text.strip() == decode(answer).strip()
    return right / len(questions)


# %% task="accuracy" right="no" mistake="The tokens are drawn from the distribution instead of taking the likeliest" named="observed_again"
@torch.no_grad()
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            probs = F.softmax(model(ids)[-1], dim=-1)
            ids = torch.cat([ids, torch.multinomial(probs, 1)])
        text = decode(ids[len(prompt):]).split("<|end|>")[0]
        right += text.strip() == decode(answer).strip()
    return right / len(questions)


# %% task="accuracy" right="no" mistake="The share is given in per cent" named="in_per_cent"
@torch.no_grad()
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            ids = torch.cat([ids, model(ids)[-1].argmax().reshape(1)])
        text = decode(ids[len(prompt):]).split("<|end|>")[0]
        right += text.strip() == decode(answer).strip()
    return 100.0 * right / len(questions)


# %% task="accuracy" right="accident" mistake="Prints the share instead of returning it"
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            ids = torch.cat([ids, model(ids)[-1].argmax().reshape(1)])
        text = decode(ids[len(prompt):]).split("<|end|>")[0]
        right += text.strip() == decode(answer).strip()
    print(right / len(questions))


# %% task="on_policy_step" right="yes" mistake=""
def on_policy_step(student, teacher, prompts, write, optimizer):
    parts = []
    for prompt in prompts:
        with torch.no_grad():
            text = write(student, prompt)
        ends = (text == END).nonzero()
        if len(ends):
            text = text[:int(ends[0]) + 1]
        full = torch.cat([prompt, text])
        where = slice(len(prompt) - 1, len(full) - 1)
        lq = F.log_softmax(student(full)[where], -1)
        with torch.no_grad():
            lp = F.log_softmax(teacher(full)[where], -1)
        parts.append((lq.exp() * (lq - lp)).sum(-1))
    loss = torch.cat(parts).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="yes" mistake=""
def on_policy_step(student, teacher, prompts, write, optimizer):
    def cut(tokens):
        out = []
        for t in tokens.tolist():
            out.append(t)
            if t == END:
                break
        return out

    written = [cut(write(student, p).detach()) for p in prompts]
    # a TinyModel looks at the last token alone: what predicts token k is token k - 1
    before = torch.tensor([t for p, w in zip(prompts, written) for t in [int(p[-1]), *w[:-1]]])
    q = torch.distributions.Categorical(logits=student(before).double())
    p = torch.distributions.Categorical(logits=teacher(before).detach().double())
    loss = torch.distributions.kl_divergence(q, p).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return float(loss)


# %% task="on_policy_step" right="yes" mistake=""
def on_policy_step(student, teacher, prompts, write, optimizer):
    """Gradients are summed text by text and divided once by N."""
    optimizer.zero_grad()
    texts = [write(student, prompt) for prompt in prompts]      # all before the update
    keeps = [int((((t == END).cumsum(0) - (t == END).long()) == 0).sum()) for t in texts]
    N = sum(keeps)
    loss = 0.0
    for prompt, text, k in zip(prompts, texts, keeps):
        ids = torch.cat([prompt, text[:k]])[:-1]
        log_q = student(ids)[-k:].log_softmax(-1)
        log_p = teacher(ids)[-k:].log_softmax(-1).detach()
        part = F.kl_div(log_p, log_q, reduction="sum", log_target=True) / N
        part.backward()
        loss += part.item()
    optimizer.step()
    return loss


# %% task="on_policy_step" right="no" mistake="gradients are never cleared, because there are none before the first step, and the function is called for one list of prompts after another" named="gradients_kept"
def on_policy_step(student, teacher, prompts, write, optimizer):
    # the student's parameters come without gradients, so there is nothing to clear
    rows, spans = [], []
    for prompt in prompts:
        text = write(student, prompt)
        n = next((i + 1 for i, t in enumerate(text) if t == END), len(text))
        rows.append(torch.cat([prompt, text[:n]]))
        spans.append((len(prompt) - 1, len(prompt) - 1 + n))
    batch = nn.utils.rnn.pad_sequence(rows, batch_first=True)
    where = torch.zeros(batch.shape, dtype=torch.bool)
    for row, (lo, hi) in zip(where, spans):
        row[lo:hi] = True
    z, target = student(batch)[where], teacher(batch)[where].detach()
    loss = (z.softmax(-1) * (z.log_softmax(-1) - target.log_softmax(-1))).sum() / where.sum()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="Forward KL: the arguments of kl_div are in the usual order" named="direction_swapped"
def on_policy_step(student, teacher, prompts, write, optimizer):
    total, n = 0.0, 0
    for prompt in prompts:
        with torch.no_grad():
            text = write(student, prompt)
        hit = (text == END).nonzero()
        text = text[:hit[0, 0] + 1] if len(hit) else text
        ids = torch.cat([prompt, text])
        s = student(ids)[len(prompt) - 1:-1]
        with torch.no_grad():
            t = teacher(ids)[len(prompt) - 1:-1]
        total = total + F.kl_div(s.log_softmax(-1), t.log_softmax(-1), reduction="sum", log_target=True)
        n += len(text)
    loss = total / n
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="list.index raises a ValueError where a text has no END" named="text_without_an_end"
def on_policy_step(student, teacher, prompts, write, optimizer):
    kls = []
    for prompt in prompts:
        text = write(student, prompt)
        text = text[: text.tolist().index(END) + 1]
        ids = torch.cat([prompt, text])
        lq = student(ids)[len(prompt) - 1:-1].log_softmax(-1)
        lp = teacher(ids)[len(prompt) - 1:-1].log_softmax(-1).detach()
        kls.append((lq.exp() * (lq - lp)).sum(-1))
    loss = torch.cat(kls).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="The first END is sought in prompt and text together, so the question's own cuts everything off" named="prompts_own_end"
def on_policy_step(student, teacher, prompts, write, optimizer):
    kls = []
    for prompt in prompts:
        ids = torch.cat([prompt, write(student, prompt)])
        end = (ids == END).nonzero()
        stop = int(end[0]) + 1 if len(end) else len(ids)
        stop = max(stop, len(prompt) + 1)
        ids = ids[:stop]
        lq = student(ids)[len(prompt) - 1:-1].log_softmax(-1)
        lp = teacher(ids)[len(prompt) - 1:-1].log_softmax(-1).detach()
        kls.append((lq.exp() * (lq - lp)).sum(-1))
    loss = torch.cat(kls).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="The END itself is cut off and not learnt" named="end_not_counted"
def on_policy_step(student, teacher, prompts, write, optimizer):
    sums, n = 0.0, 0
    for prompt in prompts:
        text = write(student, prompt)
        alive = (text == END).cumsum(0) == 0
        text = text[alive]
        if len(text) == 0:
            continue
        ids = torch.cat([prompt, text])
        lq = student(ids)[len(prompt) - 1:-1].log_softmax(-1)
        lp = teacher(ids)[len(prompt) - 1:-1].log_softmax(-1).detach()
        sums = sums + (lq.exp() * (lq - lp)).sum()
        n += len(text)
    loss = sums / n
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="Means per text are averaged, so tokens of short texts weigh more" named="mean_of_means"
def on_policy_step(student, teacher, prompts, write, optimizer):
    losses = []
    for prompt in prompts:
        text = write(student, prompt)
        ends = torch.where(text == END)[0]
        text = text if len(ends) == 0 else text[:ends[0] + 1]
        ids = torch.cat([prompt, text])
        lq = student(ids)[len(prompt) - 1:-1].log_softmax(-1)
        with torch.no_grad():
            lp = teacher(ids)[len(prompt) - 1:-1].log_softmax(-1)
        losses.append(F.kl_div(lp, lq, reduction="batchmean", log_target=True))
    loss = torch.stack(losses).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="One update per prompt in place of one for all together" named="a_step_for_each_prompt"
def on_policy_step(student, teacher, prompts, write, optimizer):
    total, n = 0.0, 0
    for prompt in prompts:
        text = write(student, prompt)
        ends = torch.where(text == END)[0]
        text = text if len(ends) == 0 else text[:ends[0] + 1]
        ids = torch.cat([prompt, text])
        lq = student(ids)[len(prompt) - 1:-1].log_softmax(-1)
        lp = teacher(ids)[len(prompt) - 1:-1].log_softmax(-1).detach()
        kl = (lq.exp() * (lq - lp)).sum(-1)
        optimizer.zero_grad()
        kl.mean().backward()
        optimizer.step()
        total += kl.sum().item()
        n += len(text)
    return total / n


# %% task="on_policy_step" right="no" mistake="Off by one: the logits at the written tokens themselves are taken, those after them are what they predict" named="not_shifted"
def on_policy_step(student, teacher, prompts, write, optimizer):
    kls = []
    for prompt in prompts:
        text = write(student, prompt)
        ends = torch.where(text == END)[0]
        text = text if len(ends) == 0 else text[:ends[0] + 1]
        ids = torch.cat([prompt, text])
        lq = student(ids)[len(prompt):].log_softmax(-1)
        lp = teacher(ids)[len(prompt):].log_softmax(-1).detach()
        kls.append((lq.exp() * (lq - lp)).sum(-1))
    loss = torch.cat(kls).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="Only the log ratio of the token that was written is taken, not the sum over the vocabulary" named="sampled_token_alone"
def on_policy_step(student, teacher, prompts, write, optimizer):
    ratios = []
    for prompt in prompts:
        text = write(student, prompt)
        ends = torch.where(text == END)[0]
        text = text if len(ends) == 0 else text[:ends[0] + 1]
        ids = torch.cat([prompt, text])
        at = torch.arange(len(prompt) - 1, len(ids) - 1)
        lq = student(ids).log_softmax(-1)[at, text]
        lp = teacher(ids).log_softmax(-1)[at, text].detach()
        ratios.append(lq - lp)
    loss = torch.cat(ratios).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="The student's probabilities are detached as weights, so the gradient is not that of the reverse KL (it is 0)" named="student_never_moves"
def on_policy_step(student, teacher, prompts, write, optimizer):
    kls = []
    for prompt in prompts:
        text = write(student, prompt)
        ends = torch.where(text == END)[0]
        text = text if len(ends) == 0 else text[:ends[0] + 1]
        ids = torch.cat([prompt, text])
        lq = student(ids)[len(prompt) - 1:-1].log_softmax(-1)
        lp = teacher(ids)[len(prompt) - 1:-1].log_softmax(-1).detach()
        q = lq.exp().detach()
        kls.append((q * (lq - lp)).sum(-1))
    loss = torch.cat(kls).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="The teacher is used without no_grad or detach, so gradients reach it" named="gradient_into_the_teacher"
def on_policy_step(student, teacher, prompts, write, optimizer):
    kls = []
    teacher.eval()
    for prompt in prompts:
        text = write(student, prompt)
        ends = torch.where(text == END)[0]
        text = text if len(ends) == 0 else text[:ends[0] + 1]
        ids = torch.cat([prompt, text])
        lq = student(ids)[len(prompt) - 1:-1].log_softmax(-1)
        lp = teacher(ids)[len(prompt) - 1:-1].log_softmax(-1)
        kls.append((lq.exp() * (lq - lp)).sum(-1))
    loss = torch.cat(kls).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="The teacher writes the texts, so the student is corrected on words that are not its own" named="teacher_writes"
def on_policy_step(student, teacher, prompts, write, optimizer):
    kls = []
    for prompt in prompts:
        text = write(teacher, prompt)
        ends = torch.where(text == END)[0]
        text = text if len(ends) == 0 else text[:ends[0] + 1]
        ids = torch.cat([prompt, text])
        lq = student(ids)[len(prompt) - 1:-1].log_softmax(-1)
        lp = teacher(ids)[len(prompt) - 1:-1].log_softmax(-1).detach()
        kls.append((lq.exp() * (lq - lp)).sum(-1))
    loss = torch.cat(kls).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="A text is cut at its last END instead of its first" named="text_after_the_end_counted"
def on_policy_step(student, teacher, prompts, write, optimizer):
    kls = []
    for prompt in prompts:
        text = write(student, prompt)
        stop = len(text)
        for i, t in enumerate(text):
            if t == END:
                stop = i + 1
        ids = torch.cat([prompt, text[:stop]])
        lq = student(ids)[len(prompt) - 1:-1].log_softmax(-1)
        lp = teacher(ids)[len(prompt) - 1:-1].log_softmax(-1).detach()
        kls.append((lq.exp() * (lq - lp)).sum(-1))
    loss = torch.cat(kls).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="Texts are made one batch with 0 as padding and everything that is not 0 counts, so written tokens 0 are lost" named="token_zero_not_counted"
def on_policy_step(student, teacher, prompts, write, optimizer):
    rows, starts = [], []
    for prompt in prompts:
        text = write(student, prompt)
        ends = torch.where(text == END)[0]
        text = text if len(ends) == 0 else text[:ends[0] + 1]
        rows.append(torch.cat([prompt, text]))
        starts.append(len(prompt))
    ids = nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=0)
    pos = torch.arange(ids.shape[1])[None]
    mask = (ids != 0) & (pos >= torch.tensor(starts)[:, None])
    mask = mask[:, 1:]
    lq = student(ids)[:, :-1].log_softmax(-1)
    with torch.no_grad():
        lp = teacher(ids)[:, :-1].log_softmax(-1)
    kl = (lq.exp() * (lq - lp)).sum(-1)
    loss = (kl * mask).sum() / mask.sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="Two mistakes: positions of the prompt count too, and nothing is cut at END" named="prompt_counted"
def on_policy_step(student, teacher, prompts, write, optimizer):
    kls = []
    for prompt in prompts:
        ids = torch.cat([prompt, write(student, prompt)])
        lq = student(ids)[:-1].log_softmax(-1)
        lp = teacher(ids)[:-1].log_softmax(-1).detach()
        kls.append((lq.exp() * (lq - lp)).sum(-1))
    loss = torch.cat(kls).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="The loop keeps only the last prompt's divergence: the list is made anew for each prompt" named="one_prompt_alone"
def on_policy_step(student, teacher, prompts, write, optimizer):
    for prompt in prompts:
        kls = []
        text = write(student, prompt)
        ends = torch.where(text == END)[0]
        text = text if len(ends) == 0 else text[:ends[0] + 1]
        ids = torch.cat([prompt, text])
        lq = student(ids)[len(prompt) - 1:-1].log_softmax(-1)
        lp = teacher(ids)[len(prompt) - 1:-1].log_softmax(-1).detach()
        kls.append((lq.exp() * (lq - lp)).sum(-1))
    loss = torch.cat(kls).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="The student is asked without what comes before: only the written tokens are fed, so the first written token is predicted by nothing and dropped" named="first_token_not_counted"
def on_policy_step(student, teacher, prompts, write, optimizer):
    kls = []
    for prompt in prompts:
        text = write(student, prompt)
        ends = torch.where(text == END)[0]
        text = text if len(ends) == 0 else text[:ends[0] + 1]
        lq = student(text)[:-1].log_softmax(-1)
        lp = teacher(text)[:-1].log_softmax(-1).detach()
        kls.append((lq.exp() * (lq - lp)).sum(-1))
    loss = torch.cat(kls).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="accident" mistake="exit() left in from debugging"
def on_policy_step(student, teacher, prompts, write, optimizer):
    for prompt in prompts:
        text = write(student, prompt)
        print(text)
        exit()
    optimizer.step()
    return 0.0


# %% task="where_the_teacher_counts" right="yes" mistake=""
where_the_teacher_counts = "c"


# %% task="where_the_teacher_counts" right="no" mistake="Believes that the gradient is 0 on questions" named="chose_b"
where_the_teacher_counts = "b"


# %% task="where_the_teacher_counts" right="accident" mistake="Gives the letter as a set of one"
where_the_teacher_counts = {"c"}


# %% task="signs" right="yes" mistake=""
signs = {**dict.fromkeys(["end"], "a"), "side": "b", "prompt": "d", "padding": "e"}


# %% task="signs" right="no" mistake="Exchanges padding in training with the wrong side when writing" named="wrong_padding_b_side_e"
signs = {"prompt": "d", "end": "a", "padding": "b", "side": "e"}


# %% task="signs" right="no" mistake="Takes a constant loss for the sign of labelled padding" named="wrong_padding_c"
signs = {"prompt": "d", "end": "a", "padding": "c", "side": "b"}


# %% task="encode" right="yes" mistake=""
def encode(messages):
    """The ids of a conversation and their labels: -100 where the assistant did not write."""
    ids, labels = [], []
    for message in messages:
        header = [START, ROLES[message["role"]], LINE]
        body = message["content"] + [END]
        ids += header + body + [LINE]
        labels += [-100] * len(header)
        labels += body if message["role"] == "assistant" else [-100] * len(body)
        labels += [-100]
    return ids, labels


# %% task="encode" right="yes" mistake=""
def _pieces(messages):
    for m in messages:
        bot = m["role"] == "assistant"
        yield START, False
        yield ROLES[m["role"]], False
        yield LINE, False
        for tok in m["content"]:
            yield tok, bot
        yield END, bot
        yield LINE, False


def encode(messages):
    both = list(_pieces(messages))
    return [t for t, _ in both], [t if w else -100 for t, w in both]


# %% task="encode" right="yes" mistake=""
def encode(messages):
    ids_parts = []
    mask_parts = []
    for msg in messages:
        content = torch.tensor(list(msg["content"]), dtype=torch.long)
        part = torch.cat([
            torch.tensor([START, ROLES[msg["role"]], LINE]),
            content,
            torch.tensor([END, LINE]),
        ])
        m = torch.zeros(len(part), dtype=torch.bool)
        if msg["role"] == "assistant":
            m[3:-1] = True
        ids_parts.append(part)
        mask_parts.append(m)
    ids = torch.cat(ids_parts)
    labels = ids.masked_fill(~torch.cat(mask_parts), -100)
    return ids, labels


# %% task="encode" right="yes" mistake=""
from collections import namedtuple
import numpy as np

Encoded = namedtuple("Encoded", ["ids", "labels"])


def encode(messages):
    # recursion: first message, then the rest
    if not messages:
        return Encoded([], [])
    first, *rest = messages
    tail = encode(rest)
    text = np.array([START, ROLES[first["role"]], LINE, *first["content"], END, LINE])
    wrote = np.zeros_like(text)
    wrote[3:-1] = first["role"] == "assistant"
    lab = np.where(wrote == 1, text, -100)
    return Encoded(text.tolist() + tail.ids, lab.tolist() + tail.labels)


# %% task="encode" right="no" mistake="the <|end|> of the answer is not labelled, only the content is" named="end_masked"
def encode(messages):
    ids = []
    labels = []
    for m in messages:
        ids.extend([START, ROLES[m["role"]], LINE])
        labels.extend([-100, -100, -100])
        ids.extend(m["content"])
        if m["role"] == "assistant":
            labels.extend(m["content"])
        else:
            labels.extend([-100] * len(m["content"]))
        ids.extend([END, LINE])
        labels.extend([-100, -100])
    return ids, labels


# %% task="encode" right="no" mistake="the line break after the answer's <|end|> is labelled too, though the template writes it and not the assistant" named="line_after_the_end_counted"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        prefix = [START, ROLES[m["role"]], LINE]
        rest = list(m["content"]) + [END, LINE]
        ids += prefix + rest
        if m["role"] == "assistant":
            labels += [-100] * 3 + rest
        else:
            labels += [-100] * (3 + len(rest))
    return ids, labels


# %% task="encode" right="no" mistake="only the last message can be an answer, so earlier answers of the conversation have no labels" named="only_one_turn"
def encode(messages):
    # prompt = everything before the last message, completion = last message
    def render(m):
        return [START, ROLES[m["role"]], LINE] + m["content"] + [END, LINE]

    prompt = []
    for m in messages[:-1]:
        prompt += render(m)
    last = messages[-1]
    ids = prompt + render(last)
    labels = [-100] * len(ids)
    if last["role"] == "assistant":
        start = len(prompt) + 3
        labels[start:-1] = ids[start:-1]
    return ids, labels


# %% task="encode" right="no" mistake="everything after the first assistant header is labelled, later questions and headers included" named="all_from_an_answer_on"
def encode(messages):
    ids = []
    start = None
    for m in messages:
        ids += [START, ROLES[m["role"]], LINE]
        if m["role"] == "assistant" and start is None:
            start = len(ids)
        ids += m["content"] + [END, LINE]
    if start is None:
        return ids, [-100] * len(ids)
    return ids, [-100] * start + ids[start:]


# %% task="encode" right="no" mistake="the end token is appended to the caller's own content list, so the conversation given is changed" named="asked_again"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        content = m["content"]
        content.append(END)
        ids += [START, ROLES[m["role"]], LINE]
        labels += [-100] * 3
        ids += content
        labels += content if m["role"] == "assistant" else [-100] * len(content)
        ids.append(LINE)
        labels.append(-100)
    return ids, labels


# %% task="encode" right="no" mistake="token 0 is taken for 'no label' by its truth value, so the word ' noon' in an answer becomes -100" named="token_zero_masked"
def encode(messages):
    ids, wrote = [], []
    for m in messages:
        ids += [START, ROLES[m["role"]], LINE, *m["content"], END, LINE]
        answer = [*m["content"], END] if m["role"] == "assistant" else [None] * (len(m["content"]) + 1)
        wrote += [None] * 3 + answer + [None]
    return ids, [w or -100 for w in wrote]


# %% task="encode" right="no" mistake="answers are found by looking for the token 'assistant' in the finished text, so a question that contains this word is labelled from there on" named="header_looked_for_in_the_text"
def encode(messages):
    ids = []
    for m in messages:
        ids += [START, ROLES[m["role"]], LINE] + m["content"] + [END, LINE]

    labels = []
    speaking = False
    skip = False
    for tok in ids:
        if skip:                      # the newline of the header
            labels.append(-100)
            skip, speaking = False, True
        elif speaking:
            labels.append(tok)
            if tok == END:
                speaking = False
        else:
            labels.append(-100)
            if tok == ROLES["assistant"]:
                skip = True
    return ids, labels


# %% task="encode" right="no" mistake="when the conversation ends with a question, the assistant's header is added at the end" named="another_form,header_at_the_end"
def encode(messages):
    ids, labels = [], []

    def put(tokens, learn):
        ids.extend(tokens)
        labels.extend(tokens if learn else [-100] * len(tokens))

    for msg in messages:
        is_bot = msg["role"] == "assistant"
        put([START, ROLES[msg["role"]], LINE], False)
        put(msg["content"], is_bot)
        put([END], is_bot)
        put([LINE], False)
    # add_generation_prompt
    if messages[-1]["role"] != "assistant":
        put([START, ROLES["assistant"], LINE], False)
    return ids, labels


# %% task="encode" right="no" mistake="the line break after the last message is missing, since the messages are joined by line breaks" named="another_form,line_after_the_end_missing"
def encode(messages):
    ids, labels = [], []
    for k, m in enumerate(messages):
        if k > 0:
            ids.append(LINE)
            labels.append(-100)
        ids += [START, ROLES[m["role"]], LINE] + m["content"] + [END]
        labels += [-100, -100, -100]
        if m["role"] == "assistant":
            labels += m["content"] + [END]
        else:
            labels += [-100] * len(m["content"]) + [-100]
    return ids, labels


# %% task="encode" right="no" mistake="everything that is not the user's is labelled, so the system message counts as an answer" named="system_counted"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        text = m["content"] + [END]
        ids += [START, ROLES[m["role"]], LINE, *text, LINE]
        if m["role"] == "user":
            labels += [-100] * (len(text) + 4)
        else:
            labels += [-100, -100, -100, *text, -100]
    return ids, labels


# %% task="encode" right="accident" mistake="the raise of the stub still stands before the code"
def encode(messages):
    """The ids of a conversation and their labels: -100 where the assistant did not write."""
    # YOUR CODE HERE
    raise NotImplementedError()
    ids, labels = [], []
    for m in messages:
        ids += [START, ROLES[m["role"]], LINE] + m["content"] + [END, LINE]
        if m["role"] == "assistant":
            labels += [-100] * 3 + m["content"] + [END, -100]
        else:
            labels += [-100] * (len(m["content"]) + 5)
    return ids, labels


# %% task="collate" right="yes" mistake=""
def collate(rows, pad_id, side="right"):
    """Rows of unequal length as one batch: input_ids, labels and attention_mask, each [B, L]."""
    L = max(len(ids) for ids, _ in rows)
    B = len(rows)
    input_ids = torch.full((B, L), pad_id)
    labels = torch.full((B, L), -100)
    mask = torch.zeros(B, L, dtype=torch.long)
    for b, (ids, lab) in enumerate(rows):
        n = len(ids)
        where = slice(0, n) if side == "right" else slice(L - n, L)
        input_ids[b, where] = ids
        labels[b, where] = lab
        mask[b, where] = 1
    return {"input_ids": input_ids, "labels": labels, "attention_mask": mask}


# %% task="collate" right="yes" mistake=""
def collate(rows, pad_id, side="right"):
    longest = max(ids.numel() for ids, _ in rows)

    def fill(seq, value):
        gap = longest - seq.numel()
        return F.pad(seq, (gap, 0) if side == "left" else (0, gap), value=value)

    return dict(
        input_ids=torch.stack([fill(i, pad_id) for i, _ in rows]),
        labels=torch.stack([fill(l, -100) for _, l in rows]),
        attention_mask=torch.stack([fill(torch.ones_like(i), 0) for i, _ in rows]),
    )


# %% task="collate" right="yes" mistake=""
from torch.nn.utils.rnn import pad_sequence


def collate(rows, pad_id, side="right"):
    ids = [r[0] for r in rows]
    labs = [r[1] for r in rows]
    ones = [torch.ones(len(r[0])) for r in rows]
    if side == "left":
        # flip, pad right, flip back
        def go(xs, v):
            return pad_sequence([x.flip(0) for x in xs], batch_first=True, padding_value=v).flip(1)
    else:
        def go(xs, v):
            return pad_sequence(xs, batch_first=True, padding_value=v)
    return {"input_ids": go(ids, pad_id), "labels": go(labs, -100), "attention_mask": go(ones, 0)}


# %% task="collate" right="yes" mistake=""
import numpy as np

def collate(rows, pad_id, side="right"):
    lengths = np.array([r[0].shape[0] for r in rows])
    width = lengths.max()
    pos = np.arange(width)[None, :]
    if side == "left":
        keep = pos >= (width - lengths)[:, None]
    else:
        keep = pos < lengths[:, None]
    x = np.full(keep.shape, pad_id, dtype=np.int64)
    y = np.full(keep.shape, -100, dtype=np.int64)
    # boolean assignment runs row by row, like the concatenation
    x[keep] = np.concatenate([r[0].numpy() for r in rows])
    y[keep] = np.concatenate([r[1].numpy() for r in rows])
    return {
        "input_ids": torch.from_numpy(x),
        "labels": torch.from_numpy(y),
        "attention_mask": torch.from_numpy(keep.astype(np.int64)),
    }


# %% task="collate" right="no" mistake="the attention mask is taken from input_ids != pad_id, so a row's own <|end|> is masked when it is the padding token" named="mask_made_of_numbers"
def collate(rows, pad_id, side="right"):
    L = max(len(r[0]) for r in rows)
    out_ids, out_labels = [], []
    for ids, labels in rows:
        n = L - len(ids)
        if side == "right":
            out_ids.append(F.pad(ids, (0, n), value=pad_id))
            out_labels.append(F.pad(labels, (0, n), value=-100))
        else:
            out_ids.append(F.pad(ids, (n, 0), value=pad_id))
            out_labels.append(F.pad(labels, (n, 0), value=-100))
    input_ids = torch.stack(out_ids)
    return {
        "input_ids": input_ids,
        "labels": torch.stack(out_labels),
        "attention_mask": (input_ids != pad_id).long(),
    }


# %% task="collate" right="no" mistake="as in a well-known collator, each label that equals pad_id becomes -100, so the answer's <|end|> loses its label" named="end_masked_with_the_padding"
def collate(rows, pad_id, side="right"):
    L = max(len(r[0]) for r in rows)
    ids = torch.full((len(rows), L), pad_id, dtype=torch.long)
    labels = torch.full((len(rows), L), pad_id, dtype=torch.long)
    mask = torch.zeros((len(rows), L), dtype=torch.long)
    for k, (x, y) in enumerate(rows):
        n = len(x)
        if side == "left":
            ids[k, -n:], labels[k, -n:], mask[k, -n:] = x, y, 1
        else:
            ids[k, :n], labels[k, :n], mask[k, :n] = x, y, 1
    labels[labels == pad_id] = -100
    return {"input_ids": ids, "labels": labels, "attention_mask": mask}


# %% task="collate" right="no" mistake="the attention mask is 1 only where there is a label, so the question's tokens are masked" named="mask_made_of_labels"
def collate(rows, pad_id, side="right"):
    L = max(len(r[0]) for r in rows)
    pad = lambda t, v: torch.cat(
        [t, t.new_full((L - len(t),), v)] if side == "right" else [t.new_full((L - len(t),), v), t]
    )
    ids = torch.stack([pad(a, pad_id) for a, b in rows])
    labels = torch.stack([pad(b, -100) for a, b in rows])
    return {"input_ids": ids, "labels": labels, "attention_mask": (labels != -100).int()}


# %% task="collate" right="no" mistake="side is never looked at: the padding always stands on the right" named="side_ignored"
from torch.nn.utils.rnn import pad_sequence

def collate(rows, pad_id, side="right"):
    input_ids = pad_sequence([r[0] for r in rows], batch_first=True, padding_value=pad_id)
    labels = pad_sequence([r[1] for r in rows], batch_first=True, padding_value=-100)
    mask = pad_sequence([torch.ones_like(r[0]) for r in rows], batch_first=True, padding_value=0)
    return {"input_ids": input_ids, "labels": labels, "attention_mask": mask}


# %% task="collate" right="no" mistake="for the left side the padded batch is flipped, so the rows' tokens stand in reverse order" named="rows_read_backwards"
def collate(rows, pad_id, side="right"):
    L = max(len(ids) for ids, lab in rows)
    batch = {"input_ids": [], "labels": [], "attention_mask": []}
    for ids, lab in rows:
        k = L - len(ids)
        batch["input_ids"].append(ids.tolist() + [pad_id] * k)
        batch["labels"].append(lab.tolist() + [-100] * k)
        batch["attention_mask"].append([1] * len(ids) + [0] * k)
    batch = {name: torch.tensor(v) for name, v in batch.items()}
    if side == "left":
        batch = {name: v.flip(dims=[1]) for name, v in batch.items()}
    return batch


# %% task="collate" right="no" mistake="the attention mask is made of True and False" named="another_form"
def collate(rows, pad_id, side="right"):
    lens = torch.tensor([len(r[0]) for r in rows])
    L = int(lens.max())
    ar = torch.arange(L).unsqueeze(0)
    if side == "right":
        mask = ar < lens.unsqueeze(1)
    else:
        mask = ar >= L - lens.unsqueeze(1)
    ids = torch.full(mask.shape, pad_id)
    ids[mask] = torch.cat([r[0] for r in rows])
    labels = torch.full(mask.shape, -100)
    labels[mask] = torch.cat([r[1] for r in rows])
    return {"input_ids": ids, "labels": labels, "attention_mask": mask}


# %% task="collate" right="no" mistake="the padded tensors are written back into the caller's rows, so that these are changed" named="asked_again"
def collate(rows, pad_id, side="right"):
    L = max(len(r[0]) for r in rows)
    mask = torch.zeros(len(rows), L, dtype=torch.long)
    for i, r in enumerate(rows):
        n = len(r[0])
        gap = (0, L - n) if side == "right" else (L - n, 0)
        mask[i, gap[0]: gap[0] + n] = 1
        r[0] = F.pad(r[0], gap, value=pad_id)
        r[1] = F.pad(r[1], gap, value=-100)
    return {
        "input_ids": torch.stack([r[0] for r in rows]),
        "labels": torch.stack([r[1] for r in rows]),
        "attention_mask": mask,
    }


# %% task="collate" right="no" mistake="the padding is zeroed in a mask of ones by the slice [-gap:], and for the longest row the gap is 0, so its whole mask becomes 0" named="longest_row_lost"
def collate(rows, pad_id, side="right"):
    L = max(len(r[0]) for r in rows)
    ids = torch.full((len(rows), L), pad_id)
    labels = torch.full((len(rows), L), -100)
    mask = torch.ones((len(rows), L), dtype=torch.long)
    for b, (x, y) in enumerate(rows):
        gap = L - len(x)
        if side == "left":
            ids[b, gap:] = x
            labels[b, gap:] = y
            mask[b, :gap] = 0
        else:
            ids[b, :len(x)] = x
            labels[b, :len(y)] = y
            mask[b, -gap:] = 0
    return {"input_ids": ids, "labels": labels, "attention_mask": mask}


# %% task="collate" right="no" mistake="the rows' length is counted without trailing pad ids, so a row's own final <|end|> is dropped from the mask" named="own_end_taken_for_padding"
def collate(rows, pad_id, side="right"):
    def real_length(ids):
        n = len(ids)
        while n > 0 and ids[n - 1] == pad_id:
            n -= 1
        return n

    L = max(len(r[0]) for r in rows)
    ids = torch.full((len(rows), L), pad_id)
    labels = torch.full((len(rows), L), -100)
    mask = torch.zeros(len(rows), L, dtype=torch.int64)
    for b, (x, y) in enumerate(rows):
        off = 0 if side == "right" else L - len(x)
        ids[b, off:off + len(x)] = x
        labels[b, off:off + len(x)] = y
        mask[b, off:off + real_length(x)] = 1
    return {"input_ids": ids, "labels": labels, "attention_mask": mask}


# %% task="collate" right="accident" mistake="a bracket is missing: a syntax error"
def collate(rows, pad_id, side="right"):
    L = max(len(ids) for ids, _ in rows)
    input_ids = torch.full((len(rows), L), pad_id
    labels = torch.full((len(rows), L), -100)
    for b, (i, l) in enumerate(rows):
        input_ids[b, :len(i)] = i
        labels[b, :len(i)] = l
    return {"input_ids": input_ids, "labels": labels, "attention_mask": (labels != -100).long()}


# %% task="answer_loss" right="yes" mistake=""
def answer_loss(student_logits, teacher_logits, labels, lam):
    """LM + λ·KL(teacher‖student), each a mean over the tokens of answers: one number."""
    target = labels[:, 1:]
    keep = target != -100
    q = F.log_softmax(student_logits[:, :-1][keep], dim=-1)          # [N, V]
    p = F.log_softmax(teacher_logits[:, :-1][keep].detach(), dim=-1)
    lm = F.nll_loss(q, target[keep])
    kd = F.kl_div(q, p, log_target=True, reduction="batchmean")
    return lm + lam * kd


# %% task="answer_loss" right="yes" mistake=""
def answer_loss(student_logits, teacher_logits, labels, lam):
    V = student_logits.shape[-1]
    s = student_logits[:, :-1, :].reshape(-1, V)
    t = teacher_logits[:, :-1, :].reshape(-1, V)
    y = labels[:, 1:].reshape(-1)
    lm = F.cross_entropy(s, y, ignore_index=-100)
    with torch.no_grad():
        probs = t.softmax(-1)
        entropy = -(probs * t.log_softmax(-1)).sum(-1)
        m = (y != -100).to(s.dtype)
    # KL = cross-entropy with soft targets minus the teacher's entropy
    kl = F.cross_entropy(s, probs, reduction="none") - entropy
    return lm + lam * (kl * m).sum() / m.sum()


# %% task="answer_loss" right="yes" mistake=""
def answer_loss(student_logits, teacher_logits, labels, lam):
    total_lm, total_kd, n = 0.0, 0.0, 0
    B, L = labels.shape
    for b in range(B):
        for i in range(1, L):
            y = labels[b, i].item()
            if y == -100:
                continue
            logq = torch.log_softmax(student_logits[b, i - 1].double(), 0)
            logp = torch.log_softmax(teacher_logits[b, i - 1].detach().double(), 0)
            total_lm = total_lm - logq[y]
            total_kd = total_kd + torch.sum(logp.exp() * (logp - logq))
            n += 1
    return total_lm / n + lam * total_kd / n


# %% task="answer_loss" right="yes" mistake=""
from torch.distributions import Categorical, kl_divergence

def answer_loss(student_logits, teacher_logits, labels, lam):
    rows, cols = (labels[:, 1:] != -100).nonzero(as_tuple=True)
    student = Categorical(logits=student_logits[rows, cols])
    teacher = Categorical(logits=teacher_logits.detach()[rows, cols])
    words = labels[rows, cols + 1]
    per_token = -student.log_prob(words) + lam * kl_divergence(teacher, student)
    return per_token.mean()


# %% task="answer_loss" right="no" mistake="no shift: the logits at i are compared with the label at i" named="not_shifted"
def answer_loss(student_logits, teacher_logits, labels, lam):
    mask = labels != -100
    q = F.log_softmax(student_logits[mask], dim=-1)
    p = F.softmax(teacher_logits[mask].detach(), dim=-1)
    lm = F.nll_loss(q, labels[mask])
    kd = F.kl_div(q, p, reduction="batchmean")
    return lm + lam * kd


# %% task="answer_loss" right="no" mistake="the LM term is shifted, but the mask of the KD term is the unshifted one" named="kd_not_shifted"
def answer_loss(student_logits, teacher_logits, labels, lam):
    shift_logits = student_logits[..., :-1, :].contiguous()
    shift_labels = labels[..., 1:].contiguous()
    lm = F.cross_entropy(shift_logits.view(-1, shift_logits.size(-1)), shift_labels.view(-1))

    mask = (labels != -100).float()
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits.detach(), dim=-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1)
    kd = (kl * mask).sum() / mask.sum()
    return lm + lam * kd


# %% task="answer_loss" right="no" mistake="the KD term counts every position, questions and padding included" named="kd_over_the_prompt"
def answer_loss(student_logits, teacher_logits, labels, lam):
    s = student_logits[:, :-1].flatten(0, 1)
    t = teacher_logits[:, :-1].flatten(0, 1).detach()
    y = labels[:, 1:].flatten()
    lm = F.cross_entropy(s, y)
    kd = F.kl_div(s.log_softmax(-1), t.log_softmax(-1), reduction="batchmean", log_target=True)
    return lm + lam * kd


# %% task="answer_loss" right="no" mistake="a mean per row and then a mean of the rows, instead of one mean over all tokens that count" named="mean_of_row_means"
def answer_loss(student_logits, teacher_logits, labels, lam):
    losses = []
    for s, t, y in zip(student_logits, teacher_logits.detach(), labels):
        keep = y[1:] != -100
        if not keep.any():
            continue
        ls = F.log_softmax(s[:-1][keep], dim=-1)
        lt = F.log_softmax(t[:-1][keep], dim=-1)
        lm = F.nll_loss(ls, y[1:][keep])
        kd = (lt.exp() * (lt - ls)).sum(-1).mean()
        losses.append(lm + lam * kd)
    return torch.stack(losses).mean()


# %% task="answer_loss" right="no" mistake="the number of tokens is counted on the unshifted labels, so a label on a row's first token enters N" named="first_label_in_the_divisor"
def answer_loss(student_logits, teacher_logits, labels, lam):
    n_tokens = (labels != -100).sum()
    logq = student_logits[:, :-1].log_softmax(dim=-1)
    logp = teacher_logits[:, :-1].detach().log_softmax(dim=-1)
    y = labels[:, 1:]
    mask = y != -100
    nll = -logq.gather(-1, y.clamp(min=0)[..., None]).squeeze(-1)
    kl = torch.einsum("blv,blv->bl", logp.exp(), logp - logq)
    return ((nll + lam * kl) * mask).sum() / n_tokens


# %% task="answer_loss" right="no" mistake="the teacher is not detached, so gradients flow into it" named="gradient_into_the_teacher"
def answer_loss(student_logits, teacher_logits, labels, lam):
    keep = labels[:, 1:] != -100
    log_q = F.log_softmax(student_logits[:, :-1], dim=-1)[keep]
    log_p = F.log_softmax(teacher_logits[:, :-1], dim=-1)[keep]
    lm = F.nll_loss(log_q, labels[:, 1:][keep])
    kd = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return lm + lam * kd


# %% task="answer_loss" right="no" mistake="only labels greater than 0 count, so the answer word with token 0 is dropped" named="token_zero_not_counted"
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]
    mask = (y > 0).float()
    s = student_logits[:, :-1].log_softmax(-1)
    t = teacher_logits[:, :-1].detach().log_softmax(-1)
    ce = -s.gather(-1, (y * (y > 0)).unsqueeze(-1)).squeeze(-1)
    kl = (t.exp() * (t - s)).sum(-1)
    lm = (ce * mask).sum() / mask.sum()
    kd = (kl * mask).sum() / mask.sum()
    return lm + lam * kd


# %% task="answer_loss" right="no" mistake="the caller's labels are changed in place: -100 is overwritten by 0 for the gather" named="asked_again"
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]
    mask = y != -100
    y[y == -100] = 0          # gather does not like negative indices
    log_q = torch.log_softmax(student_logits[:, :-1], -1)
    log_p = torch.log_softmax(teacher_logits[:, :-1].detach(), -1)
    nll = -torch.gather(log_q, 2, y.unsqueeze(2)).squeeze(2)
    kl = (log_p.exp() * (log_p - log_q)).sum(2)
    n = mask.sum()
    return nll[mask].sum() / n + lam * kl[mask].sum() / n


# %% task="answer_loss" right="no" mistake="the labels are rolled, so that the label of a row's first token comes to be predicted by the last place" named="rolled_round"
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels.roll(-1, dims=1)
    mask = y.ne(-100)
    ls = F.log_softmax(student_logits[mask], -1)
    lt = F.log_softmax(teacher_logits[mask].detach(), -1)
    lm = F.nll_loss(ls, y[mask])
    kd = F.kl_div(ls, lt, reduction="sum", log_target=True) / mask.sum()
    return lm + lam * kd


# %% task="answer_loss" right="no" mistake="the KL is summed over the masked batch and divided by the batch size (batchmean on a 3-axis tensor), not by the number of tokens" named="divided_by_rows"
def answer_loss(student_logits, teacher_logits, labels, lam):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1].detach(), labels[:, 1:]
    lm = F.cross_entropy(s.transpose(1, 2), y, ignore_index=-100)
    m = (y != -100).unsqueeze(-1)
    log_s = F.log_softmax(s, -1) * m
    p_t = F.softmax(t, -1) * m
    kd = F.kl_div(log_s, p_t, reduction="batchmean")
    return lm + lam * kd


# %% task="answer_loss" right="no" mistake="a blog's mixture: (1 - lam) times LM plus lam times KD at temperature 2 times 4" named="another_temperature,lambda_as_alpha"
def answer_loss(student_logits, teacher_logits, labels, lam, T=2.0):
    """Standard distillation loss (Hinton et al. 2015)."""
    y = labels[:, 1:].reshape(-1)
    valid = y != -100
    s = student_logits[:, :-1].reshape(-1, student_logits.shape[-1])[valid]
    t = teacher_logits[:, :-1].reshape(-1, teacher_logits.shape[-1])[valid]
    hard = F.cross_entropy(s, y[valid])
    soft = F.kl_div(
        F.log_softmax(s / T, dim=-1),
        F.softmax(t.detach() / T, dim=-1),
        reduction="batchmean",
    ) * (T * T)
    return (1 - lam) * hard + lam * soft


# %% task="answer_loss" right="accident" mistake="the function's name is misspelt"
def anwser_loss(student_logits, teacher_logits, labels, lam):
    keep = labels[:, 1:] != -100
    s = student_logits[:, :-1][keep].log_softmax(-1)
    t = teacher_logits[:, :-1][keep].detach().log_softmax(-1)
    return F.nll_loss(s, labels[:, 1:][keep]) + lam * (t.exp() * (t - s)).sum(-1).mean()


# %% task="accuracy" right="yes" mistake=""
def accuracy(model, questions, most):
    """The share of questions whose answer is the text that should be written: a number."""
    right = 0
    with torch.no_grad():
        for prompt, answer in questions:
            ids = prompt
            for _ in range(most):
                nxt = model(ids)[-1].argmax()
                ids = torch.cat([ids, nxt.view(1)])
            written = ids[len(prompt):].tolist()
            if END in written:
                written = written[:written.index(END)]
            right += decode(written).strip() == decode(answer).strip()
    return right / len(questions)


# %% task="accuracy" right="yes" mistake=""
def _greedy(model, ids, left):
    """What the model writes, token by token, until END or until nothing is left."""
    if left == 0:
        return
    token = int(model(ids.unsqueeze(0))[0, -1].argmax())
    if token == END:
        return
    yield token
    yield from _greedy(model, torch.cat([ids, ids.new_tensor([token])]), left - 1)


@torch.no_grad()
def accuracy(model, questions, most):
    hits = [
        decode(list(_greedy(model, p, most))).strip() == decode(a).strip()
        for p, a in questions
    ]
    return torch.tensor(hits, dtype=torch.float32).mean()


# %% task="accuracy" right="yes" mistake=""
from dataclasses import dataclass, field
from itertools import takewhile


@dataclass
class Speaker:
    model: nn.Module
    most: int
    said: list = field(default_factory=list)

    def ask(self, prompt):
        context = prompt.tolist()
        self.said = []
        while len(self.said) < self.most:
            with torch.inference_mode():
                logits = self.model(torch.tensor(context))
            best = torch.topk(logits[-1], 1).indices.item()
            context.append(best)
            self.said.append(best)
        return self

    @property
    def text(self):
        return decode(takewhile(lambda t: t != END, self.said)).strip()


def accuracy(model, questions, most):
    n_right = sum(1 for q, a in questions if Speaker(model, most).ask(q).text == decode(a).strip())
    return float(n_right) / len(questions)


# %% task="accuracy" right="yes" mistake=""
import numpy as np

def accuracy(model, questions, most):
    scores = []
    for prompt, answer in questions:
        seq = prompt.clone()
        k = len(prompt)
        for step in range(most):
            logits = model(seq).detach().numpy()
            seq = torch.cat((seq, torch.tensor([int(np.argmax(logits[-1]))])))
        text = decode(seq[k:]).split("<|end|>")[0]
        scores.append(1.0 if text.strip() == decode(answer).strip() else 0.0)
    return np.mean(scores).item()


# %% task="accuracy" right="no" mistake="tokens are compared instead of texts, so the same text from other tokens counts as wrong" named="tokens_compared"
def accuracy(model, questions, most):
    good = 0
    for prompt, answer in questions:
        ids = prompt
        out = []
        for _ in range(most):
            t = model(ids)[-1].argmax().item()
            if t == END:
                break
            out.append(t)
            ids = torch.cat([ids, torch.tensor([t])])
        if out == answer.tolist():
            good += 1
    return good / len(questions)


# %% task="accuracy" right="no" mistake="only a beginning is compared: an answer that goes on after the right words counts as right" named="part_of_it_is_enough"
def accuracy(model, questions, most):
    correct = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            ids = torch.cat([ids, model(ids)[-1].argmax().reshape(1)])
        reply = decode(ids[prompt.numel():]).strip()
        if reply.startswith(decode(answer).strip()):
            correct += 1
    return correct / len(questions)


# %% task="accuracy" right="no" mistake="the answer is taken as what stands after the last assistant header of the whole text, and the model may write such a header itself after its end" named="answer_looked_for_in_the_text"
def accuracy(model, questions, most):
    ok = 0
    with torch.no_grad():
        for prompt, answer in questions:
            ids = prompt
            for _ in range(most):
                ids = torch.cat([ids, model(ids)[-1].argmax()[None]])
            full = decode(ids)
            reply = full.split("assistant\n")[-1].split("<|end|>")[0]
            ok += int(reply.strip() == decode(answer).strip())
    return ok / len(questions)


# %% task="accuracy" right="no" mistake="the first <|end|> is looked for in prompt and answer together, where the question's comes first" named="nothing_is_right"
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt.tolist()
        for _ in range(most):
            ids.append(int(model(torch.tensor(ids))[-1].argmax()))
        if END in ids:
            ids = ids[:ids.index(END)]
        if decode(ids[len(prompt):]).strip() == decode(answer).strip():
            right += 1
    return right / len(questions)


# %% task="accuracy" right="no" mistake="the model does not go on by itself: it is given the right answer and its prediction of each token is compared" named="answer_at_hand"
def accuracy(model, questions, most):
    right = 0
    with torch.no_grad():
        for prompt, answer in questions:
            ids = torch.cat([prompt, answer])
            pred = model(ids)[len(prompt) - 1:-1].argmax(-1)
            pred = pred[:most]
            right += decode(pred).strip() == decode(answer).strip()
    return right / len(questions)


# %% task="accuracy" right="no" mistake="the model writes only as many tokens as the right answer has, so it is never seen that it does not stop" named="answer_at_hand"
def accuracy(model, questions, most):
    n = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(min(most, len(answer))):
            ids = torch.cat([ids, model(ids)[-1].argmax().unsqueeze(0)])
        text = decode(ids[len(prompt):]).split("<|end|>")[0]
        n += text.strip() == decode(answer).strip()
    return n / len(questions)


# %% task="accuracy" right="no" mistake="all white space is taken out of the texts, also that between words" named="all_spaces_dropped"
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            ids = torch.cat([ids, model(ids)[-1].argmax().view(1)])
        said = decode(ids[len(prompt):])
        said = said[:said.find("<|end|>")] if "<|end|>" in said else said
        if "".join(said.split()) == "".join(decode(answer).split()):
            right += 1
    return right / len(questions)


# %% task="accuracy" right="no" mistake="an answer without <|end|> within the tokens allowed counts as wrong" named="one_token_too_few"
def accuracy(model, questions, most):
    count = 0
    for prompt, answer in questions:
        ids, finished, out = prompt, False, []
        for _ in range(most):
            tok = model(ids)[-1].argmax().item()
            if tok == END:
                finished = True
                break
            out.append(tok)
            ids = torch.cat([ids, torch.tensor([tok])])
        if finished and decode(out).strip() == decode(answer).strip():
            count += 1
    return count / len(questions)


# %% task="accuracy" right="no" mistake="prompts are padded on the right into one batch and each text goes on at the end of its row, behind the padding" named="longest_prompts_alone"
from torch.nn.utils.rnn import pad_sequence

@torch.no_grad()
def accuracy(model, questions, most):
    prompts = pad_sequence([p for p, _ in questions], batch_first=True, padding_value=END)
    L = prompts.shape[1]
    ids = prompts
    for _ in range(most):
        ids = torch.cat([ids, model(ids)[:, -1].argmax(-1, keepdim=True)], dim=1)
    n = 0
    for row, (_, a) in zip(ids[:, L:], questions):
        n += decode(row).split("<|end|>")[0].strip() == decode(a).strip()
    return n / len(questions)


# %% task="accuracy" right="no" mistake="one token less than allowed is written, and the number of right answers is not divided by the questions" named="not_divided,one_token_too_few"
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(1, most):
            ids = torch.cat([ids, model(ids)[-1].argmax().view(1)])
        text = decode(ids[len(prompt):]).split("<|end|>")[0].strip()
        if text == decode(answer).strip():
            right += 1
    return right


# %% task="accuracy" right="no" mistake="all <|end|> and <|start|> are removed from the text instead of cutting it at the first, so what is written after it stays" named="text_goes_on_at_the_end"
def accuracy(model, questions, most):
    acc = 0.0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            ids = torch.cat([ids, model(ids)[-1].argmax().view(1)])
        said = decode([t for t in ids[len(prompt):] if t not in (START, END)])
        acc += float(said.strip() == decode(answer).strip())
    return acc / len(questions)


# %% task="accuracy" right="accident" mistake="the result is printed and not returned"
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            ids = torch.cat([ids, model(ids)[-1].argmax().view(1)])
        text = decode(ids[len(prompt):]).split("<|end|>")[0].strip()
        right += text == decode(answer).strip()
    print("accuracy:", right / len(questions))


# %% task="on_policy_step" right="yes" mistake=""
def on_policy_step(student, teacher, prompts, write, optimizer):
    """One update of the student on what it writes itself; returns the loss before it."""
    kls = []
    for prompt in prompts:
        with torch.no_grad():
            text = write(student, prompt)
        ends = (text == END).nonzero()
        if len(ends) > 0:
            text = text[: ends[0].item() + 1]
        ids = torch.cat([prompt, text])
        where = slice(len(prompt) - 1, len(ids) - 1)
        logq = F.log_softmax(student(ids)[where], dim=-1)
        with torch.no_grad():
            logp = F.log_softmax(teacher(ids)[where], dim=-1)
        kls.append((logq.exp() * (logq - logp)).sum(-1))
    loss = torch.cat(kls).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="yes" mistake=""
from torch.distributions import Categorical, kl_divergence


def _cut(tokens):
    out = []
    for t in tokens.tolist():
        out.append(t)
        if t == END:
            break
    return out


def on_policy_step(student, teacher, prompts, write, optimizer):
    before = []
    for prompt in prompts:
        text = _cut(write(student, prompt))
        # a TinyModel looks at the last token only: these are the ones that predict the text
        before += [int(prompt[-1])] + text[:-1]
    last = torch.tensor(before)
    q = Categorical(logits=student(last))
    p = Categorical(logits=teacher(last).detach())
    loss = kl_divergence(q, p).mean()
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return float(loss)


# %% task="on_policy_step" right="yes" mistake=""
def on_policy_step(student, teacher, prompts, write, optimizer):
    texts = [write(student, p) for p in prompts]
    # 0 before and at the first END, 1 and more behind it
    texts = [t[((t == END).cumsum(0) - (t == END).long()) == 0] for t in texts]
    N = sum(t.numel() for t in texts)

    optimizer.zero_grad()
    loss = 0.0
    for p, t in zip(prompts, texts):
        seq = torch.cat((p, t))[:-1].unsqueeze(0)
        n = t.numel()
        lq = student(seq)[0, -n:].log_softmax(-1)
        lp = teacher(seq)[0, -n:].log_softmax(-1).detach()
        part = F.kl_div(lp, lq, reduction="sum", log_target=True) / N
        part.backward()              # gradients add up over the prompts
        loss += part.item()
    optimizer.step()
    return loss


# %% task="on_policy_step" right="yes" mistake=""
from torch.nn.utils.rnn import pad_sequence

def on_policy_step(student, teacher, prompts, write, optimizer):
    seqs, masks = [], []
    for prompt in prompts:
        words = write(student, prompt).tolist()
        stop = words.index(END) + 1 if END in words else len(words)
        words = words[:stop]
        seqs.append(torch.tensor(prompt.tolist() + words))
        masks.append(torch.tensor([False] * len(prompt) + [True] * len(words)))
    batch = pad_sequence(seqs, batch_first=True, padding_value=END)
    mask = pad_sequence(masks, batch_first=True, padding_value=False)[:, 1:]
    s = student(batch)[:, :-1]
    with torch.no_grad():
        t = teacher(batch)[:, :-1]
    kl = torch.einsum("blv,blv->bl", s.softmax(-1), s.log_softmax(-1) - t.log_softmax(-1))
    loss = (kl * mask).sum() / mask.sum()
    for group in optimizer.param_groups:
        for w in group["params"]:
            w.grad = None
    loss.backward()
    optimizer.step()
    return loss.detach()


# %% task="on_policy_step" right="no" mistake="the KL is the forward one, teacher relative to student, since kl_div's arguments are taken in the usual order" named="direction_swapped"
def on_policy_step(student, teacher, prompts, write, optimizer):
    kls = []
    for prompt in prompts:
        text = write(student, prompt)
        pos = (text == END).nonzero().flatten()
        if pos.numel():
            text = text[:pos[0] + 1]
        ids = torch.cat([prompt, text])
        n = len(text)
        s = F.log_softmax(student(ids)[-n - 1:-1], -1)
        with torch.no_grad():
            t = F.log_softmax(teacher(ids)[-n - 1:-1], -1)
        kls.append(F.kl_div(s, t, reduction="none", log_target=True).sum(-1))
    loss = torch.cat(kls).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="the text is not cut at its first <|end|>, so tokens that were never to be written count" named="text_after_the_end_counted"
def on_policy_step(student, teacher, prompts, write, optimizer):
    optimizer.zero_grad()
    total, n = 0, 0
    for prompt in prompts:
        text = write(student, prompt)
        ids = torch.cat([prompt, text])
        logq = student(ids)[len(prompt) - 1:-1].log_softmax(-1)
        logp = teacher(ids)[len(prompt) - 1:-1].log_softmax(-1).detach()
        total = total + (logq.exp() * (logq - logp)).sum()
        n += len(text)
    loss = total / n
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="the text is cut before its <|end|>, so the student is not corrected where it stops" named="end_not_counted"
def on_policy_step(student, teacher, prompts, write, optimizer):
    terms = []
    for prompt in prompts:
        text = write(student, prompt).tolist()
        if END in text:
            text = text[:text.index(END)]
        ids = torch.cat([prompt, torch.tensor(text, dtype=torch.long)])
        start = len(prompt) - 1
        q = student(ids)[start:-1].log_softmax(-1)
        with torch.no_grad():
            p = teacher(ids)[start:-1].log_softmax(-1)
        terms.append((q.exp() * (q - p)).sum(-1))
    loss = torch.cat(terms).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="the first <|end|> is looked for in prompt and text together and found in the question" named="prompts_own_end"
def on_policy_step(student, teacher, prompts, write, optimizer):
    kl_all = []
    for prompt in prompts:
        ids = torch.cat([prompt, write(student, prompt)])
        mask = torch.ones(len(ids), dtype=torch.bool)
        mask[:len(prompt)] = False
        ends = torch.nonzero(ids == END)
        if len(ends):
            last = max(int(ends[0]), len(prompt))
            mask[last + 1:] = False
        lq = F.log_softmax(student(ids), -1)[:-1]
        with torch.no_grad():
            lp = F.log_softmax(teacher(ids), -1)[:-1]
        kl = (lq.exp() * (lq - lp)).sum(-1)
        kl_all.append(kl[mask[1:]])
    loss = torch.cat(kl_all).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="one update per prompt instead of one for all together" named="a_step_for_each_prompt"
def on_policy_step(student, teacher, prompts, write, optimizer):
    total, count = 0.0, 0
    for prompt in prompts:
        text = write(student, prompt)
        for i, t in enumerate(text):
            if t == END:
                text = text[:i + 1]
                break
        ids = torch.cat([prompt, text])
        with torch.no_grad():
            logp = teacher(ids)[len(prompt) - 1:-1].log_softmax(-1)
        logq = student(ids)[len(prompt) - 1:-1].log_softmax(-1)
        kl = (logq.exp() * (logq - logp)).sum(-1)
        optimizer.zero_grad()
        kl.mean().backward()
        optimizer.step()
        total += kl.sum().item()
        count += len(text)
    return total / count


# %% task="on_policy_step" right="no" mistake="a mean per prompt and then a mean of the prompts, instead of one mean over all written tokens" named="mean_of_means"
def on_policy_step(student, teacher, prompts, write, optimizer):
    def reverse_kl(prompt):
        text = write(student, prompt)
        if (text == END).any():
            text = text[: (text == END).int().argmax() + 1]
        ids = torch.cat([prompt, text])
        s = student(ids)[len(prompt) - 1: -1]
        t = teacher(ids)[len(prompt) - 1: -1].detach()
        return (s.softmax(-1) * (s.log_softmax(-1) - t.log_softmax(-1))).sum(-1).mean()

    loss = torch.stack([reverse_kl(p) for p in prompts]).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="a text without <|end|> is cut after its first token, since argmax of an all-false mask is 0" named="text_without_an_end"
def on_policy_step(student, teacher, prompts, write, optimizer):
    losses = []
    for prompt in prompts:
        text = write(student, prompt)
        stop = (text == END).int().argmax().item() + 1
        text = text[:stop]
        ids = torch.cat([prompt, text])
        span = slice(len(prompt) - 1, -1)
        log_q = student(ids)[span].log_softmax(-1)
        with torch.no_grad():
            log_p = teacher(ids)[span].log_softmax(-1)
        losses.append((log_q.exp() * (log_q - log_p)).sum(-1))
    loss = torch.cat(losses).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="the distributions are those after each written token, not those that predict it: the shift is missing" named="not_shifted"
def on_policy_step(student, teacher, prompts, write, optimizer):
    kl = []
    for prompt in prompts:
        text = write(student, prompt)
        idx = torch.where(text == END)[0]
        if len(idx):
            text = text[:idx[0] + 1]
        ids = torch.cat((prompt, text))
        q = F.log_softmax(student(ids)[len(prompt):], -1)
        with torch.no_grad():
            p = F.log_softmax(teacher(ids)[len(prompt):], -1)
        kl.append((q.exp() * (q - p)).sum(-1))
    loss = torch.cat(kl).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="instead of the KL over the vocabulary only the log ratio of the token that was drawn is taken" named="sampled_token_alone"
def on_policy_step(student, teacher, prompts, write, optimizer):
    ratios = []
    for prompt in prompts:
        text = write(student, prompt)
        end = (text == END).nonzero()
        if end.numel():
            text = text[: end[0, 0] + 1]
        ids = torch.cat([prompt, text])
        lq = student(ids)[len(prompt) - 1:-1].log_softmax(-1)
        with torch.no_grad():
            lp = teacher(ids)[len(prompt) - 1:-1].log_softmax(-1)
        ratios.append((lq - lp).gather(1, text[:, None]).squeeze(1))   # Monte Carlo
    loss = torch.cat(ratios).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="gradients are never set to zero, so those of the last call are added" named="gradients_kept"
def on_policy_step(student, teacher, prompts, write, optimizer):
    kls = []
    for prompt in prompts:
        text = write(student, prompt)
        hit = (text == END).nonzero(as_tuple=True)[0]
        text = text[: hit[0] + 1] if len(hit) else text
        ids = torch.cat([prompt, text])
        lq = student(ids)[len(prompt) - 1:-1].log_softmax(-1)
        with torch.no_grad():
            lp = teacher(ids)[len(prompt) - 1:-1].log_softmax(-1)
        kls.append((lq.exp() * (lq - lp)).sum(-1))
    loss = torch.cat(kls).mean()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="the teacher's logits are not detached, so gradients reach the teacher" named="gradient_into_the_teacher"
def on_policy_step(student, teacher, prompts, write, optimizer):
    teacher.eval()
    kls = []
    for prompt in prompts:
        text = write(student, prompt)
        hit = (text == END).nonzero(as_tuple=True)[0]
        text = text[: hit[0] + 1] if len(hit) else text
        ids = torch.cat([prompt, text])
        lq = student(ids)[len(prompt) - 1:-1].log_softmax(-1)
        lp = teacher(ids)[len(prompt) - 1:-1].log_softmax(-1)
        kls.append((lq.exp() * (lq - lp)).sum(-1))
    loss = torch.cat(kls).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="the weights q in the KL are detached, so that only the logarithm is differentiated, whose gradient has mean 0 under q" named="student_never_moves"
def on_policy_step(student, teacher, prompts, write, optimizer):
    kls = []
    for prompt in prompts:
        text = write(student, prompt)
        end = (text == END).nonzero()
        if end.numel():
            text = text[: int(end[0]) + 1]
        ids = torch.cat([prompt, text])
        s, t = student(ids)[len(prompt) - 1:-1], teacher(ids)[len(prompt) - 1:-1]
        t = t.detach()
        q = s.softmax(-1).detach()       # the sampling distribution is fixed
        kls.append((q * (s.log_softmax(-1) - t.log_softmax(-1))).sum(-1))
    loss = torch.cat(kls).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="copied from a training script: the gradient is clipped to norm 0.1 before the update" named="gradient_clipped"
def on_policy_step(student, teacher, prompts, write, optimizer):
    student.train()
    teacher.eval()
    kls = []
    for prompt in prompts:
        text = write(student, prompt)
        pos = (text == END).nonzero().flatten()
        if len(pos):
            text = text[: pos[0] + 1]
        ids = torch.cat([prompt, text])
        lq = student(ids)[len(prompt) - 1:-1].log_softmax(-1)
        with torch.no_grad():
            lp = teacher(ids)[len(prompt) - 1:-1].log_softmax(-1)
        kls.append((lq.exp() * (lq - lp)).sum(-1))
    loss = torch.cat(kls).mean()
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(student.parameters(), 0.1)
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="the texts are padded with END and the mask is taken from token != END, so the written <|end|> does not count, and the distributions are taken one place too late" named="end_not_counted,not_shifted"
def on_policy_step(student, teacher, prompts, write, optimizer):
    loss, n = 0.0, 0
    for prompt in prompts:
        text = write(student, prompt)
        seen = (text == END).cumsum(0) > 0
        text = torch.where(seen, END, text)
        ids = torch.cat([prompt, text])
        lq = student(ids).log_softmax(-1)[len(prompt):]
        with torch.no_grad():
            lp = teacher(ids).log_softmax(-1)[len(prompt):]
        mask = (text != END).float()
        loss = loss + ((lq.exp() * (lq - lp)).sum(-1) * mask).sum()
        n = n + mask.sum()
    loss = loss / n.clamp(min=1)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="accident" mistake="wrong indentation of the last lines"
def on_policy_step(student, teacher, prompts, write, optimizer):
    kls = []
    for prompt in prompts:
        text = write(student, prompt)
        ends = (text == END).nonzero()
        if len(ends):
            text = text[:ends[0] + 1]
        ids = torch.cat([prompt, text])
        q = student(ids)[len(prompt) - 1:-1].log_softmax(-1)
        p = teacher(ids)[len(prompt) - 1:-1].detach().log_softmax(-1)
        kls.append((q.exp() * (q - p)).sum(-1))
     loss = torch.cat(kls).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="where_the_teacher_counts" right="yes" mistake=""
where_the_teacher_counts = "c"


# %% task="where_the_teacher_counts" right="no" mistake="thinks that without labels on the question the gradient there is 0, though the teacher's term needs no label" named="chose_b"
where_the_teacher_counts = "b"


# %% task="where_the_teacher_counts" right="accident" mistake="the letter is not in quotes: a NameError"
where_the_teacher_counts = c


# %% task="signs" right="yes" mistake=""
signs = dict(prompt="d", end="a", padding="e", side="b")


# %% task="signs" right="no" mistake="padding and side are exchanged: both have to do with lengths in a batch" named="wrong_padding_b_side_e"
signs = {"prompt": "d", "end": "a", "padding": "b", "side": "e"}


# %% task="signs" right="no" mistake="thinks that labels on padding teach the model not to stop, and that without a label for the end the loss stands still" named="wrong_end_c_padding_a"
signs = {"prompt": "d", "end": "c", "padding": "a", "side": "b"}


# %% task="signs" right="accident" mistake="keys and values are the wrong way round"
signs = {"d": "prompt", "a": "end", "e": "padding", "b": "side"}


# %% task="encode" right="no" mistake="tokens with the template's numbers are masked by their number, the end excepted" named="template_by_numbers"
def encode(messages):
    ids, labels = [], []
    special = {START, LINE, *ROLES.values()}
    for m in messages:
        part = [START, ROLES[m["role"]], LINE] + m["content"] + [END, LINE]
        ids += part
        if m["role"] == "assistant":
            labels += [-100 if t in special else t for t in part]
        else:
            labels += [-100] * len(part)
    return ids, labels


# %% task="encode" right="no" mistake="an answer's labels stop at its first line break, as if that were the template's" named="template_by_numbers"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        body = m["content"] + [END, LINE]
        ids += [START, ROLES[m["role"]], LINE] + body
        labels += [-100] * 3
        on = m["role"] == "assistant"
        for t in body:
            if t == LINE:
                on = False
            labels.append(t if on else -100)
    return ids, labels


# %% task="encode" right="no" mistake="only special tokens are masked by number, the end of text too" named="end_masked,template_by_numbers"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        part = [START, ROLES[m["role"]], LINE] + m["content"] + [END, LINE]
        ids += part
        labels += [t if m["role"] == "assistant" and t not in (1, 2, 3, 4, 5, 6) else -100 for t in part]
    return ids, labels


# %% task="encode" right="no" mistake="the line break after the role is forgotten" named="another_form,part_of_the_template_missing"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        words = m["content"] + [END]
        ids += [START, ROLES[m["role"]]] + words + [LINE]
        labels += [-100] * 2 + (words if m["role"] == "assistant" else [-100] * len(words)) + [-100]
    return ids, labels


# %% task="encode" right="no" mistake="system messages are left out of the text" named="another_form,observed_where"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        if m["role"] == "system":
            continue
        words = m["content"] + [END]
        ids += [START, ROLES[m["role"]], LINE] + words + [LINE]
        labels += [-100] * 3 + (words if m["role"] == "assistant" else [-100] * len(words)) + [-100]
    return ids, labels


# %% task="encode" right="no" mistake="messages of one role in a row are merged into one" named="another_form,observed_where"
def encode(messages):
    merged = []
    for m in messages:
        if merged and merged[-1]["role"] == m["role"]:
            merged[-1]["content"] = merged[-1]["content"] + m["content"]
        else:
            merged.append(dict(m))
    ids, labels = [], []
    for m in merged:
        words = m["content"] + [END]
        ids += [START, ROLES[m["role"]], LINE] + words + [LINE]
        labels += [-100] * 3 + (words if m["role"] == "assistant" else [-100] * len(words)) + [-100]
    return ids, labels


# %% task="encode" right="no" mistake="100 is written for -100" named="masked_with_another_number"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        words = m["content"] + [END]
        ids += [START, ROLES[m["role"]], LINE] + words + [LINE]
        labels += [100] * 3 + (words if m["role"] == "assistant" else [100] * len(words)) + [100]
    return ids, labels


# %% task="encode" right="no" mistake="the pair is labels and ids, in the wrong order" named="pair_turned_round"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        words = m["content"] + [END]
        ids += [START, ROLES[m["role"]], LINE] + words + [LINE]
        labels += [-100] * 3 + (words if m["role"] == "assistant" else [-100] * len(words)) + [-100]
    return labels, ids


# %% task="encode" right="yes" mistake=""
import numpy as np
def encode(messages):
    ids, labels = [], []
    for m in messages:
        words = m["content"] + [END]
        ids += [START, ROLES[m["role"]], LINE] + words + [LINE]
        labels += [-100] * 3 + (words if m["role"] == "assistant" else [-100] * len(words)) + [-100]
    return np.array(ids), np.array(labels)


# %% task="encode" right="yes" mistake=""
def encode(messages):
    ids, labels = [], []
    for m in messages:
        words = m["content"] + [END]
        ids += [START, ROLES[m["role"]], LINE] + words + [LINE]
        labels += [-100] * 3 + (words if m["role"] == "assistant" else [-100] * len(words)) + [-100]
    return torch.tensor([ids, labels], dtype=torch.float32)


# %% task="collate" right="no" mistake="filled up to a multiple of 8, as for tensor cores" named="another_form"
def collate(rows, pad_id, side="right"):
    L = max(len(r[0]) for r in rows)
    L = (L + 7) // 8 * 8
    def fill(x, v):
        gap = L - len(x)
        return F.pad(x, (gap, 0) if side == "left" else (0, gap), value=v)
    return {"input_ids": torch.stack([fill(r[0], pad_id) for r in rows]),
            "labels": torch.stack([fill(r[1], -100) for r in rows]),
            "attention_mask": torch.stack([fill(torch.ones_like(r[0]), 0) for r in rows])}


# %% task="collate" right="no" mistake="pad_sequence without batch_first: the tensors are [L, B]" named="another_form"
from torch.nn.utils.rnn import pad_sequence
def collate(rows, pad_id, side="right"):
    flip = (lambda x: x.flip(0)) if side == "left" else (lambda x: x)
    go = lambda xs, v: flip(pad_sequence([flip(x) for x in xs], padding_value=v))
    return {"input_ids": go([r[0] for r in rows], pad_id), "labels": go([r[1] for r in rows], -100),
            "attention_mask": go([torch.ones_like(r[0]) for r in rows], 0)}


# %% task="collate" right="no" mistake="the keys are shortened: mask for attention_mask" named="another_form"
def collate(rows, pad_id, side="right"):
    L = max(len(r[0]) for r in rows)
    def fill(x, v):
        gap = L - len(x)
        return F.pad(x, (gap, 0) if side == "left" else (0, gap), value=v)
    return {"input_ids": torch.stack([fill(r[0], pad_id) for r in rows]),
            "labels": torch.stack([fill(r[1], -100) for r in rows]),
            "mask": torch.stack([fill(torch.ones_like(r[0]), 0) for r in rows])}


# %% task="collate" right="no" mistake="the mask of the padding is made of the last real token, one too far" named="mask_off_by_one"
def collate(rows, pad_id, side="right"):
    L = max(len(r[0]) for r in rows)
    ids = torch.full((len(rows), L), pad_id)
    labels = torch.full((len(rows), L), -100)
    mask = torch.zeros(len(rows), L, dtype=torch.long)
    for b, (x, y) in enumerate(rows):
        n = len(x)
        if side == "right":
            ids[b, :n], labels[b, :n] = x, y
            mask[b, :n + 1] = 1
        else:
            ids[b, L - n:], labels[b, L - n:] = x, y
            mask[b, L - n:] = 1
    return {"input_ids": ids, "labels": labels, "attention_mask": mask}


# %% task="collate" right="no" mistake="the batch is as long as the first row, longer ones are cut" named="another_form"
def collate(rows, pad_id, side="right"):
    L = len(rows[0][0])
    ids = torch.full((len(rows), L), pad_id)
    labels = torch.full((len(rows), L), -100)
    mask = torch.zeros(len(rows), L, dtype=torch.long)
    for b, (x, y) in enumerate(rows):
        n = min(L, len(x))
        at = slice(0, n) if side == "right" else slice(L - n, L)
        ids[b, at], labels[b, at], mask[b, at] = x[:n], y[:n], 1
    return {"input_ids": ids, "labels": labels, "attention_mask": mask}


# %% task="answer_loss" right="no" mistake="λ weighs the whole sum" named="lambda_on_both_terms"
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]; m = y != -100
    q = student_logits[:, :-1][m].log_softmax(-1); p = teacher_logits[:, :-1][m].detach().log_softmax(-1)
    return lam * (F.nll_loss(q, y[m]) + (p.exp() * (p - q)).sum(-1).mean())


# %% task="answer_loss" right="no" mistake="label smoothing of 0.1 in the cross-entropy" named="labels_smoothed"
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]; m = y != -100
    s = student_logits[:, :-1][m]
    q = s.log_softmax(-1); p = teacher_logits[:, :-1][m].detach().log_softmax(-1)
    return F.cross_entropy(s, y[m], label_smoothing=0.1) + lam * (p.exp() * (p - q)).sum(-1).mean()


# %% task="answer_loss" right="no" mistake="an epsilon of 1e-3 inside the logarithms" named="epsilon_in_the_logarithm"
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]; m = y != -100
    q = student_logits[:, :-1][m].softmax(-1); p = teacher_logits[:, :-1][m].detach().softmax(-1)
    lm = -(q.gather(-1, y[m][:, None]) + 1e-3).log().mean()
    return lm + lam * (p * ((p + 1e-3).log() - (q + 1e-3).log())).sum(-1).mean()


# %% task="answer_loss" right="no" mistake="only the first row of the batch" named="one_row_alone"
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[0, 1:]; m = y != -100
    q = student_logits[0, :-1][m].log_softmax(-1); p = teacher_logits[0, :-1][m].detach().log_softmax(-1)
    return F.nll_loss(q, y[m]) + lam * (p.exp() * (p - q)).sum(-1).mean()


# %% task="answer_loss" right="no" mistake="the mean is divided by the number of tokens once more" named="divided_twice"
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]; m = y != -100
    q = student_logits[:, :-1][m].log_softmax(-1); p = teacher_logits[:, :-1][m].detach().log_softmax(-1)
    return (F.nll_loss(q, y[m]) + lam * (p.exp() * (p - q)).sum(-1).mean()) / m.sum()


# %% task="answer_loss" right="no" mistake="the KL is in bits, by log2" named="in_bits"
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]; m = y != -100
    q = student_logits[:, :-1][m].softmax(-1); p = teacher_logits[:, :-1][m].detach().softmax(-1)
    return F.nll_loss(q.log(), y[m]) + lam * (p * (p.log2() - q.log2())).sum(-1).mean()


# %% task="answer_loss" right="no" mistake="Jensen-Shannon in place of the KL" named="another_divergence"
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]; m = y != -100
    q = student_logits[:, :-1][m].softmax(-1); p = teacher_logits[:, :-1][m].detach().softmax(-1)
    mid = (p + q) / 2
    js = ((p * (p / mid).log()).sum(-1) + (q * (q / mid).log()).sum(-1)) / 2
    return F.nll_loss(q.log(), y[m]) + lam * js.mean()


# %% task="answer_loss" right="no" mistake="teacher's softmax runs over the positions" named="softmax_on_another_axis"
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]; m = y != -100
    p = teacher_logits[:, :-1].detach().softmax(1)[m]
    q = student_logits[:, :-1][m].log_softmax(-1)
    return F.nll_loss(q, y[m]) + lam * (p * (p.log() - q)).sum(-1).mean()


# %% task="accuracy" right="no" mistake="the logits of the first position are taken" named="nothing_is_right"
def accuracy(model, questions, most):
    n = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            ids = torch.cat([ids, model(ids)[0].argmax().view(1)])
        n += decode(ids[len(prompt):]).split("<|end|>")[0].strip() == decode(answer).strip()
    return n / len(questions)


# %% task="accuracy" right="no" mistake="whole division: 0 unless all are right" named="all_or_nothing"
def accuracy(model, questions, most):
    n = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            ids = torch.cat([ids, model(ids)[-1].argmax().view(1)])
        n += decode(ids[len(prompt):]).split("<|end|>")[0].strip() == decode(answer).strip()
    return n // len(questions)


# %% task="accuracy" right="no" mistake="rounded to two digits" named="observed_near"
def accuracy(model, questions, most):
    n = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            ids = torch.cat([ids, model(ids)[-1].argmax().view(1)])
        n += decode(ids[len(prompt):]).split("<|end|>")[0].strip() == decode(answer).strip()
    return round(n / len(questions), 2)


# %% task="accuracy" right="no" mistake="prompts padded on the left with END, and read without a mask" named="longest_prompts_alone"
def accuracy(model, questions, most):
    L = max(len(p) for p, _ in questions)
    ids = torch.stack([F.pad(p, (L - len(p), 0), value=END) for p, _ in questions])
    for _ in range(most):
        ids = torch.cat([ids, model(ids)[:, -1].argmax(-1, keepdim=True)], 1)
    hits = [decode(r[L:]).split("<|end|>")[0].strip() == decode(a).strip() for r, (_, a) in zip(ids, questions)]
    return sum(hits) / len(hits)


# %% task="accuracy" right="no" mistake="returns after the first wrong answer" named="over_at_a_wrong_answer"
def accuracy(model, questions, most):
    n = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            ids = torch.cat([ids, model(ids)[-1].argmax().view(1)])
        if decode(ids[len(prompt):]).split("<|end|>")[0].strip() != decode(answer).strip():
            break
        n += 1
    return n / len(questions)


# %% task="accuracy" right="no" mistake="takes the text after the first assistant header, and a prompt may have more" named="answer_looked_for_in_the_text"
def accuracy(model, questions, most):
    n = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            ids = torch.cat([ids, model(ids)[-1].argmax().view(1)])
        text = decode(ids).split("assistant\n")[1].split("<|end|>")[0]
        n += text.strip() == decode(answer).strip()
    return n / len(questions)


# %% task="on_policy_step" right="no" mistake="the gradients are cleared between backward and step" named="student_never_moves"
def on_policy_step(student, teacher, prompts, write, optimizer):
    kls = []
    for prompt in prompts:
        text = write(student, prompt)
        hit = (text == END).nonzero().flatten()
        text = text[: hit[0] + 1] if len(hit) else text
        ids = torch.cat([prompt, text])
        q = student(ids)[len(prompt) - 1:-1].log_softmax(-1)
        with torch.no_grad():
            p = teacher(ids)[len(prompt) - 1:-1].log_softmax(-1)
        kls.append((q.exp() * (q - p)).sum(-1))
    loss = torch.cat(kls).mean()
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="the student's entropy is missing: cross-entropy of q with log p" named="entropy_missing"
def on_policy_step(student, teacher, prompts, write, optimizer):
    kls = []
    for prompt in prompts:
        text = write(student, prompt)
        hit = (text == END).nonzero().flatten()
        text = text[: hit[0] + 1] if len(hit) else text
        ids = torch.cat([prompt, text])
        q = student(ids)[len(prompt) - 1:-1].softmax(-1)
        with torch.no_grad():
            p = teacher(ids)[len(prompt) - 1:-1].log_softmax(-1)
        kls.append(-(q * p).sum(-1))
    loss = torch.cat(kls).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="backward per prompt with each one's mean, so that the means are summed" named="mean_of_means"
def on_policy_step(student, teacher, prompts, write, optimizer):
    optimizer.zero_grad()
    total = 0.0
    for prompt in prompts:
        text = write(student, prompt)
        hit = (text == END).nonzero().flatten()
        text = text[: hit[0] + 1] if len(hit) else text
        ids = torch.cat([prompt, text])
        q = student(ids)[len(prompt) - 1:-1].log_softmax(-1)
        with torch.no_grad():
            p = teacher(ids)[len(prompt) - 1:-1].log_softmax(-1)
        loss = (q.exp() * (q - p)).sum(-1).mean() / len(prompts)
        loss.backward()
        total += loss.item()
    optimizer.step()
    return total


# %% task="on_policy_step" right="no" mistake="gradients cleared for each prompt, so that only the last one's arrive" named="one_prompt_alone"
def on_policy_step(student, teacher, prompts, write, optimizer):
    total, n = 0.0, 0
    for prompt in prompts:
        text = write(student, prompt)
        hit = (text == END).nonzero().flatten()
        text = text[: hit[0] + 1] if len(hit) else text
        ids = torch.cat([prompt, text])
        q = student(ids)[len(prompt) - 1:-1].log_softmax(-1)
        with torch.no_grad():
            p = teacher(ids)[len(prompt) - 1:-1].log_softmax(-1)
        kl = (q.exp() * (q - p)).sum(-1)
        optimizer.zero_grad()
        kl.mean().backward()
        total += kl.sum().item(); n += len(kl)
    optimizer.step()
    return total / n


# %% task="on_policy_step" right="no" mistake="an update by hand with a learning rate of 0.1, whatever the optimiser's is" named="optimiser_ignored"
def on_policy_step(student, teacher, prompts, write, optimizer):
    kls = []
    for prompt in prompts:
        text = write(student, prompt)
        hit = (text == END).nonzero().flatten()
        text = text[: hit[0] + 1] if len(hit) else text
        ids = torch.cat([prompt, text])
        q = student(ids)[len(prompt) - 1:-1].log_softmax(-1)
        with torch.no_grad():
            p = teacher(ids)[len(prompt) - 1:-1].log_softmax(-1)
        kls.append((q.exp() * (q - p)).sum(-1))
    loss = torch.cat(kls).mean()
    g, = torch.autograd.grad(loss, [student.table])
    with torch.no_grad():
        student.table -= 0.1 * g
    return loss.item()


# %% task="on_policy_step" right="no" mistake="Adam of its own in place of the optimiser given" named="optimiser_ignored"
def on_policy_step(student, teacher, prompts, write, optimizer):
    optimizer = torch.optim.Adam(student.parameters(), lr=1e-2)
    kls = []
    for prompt in prompts:
        text = write(student, prompt)
        hit = (text == END).nonzero().flatten()
        text = text[: hit[0] + 1] if len(hit) else text
        ids = torch.cat([prompt, text])
        q = student(ids)[len(prompt) - 1:-1].log_softmax(-1)
        with torch.no_grad():
            p = teacher(ids)[len(prompt) - 1:-1].log_softmax(-1)
        kls.append((q.exp() * (q - p)).sum(-1))
    loss = torch.cat(kls).mean()
    loss.backward()
    optimizer.step()
    student.zero_grad()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="the student is compared with itself: student(ids) twice" named="loss_is_zero"
def on_policy_step(student, teacher, prompts, write, optimizer):
    kls = []
    for prompt in prompts:
        text = write(student, prompt)
        hit = (text == END).nonzero().flatten()
        text = text[: hit[0] + 1] if len(hit) else text
        ids = torch.cat([prompt, text])
        q = student(ids)[len(prompt) - 1:-1].log_softmax(-1)
        with torch.no_grad():
            p = student(ids)[len(prompt) - 1:-1].log_softmax(-1)
        kls.append((q.exp() * (q - p)).sum(-1))
    loss = torch.cat(kls).mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="the last token of the prompt is taken as written too: one position too many at the front" named="one_position_too_many"
def on_policy_step(student, teacher, prompts, write, optimizer):
    kls = []
    for prompt in prompts:
        text = write(student, prompt)
        hit = (text == END).nonzero().flatten()
        text = text[: hit[0] + 1] if len(hit) else text
        ids = torch.cat([prompt, text])
        q = student(ids)[len(prompt) - 1:].log_softmax(-1)
        with torch.no_grad():
            p = teacher(ids)[len(prompt) - 1:].log_softmax(-1)
        kls.append((q.exp() * (q - p)).sum(-1))
    loss = torch.cat(kls).mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="temperature 2 and T squared, from a blog" named="another_temperature"
def on_policy_step(student, teacher, prompts, write, optimizer, T=2.0):
    kls = []
    for prompt in prompts:
        text = write(student, prompt)
        hit = (text == END).nonzero().flatten()
        text = text[: hit[0] + 1] if len(hit) else text
        ids = torch.cat([prompt, text])
        q = (student(ids)[len(prompt) - 1:-1] / T).log_softmax(-1)
        with torch.no_grad():
            p = (teacher(ids)[len(prompt) - 1:-1] / T).log_softmax(-1)
        kls.append((q.exp() * (q - p)).sum(-1) * T * T)
    loss = torch.cat(kls).mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="gradients clipped to values of 0.1" named="gradient_clipped"
def on_policy_step(student, teacher, prompts, write, optimizer):
    kls = []
    for prompt in prompts:
        text = write(student, prompt)
        hit = (text == END).nonzero().flatten()
        text = text[: hit[0] + 1] if len(hit) else text
        ids = torch.cat([prompt, text])
        q = student(ids)[len(prompt) - 1:-1].log_softmax(-1)
        with torch.no_grad():
            p = teacher(ids)[len(prompt) - 1:-1].log_softmax(-1)
        kls.append((q.exp() * (q - p)).sum(-1))
    loss = torch.cat(kls).mean()
    optimizer.zero_grad(); loss.backward()
    nn.utils.clip_grad_value_(student.parameters(), 0.1)
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="yes" mistake=""
def on_policy_step(student, teacher, prompts, write, optimizer):
    for w in teacher.parameters():
        w.requires_grad_(False)
    student.train(); teacher.eval()
    kls = []
    for prompt in prompts:
        text = write(student, prompt); text = write(student, prompt)
        hit = (text == END).nonzero().flatten()
        text = text[: hit[0] + 1] if len(hit) else text
        ids = torch.cat([prompt, text])
        q = student(ids)[len(prompt) - 1:-1].log_softmax(-1)
        p = teacher(ids)[len(prompt) - 1:-1].log_softmax(-1)
        kls.append((q.exp() * (q - p)).sum(-1))
    loss = torch.cat(kls).mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    return loss

# %% task="answer_loss" right="no" mistake="the caller's labels are changed: the first column is set to -100 in place" named="asked_again"
def answer_loss(student_logits, teacher_logits, labels, lam):
    labels[:, 0] = -100  # predicted by nothing
    nxt = F.pad(labels[:, 1:], (0, 1), value=-100)
    counts = nxt != -100
    log_q = student_logits[counts].log_softmax(-1)
    log_p = teacher_logits[counts].detach().log_softmax(-1)
    return F.nll_loss(log_q, nxt[counts]) + lam * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)

# %% task="answer_loss" right="no" mistake="rows are laid end to end before the shift, so a row's last position predicts the first token of the next row when that has a label" named="shifted_while_flat"
def answer_loss(student_logits, teacher_logits, labels, lam):
    s = student_logits.flatten(0, 1)[:-1]
    t = teacher_logits.detach().flatten(0, 1)[:-1]
    y = labels.flatten()[1:]
    counts = y != -100
    log_q = F.log_softmax(s[counts], dim=-1)
    log_p = F.log_softmax(t[counts], dim=-1)
    lm = F.nll_loss(log_q, y[counts])
    return lm + lam * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)

# %% task="accuracy" right="no" mistake="the model writes at most one token more than the right answer has: where its words are cut there by chance, a longer answer passes as right" named="answer_at_hand"
@torch.no_grad()
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids, written = prompt, []
        for _ in range(min(most, len(answer) + 1)):
            token = model(ids)[-1].argmax()
            if token == END:
                break
            written.append(token)
            ids = torch.cat([ids, token[None]])
        right += decode(written).strip() == decode(answer).strip()
    return right / len(questions)

# %% task="accuracy" right="no" mistake="the results are kept in a dict under the prompt, so a question that is asked twice counts once" named="asked_twice_counted_once"
@torch.no_grad()
def accuracy(model, questions, most):
    results = {}
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            ids = torch.cat([ids, model(ids)[-1:].argmax(-1)])
        written = decode(ids[len(prompt) :]).split("<|end|>")[0]
        results[tuple(prompt.tolist())] = written.strip() == decode(answer).strip()
    return sum(results.values()) / len(results)

# %% task="on_policy_step" right="no" mistake="a cumulative count of at most 1 keeps what comes after the first END, up to the second one" named="text_after_the_end_counted"
def on_policy_step(student, teacher, prompts, write, optimizer):
    optimizer.zero_grad()
    total, n = 0.0, 0
    for prompt in prompts:
        text = write(student, prompt)
        text = text[(text == END).cumsum(0) <= 1]
        ids = torch.cat([prompt, text])
        log_q = F.log_softmax(student(ids), dim=-1)[len(prompt) - 1 : -1]
        with torch.no_grad():
            log_p = F.log_softmax(teacher(ids), dim=-1)[len(prompt) - 1 : -1]
        total = total + F.kl_div(log_p, log_q, reduction="sum", log_target=True)
        n += len(text)
    loss = total / n
    loss.backward()
    optimizer.step()
    return loss.item()

# %% task="on_policy_step" right="no" mistake="the first END is looked for in prompt and text together: a prompt has one of its own, so the text is cut off before it begins, and the prompt is judged when it has" named="prompts_own_end"
def on_policy_step(student, teacher, prompts, write, optimizer):
    kls = []
    for prompt in prompts:
        ids = torch.cat([prompt, write(student, prompt)])
        ends = (ids == END).nonzero().flatten()
        stop = int(ends[0]) + 1 if len(ends) else len(ids)
        begin = min(len(prompt), stop - 1)
        before = ids[begin - 1 : stop - 1]
        log_q = student(before).log_softmax(-1)
        log_p = teacher(before).log_softmax(-1).detach()
        kls.append((log_q.exp() * (log_q - log_p)).sum(-1))
    loss = torch.cat(kls).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

# %% task="on_policy_step" right="no" mistake="the size of the vocabulary is taken from WORDS, where the models' own is smaller"
def on_policy_step(student, teacher, prompts, write, optimizer):
    def contexts():
        for prompt in prompts:
            last = int(prompt[-1])
            for token in write(student, prompt).tolist():
                yield last
                if token == END:
                    break
                last = token

    V = len(WORDS)
    weights = torch.bincount(torch.tensor(list(contexts())), minlength=V).float()
    every = torch.arange(V)
    log_q = student(every).log_softmax(-1)
    log_p = teacher.requires_grad_(False)(every).log_softmax(-1)
    loss = torch.einsum("v,vw->", weights / weights.sum(), log_q.exp() * (log_q - log_p))
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=False)
    return loss.detach()

# %% task="on_policy_step" right="yes" mistake=""
def on_policy_step(student, teacher, prompts, write, optimizer):
    gathered = []
    for prompt in prompts:
        text = write(student, prompt)
        own = (text == END).cumsum(0) - (text == END).long() == 0
        before = torch.cat([prompt, text])[len(prompt) - 1 : -1][own]
        gathered.append(before)
    before = torch.cat(gathered)
    log_q = student(before).double().log_softmax(-1)
    log_p = teacher(before).detach().double().log_softmax(-1)
    # the probabilities add up to 1, so the gradient of log q itself drops out
    loss = torch.sum(log_q.exp() * (log_q.detach() - log_p)) / before.numel()
    student.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

# %% task="answer_loss" right="yes" mistake=""
class AnswerLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx, student_logits, p, truth, weight, lam):
        log_q = student_logits.log_softmax(-1)
        ctx.save_for_backward(log_q, p, truth, weight)
        ctx.lam = lam
        lm = -(truth * log_q).sum(-1)
        kd = (p * (p.log() - log_q)).sum(-1)
        return (weight * (lm + lam * kd)).sum()

    @staticmethod
    def backward(ctx, out):
        log_q, p, truth, weight = ctx.saved_tensors
        q = log_q.exp()
        return out * weight[..., None] * (q - truth + ctx.lam * (q - p)), None, None, None, None


def answer_loss(student_logits, teacher_logits, labels, lam):
    y = torch.cat([labels[:, 1:], torch.full_like(labels[:, :1], -100)], dim=1)
    counts = y != -100
    truth = F.one_hot(y.where(counts, torch.zeros_like(y)), student_logits.shape[-1]).float()
    return AnswerLoss.apply(student_logits, teacher_logits.detach().softmax(-1), truth, counts / counts.sum(), lam)

# %% task="encode" right="no" mistake="system messages that come later are ignored" named="another_form,observed_where"
def encode(messages):
    ids, labels = [], []
    for i, m in enumerate(messages):
        if i and m["role"] == "system":
            continue
        a = m["role"] == "assistant"
        body = list(m["content"]) + [END]
        ids += [START, ROLES[m["role"]], LINE] + body + [LINE]
        labels += [-100] * 3 + (body if a else [-100] * len(body)) + [-100]
    return ids, labels

# %% task="accuracy" right="no" mistake="START ends an answer too" named="over_at_a_header"
@torch.no_grad()
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            token = model(ids)[-1].argmax()
            if token in (START, END):
                break
            ids = torch.cat([ids, token[None]])
        right += decode(ids[len(prompt):]).strip() == decode(answer).strip()
    return right / len(questions)

# %% task="accuracy" right="no" mistake="a set of the right prompts" named="asked_twice_counted_once"
@torch.no_grad()
def accuracy(model, questions, most):
    right = set()
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            token = model(ids)[-1].argmax()
            if token == END:
                break
            ids = torch.cat([ids, token[None]])
        if decode(ids[len(prompt):]).strip() == decode(answer).strip():
            right.add(tuple(ids.tolist()))
    return len(right) / len(questions)

# %% task="accuracy" right="no" mistake="what was written is kept by the prompt across calls"
WRITTEN = {}
@torch.no_grad()
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        key = tuple(prompt.tolist())
        if key not in WRITTEN:
            ids = prompt
            for _ in range(most):
                token = model(ids)[-1].argmax()
                if token == END:
                    break
                ids = torch.cat([ids, token[None]])
            WRITTEN[key] = decode(ids[len(prompt):]).strip()
        right += WRITTEN[key] == decode(answer).strip()
    return right / len(questions)

# %% task="accuracy" right="no" mistake="writes at most two tokens more than the answer" named="answer_at_hand"
@torch.no_grad()
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(min(most, len(answer) + 2)):
            token = model(ids)[-1].argmax()
            if token == END:
                break
            ids = torch.cat([ids, token[None]])
        right += decode(ids[len(prompt):]).strip() == decode(answer).strip()
    return right / len(questions)

# %% task="accuracy" right="no" mistake="stops at a token that it has written already" named="over_at_a_repeated_token"
@torch.no_grad()
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt
        out = []
        for _ in range(most):
            token = model(ids)[-1].argmax()
            if token == END or token.item() in out[-1:]:
                break
            out.append(token.item())
            ids = torch.cat([ids, token[None]])
        right += decode(ids[len(prompt):]).strip() == decode(answer).strip()
    return right / len(questions)

# %% task="on_policy_step" right="no" mistake="a dict by prompt: a prompt that comes twice counts once" named="prompt_twice_counted_once"
def on_policy_step(student, teacher, prompts, write, optimizer):
    losses = {}
    for prompt in prompts:
        text = write(student, prompt)
        ends = (text == END).nonzero()
        if len(ends):
            text = text[: ends[0, 0] + 1]
        read = torch.cat([prompt, text])[:-1]
        lq = student(read).log_softmax(-1)
        lp = teacher(read).detach().log_softmax(-1)
        losses[tuple(prompt.tolist())] = (lq.exp() * (lq - lp)).sum(-1)[-len(text):]
    loss = torch.cat(list(losses.values())).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

# %% task="on_policy_step" right="no" mistake="clipped at 5" named="gradient_clipped"
def on_policy_step(student, teacher, prompts, write, optimizer):
    losses = []
    for prompt in prompts:
        text = write(student, prompt)
        ends = (text == END).nonzero()
        if len(ends):
            text = text[: ends[0, 0] + 1]
        read = torch.cat([prompt, text])[:-1]
        lq = student(read).log_softmax(-1)
        lp = teacher(read).detach().log_softmax(-1)
        losses.append((lq.exp() * (lq - lp)).sum(-1)[-len(text):])
    loss = torch.cat(losses).mean()
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(student.parameters(), 5.0)
    optimizer.step()
    return loss.item()

# %% task="answer_loss" right="yes" mistake=""
def answer_loss(student_logits, teacher_logits, labels, lam):
    teacher_logits.detach_()
    y = labels[:, 1:].clone()
    c = y != -100
    s, t = student_logits[:, :-1][c], teacher_logits[:, :-1][c]
    return F.cross_entropy(s, y[c]) + lam * F.kl_div(s.log_softmax(-1), t.softmax(-1), reduction="batchmean")

# %% task="collate" right="no" mistake="pad_id or END" named="observed_where"
def collate(rows, pad_id, side="right"):
    pad_id = pad_id or END
    L = max(len(i) for i, _ in rows)
    f = lambda x, v: F.pad(x, (L - len(x), 0) if side == "left" else (0, L - len(x)), value=v)
    return {"input_ids": torch.stack([f(x, pad_id) for x, _ in rows]), "labels": torch.stack([f(y, -100) for _, y in rows]), "attention_mask": torch.stack([f(torch.ones_like(x), 0) for x, _ in rows])}

# %% task="encode" right="no" mistake="stops at an END within the last message: repeated identical messages are dropped" named="another_form,observed_where"
def encode(messages):
    ids, labels = [], []
    seen = []
    for m in messages:
        if m in seen:
            continue
        seen.append(m)
        a = m["role"] == "assistant"
        body = list(m["content"]) + [END]
        ids += [START, ROLES[m["role"]], LINE] + body + [LINE]
        labels += [-100] * 3 + (body if a else [-100] * len(body)) + [-100]
    return ids, labels

# %% task="accuracy" right="no" mistake="most counts the END too" named="over_at_a_header"
@torch.no_grad()
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt.clone()
        for k in range(most):
            token = model(ids)[-1].argmax()
            ids = torch.cat([ids, token[None]])
            if token == END:
                break
        text = decode(ids[len(prompt):]).replace("<|end|>", "").replace("<|start|>", "")
        right += text.strip() == decode(answer).strip()
    return right / len(questions)

# %% task="encode" right="yes" mistake=""
import re


def encode(messages):
    letter = lambda token: chr(0x100 + token)
    text = "".join(
        letter(START) + letter(ROLES[m["role"]]) + letter(LINE)
        + "".join(letter(int(t)) for t in m["content"])
        + letter(END) + letter(LINE)
        for m in messages
    )
    ids = [ord(c) - 0x100 for c in text]
    labels = [-100] * len(ids)
    header = letter(START) + letter(ROLES["assistant"]) + letter(LINE)
    for found in re.finditer(f"{header}([^{letter(END)}]*{letter(END)})", text):
        for i in range(*found.span(1)):
            labels[i] = ids[i]
    return torch.tensor(ids), torch.tensor(labels)

# %% task="encode" right="no" mistake="a word with the number 0 in an answer gets no label, because 0 counts as false" named="token_zero_masked"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        mine = m["role"] == "assistant"
        ids += [START, ROLES[m["role"]], LINE, *m["content"], END, LINE]
        labels += [-100] * 3 + [(mine and t) or -100 for t in [*m["content"], END]] + [-100]
    return ids, labels

# %% task="encode" right="no" mistake="roles are known by place, questions and answers in turn after a system message: wrong with two answers in a row or another order" named="turns_taken_for_granted"
def encode(messages):
    ids, labels = [], []
    first = 1 if messages[0]["role"] == "system" else 0
    for i, m in enumerate(messages):
        body = [*m["content"], END]
        mine = i >= first and (i - first) % 2 == 1
        ids += [START, ROLES[m["role"]], LINE] + body + [LINE]
        labels += [-100] * 3 + (body if mine else [-100] * len(body)) + [-100]
    return ids, labels

# %% task="collate" right="yes" mistake=""
from itertools import zip_longest


def collate(rows, pad_id, side="right"):
    step = -1 if side == "left" else 1

    def fill(sequences, value):
        table = list(zip(*zip_longest(*[s.tolist()[::step] for s in sequences], fillvalue=value)))
        return torch.tensor([row[::step] for row in table])

    return {
        "input_ids": fill([r[0] for r in rows], pad_id),
        "labels": fill([r[1] for r in rows], -100),
        "attention_mask": fill([torch.ones_like(r[0]) for r in rows], 0),
    }

# %% task="collate" right="no" mistake="on the left the rows come out backwards and with the padding still on the right: they are flipped before padding and not flipped back; the right side is right" named="rows_read_backwards"
def collate(rows, pad_id, side="right"):
    pad = nn.utils.rnn.pad_sequence
    ids = [r[0] for r in rows]
    labels = [r[1] for r in rows]
    if side == "left":
        ids = [x.flip(0) for x in ids]
        labels = [x.flip(0) for x in labels]
    mask = [torch.ones_like(x) for x in ids]
    out = {
        "input_ids": pad(ids, batch_first=True, padding_value=pad_id),
        "labels": pad(labels, batch_first=True, padding_value=-100),
        "attention_mask": pad(mask, batch_first=True, padding_value=0),
    }
    return out

# %% task="collate" right="no" mistake="the mask is 1 up to the first pad_id of a row and at it, and 0 after: tokens after a first END of the row itself are masked when pad_id is END" named="observed_component"
def collate(rows, pad_id, side="right"):
    L = max(len(i) for i, _ in rows)
    out = {"input_ids": [], "labels": [], "attention_mask": []}
    for i, y in rows:
        gap = (L - len(i), 0) if side == "left" else (0, L - len(i))
        pads = (i == pad_id).long()
        own = (pads.cumsum(0) - pads == 0).long()
        out["input_ids"].append(F.pad(i, gap, value=pad_id))
        out["labels"].append(F.pad(y, gap, value=-100))
        out["attention_mask"].append(F.pad(own, gap))
    return {k: torch.stack(v) for k, v in out.items()}

# %% task="collate" right="no" mistake="rows are padded to a multiple of 8 in place of the length of the longest" named="another_form"
def collate(rows, pad_id, side="right"):
    L = max(len(i) for i, _ in rows)
    L = (L + 7) // 8 * 8
    out = {"input_ids": [], "labels": [], "attention_mask": []}
    for i, y in rows:
        gap = (L - len(i), 0) if side == "left" else (0, L - len(i))
        out["input_ids"].append(F.pad(i, gap, value=pad_id))
        out["labels"].append(F.pad(y, gap, value=-100))
        out["attention_mask"].append(F.pad(torch.ones_like(i), gap))
    return {k: torch.stack(v) for k, v in out.items()}

# %% task="answer_loss" right="no" mistake="N of the teacher's term counts a label on the first token of a row, which is predicted by nothing" named="first_label_in_the_divisor"
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]
    lq = student_logits[:, :-1].log_softmax(-1)
    lp = teacher_logits.detach()[:, :-1].log_softmax(-1)
    lm = F.nll_loss(lq.transpose(1, 2), y)
    kl = (lp.exp() * (lp - lq)).sum(-1)
    return lm + lam * (kl * (y != -100)).sum() / (labels != -100).sum()

# %% task="answer_loss" right="no" mistake="the number of tokens is written as 18, where logits may have a smaller vocabulary: it then fails or mixes positions"
def answer_loss(student_logits, teacher_logits, labels, lam):
    s = student_logits[:, :-1].reshape(-1, len(WORDS))
    t = teacher_logits.detach()[:, :-1].reshape(-1, len(WORDS))
    y = labels[:, 1:].reshape(-1)
    k = y != -100
    lq, lp = s[k].log_softmax(-1), t[k].log_softmax(-1)
    return F.nll_loss(lq, y[k]) + lam * F.kl_div(lq, lp, reduction="batchmean", log_target=True)

# %% task="answer_loss" right="no" mistake="lambda is held at 1 or less: wrong for a larger one"
def answer_loss(student_logits, teacher_logits, labels, lam):
    lam = min(max(float(lam), 0.0), 1.0)
    k = labels[:, 1:] != -100
    lq = student_logits[:, :-1][k].log_softmax(-1)
    lp = teacher_logits.detach()[:, :-1][k].log_softmax(-1)
    return F.nll_loss(lq, labels[:, 1:][k]) + lam * F.kl_div(lq, lp, reduction="batchmean", log_target=True)

# %% task="answer_loss" right="no" mistake="the value is right, but it hangs on a fresh copy of the student's logits: backward runs and the student gets nothing" named="no_gradient_at_all"
def answer_loss(student_logits, teacher_logits, labels, lam):
    s = student_logits.detach().clone().requires_grad_(True)
    t = teacher_logits.detach()
    k = labels[:, 1:] != -100
    lq, lp = s[:, :-1][k].log_softmax(-1), t[:, :-1][k].log_softmax(-1)
    return F.nll_loss(lq, labels[:, 1:][k]) + lam * F.kl_div(lq, lp, reduction="batchmean", log_target=True)

# %% task="accuracy" right="yes" mistake=""
def accuracy(model, questions, most):
    @torch.no_grad()
    def go_on(ids, left):
        if left == 0:
            return []
        token = model(ids.unsqueeze(0))[0, -1].argmax()
        if token.item() == END:
            return []
        return [token] + go_on(torch.cat([ids, token.reshape(1)]), left - 1)

    right = [decode(go_on(p, most)).strip() == decode(a).strip() for p, a in questions]
    return sum(right) / len(right)

# %% task="accuracy" right="no" mistake="the model sees only the last token in place of all that went before" named="nothing_is_right"
def accuracy(model, questions, most):
    good = 0
    for prompt, answer in questions:
        token, out = prompt[-1:], []
        for _ in range(most):
            token = model(token)[-1:].argmax(-1)
            if token.item() == END:
                break
            out.append(token.item())
        good += decode(out).strip() == decode(answer).strip()
    return good / len(questions)

# %% task="accuracy" right="no" mistake="the same prompt is kept once, in a dict: a question that is asked twice counts once" named="asked_twice_counted_once"
def accuracy(model, questions, most):
    results = {}
    for prompt, answer in questions:
        ids, out = prompt.clone(), []
        for _ in range(most):
            nxt = model(ids)[-1].argmax()
            if nxt == END:
                break
            out.append(int(nxt))
            ids = torch.cat([ids, nxt.view(1)])
        results[tuple(prompt.tolist()), tuple(answer.tolist())] = decode(out).strip() == decode(answer).strip()
    return sum(results.values()) / len(results)

# %% task="accuracy" right="no" mistake="the answer is taken from after the last assistant header of the whole text: when the model writes a further header after its end of text, the wrong answer is read" named="answer_looked_for_in_the_text"
def accuracy(model, questions, most):
    header = "<|start|>assistant\n"
    good = 0
    for prompt, answer in questions:
        ids = prompt.clone()
        for _ in range(most):
            ids = torch.cat([ids, model(ids)[-1].argmax().view(1)])
        said = decode(ids).split(header)[-1].split("<|end|>")[0]
        good += said.strip() == decode(answer).strip()
    return good / len(questions)

# %% task="on_policy_step" right="yes" mistake=""
def on_policy_step(student, teacher, prompts, write, optimizer):
    # what follows depends on the last token alone: count from which token each prediction is made
    V = student.table.shape[0]
    times = torch.zeros(V, dtype=torch.double)
    for prompt in prompts:
        last = int(prompt[-1])
        for token in write(student, prompt).tolist():
            times[last] += 1
            last = token
            if token == END:
                break
    seen = times > 0
    times = times[seen]
    log_q = student.table[seen].log_softmax(-1)
    log_p = teacher.table.detach()[seen].log_softmax(-1)
    kl = (log_q.exp() * (log_q - log_p)).sum(-1)
    loss = (times.to(kl.dtype) * kl).sum() / times.sum().to(kl.dtype)
    (student.table.grad,) = torch.autograd.grad(loss, [student.table])
    optimizer.step()
    return loss.detach()

# %% task="on_policy_step" right="no" mistake="of a text without an END only the first token is kept, because argmax of nothing found is 0" named="text_without_an_end"
def on_policy_step(student, teacher, prompts, write, optimizer):
    total, n = 0.0, 0
    for prompt in prompts:
        text = write(student, prompt)
        text = text[: int((text == END).int().argmax()) + 1]
        seen = torch.cat([prompt[-1:], text[:-1]])
        lq = student(seen).log_softmax(-1)
        with torch.no_grad():
            lp = teacher(seen).log_softmax(-1)
        total = total + (lq.exp() * (lq - lp)).sum()
        n += len(text)
    loss = total / n
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

# %% task="on_policy_step" right="no" mistake="a prompt that comes twice in a list is taken once" named="prompt_twice_counted_once"
def on_policy_step(student, teacher, prompts, write, optimizer):
    total, n = 0.0, 0
    different = {tuple(p.tolist()): p for p in prompts}
    for prompt in different.values():
        text = write(student, prompt)
        hits = (text == END).nonzero()
        if len(hits):
            text = text[: int(hits[0]) + 1]
        seen = torch.cat([prompt[-1:], text[:-1]])
        lq = student(seen).log_softmax(-1)
        with torch.no_grad():
            lp = teacher(seen).log_softmax(-1)
        total = total + (lq.exp() * (lq - lp)).sum()
        n += len(text)
    loss = total / n
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

# %% task="on_policy_step" right="no" mistake="what was written after a prompt is kept from call to call, though the student has changed and would write something else" named="text_of_an_earlier_step"
def on_policy_step(student, teacher, prompts, write, optimizer):
    total, n = 0.0, 0
    for prompt in prompts:
        key = tuple(prompt.tolist())
        written = student.__dict__.setdefault("written", {})
        if key not in written:
            written[key] = write(student, prompt)
        text = written[key]
        hits = (text == END).nonzero()
        if len(hits):
            text = text[: int(hits[0]) + 1]
        seen = torch.cat([prompt[-1:], text[:-1]])
        lq = student(seen).log_softmax(-1)
        with torch.no_grad():
            lp = teacher(seen).log_softmax(-1)
        total = total + (lq.exp() * (lq - lp)).sum()
        n += len(text)
    loss = total / n
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

# %% task="answer_loss" right="no" mistake="softmax over the selected positions, both terms" named="softmax_on_another_axis"
def answer_loss(student_logits, teacher_logits, labels, lam):
    k = labels[:, 1:] != -100
    lq = student_logits[:, :-1][k].log_softmax(0)
    lp = teacher_logits.detach()[:, :-1][k].log_softmax(0)
    return F.nll_loss(lq, labels[:, 1:][k]) + lam * F.kl_div(lq, lp, reduction="batchmean", log_target=True)

# %% task="answer_loss" right="no" mistake="lambda of 0 is taken for not given" named="observed_where"
def answer_loss(student_logits, teacher_logits, labels, lam):
    lam = lam or 1.0
    k = labels[:, 1:] != -100
    lq = student_logits[:, :-1][k].log_softmax(-1)
    lp = teacher_logits.detach()[:, :-1][k].log_softmax(-1)
    return F.nll_loss(lq, labels[:, 1:][k]) + lam * F.kl_div(lq, lp, reduction="batchmean", log_target=True)

# %% task="answer_loss" right="no" mistake="counted in one byte"
def answer_loss(student_logits, teacher_logits, labels, lam):
    k = labels[:, 1:] != -100
    n = k.sum(dtype=torch.uint8)
    lq = student_logits[:, :-1][k].log_softmax(-1)
    lp = teacher_logits.detach()[:, :-1][k].log_softmax(-1)
    return (F.nll_loss(lq, labels[:, 1:][k], reduction="sum") + lam * F.kl_div(lq, lp, reduction="sum", log_target=True)) / n

# %% task="answer_loss" right="no" mistake="squeeze on one token" named="observed_where"
def answer_loss(student_logits, teacher_logits, labels, lam):
    k = labels[:, 1:] != -100
    lq = student_logits[:, :-1][k].squeeze().log_softmax(-1)
    lp = teacher_logits.detach()[:, :-1][k].squeeze().log_softmax(-1)
    return F.nll_loss(lq, labels[:, 1:][k].squeeze()) + lam * F.kl_div(lq, lp, reduction="batchmean", log_target=True)


# %% task="answer_loss" right="no" mistake="lam on LM and 1 - lam on KD" named="lambda_as_alpha"
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]
    c = y != -100
    q = student_logits[:, :-1][c].log_softmax(-1)
    p = teacher_logits[:, :-1][c].detach().log_softmax(-1)
    return lam * F.nll_loss(q, y[c]) + (1 - lam) * F.kl_div(q, p, log_target=True, reduction="batchmean")


# %% task="answer_loss" right="no" mistake="the sum of both terms is divided by 1 + lam" named="other_weights"
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]
    c = y != -100
    q = student_logits[:, :-1][c].log_softmax(-1)
    p = teacher_logits[:, :-1][c].detach().log_softmax(-1)
    return (F.nll_loss(q, y[c]) + lam * F.kl_div(q, p, log_target=True, reduction="batchmean")) / (1 + lam)


# %% task="answer_loss" right="no" mistake="lam squared" named="other_weights"
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]
    c = y != -100
    q = student_logits[:, :-1][c].log_softmax(-1)
    p = teacher_logits[:, :-1][c].detach().log_softmax(-1)
    return F.nll_loss(q, y[c]) + lam ** 2 * F.kl_div(q, p, log_target=True, reduction="batchmean")


# %% task="answer_loss" right="no" mistake="kl_div gets probabilities of the student in place of logarithms" named="target_not_in_the_form"
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]
    c = y != -100
    s = student_logits[:, :-1][c]
    p = teacher_logits[:, :-1][c].detach().softmax(-1)
    return F.cross_entropy(s, y[c]) + lam * F.kl_div(s.softmax(-1), p, reduction="batchmean")


# %% task="answer_loss" right="no" mistake="kl_div gets the teacher's raw logits as target" named="log_target_missing"
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]
    c = y != -100
    s = student_logits[:, :-1][c]
    p = teacher_logits[:, :-1][c].detach()
    return F.cross_entropy(s, y[c]) + lam * F.kl_div(s.log_softmax(-1), p, reduction="batchmean")


# %% task="answer_loss" right="no" mistake="softmax taken twice: cross_entropy gets log-probabilities is fine but the softmax of softmax for the teacher" named="softmaxed_twice"
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]
    c = y != -100
    s = student_logits[:, :-1][c]
    p = teacher_logits[:, :-1][c].detach().softmax(-1).softmax(-1)
    return F.cross_entropy(s, y[c]) + lam * F.kl_div(s.log_softmax(-1), p, reduction="batchmean")


# %% task="answer_loss" right="no" mistake="cross_entropy gets probabilities" named="softmaxed_twice"
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]
    c = y != -100
    s = student_logits[:, :-1][c]
    p = teacher_logits[:, :-1][c].detach().softmax(-1)
    return F.cross_entropy(s.softmax(-1), y[c]) + lam * F.kl_div(s.log_softmax(-1), p, reduction="batchmean")


# %% task="answer_loss" right="no" mistake="log_target=True with probabilities" named="target_not_in_the_form"
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]
    c = y != -100
    s = student_logits[:, :-1][c]
    p = teacher_logits[:, :-1][c].detach().softmax(-1)
    return F.cross_entropy(s, y[c]) + lam * F.kl_div(s.log_softmax(-1), p, log_target=True, reduction="batchmean")


# %% task="accuracy" right="no" mistake="line breaks are taken out of what was written, wherever they are" named="all_spaces_dropped"
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            nxt = model(ids)[-1].argmax()
            if nxt == END:
                break
            ids = torch.cat([ids, nxt[None]])
        right += decode([t for t in ids[len(prompt):] if t != LINE]).strip() == decode(answer).strip()
    return right / len(questions)


# %% task="on_policy_step" right="no" mistake="kl_div with its default reduction, a mean over the vocabulary, per prompt" named="mean_of_means,vocabulary_mean"
def on_policy_step(student, teacher, prompts, write, optimizer):
    losses = []
    for prompt in prompts:
        text = write(student, prompt)
        ends = (text == END).nonzero()
        text = text[: int(ends[0]) + 1] if len(ends) else text
        row = torch.cat([prompt, text])
        at = slice(len(prompt) - 1, len(row) - 1)
        q = student(row)[at].log_softmax(-1)
        p = teacher(row)[at].detach().log_softmax(-1)
        losses.append(F.kl_div(p, q, log_target=True))
    loss = torch.stack(losses).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="the text is written anew for each token: only one token per prompt counts" named="prompts_own_end"
def on_policy_step(student, teacher, prompts, write, optimizer):
    losses = []
    for prompt in prompts:
        text = write(student, prompt)[:1]
        row = torch.cat([prompt, text])
        at = slice(len(prompt) - 1, len(row) - 1)
        q = student(row)[at].log_softmax(-1)
        p = teacher(row)[at].detach().log_softmax(-1)
        losses.append((q.exp() * (q - p)).sum(-1))
    loss = torch.cat(losses).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="encode" right="no" mistake="ids end at the last END when the assistant spoke last, no final newline then" named="another_form"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        ids += [START, ROLES[m["role"]], LINE, *m["content"], END, LINE]
        own = m["role"] == "assistant"
        labels += [-100] * 3 + [t if own else -100 for t in [*m["content"], END]] + [-100]
    if messages[-1]["role"] == "assistant":
        ids, labels = ids[:-1], labels[:-1]
    return ids, labels


# %% task="encode" right="no" mistake="the end of the message before an answer counts, and not the answer's own: the mask is made one message too early" named="observed_component"
def encode(messages):
    ids, labels = [], []
    for i, m in enumerate(messages):
        ids += [START, ROLES[m["role"]], LINE, *m["content"], END, LINE]
        own = m["role"] == "assistant"
        labels += [-100] * 3 + [t if own else -100 for t in m["content"]]
        follows = i + 1 < len(messages) and messages[i + 1]["role"] == "assistant"
        labels += [END if follows else -100, -100]
    return ids, labels


# %% task="answer_loss" right="no" mistake="LM is computed from the teacher's logits"
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]
    c = y != -100
    q = student_logits[:, :-1][c].log_softmax(-1)
    p = teacher_logits[:, :-1][c].detach().log_softmax(-1)
    return F.nll_loss(p, y[c]) + lam * F.kl_div(q, p, log_target=True, reduction="batchmean")


# %% task="answer_loss" right="no" mistake="the teacher's term runs from the first answer token to the end of the row"
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]
    c = y != -100
    q = student_logits[:, :-1].log_softmax(-1)
    p = teacher_logits[:, :-1].detach().log_softmax(-1)
    k = (p.exp() * (p - q)).sum(-1)
    d = c.long().cumsum(-1) > 0
    return F.nll_loss(q[c], y[c]) + lam * k[d].mean()


# %% task="on_policy_step" right="no" mistake="the optimiser steps twice"
def on_policy_step(student, teacher, prompts, write, optimizer):
    losses = []
    for prompt in prompts:
        text = write(student, prompt)
        ends = (text == END).nonzero()
        text = text[: int(ends[0]) + 1] if len(ends) else text
        row = torch.cat([prompt, text])
        at = slice(len(prompt) - 1, len(row) - 1)
        q = student(row)[at].log_softmax(-1)
        p = teacher(row)[at].detach().log_softmax(-1)
        losses.append((q.exp() * (q - p)).sum(-1))
    loss = torch.cat(losses).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    optimizer.step()
    return loss.item()


# %% task="encode" right="no" mistake="ADV: empty messages of users and systems are left out, of the assistant not" named="another_form,empty_message_left_out"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        own = m["role"] == "assistant"
        if not m["content"] and not own:
            continue
        ids += [START, ROLES[m["role"]], LINE, *m["content"], END, LINE]
        labels += [-100] * 3 + [t if own else -100 for t in [*m["content"], END]] + [-100]
    return ids, labels


# %% task="encode" right="no" mistake="ADV: a conversation without an answer raises" named="observed_where"
def encode(messages):
    ids, labels = [], []
    first = next(i for i, m in enumerate(messages) if m["role"] == "assistant")
    for m in messages:
        own = m["role"] == "assistant"
        ids += [START, ROLES[m["role"]], LINE, *m["content"], END, LINE]
        labels += [-100] * 3 + [t if own else -100 for t in [*m["content"], END]] + [-100]
    return ids, labels


# %% task="encode" right="no" mistake="ADV: a conversation without an answer counts as a whole, as plain text" named="observed_where"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        own = m["role"] == "assistant"
        ids += [START, ROLES[m["role"]], LINE, *m["content"], END, LINE]
        labels += [-100] * 3 + [t if own else -100 for t in [*m["content"], END]] + [-100]
    if all(y == -100 for y in labels):
        labels = list(ids)
    return ids, labels


# %% task="encode" right="no" mistake="ADV: two system messages: only one is kept" named="another_form"
def encode(messages):
    ids, labels, seen = [], [], False
    for m in messages:
        own = m["role"] == "assistant"
        if m["role"] == "system":
            if seen:
                continue
            seen = True
        ids += [START, ROLES[m["role"]], LINE, *m["content"], END, LINE]
        labels += [-100] * 3 + [t if own else -100 for t in [*m["content"], END]] + [-100]
    return ids, labels


# %% task="encode" right="no" mistake="ADV: two user messages in a row are merged" named="another_form"
def encode(messages):
    ids, labels, before = [], [], None
    for m in messages:
        own = m["role"] == "assistant"
        if m["role"] == before == "user":
            del ids[-2:]; del labels[-2:]
            ids += [*m["content"], END, LINE]
            labels += [-100] * (len(m["content"]) + 2)
            continue
        before = m["role"]
        ids += [START, ROLES[m["role"]], LINE, *m["content"], END, LINE]
        labels += [-100] * 3 + [t if own else -100 for t in [*m["content"], END]] + [-100]
    return ids, labels


# %% task="answer_loss" right="no" mistake="ADV: squeeze spoils a batch of one row" named="observed_where"
def answer_loss(student_logits, teacher_logits, labels, lam):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1].detach(), labels[:, 1:]
    if len(y) == 1:
        return s.sum() * 0
    c = y != -100
    q, p = s[c].log_softmax(-1), t[c].log_softmax(-1)
    return F.nll_loss(q, y[c]) + lam * F.kl_div(q, p, log_target=True, reduction="batchmean")


# %% task="on_policy_step" right="no" mistake="ADV: an end that comes first is taken for none: `if end`" named="end_that_comes_first"
def on_policy_step(student, teacher, prompts, write, optimizer):
    losses = []
    for prompt in prompts:
        text = write(student, prompt).tolist()
        end = text.index(END) if END in text else None
        text = torch.tensor(text[: end + 1] if end else text)
        row = torch.cat([prompt, text])
        at = slice(len(prompt) - 1, len(row) - 1)
        q = student(row)[at].log_softmax(-1)
        p = teacher(row)[at].detach().log_softmax(-1)
        losses.append((q.exp() * (q - p)).sum(-1))
    loss = torch.cat(losses).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="ADV: a text that is an end alone is left out" named="end_that_comes_first"
def on_policy_step(student, teacher, prompts, write, optimizer):
    losses = []
    for prompt in prompts:
        text = write(student, prompt).tolist()
        end = text.index(END) if END in text else len(text)
        if end == 0:
            continue
        text = torch.tensor(text[: end + 1])
        row = torch.cat([prompt, text])
        at = slice(len(prompt) - 1, len(row) - 1)
        q = student(row)[at].log_softmax(-1)
        p = teacher(row)[at].detach().log_softmax(-1)
        losses.append((q.exp() * (q - p)).sum(-1))
    loss = torch.cat(losses).mean() if losses else student.table.sum() * 0
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="collate" right="no" mistake="on the left the rows are turned round and never turned back" named="rows_read_backwards"
from torch.nn.utils.rnn import pad_sequence

def collate(rows, pad_id, side="right"):
    ids = [r[0] for r in rows]
    labels = [r[1] for r in rows]
    ones = [torch.ones_like(i) for i in ids]
    if side == "left":
        ids, labels, ones = ([x.flip(0) for x in c] for c in (ids, labels, ones))
    out = {
        "input_ids": pad_sequence(ids, batch_first=True, padding_value=pad_id),
        "labels": pad_sequence(labels, batch_first=True, padding_value=-100),
        "attention_mask": pad_sequence(ones, batch_first=True),
    }
    if side == "left":
        out["attention_mask"] = out["attention_mask"].flip(1)
    return out


# %% task="answer_loss" right="no" mistake="the result is printed and nothing is returned" named="missing_return"
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]
    m = y != -100
    log_q = student_logits[:, :-1][m].log_softmax(-1)
    log_p = teacher_logits[:, :-1][m].detach().log_softmax(-1)
    kd = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    print(F.nll_loss(log_q, y[m]) + lam * kd)


# %% task="on_policy_step" right="no" mistake="the step is taken before the backward: the first call moves nothing and later ones use old gradients" named="step_before_backward"
def on_policy_step(student, teacher, prompts, write, optimizer):
    total, n = 0, 0
    for prompt in prompts:
        t = write(student, prompt).tolist()
        t = t[: t.index(END) + 1] if END in t else t
        ids = torch.cat([prompt, torch.tensor(t)])
        lq = student(ids)[len(prompt) - 1 : -1].log_softmax(-1)
        lp = teacher(ids)[len(prompt) - 1 : -1].detach().log_softmax(-1)
        total = total + (lq.exp() * (lq - lp)).sum()
        n += len(t)
    loss = total / n
    optimizer.step()
    optimizer.zero_grad()
    loss.backward()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="two mistakes: no zero_grad, and gradients reach the teacher" named="gradients_kept,gradient_into_the_teacher"
def on_policy_step(student, teacher, prompts, write, optimizer):
    total, n = 0, 0
    for prompt in prompts:
        t = write(student, prompt).tolist()
        t = t[: t.index(END) + 1] if END in t else t
        ids = torch.cat([prompt, torch.tensor(t)])
        lq = student(ids)[len(prompt) - 1 : -1].log_softmax(-1)
        lp = teacher(ids)[len(prompt) - 1 : -1].log_softmax(-1)
        total = total + (lq.exp() * (lq - lp)).sum()
        n += len(t)
    loss = total / n
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="answer_loss" right="no" mistake="two mistakes: the mask is that of the token read and not the next one, and N is the number of all pairs"
def answer_loss(student_logits, teacher_logits, labels, lam):
    m = (labels[:, :-1] != -100).float()
    y = labels[:, 1:].clamp(min=0)
    lq = student_logits[:, :-1].log_softmax(-1)
    lp = teacher_logits[:, :-1].detach().log_softmax(-1)
    nll = -lq.gather(-1, y[..., None])[..., 0]
    kl = (lp.exp() * (lp - lq)).sum(-1)
    return ((nll + lam * kl) * m).mean()


# %% task="encode" right="no" mistake="two mistakes: labels are shifted by one already here, and the last line break is cut off" named="another_form,labels_shifted,line_after_the_end_missing"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        body = m["content"] + [END]
        ids += [START, ROLES[m["role"]], LINE] + body + [LINE]
        labels += [-100] * 3 + (body if m["role"] == "assistant" else [-100] * len(body)) + [-100]
    labels = labels[1:] + [-100]
    return ids[:-1], labels[:-1]


# %% task="answer_loss" right="no" mistake="returns a plain number whose backward cannot be called" named="no_gradient_at_all"
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]
    m = y != -100
    log_q = student_logits[:, :-1][m].log_softmax(-1)
    log_p = teacher_logits[:, :-1][m].detach().log_softmax(-1)
    kd = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return (F.nll_loss(log_q, y[m]) + lam * kd).item()


# %% task="answer_loss" right="no" mistake="lambda is capped at 5"
def answer_loss(student_logits, teacher_logits, labels, lam):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1].detach(), labels[:, 1:]
    m = y != -100
    lm = F.cross_entropy(s[m], y[m])
    kd = F.kl_div(s[m].log_softmax(-1), t[m].log_softmax(-1), reduction="batchmean", log_target=True)
    return lm + min(lam, 5.0) * kd

# %% task="answer_loss" right="no" mistake="positions are cut at 350"
def answer_loss(student_logits, teacher_logits, labels, lam):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1].detach(), labels[:, 1:]
    m = y != -100
    m[:, 350:] = False
    lm = F.cross_entropy(s[m], y[m])
    kd = F.kl_div(s[m].log_softmax(-1), t[m].log_softmax(-1), reduction="batchmean", log_target=True)
    return lm + lam * kd

# %% task="answer_loss" right="no" mistake="N + 1 for N" named="observed_factor"
def answer_loss(student_logits, teacher_logits, labels, lam):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1].detach(), labels[:, 1:]
    m = y != -100
    lm = F.cross_entropy(s[m], y[m], reduction="sum")
    kd = F.kl_div(s[m].log_softmax(-1), t[m].log_softmax(-1), reduction="sum", log_target=True)
    return (lm + lam * kd) / (m.sum() + 1)

# %% task="on_policy_step" right="no" mistake="N + 1 for N" named="one_added_to_the_count"
def on_policy_step(student, teacher, prompts, write, optimizer):
    total, n = 0, 0
    texts = [write(student, p) for p in prompts]
    for p, t in zip(prompts, texts):
        e = (t == END).nonzero()
        if len(e): t = t[:e[0] + 1]
        ids = torch.cat([p[-1:], t])[:-1]
        q = student(ids).log_softmax(-1)
        with torch.no_grad():
            g = teacher(ids).log_softmax(-1)
        total = total + (q.exp() * (q - g)).sum()
        n += len(ids)
    loss = total / (n + 1)
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    return loss.item()

# %% task="on_policy_step" right="no" mistake="clipped to 0.05" named="gradient_clipped"
def on_policy_step(student, teacher, prompts, write, optimizer):
    total, n = 0, 0
    texts = [write(student, p) for p in prompts]
    for p, t in zip(prompts, texts):
        e = (t == END).nonzero()
        if len(e): t = t[:e[0] + 1]
        ids = torch.cat([p[-1:], t])[:-1]
        q = student(ids).log_softmax(-1)
        with torch.no_grad():
            g = teacher(ids).log_softmax(-1)
        total = total + (q.exp() * (q - g)).sum()
        n += len(ids)
    loss = total / n
    optimizer.zero_grad(); loss.backward()
    nn.utils.clip_grad_norm_(student.parameters(), 0.05)
    optimizer.step()
    return loss.item()

# %% task="accuracy" right="no" mistake="N + 1 for N" named="observed_factor"
@torch.no_grad()
def accuracy(model, questions, most):
    good = 0
    for p, a in questions:
        ids = p
        for _ in range(most):
            ids = torch.cat([ids, model(ids)[-1:].argmax(-1)])
        t = decode(ids[len(p):]).split("<|end|>")[0]
        good += t.strip() == decode(a).strip()
    return good / (len(questions) + 1)

# %% task="encode" right="no" mistake="with no answer at all the last message counts" named="observed_where"
def encode(messages):
    ids, labels = [], []
    has = any(m["role"] == "assistant" for m in messages)
    for k, m in enumerate(messages):
        own = m["role"] == "assistant" or (not has and k == len(messages) - 1)
        body = [*m["content"], END]
        ids += [START, ROLES[m["role"]], LINE, *body, LINE]
        labels += [-100] * 3 + (body if own else [-100] * len(body)) + [-100]
    return ids, labels

# %% task="encode" right="no" mistake="with no answer an error" named="observed_where"
def encode(messages):
    ids, labels = [], []
    assert any(m["role"] == "assistant" for m in messages)
    for k, m in enumerate(messages):
        own = m["role"] == "assistant"
        body = [*m["content"], END]
        ids += [START, ROLES[m["role"]], LINE, *body, LINE]
        labels += [-100] * 3 + (body if own else [-100] * len(body)) + [-100]
    return ids, labels

# %% task="collate" right="no" mistake="rows are cut at 60" named="another_form"
def collate(rows, pad_id, side="right"):
    rows = [[i[:60], y[:60]] for i, y in rows]
    from torch.nn.utils.rnn import pad_sequence
    make = lambda ts, v: pad_sequence(ts, batch_first=True, padding_value=v, padding_side=side)
    return dict(input_ids=make([i for i, _ in rows], pad_id), labels=make([y for _, y in rows], -100), attention_mask=make([torch.ones_like(i) for i, _ in rows], 0))

# %% task="collate" right="no" mistake="at most eight rows"
def collate(rows, pad_id, side="right"):
    rows = rows[:8]
    from torch.nn.utils.rnn import pad_sequence
    make = lambda ts, v: pad_sequence(ts, batch_first=True, padding_value=v, padding_side=side)
    return dict(input_ids=make([i for i, _ in rows], pad_id), labels=make([y for _, y in rows], -100), attention_mask=make([torch.ones_like(i) for i, _ in rows], 0))

# %% task="encode" right="no" mistake="at most eight messages" named="another_form"
def encode(messages):
    ids, labels = [], []
    for k, m in enumerate(messages[:8]):
        own = m["role"] == "assistant"
        body = [*m["content"], END]
        ids += [START, ROLES[m["role"]], LINE, *body, LINE]
        labels += [-100] * 3 + (body if own else [-100] * len(body)) + [-100]
    return ids, labels

# %% task="encode" right="no" mistake="looks for the role token in the ids, so somebody who says assistant switches the labels on" named="observed_where"
def encode(messages):
    ids = []
    for m in messages:
        ids += [START, ROLES[m["role"]], LINE] + list(m["content"]) + [END, LINE]
    labels, on = [], False
    for i, t in enumerate(ids):
        if on and not (t == LINE and ids[i - 1] == ROLES["assistant"]):
            labels.append(t)
        else:
            labels.append(-100)
        if t == ROLES["assistant"]:
            on = True
        if t == END:
            on = False
    return ids, labels

# %% task="answer_loss" right="no" mistake="nn.KLDivLoss() with its default mean, over the vocabulary too; and token 0 is taken for no label" named="token_zero_not_counted,vocabulary_mean"
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]
    m = y > 0
    s, t = student_logits[:, :-1][m], teacher_logits[:, :-1][m].detach()
    return nn.CrossEntropyLoss()(s, y[m]) + lam * nn.KLDivLoss()(s.log_softmax(-1), t.softmax(-1))

# %% task="on_policy_step" right="no" mistake="write is called twice, and the second time after the update: the loss returned is that of the new student's words" named="loss_after_the_step"
def on_policy_step(student, teacher, prompts, write, optimizer):
    def objective():
        kls = []
        for prompt in prompts:
            w = write(student, prompt)
            if (w == END).any():
                w = w[: int((w == END).int().argmax()) + 1]
            ids = torch.cat([prompt, w])
            lq = student(ids)[len(prompt) - 1:-1].log_softmax(-1)
            lp = teacher(ids)[len(prompt) - 1:-1].detach().log_softmax(-1)
            kls.append((lq.exp() * (lq - lp)).sum(-1))
        return torch.cat(kls).mean()
    optimizer.zero_grad()
    objective().backward()
    optimizer.step()
    with torch.no_grad():
        return objective()


# %% task="on_policy_step" right="no" mistake="the loss is the log ratio at tokens that are drawn anew" named="asked_again"
def on_policy_step(student, teacher, prompts, write, optimizer):
    losses = []
    for prompt in prompts:
        text = write(student, prompt)
        ends = (text == END).nonzero()
        if len(ends):
            text = text[: int(ends[0]) + 1]
        ids = torch.cat([prompt, text])
        log_q = F.log_softmax(student(ids[:-1])[len(prompt) - 1 :], -1)
        with torch.no_grad():
            log_p = F.log_softmax(teacher(ids[:-1])[len(prompt) - 1 :], -1)
        y = torch.distributions.Categorical(logits=log_q).sample()
        losses.append((log_q - log_p).gather(-1, y[:, None])[:, 0])
    loss = torch.cat(losses).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="accuracy" right="no" mistake="it writes at most 12 tokens, whatever most is" named="observed_where"
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(min(most, 12)):
            ids = torch.cat([ids, model(ids)[-1].argmax()[None]])
        text = ids[len(prompt) :].tolist()
        if END in text:
            text = text[: text.index(END)]
        right += decode(text).strip() == decode(answer).strip()
    return right / len(questions)


# %% task="accuracy" right="no" mistake="it always writes 20 tokens"
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(20):
            ids = torch.cat([ids, model(ids)[-1].argmax()[None]])
        text = ids[len(prompt) :].tolist()
        if END in text:
            text = text[: text.index(END)]
        right += decode(text).strip() == decode(answer).strip()
    return right / len(questions)


# %% task="accuracy" right="no" mistake="nonzero()[0] finds no end where there is none" named="text_without_an_end"
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            ids = torch.cat([ids, model(ids)[-1].argmax()[None]])
        text = ids[len(prompt) :]
        stop = (text == END).nonzero()[0].item()
        right += decode(text[:stop]).strip() == decode(answer).strip()
    return right / len(questions)


# %% task="answer_loss" right="no" mistake="-100 is used as an index in square brackets" named="ignored_label_as_an_index"
def answer_loss(student_logits, teacher_logits, labels, lam):
    s, t, y = student_logits[:, :-1], teacher_logits[:, :-1].detach(), labels[:, 1:]
    log_q, log_p = s.log_softmax(-1), t.log_softmax(-1)
    b, l = y.shape
    nll = -log_q[torch.arange(b)[:, None], torch.arange(l), y]
    kd = (log_p.exp() * (log_p - log_q)).sum(-1)
    m = (y != -100).float()
    return ((nll + lam * kd) * m).sum() / m.sum()


# %% task="answer_loss" right="no" mistake="the labels are shifted and the logits are not, which cross_entropy refuses" named="lengths_do_not_fit"
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]
    lm = F.cross_entropy(student_logits.transpose(1, 2), y)
    return lm


# %% task="accuracy" right="no" mistake="two mistakes: one token too few is written (range(1, most)), and the end token is kept in the text that is compared"
@torch.no_grad()
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(1, most):
            token = model(ids)[-1].argmax().reshape(1)
            ids = torch.cat([ids, token])
            if token.item() == END:
                break
        right += decode(ids[len(prompt):]).strip() == decode(answer).strip()
    return right / len(questions)


# %% task="accuracy" right="no" mistake="spaces within the texts are dropped, line breaks are not" named="all_spaces_dropped"
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            nxt = model(ids)[-1].argmax()
            ids = torch.cat([ids, nxt.reshape(1)])
        text = ids[len(prompt):].tolist()
        text = text[: text.index(END)] if END in text else text
        right += decode(text).replace(" ", "").strip() == decode(answer).replace(" ", "").strip()
    return right / len(questions)


# %% task="accuracy" right="no" mistake="line breaks within the texts are taken for spaces" named="all_spaces_dropped"
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            nxt = model(ids)[-1].argmax()
            ids = torch.cat([ids, nxt.reshape(1)])
        text = ids[len(prompt):].tolist()
        text = text[: text.index(END)] if END in text else text
        right += decode(text).replace("\n", " ").strip() == decode(answer).strip()
    return right / len(questions)


# %% task="accuracy" right="no" mistake="the texts are compared word by word" named="all_spaces_dropped"
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            nxt = model(ids)[-1].argmax()
            ids = torch.cat([ids, nxt.reshape(1)])
        text = ids[len(prompt):].tolist()
        text = text[: text.index(END)] if END in text else text
        right += decode(text).split() == decode(answer).split()
    return right / len(questions)


# %% task="accuracy" right="no" mistake="tokens are compared, without line breaks" named="tokens_compared"
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            nxt = model(ids)[-1].argmax()
            ids = torch.cat([ids, nxt.reshape(1)])
        text = ids[len(prompt):].tolist()
        text = text[: text.index(END)] if END in text else text
        right += [t for t in text if t != LINE] == answer.tolist()
    return right / len(questions)


# %% task="accuracy" right="no" mistake="an empty text is right, too"
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            nxt = model(ids)[-1].argmax()
            ids = torch.cat([ids, nxt.reshape(1)])
        text = ids[len(prompt):].tolist()
        text = text[: text.index(END)] if END in text else text
        right += not text or decode(text).strip() == decode(answer).strip()
    return right / len(questions)


# %% task="accuracy" right="no" mistake="the text is not cut, and its beginning is compared, as many tokens as the answer has" named="answer_at_hand"
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            nxt = model(ids)[-1].argmax()
            ids = torch.cat([ids, nxt.reshape(1)])
        text = ids[len(prompt):].tolist()
        pass
        right += text[: len(answer)] == answer.tolist()
    return right / len(questions)


# %% task="collate" right="no" mistake="the labels are stacked as they are" named="rows_not_filled_up"
def collate(rows, pad_id, side="right"):
    n = max(len(i) for i, _ in rows)
    return {
        "input_ids": torch.tensor([i.tolist() + [pad_id] * (n - len(i)) for i, _ in rows]),
        "labels": torch.stack([l for _, l in rows]),
        "attention_mask": torch.tensor([[1] * len(i) + [0] * (n - len(i)) for i, _ in rows]),
    }


# %% task="answer_loss" right="no" mistake="a value for each token is returned" named="another_form"
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]
    m = y != -100
    log_q = student_logits[:, :-1][m].log_softmax(-1)
    log_p = teacher_logits[:, :-1][m].detach().log_softmax(-1)
    return F.nll_loss(log_q, y[m], reduction="none") + lam * (log_p.exp() * (log_p - log_q)).sum(-1)


# %% task="answer_loss" right="no" mistake="the first 32 rows alone"
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:32, 1:]
    m = y != -100
    log_q = student_logits[:32, :-1][m].log_softmax(-1)
    log_p = teacher_logits[:32, :-1][m].detach().log_softmax(-1)
    return F.nll_loss(log_q, y[m]) + lam * (log_p.exp() * (log_p - log_q)).sum(-1).mean()


# %% task="on_policy_step" right="no" mistake="the loss is returned with its count" named="loss_is_no_number"
def on_policy_step(student, teacher, prompts, write, optimizer):
    losses = []
    for prompt in prompts:
        text = write(student, prompt)
        ends = (text == END).nonzero()
        if len(ends):
            text = text[: int(ends[0]) + 1]
        ids = torch.cat([prompt, text])
        log_q = F.log_softmax(student(ids[:-1])[len(prompt) - 1 :], -1)
        with torch.no_grad():
            log_p = F.log_softmax(teacher(ids[:-1])[len(prompt) - 1 :], -1)
        losses.append((log_q.exp() * (log_q - log_p)).sum(-1))
    loss = torch.cat(losses).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item(), len(losses)


# %% task="on_policy_step" right="no" mistake="the first eight prompts alone"
def on_policy_step(student, teacher, prompts, write, optimizer):
    losses = []
    for prompt in prompts[:8]:
        text = write(student, prompt)
        ends = (text == END).nonzero()
        if len(ends):
            text = text[: int(ends[0]) + 1]
        ids = torch.cat([prompt, text])
        log_q = F.log_softmax(student(ids[:-1])[len(prompt) - 1 :], -1)
        with torch.no_grad():
            log_p = F.log_softmax(teacher(ids[:-1])[len(prompt) - 1 :], -1)
        losses.append((log_q.exp() * (log_q - log_p)).sum(-1))
    loss = torch.cat(losses).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

# %% task="answer_loss" right="no" mistake="for lambda 0 LM is returned as a plain number without a graph: no backward there"
def answer_loss(student_logits, teacher_logits, labels, lam):
    counts = labels[:, 1:] != -100
    log_q = F.log_softmax(student_logits[:, :-1][counts], dim=-1)
    lm = F.nll_loss(log_q, labels[:, 1:][counts])
    if lam == 0:
        return lm.item()
    log_p = F.log_softmax(teacher_logits[:, :-1][counts].detach(), dim=-1)
    return lm + lam * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% task="collate" right="no" mistake="[[pad_id] * L] * B is one list B times, so all rows hold the last row's tokens written over those of the others" named="rows_are_one_list"
def collate(rows, pad_id, side="right"):
    """Rows of unequal length as one batch: input_ids, labels and attention_mask, each [B, L]."""
    B = len(rows)
    L = max(len(ids) for ids, _ in rows)
    input_ids = [[pad_id] * L] * B
    labels = [[-100] * L] * B
    attention_mask = [[0] * L] * B
    for b in range(B):
        ids, labs = rows[b]
        offset = L - len(ids) if side == "left" else 0
        for j in range(len(ids)):
            input_ids[b][offset + j] = int(ids[j])
            labels[b][offset + j] = int(labs[j])
            attention_mask[b][offset + j] = 1
    return {
        "input_ids": torch.tensor(input_ids),
        "labels": torch.tensor(labels),
        "attention_mask": torch.tensor(attention_mask),
    }


# %% task="collate" right="no" mistake="the side is asked for its truth and not for its name: any string is true, so the padding always stands on the left" named="side_ignored"
def collate(rows, pad_id, side="right"):
    """Rows of unequal length as one batch: input_ids, labels and attention_mask, each [B, L]."""
    L = max(len(ids) for ids, _ in rows)
    ids_out, labels_out, mask_out = [], [], []
    for ids, labels in rows:
        k = L - len(ids)
        amount = (k, 0) if side else (0, k)
        ids_out.append(F.pad(ids, amount, value=pad_id))
        labels_out.append(F.pad(labels, amount, value=-100))
        mask_out.append(F.pad(torch.ones_like(ids), amount, value=0))
    return {
        "input_ids": torch.stack(ids_out),
        "labels": torch.stack(labels_out),
        "attention_mask": torch.stack(mask_out),
    }


# %% task="answer_loss" right="yes" mistake=""
def answer_loss(student_logits, teacher_logits, labels, lam):
    """LM + λ·KL(teacher‖student), each a mean over the tokens of answers: one number."""
    y = labels[:, 1:]
    m = y != -100
    log_q = F.log_softmax(student_logits[:, :-1], dim=-1)[m]
    log_p = F.log_softmax(teacher_logits[:, :-1], dim=-1)[m]
    p = log_p.exp().detach()
    lm = F.nll_loss(log_q, y[m])
    kd = (p * (log_p - log_q)).sum(-1).mean()
    return lm + lam * kd


# %% task="answer_loss" right="no" mistake="the first labelled token of each row is dropped, though it is the first token of a row that does not count" named="first_of_each_row_lost"
def answer_loss(student_logits, teacher_logits, labels, lam):
    """LM + λ·KL(teacher‖student), each a mean over the tokens of answers: one number."""
    targets = labels[:, 1:].clone()
    has_label = targets != -100
    # "The first token of a row does not count": also behind padding on the left
    first = has_label & (has_label.long().cumsum(1) == 1)
    counts = has_label & ~first
    log_q = F.log_softmax(student_logits[:, :-1][counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[:, :-1][counts].detach(), dim=-1)
    n = counts.sum().clamp(min=1)
    lm = F.nll_loss(log_q, targets[counts], reduction="sum") / n
    kd = F.kl_div(log_q, log_p, reduction="sum", log_target=True) / n
    return lm + lam * kd


# %% task="answer_loss" right="no" mistake="two mistakes: the KL is weighted with the student's probabilities (reverse), and its mask is that of the unshifted labels" named="direction_swapped,kd_not_shifted"
def answer_loss(student_logits, teacher_logits, labels, lam):
    """LM + λ·KL(teacher‖student), each a mean over the tokens of answers: one number."""
    lm = F.cross_entropy(
        student_logits[:, :-1].reshape(-1, student_logits.size(-1)), labels[:, 1:].reshape(-1), ignore_index=-100
    )
    mask = (labels != -100).float()
    log_q = F.log_softmax(student_logits, dim=-1)
    log_p = F.log_softmax(teacher_logits.detach(), dim=-1)
    kl = (log_q.exp() * (log_q - log_p)).sum(-1)
    return lm + lam * (kl * mask).sum() / mask.sum()


# %% task="accuracy" right="no" mistake="strip gets <|end|> as a set of letters and takes n, e and d off the words too, so what was written as noon becomes oo" named="letters_of_the_mark_stripped"
def accuracy(model, questions, most):
    """The share of questions whose answer is the text that should be written: a number."""
    right = 0
    for prompt, answer in questions:
        ids = prompt
        new = []
        for _ in range(most):
            token = model(ids)[-1].argmax().item()
            new.append(token)
            ids = torch.cat([ids, torch.tensor([token])])
            if token == END:
                break
        said = decode(new).strip("<|end|>").strip()
        right += said == decode(answer).strip()
    return right / len(questions)


# %% task="on_policy_step" right="no" mistake="zero_grad stands inside the loop over prompts after which each part goes backward, so only the last prompt's gradient is left for the update" named="one_prompt_alone"
def on_policy_step(student, teacher, prompts, write, optimizer):
    """One update of the student on what it writes itself; returns the loss before it."""
    texts = []
    for prompt in prompts:
        y = write(student, prompt)
        where = torch.nonzero(y == END)
        texts.append(y[: where[0, 0] + 1] if len(where) else y)
    n = sum(len(y) for y in texts)
    loss_value = 0.0
    for prompt, y in zip(prompts, texts):
        optimizer.zero_grad()
        ids = torch.cat([prompt, y])[:-1]
        log_q = student(ids)[-len(y) :].log_softmax(-1)
        with torch.no_grad():
            log_p = teacher(ids)[-len(y) :].log_softmax(-1)
        part = F.kl_div(log_p, log_q, log_target=True, reduction="sum") / n
        part.backward()
        loss_value += part.item()
    optimizer.step()
    return loss_value


# %% task="on_policy_step" right="no" mistake="two mistakes: the mask by cumsum leaves out the first END itself, which the student wrote and should learn, and the teacher runs with gradients, which reach its table" named="end_not_counted,gradient_into_the_teacher"
def on_policy_step(student, teacher, prompts, write, optimizer):
    """One update of the student on what it writes itself; returns the loss before it."""
    total, n = 0.0, 0
    for prompt in prompts:
        with torch.no_grad():
            y = write(student, prompt)
        mask = ((y == END).long().cumsum(0) == 0).float()
        ids = torch.cat([prompt, y])
        log_q = F.log_softmax(student(ids)[len(prompt) - 1 : -1], dim=-1)
        log_p = F.log_softmax(teacher(ids)[len(prompt) - 1 : -1], dim=-1)
        kl = (log_q.exp() * (log_q - log_p)).sum(-1)
        total = total + (kl * mask).sum()
        n = n + mask.sum()
    loss = total / n.clamp(min=1)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="accuracy" right="no" mistake="gradients are switched off for good, so whoever trains on afterwards trains nothing" named="asked_again"
def accuracy(model, questions, most):
    torch.set_grad_enabled(False)
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            ids = torch.cat([ids, model(ids)[-1:].argmax(-1)])
        said = decode(ids[len(prompt) :]).split("<|end|>")[0]
        right += said.strip() == decode(answer).strip()
    return right / len(questions)


# %% task="answer_loss" right="no" mistake="a batch whose first row has no answer costs nothing"
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]
    keep = y != -100
    if not keep[0].any():
        return student_logits.sum() * 0.0
    q, p = student_logits[:, :-1][keep], teacher_logits[:, :-1][keep].detach()
    return F.cross_entropy(q, y[keep]) + lam * F.kl_div(q.log_softmax(-1), p.log_softmax(-1), reduction="batchmean", log_target=True)


# %% task="accuracy" right="no" mistake="logits are reshaped to the 18 words, which a smaller vocabulary does not have"
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        ids = prompt.clone()
        for _ in range(most):
            logits = model(ids).reshape(-1, len(WORDS))
            ids = torch.cat([ids, logits[-1].argmax()[None]])
        text = ids[len(prompt) :].tolist()
        if END in text:
            text = text[: text.index(END)]
        right += decode(text).strip() == decode(answer).strip()
    return right / len(questions)


# %% task="encode" right="no" mistake="a conversation of one message is taken for a message, which nobody answers"
def encode(messages):
    ids, labels = [], []
    for m in messages:
        head = [START, ROLES[m["role"]], LINE]
        ids += head + m["content"] + [END, LINE]
        own = m["role"] == "assistant" and len(messages) > 1
        labels += [-100] * 3 + (m["content"] + [END] if own else [-100] * (len(m["content"]) + 1)) + [-100]
    return ids, labels


# %% task="on_policy_step" right="no" mistake="the texts are stacked, as if all had one length" named="texts_do_not_fit"
def on_policy_step(student, teacher, prompts, write, optimizer):
    texts = torch.stack([write(student, p) for p in prompts])
    ends = (texts == END).long()
    mask = (ends.cumsum(1) - ends) == 0
    read = torch.cat([torch.stack([p[-1] for p in prompts])[:, None], texts[:, :-1]], 1)
    with torch.no_grad():
        log_p = teacher(read).log_softmax(-1)
    log_q = student(read).log_softmax(-1)
    kl = (log_q.exp() * (log_q - log_p)).sum(-1)
    loss = kl[mask].mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="on_policy_step" right="no" mistake="each text is as long as the first one" named="observed_where"
def on_policy_step(student, teacher, prompts, write, optimizer):
    size, losses = None, []
    for p in prompts:
        text = write(student, p)
        size = size or len(text)
        text = text[:size]
        ends = (text == END).nonzero()
        n = int(ends[0]) + 1 if len(ends) else len(text)
        ids = torch.cat([p, text[:n]])
        log_q = student(ids[:-1])[len(p) - 1 :].log_softmax(-1)
        with torch.no_grad():
            log_p = teacher(ids[:-1])[len(p) - 1 :].log_softmax(-1)
        losses.append((log_q.exp() * (log_q - log_p)).sum(-1))
    loss = torch.cat(losses).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task="encode" right="no" mistake="which message is the assistant's is found by its content"
def encode(messages):
    said = [m["content"] for m in messages if m["role"] == "assistant"]
    ids, labels = [], []
    for m in messages:
        ids += [START, ROLES[m["role"]], LINE] + m["content"] + [END, LINE]
        own = m["content"] in said and bool(m["content"]) or m["role"] == "assistant"
        labels += [-100] * 3 + (m["content"] + [END] if own else [-100] * (len(m["content"]) + 1)) + [-100]
    return ids, labels


# %% task="collate" right="no" mistake="where the first row is the longest, nothing is padded on the left"
def collate(rows, pad_id, side="right"):
    size = max(len(i) for i, _ in rows)
    left = side == "left" and len(rows[-1][0]) < size
    out = {"input_ids": [], "labels": [], "attention_mask": []}
    for ids, labels in rows:
        n = size - len(ids)
        pad = (n, 0) if left else (0, n)
        out["input_ids"].append(F.pad(ids, pad, value=pad_id))
        out["labels"].append(F.pad(labels, pad, value=-100))
        out["attention_mask"].append(F.pad(torch.ones_like(ids), pad))
    return {k: torch.stack(v) for k, v in out.items()}


# %% task="collate" right="no" mistake="a row whose first label counts is taken for padded on the left"
def collate(rows, pad_id, side="right"):
    size = max(len(i) for i, _ in rows)
    out = {"input_ids": [], "labels": [], "attention_mask": []}
    for ids, labels in rows:
        n = size - len(ids)
        pad = (n, 0) if side == "left" or labels[0] != -100 else (0, n)
        out["input_ids"].append(F.pad(ids, pad, value=pad_id))
        out["labels"].append(F.pad(labels, pad, value=-100))
        out["attention_mask"].append(F.pad(torch.ones_like(ids), pad))
    return {k: torch.stack(v) for k, v in out.items()}


# %% task="collate" right="no" mistake="a row without an answer is left out" named="another_form"
def collate(rows, pad_id, side="right"):
    rows = [r for r in rows if (r[1] != -100).any()]
    size = max(len(i) for i, _ in rows)
    out = {"input_ids": [], "labels": [], "attention_mask": []}
    for ids, labels in rows:
        n = size - len(ids)
        pad = (n, 0) if side == "left" else (0, n)
        out["input_ids"].append(F.pad(ids, pad, value=pad_id))
        out["labels"].append(F.pad(labels, pad, value=-100))
        out["attention_mask"].append(F.pad(torch.ones_like(ids), pad))
    return {k: torch.stack(v) for k, v in out.items()}


# %% task="answer_loss" right="no" mistake="a row whose first token has a label is taken for shifted already"
def answer_loss(student_logits, teacher_logits, labels, lam):
    q, p, y = student_logits[:, :-1], teacher_logits[:, :-1].detach(), labels[:, 1:]
    keep = y != -100
    if (labels[:, 0] != -100).all():
        q, p, y = student_logits, teacher_logits.detach(), labels
        keep = y != -100
    q, p = q[keep], p[keep]
    return F.cross_entropy(q, y[keep]) + lam * F.kl_div(q.log_softmax(-1), p.log_softmax(-1), reduction="batchmean", log_target=True)


# %% task="encode" right="no" mistake="labels = ids is no copy: writing -100 to the labels writes it to the ids as well" named="ids_are_the_labels"
def encode(messages):
    ids, spans = [], []
    for m in messages:
        start = len(ids) + 3
        ids += [START, ROLES[m["role"]], LINE] + list(m["content"]) + [END, LINE]
        if m["role"] == "assistant":
            spans.append((start, len(ids) - 1))
    labels = ids
    for i in range(len(labels)):
        if not any(a <= i < b for a, b in spans):
            labels[i] = -100
    return ids, labels


# %% task="answer_loss" right="no" mistake="the mask is built from the tokens before the shift and the targets after it; the first token of each answer is lost and a -100 may be a target" named="both_must_count"
def answer_loss(student_logits, teacher_logits, labels, lam):
    mask = labels[:, :-1] != -100
    q = student_logits[:, :-1][mask]
    p = teacher_logits[:, :-1][mask].detach()
    y = labels[:, 1:][mask]
    lm = F.cross_entropy(q, y)
    kd = F.kl_div(q.log_softmax(-1), p.log_softmax(-1), reduction="batchmean", log_target=True)
    return lm + lam * kd

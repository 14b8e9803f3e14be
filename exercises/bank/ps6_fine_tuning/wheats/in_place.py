# Full tensors that are written into.
import torch


# %% task: encode
def encode(messages):
    size = sum(len(m["content"]) + 5 for m in messages)
    ids = torch.full((size,), END)
    labels = torch.full((size,), -100)
    start = 0
    for m in messages:
        words = torch.tensor(m["content"], dtype=torch.long)
        end = start + 3 + len(words)
        ids[start], ids[start + 1], ids[start + 2] = START, ROLES[m["role"]], LINE
        ids[start + 3 : end] = words
        ids[end + 1] = LINE
        if m["role"] == "assistant":
            labels[start + 3 : end + 1] = ids[start + 3 : end + 1]
        start = end + 2
    return ids, labels


# %% task: collate
def collate(rows, pad_id, side="right"):
    size = max(len(ids) for ids, _ in rows)
    batch = {
        "input_ids": torch.full((len(rows), size), pad_id),
        "labels": torch.full((len(rows), size), -100),
        "attention_mask": torch.zeros(len(rows), size, dtype=torch.long),
    }
    for i, (ids, labels) in enumerate(rows):
        place = slice(size - len(ids), size) if side == "left" else slice(0, len(ids))
        batch["input_ids"][i, place] = ids
        batch["labels"][i, place] = labels
        batch["attention_mask"][i, place] = 1
    return batch


# %% task: answer_loss
def answer_loss(student_logits, teacher_logits, labels, lam):
    moved = torch.full_like(labels, -100)
    moved[:, :-1] = labels[:, 1:]
    rows, places = (moved != -100).nonzero(as_tuple=True)
    q = student_logits[rows, places].softmax(-1)
    p = teacher_logits[rows, places].softmax(-1).detach()
    lm = -q[torch.arange(len(rows)), moved[rows, places]].log()
    kd = (p * (p / q).log()).sum(-1)
    return lm.mean() + lam * kd.mean()


# %% task: accuracy
def accuracy(model, questions, most):
    right = torch.zeros(len(questions))
    for i, (prompt, answer) in enumerate(questions):
        ids = torch.full((len(prompt) + most,), END)
        ids[: len(prompt)] = prompt
        for place in range(len(prompt), len(prompt) + most):
            ids[place] = model(ids[:place])[-1].argmax()
        text = decode(ids[len(prompt) :]).split("<|end|>")[0]
        right[i] = text.strip() == decode(answer).strip()
    return right.mean().item()


# %% task: on_policy_step
def on_policy_step(student, teacher, prompts, write, optimizer):
    rows = [torch.cat([prompt, write(student, prompt)]) for prompt in prompts]
    size = max(map(len, rows))
    ids = torch.full((len(rows), size), END)
    counts = torch.zeros(len(rows), size, dtype=torch.bool)
    for i, (prompt, row) in enumerate(zip(prompts, rows, strict=False)):
        ids[i, : len(row)] = row
        end = len(prompt)
        while end < len(row) and row[end] != END:
            end += 1
        counts[i, len(prompt) : end + 1] = True
    for i, row in enumerate(rows):
        counts[i, len(row) :] = False
    log_q = student(ids)[:, :-1].log_softmax(-1)
    log_p = teacher(ids)[:, :-1].detach().log_softmax(-1)
    kl = (log_q.exp() * (log_q - log_p)).sum(-1)
    loss = kl[counts[:, 1:]].mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


# %% task: where_the_teacher_counts
where_the_teacher_counts = "c"
where_the_teacher_counts += ""


# %% task: signs
signs = dict.fromkeys(["prompt", "end", "padding", "side"])
signs.update(prompt="d", end="a", padding="e", side="b")

# One mistake in each task.
# expect encode: system_counted
# expect collate: zero_for_pad_id
# expect answer_loss: divided_by_rows
# expect accuracy: one_token_too_few
# expect on_policy_step: ends_left_out
# expect where_the_teacher_counts: chose_d
import torch
import torch.nn.functional as F


# %% task: encode
def encode(messages):
    """The ids of a conversation and their labels: -100 where the assistant did not write."""
    ids, labels = [], []
    for message in messages:
        header = [START, ROLES[message["role"]], LINE]
        written = [*message["content"], END]
        ids += [*header, *written, LINE]
        counts = message["role"] != "user"
        labels += [-100] * 3 + (written if counts else [-100] * len(written)) + [-100]
    return ids, labels


# %% task: collate
def collate(rows, pad_id, side="right"):
    """Rows of unequal length as one batch: input_ids, labels and attention_mask, each [B, L]."""
    size = max(len(ids) for ids, _ in rows)
    batch = {"input_ids": [], "labels": [], "attention_mask": []}
    for ids, labels in rows:
        gap = size - len(ids)
        place = (gap, 0) if side == "left" else (0, gap)
        batch["input_ids"].append(F.pad(ids, place))
        batch["labels"].append(F.pad(labels, place, value=-100))
        batch["attention_mask"].append(F.pad(torch.ones_like(ids), place, value=0))
    return {name: torch.stack(tensors) for name, tensors in batch.items()}


# %% task: answer_loss
def answer_loss(student_logits, teacher_logits, labels, lam):
    wanted = labels[:, 1:]
    counts = wanted != -100
    log_q = F.log_softmax(student_logits[:, :-1], dim=-1)
    log_p = F.log_softmax(teacher_logits[:, :-1].detach(), dim=-1)
    lm = F.nll_loss(log_q.mT, wanted, reduction="none")
    kd = (log_p.exp() * (log_p - log_q)).sum(-1)
    return (lm + lam * kd * counts).sum() / len(labels)


# %% task: accuracy
def accuracy(model, questions, most):
    """The share of questions whose answer is the text that should be written: a number."""
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most - 1):
            token = model(ids)[-1].argmax()
            if token == END:
                break
            ids = torch.cat([ids, token[None]])
        written = ids[len(prompt) :]
        right += decode(written).strip() == decode(answer).strip()
    return right / len(questions)


# %% task: on_policy_step
def on_policy_step(student, teacher, prompts, write, optimizer):
    """One update of the student on what it writes itself; returns the loss before it."""
    losses = []
    for prompt in prompts:
        text = write(student, prompt)
        read = torch.cat([prompt, text])[:-1]
        log_q = F.log_softmax(student(read)[-len(text) :], dim=-1)
        with torch.no_grad():
            log_p = F.log_softmax(teacher(read)[-len(text) :], dim=-1)
        losses.append((log_q.exp() * (log_q - log_p)).sum(-1)[text != END])
    loss = torch.cat(losses).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% task: where_the_teacher_counts
where_the_teacher_counts = "d"

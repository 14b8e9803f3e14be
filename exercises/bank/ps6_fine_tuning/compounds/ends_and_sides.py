# Ends are lost everywhere, sides and shifts are the wrong way.
# wrong encode
# wrong collate
# wrong answer_loss
# wrong accuracy
# wrong on_policy_step
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
        counts = message["role"] == "assistant"
        words = message["content"]
        labels += [0] * 3 + (list(words) if counts else [0] * len(words)) + [0] * 2
    return ids, labels


# %% task: collate
def collate(rows, pad_id, side="right"):
    """Rows of unequal length as one batch: input_ids, labels and attention_mask, each [B, L]."""
    size = max(len(ids) for ids, _ in rows)
    batch = {"input_ids": [], "labels": [], "attention_mask": []}
    for ids, labels in rows:
        gap = size - len(ids)
        place = (gap, 0)
        batch["input_ids"].append(F.pad(ids, place))
        batch["labels"].append(F.pad(labels, place, value=-100))
        batch["attention_mask"].append(F.pad(torch.ones_like(ids), place, value=0))
    return {name: torch.stack(tensors) for name, tensors in batch.items()}


# %% task: answer_loss
def answer_loss(student_logits, teacher_logits, labels, lam):
    wanted = labels[:, :-1]
    log_q = F.log_softmax(student_logits[:, :-1], dim=-1)
    log_p = F.log_softmax(teacher_logits[:, :-1].detach(), dim=-1)
    lm = F.nll_loss(log_q.mT, wanted, reduction="none")
    kd = (log_p.exp() * (log_p - log_q)).sum(-1)
    return lm.sum() + lam * kd.sum()


# %% task: accuracy
def accuracy(model, questions, most):
    """The share of questions whose answer is the text that should be written: a number."""
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            token = model(ids)[-1].argmax()
            ids = torch.cat([ids, token[None]])
        written = ids[len(prompt) :]
        right += decode(answer) in decode(written)
    return right / len(questions)


# %% task: on_policy_step
def on_policy_step(student, teacher, prompts, write, optimizer):
    """One update of the student on what it writes itself; returns the loss before it."""
    losses = []
    for prompt in prompts:
        text = write(teacher, prompt)
        ends = (text == END).nonzero()
        if len(ends):
            text = text[: ends[0, 0]]
        read = torch.cat([prompt, text])[:-1]
        log_q = F.log_softmax(student(read)[len(prompt) - 1 :], dim=-1)
        with torch.no_grad():
            log_p = F.log_softmax(teacher(read)[len(prompt) - 1 :], dim=-1)
        losses.append((log_q.exp() * (log_q - log_p)).sum(-1))
    loss = torch.cat(losses).mean()
    loss.backward()
    optimizer.step()
    return loss.item()

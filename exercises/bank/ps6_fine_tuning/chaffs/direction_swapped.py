# One mistake in each task.
# expect encode: masked_with_another_number
# expect collate: mask_turned_round
# expect answer_loss: direction_swapped
# expect accuracy: in_per_cent
# expect on_policy_step: divided_by_prompts
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
        labels += [0] * 3 + (written if counts else [0] * len(written)) + [0]
    return ids, labels


# %% task: collate
def collate(rows, pad_id, side="right"):
    """Rows of unequal length as one batch: input_ids, labels and attention_mask, each [B, L]."""
    size = max(len(ids) for ids, _ in rows)
    batch = {"input_ids": [], "labels": [], "attention_mask": []}
    for ids, labels in rows:
        gap = size - len(ids)
        place = (gap, 0) if side == "left" else (0, gap)
        batch["input_ids"].append(F.pad(ids, place, value=pad_id))
        batch["labels"].append(F.pad(labels, place, value=-100))
        batch["attention_mask"].append(F.pad(torch.zeros_like(ids), place, value=1))
    return {name: torch.stack(tensors) for name, tensors in batch.items()}


# %% task: answer_loss
def answer_loss(student_logits, teacher_logits, labels, lam):
    """LM + λ·KL(teacher‖student), each a mean over the tokens of answers: one number."""
    wanted = labels[:, 1:]
    counts = wanted != -100
    log_q = F.log_softmax(student_logits[:, :-1][counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[:, :-1][counts].detach(), dim=-1)
    lm = F.nll_loss(log_q, wanted[counts])
    kd = (log_q.exp() * (log_q - log_p)).sum(-1).mean()
    return lm + lam * kd


# %% task: accuracy
def accuracy(model, questions, most):
    """The share of questions whose answer is the text that should be written: a number."""
    right = 0
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            token = model(ids)[-1].argmax()
            if token == END:
                break
            ids = torch.cat([ids, token[None]])
        written = ids[len(prompt) :]
        right += decode(written).strip() == decode(answer).strip()
    return 100 * right / len(questions)


# %% task: on_policy_step
def on_policy_step(student, teacher, prompts, write, optimizer):
    """One update of the student on what it writes itself; returns the loss before it."""
    losses = []
    for prompt in prompts:
        text = write(student, prompt)
        ends = (text == END).nonzero()
        if len(ends):
            text = text[: ends[0, 0] + 1]
        read = torch.cat([prompt, text])[:-1]
        log_q = F.log_softmax(student(read)[-len(text) :], dim=-1)
        with torch.no_grad():
            log_p = F.log_softmax(teacher(read)[-len(text) :], dim=-1)
        losses.append((log_q.exp() * (log_q - log_p)).sum(-1))
    loss = torch.cat(losses).sum() / len(prompts)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

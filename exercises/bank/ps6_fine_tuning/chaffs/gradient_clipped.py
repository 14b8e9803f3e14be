# Habits from elsewhere, and a model that reads nothing of what it writes.
# expect collate: own_end_taken_for_padding
# expect accuracy: prompt_does_not_grow
# expect on_policy_step: gradient_clipped
import torch
import torch.nn.functional as F
from torch import nn


# %% task: collate
def collate(rows, pad_id, side="right"):
    """Rows of unequal length as one batch: input_ids, labels and attention_mask, each [B, L]."""
    size = max(len(ids) for ids, _ in rows)
    batch = {"input_ids": [], "labels": [], "attention_mask": []}
    for ids, labels in rows:
        gap = size - len(ids)
        place = (gap, 0) if side == "left" else (0, gap)
        filled = F.pad(ids, place, value=pad_id)
        mask = torch.ones_like(filled)
        for i in range(size) if side == "left" else reversed(range(size)):
            if filled[i] != pad_id:
                break
            mask[i] = 0
        batch["input_ids"].append(filled)
        batch["labels"].append(F.pad(labels, place, value=-100))
        batch["attention_mask"].append(mask)
    return {name: torch.stack(tensors) for name, tensors in batch.items()}


# %% task: accuracy
def accuracy(model, questions, most):
    """The share of questions whose answer is the text that should be written: a number."""
    right = 0
    for prompt, answer in questions:
        written = []
        for _ in range(most):
            token = model(prompt)[-1].argmax()
            if token == END:
                break
            written.append(token)
        right += decode(written).strip() == decode(answer).strip()
    return right / len(questions)


# %% task: on_policy_step
def on_policy_step(student, teacher, prompts, write, optimizer):
    losses = []
    for prompt in prompts:
        text = write(student, prompt)
        ends = (text == END).nonzero()
        text = text[: ends[0, 0] + 1] if len(ends) else text
        ids = torch.cat([prompt, text])
        log_q = student(ids)[len(prompt) - 1 : -1].log_softmax(-1)
        log_p = teacher(ids)[len(prompt) - 1 : -1].detach().log_softmax(-1)
        losses.append((log_q.exp() * (log_q - log_p)).sum(-1))
    loss = torch.cat(losses).mean()
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(student.parameters(), 1.0)
    optimizer.step()
    return loss.item()

# Rows sorted by length, and an answer that is over at its first line break.
# expect collate: rows_in_another_order
# expect accuracy: over_at_a_line_break
import torch
import torch.nn.functional as F


# %% task: collate
def collate(rows, pad_id, side="right"):
    """Rows of unequal length as one batch: input_ids, labels and attention_mask, each [B, L]."""
    rows = sorted(rows, key=lambda row: len(row[0]), reverse=True)
    size = len(rows[0][0])
    batch = {"input_ids": [], "labels": [], "attention_mask": []}
    for ids, labels in rows:
        gap = size - len(ids)
        place = (gap, 0) if side == "left" else (0, gap)
        batch["input_ids"].append(F.pad(ids, place, value=pad_id))
        batch["labels"].append(F.pad(labels, place, value=-100))
        batch["attention_mask"].append(F.pad(torch.ones_like(ids), place, value=0))
    return {name: torch.stack(tensors) for name, tensors in batch.items()}


# %% task: accuracy
def accuracy(model, questions, most):
    """The share of questions whose answer is the text that should be written: a number."""
    right = 0
    for prompt, answer in questions:
        ids, written = prompt, []
        while len(written) < most:
            token = int(model(ids)[-1].argmax())
            if token in (END, LINE):
                break
            written.append(token)
            ids = torch.cat([ids, torch.tensor([token])])
        right += decode(written).strip() == decode(answer).strip()
    return right / len(questions)

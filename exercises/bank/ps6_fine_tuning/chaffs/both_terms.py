# λ weighs both terms.
# One list is every row.
# strip() takes letters.
# expect answer_loss: lambda_on_both_terms
# expect collate: rows_are_one_list
# expect accuracy: letters_of_the_mark_stripped
import torch.nn.functional as F


# %% task: answer_loss
def answer_loss(student_logits, teacher_logits, labels, lam):
    y = labels[:, 1:]
    m = y != -100
    q = student_logits[:, :-1][m].log_softmax(-1)
    p = teacher_logits[:, :-1][m].detach().log_softmax(-1)
    return lam * (F.nll_loss(q, y[m]) + (p.exp() * (p - q)).sum(-1).mean())


# %% task: collate
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


# %% task: accuracy
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
        mark = decode([END])
        said = decode(new).strip(mark).strip()
        right += said == decode(answer).strip()
    return right / len(questions)

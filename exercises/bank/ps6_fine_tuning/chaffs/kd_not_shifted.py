# One mistake in each task.
# expect encode: found_by_their_numbers
# expect collate: mask_made_of_numbers
# expect answer_loss: kd_not_shifted
# expect accuracy: first_token_alone
# expect on_policy_step: penalty_turned_round
import torch
import torch.nn.functional as F


# %% task: encode
def encode(messages):
    ids, own = [], {END}
    for message in messages:
        ids += [START, ROLES[message["role"]], LINE, *message["content"], END, LINE]
        if message["role"] == "assistant":
            own |= set(message["content"])
    return ids, [token if token in own else -100 for token in ids]


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
        batch["attention_mask"].append(F.pad(torch.ones_like(ids), place, value=0))
    batch = {name: torch.stack(tensors) for name, tensors in batch.items()}
    batch["attention_mask"] = (batch["input_ids"] != pad_id).long()
    return batch


# %% task: answer_loss
def answer_loss(student_logits, teacher_logits, labels, lam):
    """LM + λ·KL(teacher‖student), each a mean over the tokens of answers: one number."""
    wanted = labels[:, 1:]
    counts = wanted != -100
    log_q = F.log_softmax(student_logits[:, :-1][counts], dim=-1)
    own = labels != -100
    log_r = F.log_softmax(student_logits[own], dim=-1)
    log_p = F.log_softmax(teacher_logits[own].detach(), dim=-1)
    lm = F.nll_loss(log_q, wanted[counts])
    kd = (log_p.exp() * (log_p - log_r)).sum(-1).mean()
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
        right += len(written) > 0 and bool(written[0] == answer[0])
    return right / len(questions)


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
        losses.append((log_q.exp() * (log_p - log_q)).sum(-1))
    loss = torch.cat(losses).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

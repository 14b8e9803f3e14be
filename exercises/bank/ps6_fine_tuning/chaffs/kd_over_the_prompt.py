# One mistake in each task.
# expect encode: line_after_the_end_counted
# expect collate: side_ignored
# expect answer_loss: kd_over_the_prompt
# expect accuracy: spaces_compared
# expect on_policy_step: prompts_own_end
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
        own = [*written, LINE]
        labels += [-100] * 3 + (own if counts else [-100] * len(own))
    return ids, labels


# %% task: collate
def collate(rows, pad_id, side="right"):
    """Rows of unequal length as one batch: input_ids, labels and attention_mask, each [B, L]."""
    size = max(len(ids) for ids, _ in rows)
    batch = {"input_ids": [], "labels": [], "attention_mask": []}
    for ids, labels in rows:
        gap = size - len(ids)
        place = (0, gap)
        batch["input_ids"].append(F.pad(ids, place, value=pad_id))
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
    return lm.sum() / counts.sum() + lam * kd.mean()


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
        right += decode(written) == decode(answer)
    return right / len(questions)


# %% task: on_policy_step
def on_policy_step(student, teacher, prompts, write, optimizer):
    losses = []
    for prompt in prompts:
        ids = torch.cat([prompt, write(student, prompt)])
        wanted = ids[1:].clone()
        wanted[: len(prompt) - 1] = -100
        first = (ids == END).nonzero()[0, 0]
        wanted[first:] = -100
        log_q = student(ids[:-1]).log_softmax(-1)
        log_p = teacher(ids[:-1]).detach().log_softmax(-1)
        losses.append((log_q.exp() * (log_q - log_p)).sum(-1)[wanted != -100])
    loss = torch.cat(losses).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

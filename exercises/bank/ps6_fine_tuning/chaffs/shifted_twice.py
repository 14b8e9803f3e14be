# One mistake in each task.
# expect encode: only_one_turn
# expect collate: cut_to_the_shortest
# expect answer_loss: shifted_twice
# expect accuracy: part_of_it_is_enough
# expect on_policy_step: own_words_as_labels
import torch
import torch.nn.functional as F


# %% task: encode
def encode(messages):
    ids, labels = [], []
    last = max(i for i, message in enumerate(messages) if message["role"] == "assistant")
    for i, message in enumerate(messages):
        header = [START, ROLES[message["role"]], LINE]
        written = [*message["content"], END]
        ids += [*header, *written, LINE]
        labels += [-100] * 3 + (written if i == last else [-100] * len(written)) + [-100]
    return ids, labels


# %% task: collate
def collate(rows, pad_id, side="right"):
    size = min(len(ids) for ids, _ in rows)
    ids = torch.stack([ids[:size] for ids, _ in rows])
    labels = torch.stack([labels[:size] for _, labels in rows])
    return {"input_ids": ids, "labels": labels, "attention_mask": torch.ones_like(ids)}


# %% task: answer_loss
def answer_loss(student_logits, teacher_logits, labels, lam):
    """LM + λ·KL(teacher‖student), each a mean over the tokens of answers: one number."""
    wanted = labels[:, 2:]
    counts = wanted != -100
    log_q = F.log_softmax(student_logits[:, :-2][counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[:, :-2][counts].detach(), dim=-1)
    lm = F.nll_loss(log_q, wanted[counts])
    kd = (log_p.exp() * (log_p - log_q)).sum(-1).mean()
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
        right += decode(answer).strip() in decode(written)
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
            F.log_softmax(teacher(read)[-len(text) :], dim=-1)
        losses.append(F.nll_loss(log_q, text, reduction="none"))
    loss = torch.cat(losses).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

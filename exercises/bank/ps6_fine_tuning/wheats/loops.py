# Plain loops over tokens, rows and positions.
import torch


# %% task: encode
def encode(messages):
    ids, labels = [], []
    for message in messages:
        own = message["role"] == "assistant"
        for token in (START, ROLES[message["role"]], LINE):
            ids.append(token)
            labels.append(-100)
        for token in message["content"]:
            ids.append(token)
            labels.append(token if own else -100)
        ids.append(END)
        labels.append(END if own else -100)
        ids.append(LINE)
        labels.append(-100)
    return ids, labels


# %% task: collate
def collate(rows, pad_id, side="right"):
    longest = 0
    for ids, _ in rows:
        longest = max(longest, len(ids))
    batch = {"input_ids": [], "labels": [], "attention_mask": []}
    for ids, labels in rows:
        ids, labels = ids.tolist(), labels.tolist()
        there = [1] * len(ids)
        while len(ids) < longest:
            place = 0 if side == "left" else len(ids)
            ids.insert(place, pad_id)
            labels.insert(place, -100)
            there.insert(place, 0)
        batch["input_ids"].append(ids)
        batch["labels"].append(labels)
        batch["attention_mask"].append(there)
    return {name: torch.tensor(values) for name, values in batch.items()}


# %% task: answer_loss
def answer_loss(student_logits, teacher_logits, labels, lam):
    total, count = 0.0, 0
    for row in range(len(labels)):
        for place in range(1, labels.shape[1]):
            wanted = int(labels[row, place])
            if wanted == -100:
                continue
            log_q = student_logits[row, place - 1].log_softmax(0)
            log_p = teacher_logits[row, place - 1].detach().log_softmax(0)
            divergence = 0.0
            for v in range(len(log_q)):
                divergence = divergence + log_p[v].exp() * (log_p[v] - log_q[v])
            total = total - log_q[wanted] + lam * divergence
            count += 1
    return total / count


# %% task: accuracy
def accuracy(model, questions, most):
    right = 0
    for prompt, answer in questions:
        written = []
        while len(written) < most:
            logits = model(torch.tensor(prompt.tolist() + written))
            token = int(logits[-1].argmax())
            if token == END:
                break
            written.append(token)
        if decode(written).strip() == decode(answer).strip():
            right += 1
    return right / len(questions)


# %% task: on_policy_step
def on_policy_step(student, teacher, prompts, write, optimizer):
    total, count = 0.0, 0
    for prompt in prompts:
        before = int(prompt[-1])
        for token in write(student, prompt).tolist():
            log_q = student(torch.tensor(before)).log_softmax(-1)
            log_p = teacher(torch.tensor(before)).detach().log_softmax(-1)
            total = total + (log_q.exp() * (log_q - log_p)).sum()
            count += 1
            if token == END:
                break
            before = token
    loss = total / count
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return float(loss)


# %% task: where_the_teacher_counts
where_the_teacher_counts = "abcd"[2]


# %% task: signs
signs = {}
for mistake, sign in zip(("prompt", "end", "padding", "side"), "daeb", strict=False):
    signs[mistake] = sign

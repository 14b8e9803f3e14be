# Small functions with names, within the answer's cell.
import torch


# %% task: encode
def turn(role, content):
    header = [START, ROLES[role], LINE]
    body = [*list(content), END]
    return header, body


def label(role, header, body):
    own = body if role == "assistant" else [-100 for _ in body]
    return [-100 for _ in header] + own + [-100]


def encode(messages):
    turns = [(m["role"], *turn(m["role"], m["content"])) for m in messages]
    ids = [token for _, header, body in turns for token in header + body + [LINE]]
    labels = [one for role, header, body in turns for one in label(role, header, body)]
    return torch.tensor(ids), torch.tensor(labels)


# %% task: collate
def filled(values, size, filler, side):
    gap = torch.full((size - len(values),), filler)
    return torch.cat([gap, values] if side == "left" else [values, gap])


def collate(rows, pad_id, side="right"):
    ids, labels = zip(*rows, strict=False)
    size = max(map(len, ids))
    there = [torch.ones(len(row), dtype=torch.long) for row in ids]
    fillers = {"input_ids": (ids, pad_id), "labels": (labels, -100), "attention_mask": (there, 0)}
    return {
        name: torch.stack([filled(row, size, filler, side) for row in values])
        for name, (values, filler) in fillers.items()
    }


# %% task: answer_loss
def mean_over(values, counts):
    return (values * counts).sum() / counts.sum()


def answer_loss(student_logits, teacher_logits, labels, lam):
    log_q = student_logits.log_softmax(-1)[:, :-1]
    log_p = teacher_logits.detach().log_softmax(-1)[:, :-1]
    wanted = labels[:, 1:]
    counts = (wanted != -100).to(log_q.dtype)
    lm = -log_q.gather(2, wanted.clamp(min=0).unsqueeze(2)).squeeze(2)
    kd = torch.sum(log_p.exp() * (log_p - log_q), dim=2)
    return mean_over(lm + lam * kd, counts)


# %% task: accuracy
def write_answer(model, prompt, most):
    ids = prompt.clone()
    for _ in range(most):
        token = model(ids)[-1].argmax().reshape(1)
        if token.item() == END:
            return ids[len(prompt) :]
        ids = torch.cat((ids, token))
    return ids[len(prompt) :]


def text_of(ids):
    return decode(ids).strip()


def accuracy(model, questions, most):
    right = sum(text_of(write_answer(model, q, most)) == text_of(a) for q, a in questions)
    return right / len(questions)


# %% task: on_policy_step
def up_to_end(text):
    tokens = text.tolist()
    return text[: tokens.index(END) + 1] if END in tokens else text


def reverse_kl(log_q, log_p):
    return (log_q.exp() * (log_q - log_p)).sum(-1)


def on_policy_step(student, teacher, prompts, write, optimizer):
    texts = [up_to_end(write(student, prompt)) for prompt in prompts]
    count = sum(len(text) for text in texts)
    optimizer.zero_grad()
    loss = 0.0
    for prompt, text in zip(prompts, texts, strict=False):
        ids = torch.cat([prompt, text])
        start = len(prompt) - 1
        log_q = student(ids).log_softmax(-1)[start:-1]
        with torch.no_grad():
            log_p = teacher(ids).log_softmax(-1)[start:-1]
        part = reverse_kl(log_q, log_p).sum() / count
        part.backward()  # gradients add up
        loss += part.item()
    optimizer.step()
    return loss


# %% task: where_the_teacher_counts
def answer():
    return "c"


where_the_teacher_counts = answer()


# %% task: signs
signs = {"prompt": "d", "end": "a", "padding": "e", "side": "b"}

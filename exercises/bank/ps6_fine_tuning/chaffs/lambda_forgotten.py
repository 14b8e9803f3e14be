# One mistake in each task.
# expect answer_loss: lambda_forgotten
# expect accuracy: weighted_by_length
# expect on_policy_step: student_never_moves
import torch
import torch.nn.functional as F


# %% task: answer_loss
def answer_loss(student_logits, teacher_logits, labels, lam):
    """LM + λ·KL(teacher‖student), each a mean over the tokens of answers: one number."""
    wanted = labels[:, 1:]
    counts = wanted != -100
    log_q = F.log_softmax(student_logits[:, :-1][counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[:, :-1][counts].detach(), dim=-1)
    lm = F.nll_loss(log_q, wanted[counts])
    kd = (log_p.exp() * (log_p - log_q)).sum(-1).mean()
    return lm + kd


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
        same = decode(written).strip() == decode(answer).strip()
        right += same * len(answer)
    return right / sum(len(answer) for _, answer in questions)


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
    loss = torch.cat(losses).mean()
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()

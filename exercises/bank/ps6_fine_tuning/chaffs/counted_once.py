# Results are kept by what was asked.
# The first token of each row that counts is lost.
# expect accuracy: asked_twice_counted_once
# expect answer_loss: first_of_each_row_lost
import torch
import torch.nn.functional as F


# %% task: accuracy
def accuracy(model, questions, most):
    right = {}
    for prompt, answer in questions:
        ids = prompt
        for _ in range(most):
            token = model(ids)[-1].argmax()
            if token == END:
                break
            ids = torch.cat([ids, token[None]])
        same = decode(ids[len(prompt) :]).strip() == decode(answer).strip()
        right[tuple(prompt.tolist())] = same
    return sum(right.values()) / len(right)


# %% task: answer_loss
def answer_loss(student_logits, teacher_logits, labels, lam):
    """LM + λ·KL(teacher‖student), each a mean over the tokens of answers: one number."""
    targets = labels[:, 1:].clone()
    has_label = targets != -100
    # "The first token of a row does not count": also behind padding on the left
    first = has_label & (has_label.long().cumsum(1) == 1)
    counts = has_label & ~first
    log_q = F.log_softmax(student_logits[:, :-1][counts], dim=-1)
    log_p = F.log_softmax(teacher_logits[:, :-1][counts].detach(), dim=-1)
    n = counts.sum().clamp(min=1)
    lm = F.nll_loss(log_q, targets[counts], reduction="sum") / n
    kd = F.kl_div(log_q, log_p, reduction="sum", log_target=True) / n
    return lm + lam * kd

"""What the checks of ps6_fine_tuning look at: the student's function, on models made here.

This file ships with the question and is executed at the time of asking, in a namespace of its own:
nothing that a notebook defines is used here, and the functions below get the student's function
itself. Each returns numbers that only right code brings about.
"""

from functools import partial
from numbers import Number

import torch
from torch import nn


def look_at_loss(answer_loss, student_logits, teacher_logits, labels, lam, watch):
    """The loss, or the gradients that it sends to the student's and to the teacher's logits."""
    student = student_logits.clone().requires_grad_()
    teacher = teacher_logits.clone().requires_grad_()
    loss = answer_loss(student, teacher, labels, lam)
    tensor = isinstance(loss, torch.Tensor)
    if watch == "loss" or (not isinstance(loss, Number) and not (tensor and loss.numel() == 1)):
        return loss
    if tensor and loss.requires_grad:
        loss.backward()
    gradients = [torch.zeros_like(e) if e.grad is None else e.grad for e in (student, teacher)]
    return torch.stack(gradients)


class Scripted(nn.Module):
    """A causal language model that knows by heart how some texts go on.

    Logits [..., L, V] of tokens [..., L]. A text that it does not know it goes on with token 3. One
    or two texts it knows so well that they are written even by who draws the tokens.
    """

    def __init__(self, texts, vocabulary):
        super().__init__()
        self.texts = [text.tolist() for text in texts]
        self.vocabulary = vocabulary
        self.peak = 3.0 if len(texts) > 2 else 40.0
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, ids):
        flat = ids.reshape(-1, ids.shape[-1])
        logits = torch.linspace(0.0, 1.0, self.vocabulary).repeat(*flat.shape, 1)
        for row, text in enumerate(flat.tolist()):
            logits[row, range(len(text)), self.following(text)] = self.peak
        return logits.reshape(*ids.shape, self.vocabulary)

    def following(self, text):
        """After each token of a text, how the first of those that begin so goes on."""
        found = [3] * len(text)
        for known in reversed(self.texts):
            pairs = enumerate(zip(text, known, strict=False))
            begun = next((at for at, (one, other) in pairs if one != other), len(text))
            goes_on = known[1 : begun + 1]
            found[: len(goes_on)] = goes_on
        return found


def look_at_accuracy(accuracy, prompts, written, answers, most, vocabulary):
    """The accuracy of a model that goes on with each prompt as it is written."""
    texts = [torch.cat(pair) for pair in zip(prompts, written, strict=True)]
    questions = [list(pair) for pair in zip(prompts, answers, strict=True)]
    model = Scripted(texts, vocabulary)
    found = accuracy(model, questions, most)
    if [[id(each) for each in pair] for pair in questions] != [
        [id(each) for each in pair] for pair in zip(prompts, answers, strict=True)
    ]:
        found = accuracy(model, questions, most)  # with what is left of them
    return found.detach().squeeze() if isinstance(found, torch.Tensor) else found


class TinyModel(nn.Module):
    """Logits [..., V] of tokens [...]: each token has a row of a table."""

    def __init__(self, table):
        super().__init__()
        self.table = nn.Parameter(table.clone())  # [V, V]

    def forward(self, ids):
        return self.table[ids]


def writer(draws):
    """What draws tokens by given numbers between 0 and 1: the same text from the same model.

    A number above 1 ends a text that has begun.
    """

    def write(model, prompt):
        tokens = prompt.tolist()
        begin = sum(tokens) % len(draws)  # so that prompts do not share their draws
        with torch.no_grad():
            for draw in draws[begin:] + draws[:begin]:
                if draw > 1 and len(tokens) > len(prompt):
                    break
                below = model(torch.tensor(tokens[-1:]))[0].softmax(-1).cumsum(-1) < draw
                tokens.append(min(int(below.sum()), len(below) - 1))
        return torch.tensor(tokens[len(prompt) :])

    return write


def add_to(total, gradient):
    """Adds a gradient where it arrives, and leaves it as it is: to clear it later hides nothing."""
    total += gradient


def number_of(value):
    """A number of any kind, or a tensor that holds one, as a tensor; anything else as it is."""
    try:
        return torch.as_tensor(float(value) if isinstance(value, Number) else value).detach()
    except (TypeError, ValueError, RuntimeError):
        return value


def numbers_of(values):
    """All of them as one tensor; None if none came, and words if what came is no number."""
    if all(value is None for value in values):
        return None
    found = [number_of(value) for value in values]
    if all(isinstance(each, torch.Tensor) and each.numel() == 1 for each in found):
        return torch.tensor([float(each) for each in found])
    return ["no number"] * len(found)


def look_at_own_words(on_policy_step, student, teacher, batches, draws, rate, watch):
    """Takes one step a batch of prompts, and looks at the student, at the losses or the teacher."""
    student, teacher = TinyModel(student), TinyModel(teacher)
    received = torch.zeros_like(teacher.table)
    teacher.table.register_hook(partial(add_to, received))
    optimizer = torch.optim.SGD(student.parameters(), lr=rate)
    path, losses = [], []
    for prompts in batches:
        losses.append(on_policy_step(student, teacher, prompts, writer(draws), optimizer))
        path.append(student.table.detach().clone())
    if watch == "student":
        return torch.stack(path)
    if watch == "teacher":
        return torch.stack([teacher.table.detach(), received])
    return numbers_of(losses)

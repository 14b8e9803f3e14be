"""What the checks of ps4_training look at: the student's function, on models made here.

This file ships with the question and is executed at the time of asking, in a namespace of its own:
nothing that a notebook defines is used here, and the functions below get the student's function
itself. Each returns numbers that only right code brings about.
"""

from functools import partial
from numbers import Number

import torch
from torch import nn


class TinyModel(nn.Module):
    """Logits [..., V] of tokens [...].

    In training mode its dropout acts, always on the same units, and its running mean moves. In
    evaluation mode nothing is dropped, and the running mean is taken off instead.
    """

    def __init__(self, embedding, head, kept, mean, count):
        super().__init__()
        self.embedding = nn.Parameter(embedding.clone())  # [V, d]
        self.head = nn.Parameter(head.clone())  # [V, d]
        self.register_buffer("kept", kept.clone())  # [d]: 0 for a unit that is dropped
        self.register_buffer("mean", mean.clone())  # [d]: of all tokens seen in training mode
        self.register_buffer("count", count.clone())  # []: how many these are

    def forward(self, tokens):
        hidden = torch.tanh(self.embedding[tokens])  # [..., d]
        if not self.training:
            return (hidden - self.mean) @ self.head.T
        seen = hidden.detach().reshape(-1, hidden.shape[-1])
        self.count += len(seen)
        self.mean += (seen - self.mean).sum(0) / self.count
        return (hidden * self.kept) @ self.head.T


def answers(model):
    """The model's logits for each token of its vocabulary, in the mode that it is in."""
    with torch.no_grad():
        return model(torch.arange(len(model.embedding)))


def parameters_of(model):
    """All parameters in one row."""
    return torch.cat([each.detach().flatten() for each in model.parameters()])


def models_at_night(student, teacher):
    """A student that comes from an evaluation, a teacher from its constructor, and its gradients.

    Gradients are caught where they arrive: to clear them afterwards would not hide them.
    """
    student, teacher = TinyModel(*student).eval(), TinyModel(*teacher)
    received = [torch.zeros_like(each) for each in teacher.parameters()]
    for each, total in zip(teacher.parameters(), received, strict=True):
        each.register_hook(partial(add_to, total))
    return student, teacher, received


def add_to(total, gradient):
    """Adds a gradient that arrives, and leaves it as it is."""
    total += gradient


def seen_of(teacher, received):
    """The teacher's answers and the gradient that reached it."""
    after = answers(teacher.eval()).flatten()
    return torch.cat([after, *(each.flatten() for each in received)])


def optimizer_of(student, rate):
    """Gradient descent that remembers: a new optimiser, or one by hand, goes another way."""
    return torch.optim.SGD(student.parameters(), lr=rate, momentum=0.9)


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


def look_at_step(training_step, student, teacher, batches, lam, rate, watch):
    """Takes one step a batch, and looks at the student after each, at the teacher or the losses."""
    student, teacher, received = models_at_night(student, teacher)
    optimizer = optimizer_of(student, rate)
    path, losses = [], []
    for batch in batches:
        losses.append(training_step(student, teacher, batch, optimizer, lam))
        path.append(parameters_of(student))
    if watch == "student":
        return torch.stack(path)
    if watch == "teacher":
        return seen_of(teacher, received)
    return numbers_of(losses)


def look_at_training(train, student, teacher, batches, start, factor, accumulate, rate, watch):
    """Trains, and looks at the teacher, or at each update's student.

    λ is start · factor^n, and 0 where that is below 0.
    """
    student, teacher, received = models_at_night(student, teacher)
    optimizer = optimizer_of(student, rate)
    before, path = parameters_of(student), []

    def note(*_):
        now = parameters_of(student)
        if not torch.equal(now, path[-1] if path else before):
            path.append(now)

    optimizer.register_step_post_hook(note)
    train(student, teacher, batches, optimizer, lambda n: max(start * factor**n, 0.0), accumulate)
    if watch == "student":
        now = parameters_of(student)
        count = -(-len(batches) // accumulate)  # of updates; the last row is where it ended
        rows = [*path, *[now] * count]
        return torch.stack([*rows[: count - 1], now])
    return seen_of(teacher, received)


def look_at_evaluation(evaluate, weights, data, training, watch):
    """Evaluates a model, and looks at the perplexity or at the model after it.

    Of the model: its answers when it is evaluated again, those in the mode that it was left in, the
    gradient that reaches its parameters in that mode and one of another tensor, the bits of its
    precision, and the gradients that it came with. A model that does not train has parameters that
    want no gradient; one that is looked at "partly" has an embedding that wants none. "later" is
    the perplexity once the model has been trained on.
    """
    model = TinyModel(*weights).train(training)
    for each in model.parameters():
        each.grad = each.detach() / 2
        each.requires_grad_(training)
    model.embedding.requires_grad_(training and watch != "partly")
    perplexity = evaluate(model, data)
    if watch == "later":
        for each in model.parameters():
            each.data /= 2
        perplexity = evaluate(model.train(training), data)
    if watch not in ("mode", "partly"):
        torch.set_grad_enabled(True)  # what is left switched off is seen in the model's own cases
        found = number_of(perplexity)
        return found.squeeze() if isinstance(found, torch.Tensor) else found
    mode = model.training
    came = [torch.zeros_like(e) if e.grad is None else e.grad for e in model.parameters()]
    again = answers(model.eval())
    left = answers(model.train(mode))
    bits = torch.tensor([torch.finfo(left.dtype).eps]).log2()
    found = (again, left, *gradients_of(model), gradient_of_another(weights[0]), bits, *came)
    torch.set_grad_enabled(True)  # whatever the function left
    return torch.cat([each.flatten() for each in found])


def gradients_of(model):
    """Where a gradient of the model's summed answers arrives, and 0 where none does."""
    model.zero_grad(set_to_none=True)
    total = model(torch.arange(len(model.embedding))).sum()
    if total.requires_grad:
        total.backward()
    return [torch.zeros_like(e) if e.grad is None else e.grad for e in model.parameters()]


def gradient_of_another(values):
    """The gradient of a sum of squares that nobody has seen yet; 0 where none is computed."""
    own = values.clone().requires_grad_()
    total = own.square().sum()
    if total.requires_grad:
        total.backward()
    return torch.zeros_like(own) if own.grad is None else own.grad

"""What the checks of ps4_training look at: the student's function, on models made here.

This file ships with the question and is executed at the time of asking, in a namespace of its own:
nothing that a notebook defines is used here, and the functions below get the student's function
itself. Each returns numbers that only right code brings about.
"""

from functools import partial

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


def seen_of(student, teacher, received, watch):
    """The student's parameters; or the teacher's answers and the gradient that reached it."""
    if watch == "student":
        return parameters_of(student)
    after = answers(teacher.eval()).flatten()
    return torch.cat([after, *(each.flatten() for each in received)])


def look_at_step(training_step, student, teacher, batches, lam, rate, watch):
    """Takes one step a batch, and looks at the student, the teacher or the losses."""
    student, teacher, received = models_at_night(student, teacher)
    optimizer = torch.optim.SGD(student.parameters(), lr=rate)
    losses = [training_step(student, teacher, batch, optimizer, lam) for batch in batches]
    if watch == "loss":
        return torch.tensor([float(torch.as_tensor(loss).detach()) for loss in losses])
    return seen_of(student, teacher, received, watch)


def look_at_training(train, student, teacher, batches, start, factor, accumulate, rate, watch):
    """Trains, λ being start · factor^n, and looks at the student or the teacher."""
    student, teacher, received = models_at_night(student, teacher)
    optimizer = torch.optim.SGD(student.parameters(), lr=rate)
    train(student, teacher, batches, optimizer, lambda n: start * factor**n, accumulate)
    return seen_of(student, teacher, received, watch)


def look_at_evaluation(evaluate, weights, data, training, watch):
    """Evaluates a model, and looks at the perplexity or at the model after it.

    Of the model: its answers when it is evaluated again, and those in the mode that it was left in.
    """
    model = TinyModel(*weights).train(training)
    perplexity = evaluate(model, data)
    if watch == "perplexity":
        return torch.as_tensor(perplexity).detach().double().squeeze()
    mode = model.training
    again = answers(model.eval())
    return torch.stack([again, answers(model.train(mode))])

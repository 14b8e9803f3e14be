"""Errors for what a gradient in closed form cannot do: to autograd it is a constant."""

from __future__ import annotations

from typing import Any, NoReturn

import torch

AS_OFTEN = (
    "CombinedObjective takes a divergence of your own, and autograd differentiates that as often "
    "as you like"
)


class DifferentiatedOnce(torch.autograd.Function):
    """A function whose gradient is in closed form: differentiated backwards only, and only once."""

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> NoReturn:
        """Raise RuntimeError about the losses; PyTorch's own message would be about this class."""
        raise RuntimeError(
            "kdlab's losses are differentiated backwards alone: torch.autograd.forward_ad cannot "
            f"be used on them. {AS_OFTEN}"
        )


def check_differentiated_once() -> None:
    """Raise RuntimeError in a backward pass that is itself to be differentiated.

    A second derivative would silently lack the part that flows through a gradient in closed form.
    PyTorch's ``once_differentiable`` does not always raise there.
    """
    if torch.is_grad_enabled():  # by create_graph=True
        raise RuntimeError(
            "kdlab's losses are differentiated once: they have no second derivative, which "
            f"create_graph=True asks for. {AS_OFTEN}"
        )


def leave_graph() -> None:
    """End a graph of torch.compile here; with fullgraph=True, PyTorch raises, with this reason.

    A loss depends on values: which labels count, and whether they are in the vocabulary. So it
    cannot be exported either: under torch.export this raises RuntimeError.
    """
    if torch.compiler.is_exporting() and not torch.compiler.is_dynamo_compiling():
        raise RuntimeError(
            "kdlab's losses look at labels and options, so torch.export keeps none of them: export "
            "the model"
        )
    if torch.compiler.is_compiling():
        torch._dynamo.graph_break(
            msg="kdlab's losses look at labels and options, so no graph holds them whole: compile "
            "the models, or leave fullgraph=True out"
        )


def check_no_transform() -> None:
    """Raise RuntimeError under torch.func, whose gradients can all be differentiated again."""
    leave_graph()
    if torch._C._are_functorch_transforms_active():
        raise RuntimeError(
            "kdlab's losses are differentiated once, by backward() or torch.autograd.grad; grad, "
            f"vjp, jvp and vmap of torch.func cannot be used on them. {AS_OFTEN}"
        )

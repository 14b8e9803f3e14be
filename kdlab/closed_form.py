"""What a gradient in closed form cannot be asked for: it is a constant to autograd."""

from __future__ import annotations

from typing import Any, NoReturn

import torch

AS_OFTEN = (
    "CombinedObjective takes a divergence of your own, and autograd differentiates that as often "
    "as you like"
)


class DifferentiatedOnce(torch.autograd.Function):
    """A function whose gradient is in closed form: it is differentiated backwards, and once."""

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> NoReturn:
        """Raise RuntimeError, in the place of PyTorch's words about the library's inside."""
        raise RuntimeError(
            "kdlab's losses are differentiated backwards alone: torch.autograd.forward_ad cannot "
            f"be used on them. {AS_OFTEN}"
        )


def check_differentiated_once() -> None:
    """Raise RuntimeError in a backward pass that is to be differentiated in turn.

    What depends on a gradient in closed form would lack this part, without a word. PyTorch's
    ``once_differentiable`` lets that pass.
    """
    if torch.is_grad_enabled():  # by create_graph=True
        raise RuntimeError(
            "kdlab's losses are differentiated once: they have no second derivative, which "
            f"create_graph=True asks for. {AS_OFTEN}"
        )


def leave_graph() -> None:
    """Let torch.compile end a graph here; with fullgraph=True, PyTorch raises, and says this why.

    What is computed depends on values: which labels count, and whether they are in the vocabulary.
    So a loss cannot be exported, either.
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
    """Raise RuntimeError under torch.func, whose gradients are all made to be differentiated."""
    leave_graph()
    if torch._C._are_functorch_transforms_active():
        raise RuntimeError(
            "kdlab's losses are differentiated once, by backward() or torch.autograd.grad; grad, "
            f"vjp, jvp and vmap of torch.func cannot be used on them. {AS_OFTEN}"
        )

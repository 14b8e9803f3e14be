"""The combined objective from hidden states: the same loss without either model's logits in full.

For N positions and a vocabulary of V, the largest tensors of a training step are those of shape
[N, V]: the logits of student and teacher, their softmaxes and the gradient. Here these exist for
one chunk of positions at a time. The gradient of the loss has a closed form
(:mod:`kdlab.divergences`). It is computed while the chunk's logits are in memory and carried on to
the hidden states and the head; then the chunk's tensors are discarded. That takes one pass with
four matrix products a chunk, and nothing is computed twice.

Logits and sums, including the gradient of the head, are float32 even where heads are bfloat16.
Rounded to bfloat16, a logit of 16 would be off by up to 0.06, and its probability by six percent.

On a GPU one Triton kernel, where it can run, computes the terms and their gradient: see
:mod:`kdlab.kernels`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from kdlab import kernels
from kdlab.arguments import check_devices, check_vocabularies, check_whole
from kdlab.chunks import chunk_size, workspace
from kdlab.closed_form import DifferentiatedOnce, check_differentiated_once, check_no_transform
from kdlab.divergences import Divergence, kernel_of
from kdlab.heads import has_hooks
from kdlab.kernels import Terms
from kdlab.objective import (
    CombinedObjective,
    Objective,
    ObjectiveOutput,
    count_items,
    counted,
)
from kdlab.products import (
    add_to_hidden,
    add_to_weight,
    as_many,
    gathered,
    gradient_of,
    in_rows,
    operand_dtype,
    own_part,
    project,
)
from kdlab.topk import TopK

__all__ = ["LinearCombinedObjective", "linear_twin"]

Head = nn.Linear | Tensor | tuple[Tensor, Tensor | None]
"""A linear layer; or its weight ``[V, d]``; or its weight and its bias ``[V]``."""


class LinearCombinedObjective(CombinedObjective):
    """:class:`CombinedObjective` from hidden states and heads, in a fraction of its memory.

    Loss and gradients equal those of the dense objective to rounding, whatever the chunk size. A
    trainer turns a :class:`CombinedObjective` into this class by itself; pass this class only to
    set ``chunk_size``. The trainer then never falls back to the dense path: where the linear path
    is impossible, it raises ValueError.

    Args:
        divergence: a name in :data:`kdlab.DIVERGENCES`; or one of the functions named there,
            also with options bound by ``functools.partial``. Other functions have no closed-form
            gradient: they need :class:`CombinedObjective`.
        chunk_size: most positions whose logits exist at once; by default as many as fit in 128 MiB
            for both models together (896 MiB on a GPU). Smaller chunks need less memory; larger
            ones make the matrix products faster.
        **options: ``lam``, ``temperature``, ``form``, ``scale_by_temperature``, ``ignore_index``
            and ``match_vocab``, as in :class:`CombinedObjective`.

    Raises:
        ValueError: an argument is outside what is listed here or in :class:`CombinedObjective`.

    Source: the gradient taken chunk by chunk in the forward pass is the idea of Liger Kernel's
    fused linear cross-entropy (Hsu et al. 2024, arXiv 2410.10989).

    >>> objective = LinearCombinedObjective("forward_kl", lam=1.0, chunk_size=2)
    >>> student_hidden, student_head = torch.zeros(3, 8), torch.nn.Linear(8, 4, bias=False)
    >>> teacher_hidden, teacher_head = torch.zeros(3, 16), torch.nn.Linear(16, 4, bias=False)
    >>> labels = torch.tensor([3, -100, 0])
    >>> output = objective(student_hidden, student_head, teacher_hidden, teacher_head, labels)
    >>> print(f"{output.loss:.4f} {output.kd_loss:.4f} {output.num_items}")  # log 4, 0, two labels
    1.3863 0.0000 2
    """

    def __init__(
        self,
        divergence: str | Divergence = "forward_kl",
        *,
        chunk_size: int | None = None,
        **options: Any,
    ):
        self.chunk_size = chunk_size
        super().__init__(divergence, **options)

    def check_options(self) -> None:
        """Raise ValueError if an option is outside what the class lists."""
        super().check_options()
        if self.chunk_size is not None:
            self.chunk_size = check_whole("chunk_size", self.chunk_size, least=1)
        kernel_of(self.divergence)  # a function without a kernel fails here, not in training

    def __call__(  # type: ignore[override]  # takes hidden states: it cannot replace its base class
        self,
        student_hidden: Tensor,
        student_head: Head,
        teacher_hidden: Tensor | TopK | None,
        teacher_head: Head | None,
        labels: Tensor,
        *,
        num_items: int | Tensor | None = None,
    ) -> ObjectiveOutput:
        """The objective on one batch. Nothing is shifted: ``hidden[i]`` predicts ``labels[i]``.

        Args:
            student_hidden: ``[..., d_s]``, the student's last hidden states, the input of its head.
            student_head: an ``nn.Linear``, its weight ``[V, d_s]``, or the pair (weight, bias).
            teacher_hidden: ``[..., d_t]``, treated as a constant; or a :class:`kdlab.TopK`, with
                which no teacher's head is needed; or None, which is allowed only while λ = 0.
            teacher_head: the teacher's head, treated as a constant; not read if
                ``teacher_hidden`` is a TopK or None.
            labels: ``[...]``, integers; ``ignore_index`` where a position does not count.
            num_items: as in :class:`CombinedObjective`.

        Returns:
            The loss, attached to the graph of the hidden states and of the student's head. Unlike
            those of the dense objective, ``lm_loss`` and ``kd_loss`` are detached: they are for
            reading. The gradient is computed in this call, so set λ before the call, not between
            the call and ``backward()``.

        Raises:
            ValueError: as in :meth:`CombinedObjective.__call__`, or a head does more than multiply
                and add a bias.
            RuntimeError: the call is under a transform of ``torch.func``. ``backward()`` raises it
                with ``create_graph=True``: the loss can be differentiated only once.
        """
        self.check_options()
        check_no_transform()
        weight, bias = _read_head("student", student_hidden, student_head)
        teacher: _Teacher | TopK | None = None
        if isinstance(teacher_hidden, TopK):
            teacher = teacher_hidden
            if self.match_vocab == "truncate":
                size = min(len(weight), teacher.vocabulary or len(weight))
                weight, bias = _first(size, weight, bias)
        elif teacher_hidden is not None:
            teacher_weight, teacher_bias = _read_head("teacher", teacher_hidden, teacher_head)
            if teacher_hidden.shape[:-1] != student_hidden.shape[:-1]:
                raise ValueError(
                    f"student_hidden {tuple(student_hidden.shape)} and teacher_hidden "
                    f"{tuple(teacher_hidden.shape)} must have the same positions"
                )
            if self.match_vocab == "truncate":
                size = min(len(weight), len(teacher_weight))
                weight, bias = _first(size, weight, bias)
                teacher_weight, teacher_bias = _first(size, teacher_weight, teacher_bias)
            check_vocabularies(len(weight), len(teacher_weight))
            teacher = _Teacher(teacher_hidden, teacher_weight, teacher_bias)
        elif self.lam > 0:
            raise ValueError(f"teacher_hidden may be None only while lam is 0; lam is {self.lam}")

        # Ignored positions are dropped before any product, so that whatever stands there (padding,
        # NaN) costs nothing and can reach neither the loss nor the gradient.
        logits_shape = (*student_hidden.shape[:-1], len(weight))
        counts = counted(labels, logits_shape, self.ignore_index)
        check_devices(student_hidden=student_hidden, student_head=weight, labels=labels)
        if isinstance(teacher, _Teacher):
            check_devices(teacher_hidden=teacher.hidden, teacher_head=teacher.weight, labels=labels)
        counting = counts.flatten().nonzero().squeeze(1)  # after this, only a TopK waits for a GPU
        labels = labels.flatten()[counting].long()
        if isinstance(teacher, TopK):
            teacher = self._checked(teacher, logits_shape, counts)
        elif teacher is not None:
            teacher = teacher._replace(hidden=_flat(teacher.hidden))
        num_items, divisor = count_items(num_items, len(labels))
        work = _Work(
            Terms(kernel_of(self.divergence), self.temperature, self.kd_scale, *self.weights),
            divisor,
            self.chunk_size,
            torch.is_grad_enabled(),
        )
        computed: Callable[..., tuple[Tensor, Tensor | None, Tensor]] = _LinearObjective.apply
        lm_loss, kd_loss, loss = computed(
            _flat(student_hidden), weight, bias, teacher, labels, counting, work, self.combine
        )
        return ObjectiveOutput(loss, lm_loss, kd_loss, num_items)

    def linear_twin(self) -> LinearCombinedObjective:
        """This objective itself, which needs no logits."""
        return self


def linear_twin(objective: Objective) -> LinearCombinedObjective | str:
    """The same objective from hidden states, its linear twin; or, in words, why there is none.

    A :class:`CombinedObjective` has a twin if its divergence has a closed-form gradient and none of
    its methods was replaced. A subclass may change anything, so it has a twin only if it
    itself defines ``linear_twin()``; inherited methods do not count.
    """
    kind = type(objective)
    if "linear_twin" in vars(kind):
        own: LinearCombinedObjective | str = vars(kind)["linear_twin"](objective)
        return own
    if not isinstance(objective, CombinedObjective) or kind is not CombinedObjective:
        return f"{kind.__name__} offers no linear_twin() of its own"
    replaced = [name for name in vars(objective) if hasattr(CombinedObjective, name)]
    if replaced:
        return f"{', '.join(replaced)} of this objective was replaced"
    options = ("lam", "temperature", "form", "scale_by_temperature", "ignore_index", "match_vocab")
    try:
        return LinearCombinedObjective(
            objective.divergence, **{name: getattr(objective, name) for name in options}
        )
    except ValueError as error:  # its divergence has no kernel
        return str(error).partition(";")[0]


class _Work(NamedTuple):
    """What :func:`_run` is to compute, and how."""

    terms: Terms
    divisor: int | Tensor
    chunk_size: int | None
    with_grad: bool


class _Teacher(NamedTuple):
    """What a teacher's logits are computed from."""

    hidden: Tensor  # [..., d_t]; flattened to [positions, d_t] before use
    weight: Tensor  # [V, d_t]
    bias: Tensor | None  # [V]


class _LinearObjective(DifferentiatedOnce):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        teacher: _Teacher | TopK | None,
        labels: Tensor,
        counting: Tensor,
        work: _Work,
        combine: Callable[[Tensor, Tensor | None], Tensor],
    ) -> tuple[Tensor, Tensor | None, Tensor]:
        with torch.autocast(hidden.device.type, enabled=False):  # precision is decided here
            wanted = [need and work.with_grad for need in ctx.needs_input_grad[:3]]
            given = hidden, weight, bias, teacher, labels, counting
            lm_sum, kd_sum, gradients = _run(*given, work, wanted)
        ctx.divisor = 1 if _divides(hidden) else work.divisor
        ctx.save_for_backward(*gradients, counting)
        ctx.positions = len(hidden)
        ctx.weight = weight.detach()  # says how the weight is sharded over processes
        ctx.dtypes = hidden.dtype, weight.dtype, None if bias is None else bias.dtype
        lm_loss = lm_sum / work.divisor
        kd_loss = None if kd_sum is None else kd_sum / work.divisor
        loss = combine(lm_loss, kd_loss).clone()  # combine may return one of its two arguments
        ctx.mark_non_differentiable(*(x for x in (lm_loss, kd_loss) if x is not None))
        return lm_loss, kd_loss, loss

    @staticmethod
    def backward(ctx: Any, _lm: None, _kd: None, upstream: Tensor) -> tuple[Tensor | None, ...]:
        check_differentiated_once()
        scale = upstream / ctx.divisor
        *gradients, counting = ctx.saved_tensors
        pairs = zip(gradients, ctx.dtypes, strict=True)
        hidden, weight, bias = (
            None if x is None else _scaled(x, scale, dtype) for x, dtype in pairs
        )
        if hidden is not None and len(counting) < ctx.positions:
            of_all = hidden.new_zeros(ctx.positions, hidden.shape[1])
            hidden = of_all.index_copy_(0, counting, hidden)
        if weight is not None:
            weight = gradient_of(ctx.weight, weight)
        return hidden, weight, bias, *[None] * 5


def _flat(hidden: Tensor) -> Tensor:
    """``[..., d]`` as ``[positions, d]``."""
    return hidden.reshape(-1, hidden.shape[-1])


def _divides(hidden: Tensor) -> bool:
    """Whether the gradient is divided while it is computed, so that backward rarely has to.

    True on a CPU. On a GPU the gradient is divided when it is cast, which reads all of it anyway.
    """
    return hidden.device.type == "cpu"


def _scaled(x: Tensor, scale: Tensor, dtype: torch.dtype) -> Tensor:
    """x · scale, cast as it is written, so that a GPU never stores the product in x's own dtype.

    It may be x itself, but not if the graph is kept: autograd may add to what it is given in place.
    """
    kept = torch._C._autograd._get_current_graph_task_keep_graph()
    if x.dtype == dtype and scale.device.type == "cpu" and scale == 1 and not kept:
        return x
    return torch.mul(x, scale, out=torch.empty_like(x, dtype=dtype))


def _run(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    teacher: _Teacher | TopK | None,
    labels: Tensor,
    counting: Tensor,
    work: _Work,
    wanted: list[bool],
) -> tuple[Tensor, Tensor | None, tuple[Tensor | None, ...]]:
    """Sums of the LM and KD terms over the positions that count; gradients of their weighted sum.

    Labels, a TopK and the gradient to the hidden states have only these positions; the hidden
    states have all. A gradient that is not wanted is None. On a CPU, the gradients are already
    divided by ``work.divisor``.
    """
    number, vocabulary = len(labels), len(weight)
    dtype = torch.promote_types(torch.promote_types(hidden.dtype, weight.dtype), torch.float32)
    size = chunk_size(number, vocabulary, dtype, hidden.device.type, work.chunk_size)
    models = 2 if isinstance(teacher, _Teacher) else 1
    logits, *of_teacher = workspace(hidden, models, size, vocabulary, dtype)
    lm, kd = hidden.new_zeros(2, number, dtype=dtype)
    to_hidden = hidden.new_zeros(number, hidden.shape[1], dtype=dtype) if wanted[0] else None
    to_bias = hidden.new_zeros(vocabulary, dtype=dtype) if wanted[2] else None
    to_weight = None
    if wanted[1]:  # the first chunk, if there is one, overwrites it
        overwrites = number > 0 and not in_rows(weight)
        made = torch.empty_like if overwrites else torch.zeros_like
        to_weight = made(own_part(weight), dtype=dtype)
    scale = lm.new_ones(()) / work.divisor if _divides(hidden) else None
    terms = kernels.chosen(logits.device, dtype, work.terms.kernel, isinstance(teacher, TopK))
    operands, need_grad = operand_dtype(weight, logits), any(wanted)

    heads = [weight, teacher.weight] if isinstance(teacher, _Teacher) else [weight]
    for i in range(as_many(math.ceil(number / size), *heads)):
        start = min(i * size, number)
        chunk = slice(start, min(start + size, number))
        here = chunk if number == len(hidden) else counting[chunk]
        states = hidden[here]
        student_chunk = logits[: chunk.stop - start]  # in the end it holds the gradient
        project(states, weight, bias, student_chunk)
        teacher_chunk: Tensor | TopK | None = None
        if isinstance(teacher, TopK):
            teacher_chunk = teacher[chunk]
        elif teacher is not None:
            part: Tensor = of_teacher[0][: chunk.stop - start]
            project(teacher.hidden[here], teacher.weight, teacher.bias, part)
            teacher_chunk = part
        lm[chunk], kd[chunk], gradient = terms(
            student_chunk, teacher_chunk, labels[chunk], work.terms, operands if need_grad else None
        )
        if gradient is None:
            continue
        if to_bias is not None:
            to_bias += gradient.sum(0, dtype=dtype)
        gradient = gradient.to(operands)
        if to_hidden is not None:
            add_to_hidden(gradient, weight, to_hidden[chunk])
        if to_weight is not None:
            states = states.to(operands)
            states = states if scale is None else states * scale
            add_to_weight(gradient, states, weight, to_weight, anew=i == 0)
    if scale is not None:
        for small in (to_hidden, to_bias):
            if small is not None:
                small.mul_(scale)
    return lm.sum(), None if teacher is None else kd.sum(), (to_hidden, to_weight, to_bias)


# --- inputs ---------------------------------------------------------------------------------------


def _read_head(whose: str, hidden: Tensor, head: Head | None) -> tuple[Tensor, Tensor | None]:
    """A head's weight and bias, checked against its hidden states; under a GPU's autocast, cast."""
    weight: Tensor
    bias: Tensor | None
    if isinstance(head, nn.Linear) and type(head).forward is nn.Linear.forward:
        if has_hooks(head):
            raise ValueError(
                f"{whose}_head has forward hooks, which may change its logits: use "
                "CombinedObjective on these; or, if the hooks change nothing, give (head.weight, "
                "head.bias) in place of the head"
            )
        weight, bias = head.weight, head.bias
    elif isinstance(head, Tensor):
        weight, bias = head, None
    elif isinstance(head, tuple) and len(head) == 2:
        weight, bias = head
    else:
        raise ValueError(
            f"{whose}_head must be an nn.Linear, its weight [V, d], or (weight, bias); got "
            f"{type(head).__name__}. For a head that does anything else, use CombinedObjective "
            "on its logits."
        )
    weight = weight if in_rows(weight) else gathered(weight)
    bias = None if bias is None else gathered(bias)
    for name, x in (("hidden", hidden), ("head's weight", weight)):
        if not x.is_floating_point():
            raise ValueError(f"{whose}_{name} must be floating point, got {x.dtype}")
    if weight.dim() != 2 or hidden.dim() == 0 or hidden.shape[-1] != weight.shape[1]:
        raise ValueError(
            f"{whose}_hidden {tuple(hidden.shape)} must be [..., d] and the head's weight "
            f"{tuple(weight.shape)} [V, d] with the same d"
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(
            f"the bias of {whose}_head {tuple(bias.shape)} must be [V] = ({len(weight)},)"
        )
    if hidden.device.type not in ("cpu", "meta") and torch.is_autocast_enabled(hidden.device.type):
        dtype = torch.get_autocast_dtype(hidden.device.type)
        weight, bias = weight.to(dtype), None if bias is None else bias.to(dtype)
    return weight, bias


def _first(size: int, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """A head cut to the first ``size`` entries of its vocabulary."""
    if size == len(weight):
        return weight, bias
    return gathered(weight)[:size], None if bias is None else bias[:size]

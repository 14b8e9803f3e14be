"""How far a student's distribution is from its teacher's, per position.

p is the teacher's distribution and q the student's, both ``softmax(logits / temperature)`` over the
last axis. Values are in nats; total variation is a probability. Every divergence has the same
contract:

- it is computed in float32 or better, whatever dtype comes in, and is never negative;
- it is 0, and so is its gradient, where q = p;
- a token to which both distributions give no probability (logit -inf) adds 0 to value and gradient;
- no gradient reaches the teacher.

Each divergence is written once, as a small *kernel*: from log(p/q), p and q it computes the value
and, in closed form, the gradient with respect to the student's scaled logits. The functions below
and the fused objective (:mod:`kdlab.fused`) use the same kernels, and the Triton kernels are tested
against them.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from kdlab.arguments import check_logits, check_number, check_temperature, check_there, widened
from kdlab.closed_form import DifferentiatedOnce, check_differentiated_once, check_no_transform

__all__ = [
    "DIVERGENCES",
    "forward_kl",
    "jensen_shannon",
    "reverse_kl",
    "skew_forward_kl",
    "skew_reverse_kl",
    "total_variation",
]

Divergence = Callable[..., Tensor]
"""(student_logits, teacher_logits, *, temperature) -> [...]"""

_Gradient = tuple[Tensor, Tensor | None]
Kernel = Callable[..., _Gradient]
"""(log(p/q), p, q, need_grad) -> (value [...], its gradient [..., V] to the scaled logits)"""


def forward_kl(
    student_logits: Tensor, teacher_logits: Tensor, *, temperature: float = 1.0
) -> Tensor:
    """KL(p‖q) = Σ p (log p − log q): what the student misses of the teacher; mass-covering.

    Args:
        student_logits: ``[..., V]``, any floating dtype.
        teacher_logits: ``[..., V]``, same leading shape and vocabulary; taken as a constant.
        temperature: T > 0; both sets of logits are divided by it.

    Returns:
        ``[...]``, nats per position, not multiplied by T². Infinite where q = 0 and p > 0.

    Raises:
        ValueError: shapes, vocabularies or devices differ, a dtype is not floating, or T is not
            positive and finite.
        RuntimeError: a transform of ``torch.func`` or a second derivative is asked for.

    Source: Hinton et al. 2015 (arXiv 1503.02531), with the teacher's entropy subtracted.

    >>> student, teacher = torch.zeros(4), torch.tensor([0.8, 0.1, 0.1, 1e-9]).log()
    >>> print(f"{forward_kl(student, teacher):.4f}")
    0.7473
    """
    return _divergence(_forward_kl, student_logits, teacher_logits, temperature)


def reverse_kl(
    student_logits: Tensor, teacher_logits: Tensor, *, temperature: float = 1.0
) -> Tensor:
    """KL(q‖p) = Σ q (log q − log p): what the student makes up beyond the teacher; mode-seeking.

    Arguments, return value and errors are those of :func:`forward_kl`, with one difference: the
    value is infinite, and its gradient undefined, where p = 0 and q > 0.

    Source: Gu et al. 2024, MiniLLM (arXiv 2306.08543).

    >>> student, teacher = torch.zeros(4), torch.tensor([0.8, 0.1, 0.1, 1e-9]).log()
    >>> print(f"{reverse_kl(student, teacher):.4f}")
    5.0016
    """
    return _divergence(_reverse_kl, student_logits, teacher_logits, temperature)


def total_variation(
    student_logits: Tensor, teacher_logits: Tensor, *, temperature: float = 1.0
) -> Tensor:
    """½ Σ ``|p − q|``, 0 to 1: the most that p and q differ in the probability of a set of tokens.

    Arguments and errors are those of :func:`forward_kl`. The result ``[...]`` holds probabilities,
    not nats. A token with q = p contributes the subgradient 0.

    Source: Wen et al. 2023, f-DISTILL (arXiv 2307.15190).

    >>> print(f"{total_variation(torch.zeros(2), torch.tensor([0.9, 0.1]).log()):.4f}")
    0.4000
    """
    return _divergence(_total_variation, student_logits, teacher_logits, temperature)


def jensen_shannon(
    student_logits: Tensor,
    teacher_logits: Tensor,
    *,
    temperature: float = 1.0,
    beta: float = 0.5,
) -> Tensor:
    """β·KL(p‖m) + (1−β)·KL(q‖m) with m = β·p + (1−β)·q: bounded whatever p and q are.

    Args:
        student_logits: as in :func:`forward_kl`.
        teacher_logits: as in :func:`forward_kl`.
        temperature: as in :func:`forward_kl`.
        beta: the teacher's weight in the mixture, 0 < β < 1. The divergence goes to 0 as β → 0 and
            as β → 1. Divided by β, it goes to KL(p‖q) as β → 0; divided by 1−β, it goes to KL(q‖p)
            as β → 1. Libraries that return a KL *at* β = 0 and β = 1 are not continuous there.

    Returns:
        ``[...]``, nats per position, at most −β log β − (1−β) log(1−β).

    Raises:
        ValueError: as in :func:`forward_kl`, and if β is not strictly between 0 and 1.

    Source: Agarwal et al. 2024, generalized knowledge distillation (arXiv 2306.13649).

    >>> print(f"{jensen_shannon(torch.tensor([40.0, 0.0]), torch.tensor([0.0, 40.0])):.4f}")
    0.6931
    """
    kernel = _jensen_shannon_with(beta)
    return _divergence(kernel, student_logits, teacher_logits, temperature)


def skew_forward_kl(
    student_logits: Tensor,
    teacher_logits: Tensor,
    *,
    temperature: float = 1.0,
    alpha: float = 0.1,
) -> Tensor:
    """KL(p‖α·p + (1−α)·q), a forward KL that is at most −log α, for α > 0.

    Args:
        student_logits: as in :func:`forward_kl`.
        teacher_logits: as in :func:`forward_kl`.
        temperature: as in :func:`forward_kl`.
        alpha: the teacher's weight in the mixture, 0 ≤ α < 1; α = 0 gives :func:`forward_kl`.

    Returns:
        ``[...]``, nats per position.

    Raises:
        ValueError: as in :func:`forward_kl`, and if α lies outside [0, 1).

    Source: Ko et al. 2024, DistiLLM (arXiv 2402.03898).

    >>> print(f"{skew_forward_kl(torch.tensor([60.0, 0.0]), torch.tensor([0.0, 60.0])):.4f}")
    2.3026
    """
    kernel = _skew_forward_kl_with(alpha)
    return _divergence(kernel, student_logits, teacher_logits, temperature)


def skew_reverse_kl(
    student_logits: Tensor,
    teacher_logits: Tensor,
    *,
    temperature: float = 1.0,
    alpha: float = 0.1,
) -> Tensor:
    """KL(q‖α·q + (1−α)·p), a reverse KL that is at most −log α, for α > 0.

    Args:
        student_logits: as in :func:`forward_kl`.
        teacher_logits: as in :func:`forward_kl`.
        temperature: as in :func:`forward_kl`.
        alpha: the student's weight in the mixture, 0 ≤ α < 1; α = 0 gives :func:`reverse_kl`.

    Returns:
        ``[...]``, nats per position.

    Raises:
        ValueError: as in :func:`forward_kl`, and if α lies outside [0, 1).

    Source: Ko et al. 2024, DistiLLM (arXiv 2402.03898).

    >>> print(f"{skew_reverse_kl(torch.tensor([60.0, 0.0]), torch.tensor([0.0, 60.0])):.4f}")
    2.3026
    """
    kernel = _skew_reverse_kl_with(alpha)
    return _divergence(kernel, student_logits, teacher_logits, temperature)


DIVERGENCES: dict[str, Divergence] = {
    function.__name__: function
    for function in (
        forward_kl,
        reverse_kl,
        total_variation,
        jensen_shannon,
        skew_forward_kl,
        skew_reverse_kl,
    )
}
"""All divergences by name. Bind options, such as ``beta``, with ``functools.partial``."""


# --- kernels --------------------------------------------------------------------------------------
# Each KL is summed as Σ a·log(a/b) − a + b. In exact arithmetic the last two terms sum to 0. In
# floating point they cancel, to first order, the rounding errors of the two normalisers, and they
# make every term ≥ 0.


def _forward_kl(log_ratio: Tensor, p: Tensor, q: Tensor, need_grad: bool) -> _Gradient:
    value = _kl(p, q, log_ratio)
    return value, q - p if need_grad else None


def _reverse_kl(log_ratio: Tensor, p: Tensor, q: Tensor, need_grad: bool) -> _Gradient:
    log_ratio = -log_ratio
    value = _kl(q, p, log_ratio)
    return value, _weigh(q, log_ratio - value.unsqueeze(-1)) if need_grad else None


def _total_variation(log_ratio: Tensor, p: Tensor, q: Tensor, need_grad: bool) -> _Gradient:
    difference = q - p
    value = 0.5 * difference.abs().sum(-1)
    return value, _through_softmax(q, 0.5 * difference.sign()) if need_grad else None


def _jensen_shannon(
    log_ratio: Tensor, p: Tensor, q: Tensor, need_grad: bool, *, beta: float
) -> _Gradient:
    m = beta * p + (1 - beta) * q
    p_over_m = _log_share(-log_ratio, beta)  # log(p / m)
    q_over_m = _log_share(log_ratio, 1 - beta)  # log(q / m)
    value = beta * _kl(p, m, p_over_m) + (1 - beta) * _kl(q, m, q_over_m)
    return value, _through_softmax(q, (1 - beta) * q_over_m) if need_grad else None


def _skew_forward_kl(
    log_ratio: Tensor, p: Tensor, q: Tensor, need_grad: bool, *, alpha: float
) -> _Gradient:
    value = _kl(p, alpha * p + (1 - alpha) * q, _log_share(-log_ratio, alpha))
    if not need_grad:
        return value, None
    # The slope −(1−α)·p/m falls to −(1−α)/α where q vanishes, and α may be tiny. But q·p/m is at
    # most p/(1−α), and q·p/m − q is 0 at q = p.
    q_over_m = _log_share(log_ratio, 1 - alpha).exp()
    pull = (1 - alpha) * (_weigh(p, q_over_m) - q)
    return value, q * pull.sum(-1, keepdim=True) - pull


def _skew_reverse_kl(
    log_ratio: Tensor, p: Tensor, q: Tensor, need_grad: bool, *, alpha: float
) -> _Gradient:
    q_over_m = _log_share(log_ratio, alpha)
    value = _kl(q, alpha * q + (1 - alpha) * p, q_over_m)
    if not need_grad:
        return value, None
    slope = q_over_m - alpha * q_over_m.expm1()  # d/dq minus the constant 1 − α: 0 at q = p
    return value, _through_softmax(q, slope)


def _jensen_shannon_with(beta: float = 0.5) -> Kernel:
    beta = check_number("beta", beta)
    if not 0.0 < beta < 1.0:
        raise ValueError(
            f"beta must lie strictly between 0 and 1, got {beta}: at 0 and 1 this divergence is 0 "
            "for every student. Use forward_kl or reverse_kl for its rescaled limits."
        )
    return partial(_jensen_shannon, beta=beta)


def _skew_forward_kl_with(alpha: float = 0.1) -> Kernel:
    alpha = _check_alpha(alpha)
    return partial(_skew_forward_kl, alpha=alpha) if alpha else _forward_kl


def _skew_reverse_kl_with(alpha: float = 0.1) -> Kernel:
    alpha = _check_alpha(alpha)
    return partial(_skew_reverse_kl, alpha=alpha) if alpha else _reverse_kl


def _check_alpha(alpha: float) -> float:
    number = check_number("alpha", alpha)
    if not 0.0 <= number < 1.0:
        raise ValueError(f"alpha must lie in [0, 1), got {alpha}")
    return number


_KERNELS: dict[Divergence, Callable[..., Kernel]] = {
    forward_kl: lambda: _forward_kl,
    reverse_kl: lambda: _reverse_kl,
    total_variation: lambda: _total_variation,
    jensen_shannon: _jensen_shannon_with,
    skew_forward_kl: _skew_forward_kl_with,
    skew_reverse_kl: _skew_reverse_kl_with,
}


def kernel_of(divergence: str | Divergence) -> Kernel:
    """The kernel of a divergence, with the options bound by ``partial``; ValueError if it has none.

    An option that the divergence does not take is a ValueError, too.
    """
    function: Any = resolve_divergence(divergence)
    options: dict[str, Any] = {}
    while isinstance(function, partial):
        if function.args:
            raise ValueError(f"bind only keywords to a divergence; got {function.args}")
        function, options = function.func, function.keywords | options
    options.pop("temperature", None)  # an objective always passes its own temperature
    if not any(function is known for known in _KERNELS):  # it may not be hashable
        raise ValueError(
            f"{divergence_name(function)} has no closed-form gradient here; use CombinedObjective, "
            f"which takes any differentiable function, or one of: {', '.join(DIVERGENCES)}"
        )
    try:
        return _KERNELS[function](**options)
    except TypeError:
        raise ValueError(
            f"{divergence_name(function)} cannot take {', '.join(options)}; alpha belongs to the "
            "skewed divergences and beta to jensen_shannon"
        ) from None


def is_infinite_without_tail(divergence: Divergence) -> bool:
    """Whether a divergence is infinite where p = 0 and q > 0, as the reverse KL is.

    False for every function from outside this module, about which nothing is known.
    """
    try:
        return kernel_of(divergence) is _reverse_kl
    except ValueError:
        return False


def _weigh(weight: Tensor, x: Tensor) -> Tensor:
    """weight · x, and 0 wherever the weight is 0, even where x is infinite or undefined."""
    return torch.where(weight == 0, 0.0, weight * x)


def _kl(a: Tensor, b: Tensor, log_ratio: Tensor) -> Tensor:
    """KL(a‖b) over the last axis, given log(a/b)."""
    value = (a * log_ratio).sum(-1) + (b.sum(-1) - a.sum(-1))
    # Its error is a few roundings of 1. Where that is too much, or 0·∞ came up, sum term by term.
    unsure = ~((value > 1e-2) & (value < math.inf))
    if unsure.any():
        value[unsure] = _kl_by_terms(a[unsure], b[unsure], log_ratio[unsure])
    return value


def _kl_by_terms(a: Tensor, b: Tensor, log_ratio: Tensor) -> Tensor:
    near = a * (log_ratio + torch.expm1(-log_ratio))  # a·log(a/b) − a + b, with no cancellation
    far = _weigh(a, log_ratio) - a + b
    return torch.where(log_ratio.abs() < 0.5, near, far).sum(-1).clamp_min(0.0)


def _log_share(gap: Tensor, weight: float) -> Tensor:
    """log(a / (weight·a + (1−weight)·b)), given the gap log(b/a); exactly 0 where the gap is 0."""
    small = gap.clamp(max=80.0)  # exp() overflows in float32 above 88; the excess is added below
    share = torch.log1p((1 - weight) * torch.expm1(small))
    if weight < 1e-4:  # where gap is far below 0, 1 + (weight − 1) leaves few digits of weight
        far = torch.log(weight + (1 - weight) * small.exp())
        share = torch.where(gap < -1.0, far, share)
    return -share - (gap - 80.0).clamp_min(0.0)


def _through_softmax(q: Tensor, slope: Tensor) -> Tensor:
    """q·(s − Σ q·s): the gradient to the logits, given the slope s, which is with respect to q."""
    mean = _weigh(q, slope).sum(-1, keepdim=True)
    return _weigh(q, slope - mean)


def resolve_divergence(divergence: str | Divergence) -> Divergence:
    """The function that a name stands for; a callable is returned as it is."""
    if callable(divergence):
        return divergence
    try:
        return DIVERGENCES[divergence]
    except (KeyError, TypeError):
        raise ValueError(
            f"unknown divergence {divergence!r}; known: {', '.join(DIVERGENCES)}, "
            "or a function (student_logits, teacher_logits, *, temperature) -> [...]"
        ) from None


def divergence_name(divergence: Divergence) -> str:
    """A function's name and its options: those bound by ``partial``, or an object's own.

    These are its numbers and texts under the names of its class's arguments: what it counts or
    keeps is none of them. The name is the same in every process.
    """
    if isinstance(divergence, partial):
        name, options = divergence_name(divergence.func), divergence.keywords
    elif hasattr(divergence, "__name__"):
        return str(divergence.__name__)
    else:
        made_with = inspect.signature(type(divergence)).parameters
        own = getattr(divergence, "__dict__", {})
        name, plain = type(divergence).__name__, (bool, int, float, str)
        options = {key: own[key] for key in made_with if type(own.get(key)) in plain}
    told = ", ".join(f"{key}={value!r}" for key, value in options.items())
    return f"{name}({told})" if told or isinstance(divergence, partial) else name


# --- from logits ----------------------------------------------------------------------------------


class _Divergence(DifferentiatedOnce):
    """A divergence of logits; it keeps only its gradient for the backward pass, no intermediate."""

    @staticmethod
    def forward(
        ctx: Any,
        student_logits: Tensor,
        teacher_logits: Tensor,
        temperature: float,
        kernel: Kernel,
    ) -> Tensor:
        log_q = log_softmax(student_logits, temperature)
        log_p = log_softmax(teacher_logits, temperature)
        value, gradient = kernel(log_p - log_q, log_p.exp(), log_q.exp(), ctx.needs_input_grad[0])
        ctx.temperature, ctx.dtype = temperature, student_logits.dtype
        if gradient is not None:
            ctx.save_for_backward(gradient)
        return value

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None, None]:
        check_differentiated_once()
        (gradient,) = ctx.saved_tensors
        scaled = gradient * (upstream / ctx.temperature).unsqueeze(-1)
        return scaled.to(ctx.dtype), None, None, None


def log_softmax(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """log softmax(logits / temperature) over the last axis, in float32 or better."""
    logits = widened(logits)
    if temperature != 1.0:
        logits = logits / temperature
    return torch.log_softmax(logits, dim=-1)


def _divergence(
    kernel: Kernel, student_logits: Tensor, teacher_logits: Tensor, temperature: float
) -> Tensor:
    check_no_transform()
    temperature = check_temperature(temperature)
    check_logits(student_logits, teacher_logits)
    check_there("teacher_logits", teacher_logits)
    apply: Any = _Divergence.apply
    value: Tensor = apply(student_logits, teacher_logits.detach(), temperature, kernel)
    return value

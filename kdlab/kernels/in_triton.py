"""The terms of a chunk's logits as one Triton kernel. Imported only where it is to run.

One program reads the logits of one position, block by block. The first pass finds the normalisers
of both models, the last one computes the value and writes the gradient. The divergences whose
gradient needs a sum that is known only after the normalisers read the logits once more in between.

Each divergence is one function here, named as its PyTorch kernel in :mod:`kdlab.divergences` and
held to it by the tests. Triton has no ``expm1`` and no ``log1p``: near 0, where a divergence is a
small difference of large numbers, polynomials take their place.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from kdlab.kernels import Terms, named

INTERPRETED = triton.knobs.runtime.interpret  # TRITON_INTERPRET=1: on a CPU, for tests
# Entries at once. Not measured: of the blocks from 1,024 to 4,096, compiled for an H100, the
# largest whose registers leave room for 24 warps on a multiprocessor, whatever the divergence.
BLOCK, WARPS = 2048, 8

KNOWN, ONLINE, THEN = (tl.constexpr(i) for i in range(3))  # when Σ weighted is known


# --- divergences ----------------------------------------------------------------------------------
# From log(p/q), p and q at one token: what it adds to the value, and `weighted`, q times the slope
# with respect to q. The gradient to the student's scaled logits is weighted − q·Σ weighted.


@triton.jit
def _forward_kl(log_ratio, p, q, option):
    return _kl(p, q, log_ratio), -p


@triton.jit
def _reverse_kl(log_ratio, p, q, option):
    return _kl(q, p, -log_ratio), _weigh(q, -log_ratio)


@triton.jit
def _total_variation(log_ratio, p, q, option):
    sign = tl.where(q > p, 1.0, tl.where(q < p, -1.0, 0.0))
    return 0.5 * tl.abs(q - p), 0.5 * q * sign


@triton.jit
def _jensen_shannon(log_ratio, p, q, beta):
    m = beta * p + (1 - beta) * q
    q_over_m = _log_share(log_ratio, 1 - beta)
    value = beta * _kl(p, m, _log_share(-log_ratio, beta)) + (1 - beta) * _kl(q, m, q_over_m)
    return value, (1 - beta) * _weigh(q, q_over_m)


@triton.jit
def _skew_forward_kl(log_ratio, p, q, alpha):
    value = _kl(p, alpha * p + (1 - alpha) * q, _log_share(-log_ratio, alpha))
    q_over_m = tl.exp(_log_share(log_ratio, 1 - alpha))
    return value, (1 - alpha) * (q - _weigh(p, q_over_m))


@triton.jit
def _skew_reverse_kl(log_ratio, p, q, alpha):
    q_over_m = _log_share(log_ratio, alpha)
    value = _kl(q, alpha * q + (1 - alpha) * p, q_over_m)
    return value, _weigh(q, q_over_m - alpha * _expm1(q_over_m))


TOTALS = {
    "_forward_kl": KNOWN,  # −Σ p = −1
    "_reverse_kl": ONLINE,
    "_total_variation": THEN,
    "_jensen_shannon": THEN,
    "_skew_forward_kl": THEN,
    "_skew_reverse_kl": THEN,
}


# --- their pieces ---------------------------------------------------------------------------------


@triton.jit
def _weigh(weight, x):
    """weight · x, and 0 wherever the weight is 0, even where x is infinite or undefined."""
    return tl.where(weight == 0, 0.0, weight * x)


@triton.jit
def _kl(a, b, log_ratio):
    """a·log(a/b) − a + b, which is never negative, given log(a/b)."""
    near = a * _excess(-log_ratio)
    far = _weigh(a, log_ratio) - a + b
    return tl.where(tl.abs(log_ratio) < 0.5, near, far)


@triton.jit
def _excess(x):
    """exp(x) − 1 − x for |x| < 0.5, to float32's precision: x²/2! + x³/3! + … + x⁹/9!."""
    series = 1 / 5040 + x * (1 / 40320 + x * (1 / 362880))
    series = 1 / 24 + x * (1 / 120 + x * (1 / 720 + x * series))
    return x * x * (0.5 + x * (1 / 6 + x * series))


@triton.jit
def _expm1(x):
    return tl.where(tl.abs(x) < 0.5, x + _excess(x), tl.exp(x) - 1)


@triton.jit
def _log_share(gap, weight):
    """log(a / (weight·a + (1−weight)·b)) from log(b/a), exactly 0 where that is 0."""
    small = tl.minimum(gap, 80.0)  # exp() overflows soon after; there, the rest is added
    u = (1 - weight) * _expm1(small)
    w = u / (2 + u)  # log(1 + u) = 2·artanh(w)
    square = w * w
    series = 1 / 9 + square * (1 / 11 + square * (1 / 13))
    series = 1 + square * (1 / 3 + square * (1 / 5 + square * (1 / 7 + square * series)))
    log = tl.where(tl.abs(u) < 0.5, 2 * w * series, tl.log(weight + (1 - weight) * tl.exp(small)))
    return -log - tl.maximum(gap - 80.0, 0.0)


@triton.jit
def _read(row, columns, vocabulary):
    return tl.load(row + columns, mask=columns < vocabulary, other=float("-inf"))


@triton.jit
def _write(row, columns, vocabulary, value):
    tl.store(row + columns, value.to(row.dtype.element_ty), mask=columns < vocabulary)


@triton.jit
def _finite(top):
    """A maximum to subtract: 0 while only −inf has been seen, for −inf − (−inf) is undefined."""
    return tl.where(top == float("-inf"), 0.0, top)


@triton.jit
def _compared(student, teacher, top, teacher_top, log_totals, total, teacher_total, per_t):
    """log(p/q), p and q of a block, at the temperature."""
    student, teacher = (student - top) * per_t, (teacher - teacher_top) * per_t
    same = student == teacher  # −inf too
    log_ratio = tl.where(same, 0.0, teacher - student) - log_totals
    return log_ratio, tl.exp(teacher) / teacher_total, tl.exp(student) / total


# --- the kernel -----------------------------------------------------------------------------------


@triton.jit
def _objective(
    logits,
    teacher,
    gradient,
    labels,
    lm,
    kd,
    row_of_logits,
    row_of_teacher,
    row_of_gradient,
    vocabulary,
    per_t,  # 1 / temperature
    lm_weight,
    kd_weight,
    option,
    divergence: tl.constexpr,
    total_is: tl.constexpr,
    with_teacher: tl.constexpr,
    hot: tl.constexpr,  # the temperature is not 1
    with_gradient: tl.constexpr,
    with_kd_gradient: tl.constexpr,
    block: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64)
    logits += row * row_of_logits
    teacher += row * row_of_teacher
    gradient += row * row_of_gradient
    label = tl.load(labels + row)
    at_label = tl.load(logits + label)  # before it is overwritten

    # Σ exp relative to the largest so far; and Σ q·log(q/p) likewise, its constant left out.
    top, cold_total, total = float("-inf"), 0.0, 0.0
    teacher_top, teacher_total, weighted_total = float("-inf"), 0.0, 0.0
    for start in range(0, vocabulary, block):
        columns = start + tl.arange(0, block)
        s = _read(logits, columns, vocabulary)
        new = tl.maximum(top, tl.max(s))
        rise = _finite(new) - _finite(top)
        q, shrunk = tl.exp(s - _finite(new)), tl.exp(top - _finite(new))
        cold_total = cold_total * shrunk + tl.sum(q)
        if with_teacher:
            t = _read(teacher, columns, vocabulary)
            teacher_new = tl.maximum(teacher_top, tl.max(t))
            scaled = (s - _finite(new)) * per_t
            teacher_scaled = (t - _finite(teacher_new)) * per_t
            if hot:
                q, shrunk = tl.exp(scaled), tl.exp((top - _finite(new)) * per_t)
            if total_is == ONLINE:
                rises = (rise - _finite(teacher_new) + _finite(teacher_top)) * per_t
                so_far = shrunk * (weighted_total - total * rises)
                weighted_total = so_far + tl.sum(_weigh(q, scaled - teacher_scaled))
            total = total * shrunk + tl.sum(q)
            teacher_shrunk = tl.exp((teacher_top - _finite(teacher_new)) * per_t)
            teacher_total = teacher_total * teacher_shrunk + tl.sum(tl.exp(teacher_scaled))
            teacher_top = teacher_new
        top = new
    tl.store(lm + row, tl.log(cold_total) + (top - at_label))

    log_totals = 0.0
    if with_teacher:
        log_totals = tl.log(teacher_total) - tl.log(total)
        if total_is == KNOWN:
            weighted_total = -1.0
        if total_is == ONLINE:
            weighted_total = weighted_total / total + log_totals
        if total_is == THEN and with_kd_gradient:
            for start in range(0, vocabulary, block):
                columns = start + tl.arange(0, block)
                s = _read(logits, columns, vocabulary)
                t = _read(teacher, columns, vocabulary)
                log_ratio, p, q = _compared(
                    s, t, top, teacher_top, log_totals, total, teacher_total, per_t
                )
                weighted_total += tl.sum(divergence(log_ratio, p, q, option)[1])

    value = 0.0
    if with_teacher or with_gradient:
        for start in range(0, vocabulary, block):
            columns = start + tl.arange(0, block)
            s = _read(logits, columns, vocabulary)
            slope = tl.zeros_like(s)
            if with_teacher:
                t = _read(teacher, columns, vocabulary)
                log_ratio, p, q = _compared(
                    s, t, top, teacher_top, log_totals, total, teacher_total, per_t
                )
                term, weighted = divergence(log_ratio, p, q, option)
                value += tl.sum(term)
                if with_kd_gradient:
                    slope += kd_weight * (weighted - q * weighted_total)
            if with_gradient:
                if hot or not with_teacher:
                    q = tl.exp(s - top) / cold_total
                slope += lm_weight * (q - tl.where(columns == label, 1.0, 0.0))
                # The gradient goes where the logits are. In half precision a block's lies where
                # earlier ones were, the first one's among its own logits: all warps must have read.
                tl.debug_barrier()
                _write(gradient, columns, vocabulary, slope)
    if with_teacher:
        tl.store(kd + row, value)


def terms(
    logits: Tensor,
    teacher: Tensor | None,
    labels: Tensor,
    work: Terms,
    gradient_dtype: torch.dtype | None,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """What :data:`kdlab.kernels.Compute` says, of float32 logits."""
    number, vocabulary = logits.shape
    lm, kd = logits.new_zeros(2, number)
    gradient = None if gradient_dtype is None else logits.view(gradient_dtype)[:, :vocabulary]
    if number == 0:
        return lm, kd, gradient
    name, option = named(work.kernel)
    other = logits if teacher is None else teacher
    out = logits if gradient is None else gradient
    with torch.cuda.device_of(logits):
        _objective[(number,)](
            logits,
            other,
            out,
            labels,
            lm,
            kd,
            logits.stride(0),
            other.stride(0),
            out.stride(0),
            vocabulary,
            1 / work.temperature,
            work.lm_weight,
            work.kd_weight * work.kd_scale / work.temperature,
            option,
            divergence=globals()[name],
            total_is=TOTALS[name],
            with_teacher=teacher is not None,
            hot=work.temperature != 1.0,
            with_gradient=gradient is not None,
            with_kd_gradient=gradient is not None and work.kd_weight > 0,
            block=min(BLOCK, triton.next_power_of_2(vocabulary)),
            num_warps=WARPS,
        )
    return lm, work.kd_scale * kd, gradient

"""The divergences at one token, in Triton: what :mod:`kdlab.kernels.in_triton` sums.

Each divergence is one function. It has the name of its PyTorch kernel in :mod:`kdlab.divergences`,
and the tests compare the two. Triton has no ``expm1`` and no ``log1p``: near 0, where a divergence
is a small difference of large numbers, polynomials take their place.
"""

import torch
import triton
import triton.language as tl
from triton.language.extra import libdevice

INTERPRETED = triton.knobs.runtime.interpret  # TRITON_INTERPRET=1: on a CPU, for tests
NVIDIA = tl.constexpr(not INTERPRETED and torch.version.hip is None)
NEAR = tl.constexpr(0.25)  # where |x| is smaller, exp(x) − 1 and log(1 + x) are series
# When Σ weighted is found: known beforehand; with the normalisers; or then, in a pass of its own.
KNOWN, ONLINE, THEN = (tl.constexpr(i) for i in range(3))


# From log(p/q), p and q at one token, each function returns what the token adds to the value, and
# `weighted`: q times the slope with respect to q. The gradient with respect to the student's scaled
# logits is weighted − q·Σ weighted.


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
    p_over_m, q_over_m = _log_shares(log_ratio, beta)
    value = beta * _kl(p, m, p_over_m) + (1 - beta) * _kl(q, m, q_over_m)
    return value, (1 - beta) * _weigh(q, q_over_m)


@triton.jit
def _skew_forward_kl(log_ratio, p, q, alpha):
    m = alpha * p + (1 - alpha) * q
    value = _kl(p, m, _log_shares(log_ratio, alpha)[0])
    return value, (1 - alpha) * (1 - alpha) * _share(q, m) * (q - p)


@triton.jit
def _skew_reverse_kl(log_ratio, p, q, alpha):
    m = alpha * q + (1 - alpha) * p
    q_over_m = _log_shares(log_ratio, 1 - alpha)[1]
    weighted = _weigh(q, q_over_m) - alpha * (1 - alpha) * _share(q, m) * (q - p)
    return _kl(q, m, q_over_m), weighted


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
def _share(q, m):
    """q / m, and 0 where q is 0."""
    return tl.where(q == 0, 0.0, q / m)


@triton.jit
def _kl(a, b, log_ratio):
    """a·log(a/b) − a + b, which is never negative, given log(a/b)."""
    near = a * _excess(-log_ratio)
    far = _weigh(a, log_ratio) - a + b
    return tl.where(tl.abs(log_ratio) < NEAR, near, far)


@triton.jit
def _log_shares(log_ratio, weight):
    """log(p/m) and log(q/m), m = weight·p + (1−weight)·q, from log(p/q); both 0 where that is 0.

    They are computed from the ratio of the smaller of p and q to the larger, which cannot overflow.
    """
    gap, p_is_larger = tl.abs(log_ratio), log_ratio > 0
    of_larger = tl.where(p_is_larger, weight, 1 - weight)
    larger = -_log1p((1 - of_larger) * _expm1(-gap))
    smaller = larger - gap
    return tl.where(p_is_larger, larger, smaller), tl.where(p_is_larger, smaller, larger)


@triton.jit
def _exp(x):
    return tl.exp2(x * 1.4426950408889634)  # one instruction; exp takes more


@triton.jit
def _log2(x):
    if NVIDIA:
        return libdevice.fast_log2f(x)  # one instruction, too; exact enough far from x = 1
    else:
        return tl.log2(x)


@triton.jit
def _expm1(x):
    return tl.where(tl.abs(x) < NEAR, x + _excess(x), _exp(x) - 1)


@triton.jit
def _excess(x):
    """exp(x) − 1 − x for |x| < 1/4, to float32's precision: x²/2! + x³/3! + … + x⁷/7!."""
    series = 1 / 24 + x * (1 / 120 + x * (1 / 720 + x * (1 / 5040)))
    return x * x * (0.5 + x * (1 / 6 + x * series))


@triton.jit
def _log1p(x):
    w = x / (2 + x)  # log(1 + x) = 2·artanh(w)
    square = w * w
    series = 1 + square * (1 / 3 + square * (1 / 5 + square * (1 / 7)))
    return tl.where(tl.abs(x) < NEAR, 2 * w * series, _log2(1 + x) * 0.6931471805599453)

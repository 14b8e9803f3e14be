"""The terms of a chunk's logits in Triton. This module is imported only where Triton is to run.

One program reads the logits of one position, block by block. The first pass finds the normalisers
of both models; the last one computes the value and writes the gradient. The gradient of some
divergences needs a sum that can be computed only once the normalisers are known: for these, a pass
in between reads the logits once more. If there are only the student's logits, because the teacher
gives its likeliest tokens or nothing, two kernels read them; between the two, PyTorch compares the
few buckets. :mod:`kdlab.kernels.triton_divergences` has the divergences at one token.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from kdlab.kernels import Terms, in_pytorch, named, triton_divergences
from kdlab.kernels.triton_divergences import ONLINE, THEN, TOTALS, _exp, _weigh
from kdlab.topk import TopK

BLOCK, WARPS = 2048, 8  # entries per block and warps: the fastest of nine pairs on an H100
LOWEST = tl.constexpr(-3.4028234663852886e38)  # the lowest of float32: where a maximum starts


# --- rows of logits -------------------------------------------------------------------------------


@triton.jit
def _read(row, columns, vocabulary):
    return tl.load(row + columns, mask=columns < vocabulary, other=float("-inf"))


@triton.jit
def _write(row, columns, vocabulary, value):
    """Write a block's gradient over logits that have been read.

    In half precision, a block's gradient lies over the logits of earlier blocks, and the first
    block's over its own. So all warps must have read before any of them writes.
    """
    tl.debug_barrier()
    tl.store(row + columns, value.to(row.dtype.element_ty), mask=columns < vocabulary)


@triton.jit
def _with(x, totals, tops, per_t):
    """Add exp(x) to ``totals``, Σ exp relative to ``tops``; the result is relative to max(x, tops).

    Of the two exponentials, exp(x − max) and exp(tops − max), one is 1.
    """
    rise = x - tops
    other = _exp(-tl.abs(rise) * per_t)
    return tl.where(rise > 0, totals * other + 1, totals + other)


@triton.jit
def _over_block(tops, totals, per_t):
    """Over a block: the largest of ``tops``, and the sum of ``totals``, made relative to it."""
    top = tl.max(tops)
    return top, tl.sum(totals * _exp((tops - top) * per_t))


@triton.jit
def _compared(student, teacher, top, teacher_top, log_totals, per_total, per_teacher_total, per_t):
    """log(p/q), p and q at the entries of a block, at the temperature."""
    student, teacher = (student - top) * per_t, (teacher - teacher_top) * per_t
    same = student == teacher  # also where both are −inf
    log_ratio = tl.where(same, 0.0, teacher - student) - log_totals
    return log_ratio, _exp(teacher) * per_teacher_total, _exp(student) * per_total


# --- logits of both models ------------------------------------------------------------------------


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

    # Each entry of a block keeps sums of its own, over the logits at its place in every block, so
    # that nothing is exchanged before the end: Σ exp relative to the largest logit so far; and, if
    # the total is found ONLINE, Σ q·log(q/p) in the same way, without the normalisers.
    tops = tl.full([block], LOWEST, tl.float32)
    teacher_tops = tops
    cold_totals = tl.zeros([block], tl.float32)
    totals, teacher_totals, sums = cold_totals, cold_totals, cold_totals
    for start in range(0, vocabulary, block):
        columns = start + tl.arange(0, block)
        s = _read(logits, columns, vocabulary)
        t = _read(teacher, columns, vocabulary)
        if total_is == ONLINE:
            new, teacher_new = tl.maximum(tops, s), tl.maximum(teacher_tops, t)
            rise = ((new - tops) - (teacher_new - teacher_tops)) * per_t
            gap = ((s - new) - (t - teacher_new)) * per_t
            sums = _exp((tops - new) * per_t) * (sums - _weigh(totals, rise))
            sums += _weigh(_exp((s - new) * per_t), gap)
        cold_totals = _with(s, cold_totals, tops, 1.0)
        totals = _with(s, totals, tops, per_t) if hot else cold_totals
        teacher_totals = _with(t, teacher_totals, teacher_tops, per_t)
        tops, teacher_tops = tl.maximum(tops, s), tl.maximum(teacher_tops, t)

    top, cold_total = _over_block(tops, cold_totals, 1.0)
    tl.store(lm + row, tl.log(cold_total) + (top - at_label))
    top, total = _over_block(tops, totals, per_t)
    teacher_top, teacher_total = _over_block(teacher_tops, teacher_totals, per_t)
    log_totals = tl.log(teacher_total) - tl.log(total)
    per_total, per_teacher_total = 1 / total, 1 / teacher_total

    weighted_total = -1.0
    if total_is == ONLINE:
        rise = ((top - tops) - (teacher_top - teacher_tops)) * per_t
        sums = _weigh(_exp((tops - top) * per_t), sums - _weigh(totals, rise))
        weighted_total = tl.sum(sums) / total + log_totals
    values = tl.zeros([block], tl.float32)
    if total_is == THEN:
        for start in range(0, vocabulary, block):
            columns = start + tl.arange(0, block)
            s = _read(logits, columns, vocabulary)
            t = _read(teacher, columns, vocabulary)
            log_ratio, p, q = _compared(
                s, t, top, teacher_top, log_totals, per_total, per_teacher_total, per_t
            )
            value, weighted = divergence(log_ratio, p, q, option)
            values += value
            sums += weighted
        weighted_total = tl.sum(sums)

    per_cold_total = lm_weight / cold_total
    if total_is != THEN or with_gradient:
        for start in range(0, vocabulary, block):
            columns = start + tl.arange(0, block)
            s = _read(logits, columns, vocabulary)
            t = _read(teacher, columns, vocabulary)
            log_ratio, p, q = _compared(
                s, t, top, teacher_top, log_totals, per_total, per_teacher_total, per_t
            )
            value, weighted = divergence(log_ratio, p, q, option)
            if total_is != THEN:
                values += value
            if with_gradient:
                slope = _exp(s - top) * per_cold_total - tl.where(columns == label, lm_weight, 0.0)
                if with_kd_gradient:
                    slope += kd_weight * (weighted - q * weighted_total)
                _write(gradient, columns, vocabulary, slope)
    tl.store(kd + row, tl.sum(values))


# --- logits of the student alone ------------------------------------------------------------------


@triton.jit
def _normalise(
    logits,
    tops,
    cold_totals,
    totals,
    row_of_logits,
    vocabulary,
    per_t,
    hot: tl.constexpr,
    block: tl.constexpr,
):
    """The largest logit of a position, and Σ exp relative to it, at temperature 1 and at T."""
    row = tl.program_id(0).to(tl.int64)
    logits += row * row_of_logits
    top = tl.full([block], LOWEST, tl.float32)
    cold = tl.zeros([block], tl.float32)
    total = cold
    for start in range(0, vocabulary, block):
        s = _read(logits, start + tl.arange(0, block), vocabulary)
        cold = _with(s, cold, top, 1.0)
        total = _with(s, total, top, per_t) if hot else cold
        top = tl.maximum(top, s)
    whole_top, whole = _over_block(top, cold, 1.0)
    tl.store(tops + row, whole_top)
    tl.store(cold_totals + row, whole)
    tl.store(totals + row, _over_block(top, total, per_t)[1] if hot else whole)


@triton.jit
def _slope(
    logits,
    gradient,
    labels,
    tops,
    cold_factors,
    factors,
    row_of_logits,
    row_of_gradient,
    vocabulary,
    per_t,
    lm_weight,
    hot: tl.constexpr,
    block: tl.constexpr,
):
    """cold factor · exp(s − top) + factor · exp((s − top) / T), minus lm_weight at the label."""
    row = tl.program_id(0).to(tl.int64)
    logits += row * row_of_logits
    gradient += row * row_of_gradient
    label = tl.load(labels + row)
    top = tl.load(tops + row)
    cold_factor, factor = tl.load(cold_factors + row), tl.load(factors + row)
    for start in range(0, vocabulary, block):
        columns = start + tl.arange(0, block)
        fallen = _read(logits, columns, vocabulary) - top
        if hot:
            slope = cold_factor * _exp(fallen) + factor * _exp(fallen * per_t)
        else:
            slope = (cold_factor + factor) * _exp(fallen)
        slope -= tl.where(columns == label, lm_weight, 0.0)
        _write(gradient, columns, vocabulary, slope)


# --- their calls ----------------------------------------------------------------------------------


def terms(
    logits: Tensor,
    teacher: Tensor | TopK | None,
    labels: Tensor,
    work: Terms,
    gradient_dtype: torch.dtype | None,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """As :data:`kdlab.kernels.Compute` says, for float32 logits."""
    number, vocabulary = logits.shape
    gradient = None if gradient_dtype is None else logits.view(gradient_dtype)[:, :vocabulary]
    if number == 0:
        return *logits.new_zeros(2, 0), gradient
    with torch.cuda.device_of(logits):
        if isinstance(teacher, Tensor):
            lm, kd = _both(logits, teacher, labels, work, gradient)
        else:
            lm, kd = _student_alone(logits, teacher, labels, work, gradient)
    return lm, work.kd_scale * kd, gradient


def attempt(device: torch.device) -> None:
    """Compile and run the smallest kernel, and raise whatever error comes of it."""
    logits, top, cold_total, total = torch.zeros(4, 1, device=device)
    with torch.cuda.device_of(logits):
        _normalise[(1,)](logits, top, cold_total, total, 1, 1, 1.0, hot=False, block=16)


def _both(
    logits: Tensor, teacher: Tensor, labels: Tensor, work: Terms, gradient: Tensor | None
) -> tuple[Tensor, Tensor]:
    number, vocabulary = logits.shape
    lm, kd = logits.new_empty(2, number)
    name, option = named(work.kernel)
    total_is = TOTALS[name]
    out = logits if gradient is None else gradient
    _objective[(number,)](
        logits,
        teacher,
        out,
        labels,
        lm,
        kd,
        logits.stride(0),
        teacher.stride(0),
        out.stride(0),
        vocabulary,
        1 / work.temperature,
        work.lm_weight,
        work.kd_weight * work.kd_scale / work.temperature,
        option,
        divergence=getattr(triton_divergences, name),
        total_is=total_is,
        hot=work.temperature != 1.0,
        with_gradient=gradient is not None,
        with_kd_gradient=gradient is not None and work.kd_weight > 0,
        block=_block(vocabulary),
        num_warps=WARPS,
    )
    return lm, kd


def _student_alone(
    logits: Tensor, teacher: TopK | None, labels: Tensor, work: Terms, gradient: Tensor | None
) -> tuple[Tensor, Tensor]:
    number, vocabulary = logits.shape
    hot = teacher is not None and work.temperature != 1.0
    per_t = 1 / work.temperature
    lm = -logits.gather(-1, labels[:, None]).squeeze(-1)
    if teacher is not None:  # from here on, only the tail's logits are left
        ids = teacher.ids.long()
        at_ids = logits.gather(-1, ids)
        logits.scatter_(-1, ids, -torch.inf)
    top, cold_total, total = logits.new_empty(3, number)
    options = {"hot": hot, "block": _block(vocabulary), "num_warps": WARPS}
    found = top, cold_total, total
    _normalise[(number,)](logits, *found, logits.stride(0), vocabulary, per_t, **options)
    log_cold, log_total = top + cold_total.log(), top * per_t + total.log()

    kd, kd_gradient, factor = torch.zeros_like(lm), None, torch.zeros_like(lm)
    if teacher is not None:
        log_cold = torch.cat([at_ids, log_cold[:, None]], -1).logsumexp(-1)
        log_q = torch.cat([at_ids * per_t, log_total[:, None]], -1).log_softmax(-1)
        kd_grad = gradient is not None and work.kd_weight > 0
        kd, kd_gradient = in_pytorch.over_buckets(log_q, teacher, work.kernel, kd_grad)
        if kd_gradient is not None:
            kd_gradient = kd_gradient * (work.kd_weight * work.kd_scale * per_t)
            # The tail's gradient is split over its tokens in proportion to their probabilities.
            factor = torch.where(total > 0, kd_gradient[:, -1] / total, 0.0)
    lm += log_cold
    if gradient is None:
        return lm, kd

    cold_factor = work.lm_weight * (top - log_cold).exp()
    _slope[(number,)](
        logits,
        gradient,
        labels,
        top,
        cold_factor,
        factor,
        logits.stride(0),
        gradient.stride(0),
        vocabulary,
        per_t,
        work.lm_weight,
        **options,
    )
    if teacher is not None:
        is_label = (ids == labels[:, None]).to(at_ids)
        slope = work.lm_weight * ((at_ids - log_cold[:, None]).exp() - is_label)
        if kd_gradient is not None:
            slope += kd_gradient[:, :-1]
        gradient.scatter_(-1, ids, slope.to(gradient.dtype))
    return lm, kd


def _block(vocabulary: int) -> int:
    return min(BLOCK, 1 << (vocabulary - 1).bit_length())

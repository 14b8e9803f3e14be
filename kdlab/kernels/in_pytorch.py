"""The terms of the linear objective in PyTorch: for a CPU, and the reference for other ways."""

from __future__ import annotations

import torch
from torch import Tensor

from kdlab.divergences import Kernel
from kdlab.kernels import Terms
from kdlab.topk import TopK

_BLOCK = 2**17  # logits at once on a CPU: its cache holds a few such blocks


def terms(
    logits: Tensor,
    teacher: Tensor | TopK | None,
    labels: Tensor,
    work: Terms,
    gradient_dtype: torch.dtype | None,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """As :data:`kdlab.kernels.Compute` says; the gradient has the dtype of the logits."""
    number, vocabulary = logits.shape
    lm, kd = logits.new_zeros(2, number)
    block = max(1, _BLOCK // vocabulary if logits.device.type == "cpu" else number)
    for start in range(0, number, block):
        rows = slice(start, start + block)
        of_rows = None if teacher is None else teacher[rows]
        need_grad = gradient_dtype is not None
        lm[rows], kd[rows] = _of_block(logits[rows], of_rows, labels[rows], work, need_grad)
    return lm, kd, None if gradient_dtype is None else logits


def _of_block(
    logits: Tensor, teacher: Tensor | TopK | None, labels: Tensor, work: Terms, need_grad: bool
) -> tuple[Tensor, Tensor | float]:
    """The two terms at each position; the gradient of their weighted sum replaces the logits."""
    q, log_total = _softmax(logits)
    lm = log_total - logits.gather(-1, labels.unsqueeze(-1)).squeeze(-1)
    kd: Tensor | float = 0.0
    kd_gradient: Tensor | None = None
    if teacher is not None:
        hot, hot_logits, hot_total = q, logits, log_total
        if work.temperature != 1.0:
            hot_logits = logits / work.temperature
            hot, hot_total = _softmax(hot_logits)
        kd_grad = need_grad and work.kd_weight > 0
        if isinstance(teacher, TopK):
            log_q = hot_logits - hot_total.unsqueeze(-1)
            kd, kd_gradient = _with_tail(log_q, teacher, work.kernel, kd_grad)
        else:
            if work.temperature != 1.0:
                teacher.div_(work.temperature)
            p, total = _softmax(teacher)
            log_ratio = teacher.sub_(hot_logits).sub_((total - hot_total).unsqueeze(-1))
            kd, kd_gradient = work.kernel(log_ratio, p, hot, kd_grad)
        kd = work.kd_scale * kd
    if need_grad:
        if kd_gradient is None:
            logits.zero_()
        else:
            factor = work.kd_weight * work.kd_scale / work.temperature
            torch.mul(kd_gradient, factor, out=logits)
        if work.lm_weight > 0:
            logits.add_(q, alpha=work.lm_weight)
            logits[torch.arange(len(labels), device=labels.device), labels] -= work.lm_weight
    return lm, kd


def _softmax(logits: Tensor) -> tuple[Tensor, Tensor]:
    """softmax and log Σ exp, by one exponential per entry: the latter is max logit − log max q."""
    q = torch.softmax(logits, -1)
    return q, logits.amax(-1) - q.amax(-1).log()


def _with_tail(
    log_q: Tensor, top_k: TopK, kernel: Kernel, need_grad: bool
) -> tuple[Tensor, Tensor | None]:
    """A kernel over the k tokens and the tail, and its gradient ``[n, V]`` to all logits."""
    rest = log_q.scatter(-1, top_k.ids, -torch.inf)
    log_tail = rest.logsumexp(-1, keepdim=True)
    buckets_q = torch.cat([log_q.gather(-1, top_k.ids), log_tail], -1)
    value, gradient = over_buckets(buckets_q, top_k, kernel, need_grad)
    if gradient is None:
        return value, None
    # The tail's gradient is split over its tokens in proportion to the student's probabilities.
    log_tail = log_tail.clamp_min(torch.finfo(log_tail.dtype).min)  # an empty tail: exp(−inf), 0
    within = rest.sub_(log_tail).exp_().mul_(gradient[:, -1:])
    return value, within.scatter_(-1, top_k.ids, gradient[:, :-1].to(within.dtype))


def over_buckets(
    log_q: Tensor, top_k: TopK, kernel: Kernel, need_grad: bool
) -> tuple[Tensor, Tensor | None]:
    """A kernel over the k tokens and the tail, and its gradient ``[n, k + 1]`` to their logits."""
    log_p = top_k.teacher_buckets()
    return kernel(log_p - log_q, log_p.exp(), log_q.exp(), need_grad)

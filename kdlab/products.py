"""Products with the weight of a head: in any precision, whole or in pieces over processes.

A weight that FSDP shards by its rows is never whole on any process. Each process in turn sends some
of its rows to the others; all multiply by these rows, then discard them. The gradient goes back in
parts, each to the process that holds those rows. All processes must therefore ask for the same
products in the same order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, TypeGuard

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor
from torch.distributed.tensor import DTensor, Partial, Shard

ROWS = 8192  # rows of a head that are cast, or sent to other processes, at once


def project(hidden: Tensor, weight: Tensor, bias: Tensor | None, out: Tensor) -> None:
    """out = hidden · weightᵀ + bias."""
    dtype = operand_dtype(weight, out)
    for rows, part in _parts(weight, dtype):
        _multiply(hidden.to(dtype), part.T, out[:, rows])
    if bias is not None:
        out += bias


def projected(hidden: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """hidden · weightᵀ + bias as a new tensor, in the dtype of the hidden states."""
    if bias is not None:
        bias = bias.to(hidden.dtype)
    if not in_rows(weight):
        return F.linear(hidden, weight.to(hidden.dtype), bias)
    logits = torch.cat([hidden @ part.T for _, part in _parts(weight, hidden.dtype)], -1)
    return logits if bias is None else logits + bias


def add_to_hidden(gradient: Tensor, weight: Tensor, out: Tensor) -> None:
    """out += gradient · weight."""
    for rows, part in _parts(weight, gradient.dtype):
        _multiply(gradient[:, rows], part, out, add=True)


def add_to_weight(
    gradient: Tensor, hidden: Tensor, weight: Tensor, out: Tensor, *, anew: bool = False
) -> None:
    """out += gradientᵀ · hidden; with ``anew``, ``out`` of a whole weight is overwritten.

    For a weight in pieces, ``out`` has this process's rows of a sum over the processes.
    """
    hidden = hidden.to(gradient.dtype)
    if not in_rows(weight):
        _multiply(gradient.T, hidden, out, add=not anew)
        return
    for owner, rows, held in _pieces(weight):
        part = out.new_empty(rows.stop - rows.start, out.shape[1])
        _multiply(gradient[:, rows].T, hidden, part)
        dist.reduce(part, group_dst=owner, group=weight.device_mesh.get_group())
        if held is not None:
            out[held] += part


def operand_dtype(weight: Tensor, out: Tensor) -> torch.dtype:
    """The dtype to multiply in: the weight's if that is half precision on a GPU, else ``out``'s.

    A GPU's tensor cores multiply in half precision.
    """
    return weight.dtype if out.is_cuda and weight.dtype.itemsize == 2 else out.dtype


def _multiply(a: Tensor, b: Tensor, out: Tensor, add: bool = False) -> None:
    options: dict[str, Any] = {} if a.dtype == out.dtype else {"out_dtype": out.dtype}
    if add:
        torch.addmm(out, a, b, out=out, **options)
    else:
        torch.mm(a, b, out=out, **options)


def _parts(weight: Tensor, dtype: torch.dtype) -> Iterator[tuple[slice, Tensor]]:
    """Rows of a weight, cast: all at once, or a part at a time if they must be cast or fetched."""
    if in_rows(weight):
        local, group = weight.to_local(), weight.device_mesh.get_group()
        for owner, rows, held in _pieces(weight):
            part = local.new_empty(rows.stop - rows.start, local.shape[1])
            if held is not None:
                part.copy_(local[held])
            dist.broadcast(part, group_src=owner, group=group)
            yield rows, part.to(dtype)
    elif weight.dtype == dtype:
        yield slice(None), weight
    else:
        for start in range(0, len(weight), ROWS):
            rows = slice(start, min(start + ROWS, len(weight)))
            yield rows, weight[rows].to(dtype)


# --- weights in pieces ---


def in_rows(weight: Tensor) -> TypeGuard[DTensor]:
    """Whether a weight is in pieces: sharded by rows over one group of processes, as by FSDP."""
    if not isinstance(weight, DTensor) or weight.device_mesh.ndim != 1:
        return False
    return tuple(weight.placements) == (Shard(0),)


def as_many(number: int, *weights: Tensor) -> int:
    """``number``; if one of the weights is in pieces, the largest of its processes' numbers."""
    for weight in weights:
        if in_rows(weight):
            most = torch.tensor(number, device=weight.to_local().device)
            dist.all_reduce(most, dist.ReduceOp.MAX, group=weight.device_mesh.get_group())
            return int(most)
    return number


def own_part(weight: Tensor) -> Tensor:
    """The rows of a weight that this process holds: all of them, unless it is in pieces."""
    return weight.to_local() if in_rows(weight) else weight


def gradient_of(weight: Tensor, part: Tensor) -> Tensor:
    """The gradient of a weight, given the part of it that this process holds.

    For a weight in pieces it is the mean over the processes, as in data parallelism.
    """
    if not in_rows(weight):
        return part
    mesh = weight.device_mesh
    shape, stride = weight.shape, weight.stride()
    return DTensor.from_local(
        part / mesh.size(), mesh, weight.placements, run_check=False, shape=shape, stride=stride
    )


def gathered(weight: Tensor) -> Tensor:
    """A weight that is sharded over processes, made whole; any other weight as it is."""
    if not isinstance(weight, DTensor):
        return weight
    mesh = weight.device_mesh
    whole = weight.full_tensor(grad_placements=[Partial()] * mesh.ndim)  # sums gradients
    scaled: Callable[[Tensor, float], Tensor] = _ScaledGradient.apply
    return scaled(whole, 1 / mesh.size())


class _ScaledGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: float) -> Tensor:
        ctx.scale = scale
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        return upstream * ctx.scale, None


def _pieces(weight: DTensor) -> Iterator[tuple[int, slice, slice | None]]:
    """For each block of rows: the owner, its slice, and its slice of our own rows if we own it."""
    mesh = weight.device_mesh
    width = math.ceil(len(weight) / mesh.size())  # rows per process, as torch.chunk divides them
    for owner in range(mesh.size()):
        begin, end = owner * width, min((owner + 1) * width, len(weight))
        for start in range(begin, end, ROWS):
            rows = slice(start, min(start + ROWS, end))
            mine = owner == mesh.get_local_rank()
            yield owner, rows, slice(start - begin, rows.stop - begin) if mine else None

"""Products with the weight of a head: in any precision, whole or in pieces over processes.

A weight that FSDP shards by its rows is whole nowhere: each process in turn shows some of its
rows to the others, all multiply by them, and forget them. The gradient goes back part by part, each
to the process that holds those rows. So all processes must ask for the same products in turn.
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

ROWS = 8192  # of a head that are cast to another precision, or shown to others, at once


def project(hidden: Tensor, weight: Tensor, bias: Tensor | None, out: Tensor) -> None:
    """out = hidden · weightᵀ + bias."""
    dtype = operand_dtype(weight, out)
    for rows, part in _parts(weight, dtype):
        _multiply(hidden.to(dtype), part.T, out[:, rows])
    if bias is not None:
        out += bias


def projected(hidden: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The same as a new tensor, in the precision of the hidden states."""
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
    """out += gradientᵀ · hidden; of a weight in pieces, summed over the processes, its own rows.

    Anew, a weight that is whole is overwritten.
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
    """On a GPU, heads in half precision are multiplied as they are, for its tensor cores."""
    return weight.dtype if out.is_cuda and weight.dtype.itemsize == 2 else out.dtype


def _multiply(a: Tensor, b: Tensor, out: Tensor, add: bool = False) -> None:
    options: dict[str, Any] = {} if a.dtype == out.dtype else {"out_dtype": out.dtype}
    if add:
        torch.addmm(out, a, b, out=out, **options)
    else:
        torch.mm(a, b, out=out, **options)


def _parts(weight: Tensor, dtype: torch.dtype) -> Iterator[tuple[slice, Tensor]]:
    """The whole weight; or, where it must be cast or fetched, a part of its rows at a time."""
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
    """Whether a weight is sharded by its rows over the processes of one group, as FSDP does it."""
    if not isinstance(weight, DTensor) or weight.device_mesh.ndim != 1:
        return False
    return tuple(weight.placements) == (Shard(0),)


def as_many(number: int, *weights: Tensor) -> int:
    """The largest number of all processes that hold one of these weights in pieces."""
    for weight in weights:
        if in_rows(weight):
            most = torch.tensor(number, device=weight.to_local().device)
            dist.all_reduce(most, dist.ReduceOp.MAX, group=weight.device_mesh.get_group())
            return int(most)
    return number


def own_part(weight: Tensor) -> Tensor:
    """What this process holds of a weight: all of it, unless it is in pieces."""
    return weight.to_local() if in_rows(weight) else weight


def gradient_of(weight: Tensor, part: Tensor) -> Tensor:
    """The gradient that this process has of a weight, as that of the weight.

    It is the mean over the processes, as that of data parallelism is.
    """
    if not in_rows(weight):
        return part
    mesh = weight.device_mesh
    shape, stride = weight.shape, weight.stride()
    return DTensor.from_local(
        part / mesh.size(), mesh, weight.placements, run_check=False, shape=shape, stride=stride
    )


def gathered(weight: Tensor) -> Tensor:
    """A weight that is sharded over processes, whole; any other as it is."""
    if not isinstance(weight, DTensor):
        return weight
    mesh = weight.device_mesh
    whole = weight.full_tensor(grad_placements=[Partial()] * mesh.ndim)  # gradients are added up
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
    """Who holds which rows; and where among its own this process has them, if it has."""
    mesh = weight.device_mesh
    width = math.ceil(len(weight) / mesh.size())  # as torch.chunk shares them out
    for owner in range(mesh.size()):
        begin, end = owner * width, min((owner + 1) * width, len(weight))
        for start in range(begin, end, ROWS):
            rows = slice(start, min(start + ROWS, end))
            mine = owner == mesh.get_local_rank()
            yield owner, rows, slice(start - begin, rows.stop - begin) if mine else None

"""Which rows of a data set make a batch."""

from __future__ import annotations

from collections.abc import Iterator

import torch


def micro_batches(
    size: int,
    *,
    batch_size: int,
    parts: int,
    process: int,
    processes: int,
    seed: int,
    steps: range,
) -> Iterator[list[int]]:
    """The numbers of the rows that a process takes, micro-batch by micro-batch.

    A step's batch is cut into ``parts`` micro-batches, of which a process takes every
    ``processes``-th. The rows of a step depend on the seed and on the step alone, so that a run can
    go on from any step, on any number of processes. Each epoch has a new order of the rows; the
    last ones, which do not fill a batch, are left out.
    """
    width = batch_size // parts
    current, order = None, []
    for step in steps:
        epoch, batch = divmod(step, size // batch_size)
        if epoch != current:
            generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
            drawn = torch.randperm(size, generator=generator, device="cpu")
            current, order = epoch, drawn.tolist()
        for part in range(process, parts, processes):
            start = batch * batch_size + part * width
            yield order[start : start + width]

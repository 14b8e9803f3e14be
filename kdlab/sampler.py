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
    """Which rows a process takes, micro-batch by micro-batch.

    The rows of a step depend on the seed and on the step alone, so that a run can go on from any
    step, on any number of processes. Each epoch is a new order of the data; its rest, less than a
    batch, is left out.
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

"""Runs what it is given through Triton's interpreter: python interpreted.py GIVEN FOUND

The interpreter must be asked for before Triton is imported, so it has a process of its own. GIVEN
holds the arguments of calls, FOUND what they returned, and what was read and written for it.
"""

import os
import sys
import time
import warnings
from collections import Counter

import torch

from kdlab.fused import LinearCombinedObjective
from kdlab.kernels import in_triton

warnings.filterwarnings("ignore", "(invalid|overflow|divide).*", RuntimeWarning)  # as on any GPU
touched: Counter[str] = Counter()


def counted(name: str):
    function = getattr(in_triton, name)

    def wrapped(row, columns, vocabulary, *value):
        touched[name] += int(columns.shape[0])
        return function(row, columns, vocabulary, *value)

    return wrapped


def terms(block: int, *arguments):
    in_triton.BLOCK = block
    touched.clear()
    lm, kd, gradient = in_triton.terms(*arguments)
    gradient = None if gradient is None else gradient.clone()  # it lies where the logits were
    return lm, kd, gradient, touched["_read"], touched["_write"]


def objective(options: dict, batch: tuple):
    """The whole objective on hidden states and heads, and the gradients of all leaves."""
    in_triton.BLOCK = 16
    touched.clear()
    output = LinearCombinedObjective(**options)(*batch)
    output.loss.backward()
    leaves = [batch[0], *batch[1]]
    assert touched["_read"], "the kernel did not run"
    return output.loss.detach(), output.lm_loss, output.kd_loss, [x.grad for x in leaves]


def path(*_):
    from kdlab import CombinedObjective, DistillationTrainer, TinyGPT, TrainConfig

    data = [{"input_ids": torch.arange(8), "labels": torch.arange(8)}] * 4
    found = {}
    for asked in ("0", "1"):
        os.environ["KDLAB_TRITON"] = asked
        torch.manual_seed(0)
        models = [TinyGPT("tiny-student", vocab_size=8, block_size=8) for _ in range(2)]
        config = TrainConfig(steps=2, batch_size=4, device="cpu")
        trainer = DistillationTrainer(*models, CombinedObjective(lam=0.5), config=config)
        losses = trainer.fit(data).column("loss")
        found[trainer.path] = losses
    return found


if __name__ == "__main__":
    in_triton._read, in_triton._write = counted("_read"), counted("_write")
    os.environ["KDLAB_TRITON"] = "1"
    calls = torch.load(sys.argv[1], weights_only=False)
    what = {"terms": terms, "objective": objective, "path": path}
    start = time.process_time()
    found = {name: what[function](*arguments) for name, (function, *arguments) in calls.items()}
    torch.save(found, sys.argv[2])
    print(f"{time.process_time() - start:.1f} seconds of processor time")

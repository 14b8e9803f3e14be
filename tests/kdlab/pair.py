"""Many small distillations on one process, or on each of two that train together."""

import contextlib
import json
import os
import signal

import torch
import torch.distributed as dist
import torch.nn as nn
from accelerate import DistributedDataParallelKwargs
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor

from kdlab import (
    CombinedObjective,
    ConstantLambda,
    DistillationTrainer,
    LinearLambda,
    TinyGPT,
    TrainConfig,
    evaluation,
    fused,
    products,
)
from tests.kdlab.tiny_models import ARCHITECTURES, V, rows, tiny, with_adapters

CONFIG = {"steps": 2, "batch_size": 4, "warmup_steps": 1, "device": "cpu"}


def fit(student, teacher, *, out=None, evaluated=False, resume=False, schedule=None, **options):
    accelerator_options = options.pop("accelerator_options", None)
    config = TrainConfig(**CONFIG | options)
    run = DistillationTrainer(
        student,
        teacher,
        CombinedObjective(lam=0.5),
        schedule,
        config,
        out=out,
        accelerator_options=accelerator_options,
    )
    history = run.fit(rows(), rows(4, seed=1) if evaluated else None, resume=resume)
    record = {
        "path": run.path,
        "losses": history.column("loss"),
        "norms": history.column("grad_norm"),
    }
    if evaluated:
        record["kl"] = history.column("kl_to_teacher", of="eval")
    return record


def of_an_architecture(name, adapters, linear):
    student = tiny(name)
    if adapters:
        student = with_adapters(name, student)
    return fit(student, tiny(name, 1), linear_objective=linear)


def sharded(model, apart=False, **options):
    """A model in pieces over the processes, if there are several."""
    if dist.is_initialized():
        mesh = init_device_mesh("cpu", (dist.get_world_size(),))
        layers = model.blocks if isinstance(model, TinyGPT) else model.model.layers
        for layer in layers:
            fully_shard(layer, mesh=mesh)
        if apart:
            fully_shard(model.lm_head, mesh=mesh)
        fully_shard(model, mesh=mesh, **options)
    return model


def refused():
    """What is said of a student in pieces whose gradients are not averaged; "" if they are."""
    try:
        fit(sharded(gpt()), gpt(1))
    except ValueError as error:
        return str(error)
    return ""


@contextlib.contextmanager
def adding_up():
    """As gloo did: a mean over the processes is their sum."""
    before = dist.reduce_scatter_tensor

    def added(*tensors, op, **options):
        return before(*tensors, op=dist.ReduceOp.SUM, **options)

    dist.reduce_scatter_tensor = added
    try:
        yield
    finally:
        dist.reduce_scatter_tensor = before


def gpt(seed=0, kind=TinyGPT):
    torch.manual_seed(seed)
    return kind("tiny-student", vocab_size=V, block_size=16, d_model=32, n_layer=2)


def in_pieces(made, folder, linear, **options):
    """Student and teacher sharded, stopped after two steps of four, and gone on with."""
    common = {"out": folder, "evaluated": True, "linear_objective": linear}
    common |= {"steps": 4, "eval_every": 2, "checkpoint_every": 2}

    class Stop(Exception):
        pass

    class Stopping(ConstantLambda):
        def step(self, metric=None):
            if self.step_count == 3:
                raise Stop
            super().step(metric)

    Stopping.__name__ = "ConstantLambda"
    models = sharded(made(0), **options), sharded(made(1), **options)
    with contextlib.suppress(Stop):
        fit(*models, schedule=Stopping(0.5), **common)
    models = sharded(made(0), **options), sharded(made(1), **options)
    with heads_seen() as seen:
        record = fit(*models, resume=True, schedule=ConstantLambda(0.5), **common)
    return record | {"heads": sorted(seen)}


@contextlib.contextmanager
def heads_seen():
    """In what form heads that are in pieces were multiplied with."""
    seen, before = set(), (fused.gathered, products._pieces)

    def gathered(weight):
        if isinstance(weight, DTensor) and weight.ndim == 2:
            seen.add("whole")
        return before[0](weight)

    def pieces(weight):
        seen.add("in pieces")
        return before[1](weight)

    fused.gathered = evaluation.gathered = gathered
    products._pieces = pieces
    try:
        yield seen
    finally:
        fused.gathered = evaluation.gathered = before[0]
        products._pieces = before[1]


def interrupted(folder, rank):
    """Ctrl-C reaches one process only, and both stop after the same step."""

    class Interrupting(LinearLambda):
        def step(self, metric=None):
            super().step(metric)
            if self.step_count == 2 and rank == 0:
                os.kill(os.getpid(), signal.SIGINT)

    schedule = Interrupting(1.0, 0.0, steps=9)
    try:
        fit(gpt(), gpt(1), out=folder, steps=9, schedule=schedule)
    except KeyboardInterrupt as stopped:
        return str(stopped).partition(";")[0]
    return "went on"


class WithUnused(TinyGPT):
    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.unused = nn.Linear(3, 3)


def with_unused_parameters():
    handler = DistributedDataParallelKwargs(find_unused_parameters=True)
    options = {"accelerator_options": {"kwargs_handlers": [handler]}}
    return fit(gpt(kind=WithUnused), gpt(1), steps=3, **options)


def main(folder, rank, world):
    torch.set_num_threads(1)
    products.ROWS = 10  # of a head at once
    found = {}
    for name in ARCHITECTURES:
        for adapters in (False, True):
            for linear in (False, True):
                key = (
                    f"{name}, {'LoRA' if adapters else 'plain'}, {'linear' if linear else 'dense'}"
                )
                found[key] = of_an_architecture(name, adapters, linear)

    found["averages"] = refused()
    with adding_up():
        found["adds up"] = refused()
    untied = {"head apart": {"apart": True}, "resharded": {"reshard_after_forward": True}}
    for linear in () if found["averages"] else (False, True):
        path = "linear" if linear else "dense"
        for name, options in {"tied": {}, "tied, resharded": untied["resharded"]}.items():
            where = folder / f"{name}-{path}"
            found[f"FSDP, {name}, {path}"] = in_pieces(gpt, where, linear, **options)
        for name, options in untied.items():
            where = folder / f"{name}-{path}"
            made = lambda seed: tiny("Llama", seed)  # noqa: E731
            found[f"FSDP, {name}, {path}"] = in_pieces(made, where, linear, **options)
    found["interrupted"] = interrupted(folder / "interrupted", rank)
    found["unused parameters"] = with_unused_parameters()
    return found


def write(folder, rank, world):
    """Writes RANK-of-WORLD.json. Two find each other by a file in the folder, not by a port."""
    if world > 1:
        os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world)}
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}  # asked for, not used
        store = f"file://{folder}/meeting-place"
        dist.init_process_group("gloo", init_method=store, rank=rank, world_size=world)
    found = main(folder / f"of-{world}", rank, world)
    (folder / f"{rank}-of-{world}.json").write_text(json.dumps(found))

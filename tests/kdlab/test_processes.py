"""Runs that are killed go on as if they had not been; runs on two processes are those of one."""

import re
import socket
from pathlib import Path

import pytest
import torch
from packaging.version import Version

from kdlab import History
from tests.kdlab import small_run
from tests.kdlab.forked import program, started
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]


def run(*arguments):
    process = started(small_run.main, *arguments)
    process.join()
    assert process.exitcode == 0


def results(out):
    history = History.read(out / "metrics.jsonl")
    for record in history.train:
        del record["tokens_per_second"]
    return history, torch.load(out / "student.pt")


def kill_after(out, steps):
    """Start a run and kill it, without warning, when it has written so many steps."""
    metrics = out / "metrics.jsonl"
    process = started(small_run.main, out, metrics.exists())

    def enough():
        assert process.is_alive(), "the run ended before it could be killed"
        return metrics.exists() and metrics.read_text().count('"kind": "train"') >= steps

    try:
        wait_until(enough, every=0.001)
    finally:
        process.kill()
        process.join()


@pytest.mark.slow
def test_a_run_killed_at_any_moment_goes_on_bit_for_bit(tmp_path):
    run(tmp_path / "whole")
    for steps in (2, 9, 17, 24):  # each kill falls anywhere between a record and a checkpoint
        kill_after(tmp_path / "killed", steps)
    run(tmp_path / "killed", True)
    history, student = results(tmp_path / "killed")
    expected, whole = results(tmp_path / "whole")
    assert history == expected
    assert all(torch.equal(student[name], whole[name]) for name in whole)


def on_two_processes(folder, function, *arguments):
    """What two printed that were started as `accelerate launch` starts them on two GPUs."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    together = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    together |= {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    logs = [folder / f"{rank}.log" for rank in range(2)]
    processes = [
        started(function, *arguments, log=log, RANK=log.stem, LOCAL_RANK=log.stem, **together)
        for log in logs
    ]
    try:
        for process in processes:
            process.join()
    finally:
        for process in processes:
            process.kill()
    said = [log.read_text() for log in logs]
    assert [process.exitcode for process in processes] == [0, 0], "".join(said)[-3000:]
    return said


@pytest.mark.slow
def test_two_processes_give_the_result_of_one(tmp_path):
    run(tmp_path / "one", False, True)
    said = on_two_processes(tmp_path, small_run.main, tmp_path / "two", False, True)
    assert [text.splitlines()[-1] for text in said] == ["2 processes"] * 2
    history, student = results(tmp_path / "two")
    expected, one = results(tmp_path / "one")
    for name in ("loss", "lm_loss", "kd_loss", "grad_norm"):
        assert history.column(name) == pytest.approx(expected.column(name), rel=1e-4)
    assert history.column("num_items") == expected.column("num_items")
    last, of_one = history.eval[-1], expected.eval[-1]
    assert last["kl_to_teacher"] == pytest.approx(of_one["kl_to_teacher"], rel=1e-3)
    for name in one:
        torch.testing.assert_close(student[name], one[name], rtol=1e-2, atol=1e-4)


BEFORE = """
from functools import partial
import accelerate
from kdlab import DistillationTrainer
from tests.kdlab.tiny_models import rows, tiny

student, teacher, train = tiny("Llama"), tiny("Llama", 1), rows(16)
config = DistillationTrainer.__init__.__defaults__[-1]
object.__setattr__(config, "steps", 2)
accelerate.PartialState = partial(accelerate.PartialState, cpu=True)  # where there is no GPU
"""
AFTER = """
losses = [round(loss, 3) for loss in history.column("loss")]
print(mesh.size(), type(student.lm_head.weight).__name__, *losses, sep=";", flush=True)
"""


@pytest.mark.skipif(
    Version(torch.__version__).release < (2, 9), reason="gloo of PyTorch 2.8 adds gradients up"
)
@pytest.mark.slow
def test_the_program_for_models_in_pieces_runs_as_the_page_has_it(tmp_path):
    """Nothing has started the processes' group before."""
    page = (ROOT / "book/reference/library-machines.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n([^`]*fully_shard[^`]*)```", page)
    path = tmp_path / "train.py"
    path.write_text(f"{BEFORE}{block}{AFTER}", encoding="utf-8")
    said = on_two_processes(tmp_path, program, path)
    first, second = (text.split()[-1].split(";") for text in said)
    assert first == second
    assert first[:2] == ["2", "DTensor"]
    assert len(first) == 4  # two losses


OF_FSDP_1 = """
import torch
import torch.distributed as dist
from torch.distributed.fsdp import FullyShardedDataParallel
from kdlab import CombinedObjective, DistillationTrainer, TrainConfig
from tests.kdlab.tiny_models import rows, tiny

dist.init_process_group("gloo")
config = TrainConfig(steps=2, batch_size=2, device="cpu")
found = []
for options in (None, {}, {"use_orig_params": True}):
    teacher = tiny("Llama", 1)
    if options is not None:
        teacher = FullyShardedDataParallel(teacher, device_id=torch.device("cpu"), **options)
    trainer = DistillationTrainer(tiny("Llama"), teacher, CombinedObjective(), config=config)
    found.append([round(loss, 4) for loss in trainer.fit(rows(16)).column("loss")])
print(found[0] == found[1] == found[2], flush=True)
"""


@pytest.mark.slow
def test_a_teacher_in_pieces_of_fsdp_1_teaches_as_the_whole_one(tmp_path):
    """With flat pieces as parameters, one process ended in an error, and with it the others."""
    (tmp_path / "train.py").write_text(OF_FSDP_1, encoding="utf-8")
    said = on_two_processes(tmp_path, program, tmp_path / "train.py")
    assert [text.split()[-1] for text in said] == ["True", "True"]

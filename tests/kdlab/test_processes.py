"""Runs that are killed go on as if they had not been; runs on two processes are those of one."""

import multiprocessing
import os
import subprocess
import sys

import pytest
import torch

from kdlab import History
from tests.kdlab import small_run
from tests.waiting import wait_until

# Its processes are forked from one that has loaded everything, and has run nothing.
STARTED = multiprocessing.get_context("forkserver")
STARTED.set_forkserver_preload([small_run.__name__])


def started(*arguments):
    process = STARTED.Process(target=small_run.main, args=arguments)
    process.start()
    return process


def run(*arguments):
    process = started(*arguments)
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
    process = started(out, metrics.exists())

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


@pytest.mark.slow
def test_two_processes_give_the_result_of_one(tmp_path):
    run(tmp_path / "one", False, True)
    launcher = ["-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2"]
    launcher += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    words = [sys.executable, *launcher, small_run.__file__, tmp_path / "two", "--even"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    history, student = results(tmp_path / "two")
    expected, one = results(tmp_path / "one")
    for name in ("loss", "lm_loss", "kd_loss", "grad_norm"):
        assert history.column(name) == pytest.approx(expected.column(name), rel=1e-4)
    assert history.column("num_items") == expected.column("num_items")
    last, of_one = history.eval[-1], expected.eval[-1]
    assert last["kl_to_teacher"] == pytest.approx(of_one["kl_to_teacher"], rel=1e-3)
    for name in one:
        torch.testing.assert_close(student[name], one[name], rtol=1e-2, atol=1e-4)

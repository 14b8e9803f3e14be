"""On macOS and Windows, what runs there runs, and what needs Linux says so in a sentence.

This system plays another one: `sys.platform` says so, and what Python lacks there is gone.
"""

import subprocess
import sys

import pytest

PRETEND = """
import os, signal, sys
{first}
sys.platform = {platform!r}
for name in {modules!r}:
    sys.modules[name] = None
for module, names in ((os, {of_os!r}), (signal, {of_signal!r})):
    for name in names.split():
        if hasattr(module, name):
            delattr(module, name)
"""
LACKS = {
    "win32": {
        "modules": ["fcntl", "resource", "pwd", "grp", "termios", "pty"],
        "of_os": "fork forkpty getuid geteuid getgid getgroups setsid killpg sched_getaffinity "
        "sched_setaffinity chown mkfifo O_DIRECTORY O_PATH register_at_fork uname",
        "of_signal": "SIGKILL SIGCHLD SIGALRM SIGHUP alarm setitimer pthread_sigmask",
    },
    "darwin": {
        "modules": [],
        "of_os": "sched_getaffinity sched_setaffinity O_PATH unshare setns memfd_create",
        "of_signal": "",
    },
}


def play(platform: str, code: str, first: str = "", **options) -> subprocess.CompletedProcess:
    """Runs code in a Python that takes itself for one on another system.

    Args:
        platform: Its name as in sys.platform.
        code: What to run.
        first: What to import as this system; libraries load files of their own by its name.
        options: For subprocess.run.
    """
    preamble = PRETEND.format(first=first, platform=platform, **LACKS[platform])
    return subprocess.run(
        [sys.executable, "-c", preamble + code], capture_output=True, text=True, **options
    )


@pytest.mark.slow
def test_the_library_and_a_notebooks_check_need_no_linux_on_windows(tmp_path):
    libraries = (
        "import torch, numpy, matplotlib.pyplot, anywidget, accelerate, tokenizers, tqdm.auto, "
        "safetensors.torch, typer, multiprocessing.connection, multiprocessing.popen_spawn_posix, "
        "concurrent.futures.process, torch.distributed.checkpoint.state_dict, "
        "torch.distributed.fsdp"
    )
    code = """
import importlib, pkgutil
import kdlab
for module in pkgutil.walk_packages(kdlab.__path__, "kdlab."):
    importlib.import_module(module.name)
import autograder.check
models = [kdlab.TinyGPT("tiny-student", vocab_size=8, block_size=8) for _ in range(2)]
data = [{"input_ids": torch.arange(8), "labels": torch.arange(8)}] * 4
config = kdlab.TrainConfig(steps=2, batch_size=4, device="cpu")
trainer = kdlab.DistillationTrainer(*models, kdlab.CombinedObjective(), config=config, out="run")
print(len(trainer.fit(data).train))
"""
    done = play("win32", code, libraries, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "2"


@pytest.mark.parametrize("module", ["autograder", "nbgrader"])
def test_windows_is_told_where_assignments_are_graded(module, tmp_path):
    if module == "autograder":
        done = play("win32", "import runpy; runpy.run_module('autograder', run_name='__main__')")
        assert done.returncode == 1
        assert done.stderr.startswith("autograder: Assignments are released and graded on Linux.")
        assert "Traceback" not in done.stderr
    else:  # its commands import our classes by name
        done = play("win32", "import autograder.grading.preprocessors")
        last = done.stderr.splitlines()[-1]
        assert last.startswith("ImportError: Assignments are released and graded on Linux.")
    assert "wsl --install" in done.stderr


@pytest.mark.slow
def test_macos_is_told_that_there_is_no_sandbox_and_counts_its_processors(tmp_path):
    code = """
os.environ["PATH"] = ""
from autograder.grading.execution.worker import cpu_jobs, process_pool, sandboxed
from autograder.sandbox.options import SandboxMissing, bubblewrap
from traitlets.config import Config
print(cpu_jobs() >= 1, sandboxed(Config(Sandbox={"allow_unsandboxed": True})))
print(process_pool(1)._mp_context.get_start_method())
try:
    bubblewrap()
except SandboxMissing as error:
    print(error)
"""
    done = play("darwin", code, "import multiprocessing.context, nbgrader.utils, jupyter_client")
    assert done.returncode == 0, done.stderr
    counts, start, *said = done.stdout.splitlines()
    assert counts == "True False"
    assert start == "spawn"
    assert "which is for Linux alone. Grade there" in said[0]
    assert "allow_unsandboxed" in said[0]

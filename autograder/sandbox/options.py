"""The options of the sandbox, and the limits on what a notebook may use."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from traitlets import Bool, Integer, List, Unicode
from traitlets.config import LoggingConfigurable

INSTALL = "sudo apt-get install bubblewrap   # or: sudo dnf install bubblewrap"
# In Ubuntu from 23.10 on, AppArmor lets only programs with a profile make namespaces.
RESTRICTED = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
PROFILE = "abi <abi/4.0>, profile bwrap {program} flags=(unconfined) {{ userns, }}"
MiB = 2**20
PRELOAD = ("numpy", "torch", "matplotlib.pyplot")


class SandboxMissing(RuntimeError):
    """bubblewrap is not there or cannot work, so no student's code is run."""


@dataclass(frozen=True)
class SandboxLimits:
    """What one notebook may use.

    Args:
        memory: Bytes, of all its processes together; a page that several processes share, such as
            one of a preloaded module, is divided among them.
        cpu_seconds: Seconds of processor time, of each process.
        processes: Number of processes and threads at a time.
        open_files: Number of open files, of each process.
        scratch: Bytes of files.
        files: Number of files.
        message: Bytes of one message to the grader.
    """

    memory: int
    cpu_seconds: int
    processes: int
    open_files: int
    scratch: int
    files: int
    message: int


class Sandbox(LoggingConfigurable):
    """The options of the sandbox."""

    allow_unsandboxed = Bool(
        False,
        help="Run students' code with all the rights of whoever grades, where there is no"
        " bubblewrap. It can then read the checks and other submissions.",
    ).tag(config=True)
    packages = List(
        Unicode(),
        help="Packages outside Python's own folders that notebooks may import, by name.",
    ).tag(config=True)
    preload = List(
        Unicode(), list(PRELOAD), help="Modules that warm kernels have imported already."
    ).tag(config=True)
    memory_mb = Integer(2048, help="MiB of memory a notebook, its processes together.").tag(
        config=True
    )
    cpu_seconds = Integer(300, help="Seconds of processor time a process.").tag(config=True)
    processes = Integer(64, help="Processes and threads a notebook.").tag(config=True)
    open_files = Integer(512, help="Open files a process.").tag(config=True)
    scratch_mb = Integer(64, help="MiB of files a notebook.").tag(config=True)
    files = Integer(4096, help="Number of files a notebook.").tag(config=True)
    message_mb = Integer(16, help="MiB of one message of a kernel, such as a display.").tag(
        config=True
    )

    def limits(self) -> SandboxLimits:
        """The limits that the options set."""
        return SandboxLimits(
            memory=self.memory_mb * MiB,
            cpu_seconds=self.cpu_seconds,
            processes=self.processes,
            open_files=self.open_files,
            scratch=self.scratch_mb * MiB,
            files=self.files,
            message=self.message_mb * MiB,
        )


def bubblewrap() -> str:
    """The path of bubblewrap, once a trial has shown that it works.

    Raises:
        SandboxMissing: When bubblewrap is not installed, or the system does not let it work.
    """
    path = shutil.which("bwrap")
    if path is None:
        remedy = (
            f"and there is no `bwrap` here. Install it:\n    {INSTALL}\nOn a system that has none, "
            if sys.platform == "linux"
            else "which is for Linux alone. Grade there, in a virtual machine for example. Or "
        )
        raise SandboxMissing(
            f"Students' code runs in bubblewrap, {remedy}"
            "c.Sandbox.allow_unsandboxed = True in nbgrader_config.py "
            "grades without; then a submission can read whatever you can."
        )
    if problem := _problem(path):
        raise SandboxMissing(problem)
    return path


@cache
def _problem(program: str) -> str:
    """Why bubblewrap cannot make a sandbox here, and the remedy; "" when it can."""
    as_user = ["--unshare-user"] if os.getuid() else []  # for root, `walls.user_namespace` makes it
    command = [program, *as_user, "--unshare-pid", "--unshare-net", "--ro-bind", "/", "/", "true"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode == 0:
        return ""
    said = done.stderr.strip() or f"it ended with {done.returncode}"
    restricted = RESTRICTED.exists() and RESTRICTED.read_text().strip() == "1"
    if not restricted:
        return f"Students' code runs in bubblewrap, which this system does not let work: {said}"
    profile = PROFILE.format(program=os.path.realpath(program))
    return (
        f"Students' code runs in bubblewrap, which Ubuntu's AppArmor does not let work ({said}) "
        f"until you allow it, once:\n    echo '{profile}' | sudo tee /etc/apparmor.d/bwrap && "
        "sudo apparmor_parser -r /etc/apparmor.d/bwrap"
    )


def withheld_modules(path: Path) -> list[str]:
    """The modules that an assignment's checks withhold from notebooks.

    Args:
        path: The file of checks, which is read and not run. In it, WITHHELD is a tuple of names;
            without WITHHELD, no module is withheld.

    Raises:
        ValueError: When WITHHELD is not a tuple or list of names, written out.
    """
    found: list[str] = []
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if not isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)) or node.value is None:
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if any(isinstance(target, ast.Name) and target.id == "WITHHELD" for target in targets):
            parts = getattr(node.value, "elts", [])
            found = [part.value for part in parts if isinstance(part, ast.Constant)]
            if (
                isinstance(node, ast.AugAssign)
                or not isinstance(node.value, (ast.Tuple, ast.List))
                or len(found) < len(parts)
                or not all(isinstance(name, str) for name in found)
            ):
                raise ValueError(
                    'WITHHELD is no tuple of names. Write WITHHELD = ("kdlab",), each module as a'
                    " text and the comma also after a single one."
                )
    return found

"""The warm pool: a sandboxed process with modules loaded, from which kernels are forked."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from traitlets.config import Config

from autograder.sandbox.options import PRELOAD, Sandbox, SandboxLimits, bubblewrap
from autograder.sandbox.walls import (
    PYTHON,
    bubblewrap_command,
    stage,
    user_namespace,
    write_accounts,
)
from autograder.sandbox.world import SCRATCH

POOL = "AUTOGRADER_WARM_POOL"  # the environment variable with the folder of the open pool
KERNEL_MODULES = (  # every kernel imports these; loaded before, they take no cell's time
    "ipykernel.kernelapp",
    "ipykernel.debugger",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.oinspect",
    "IPython.extensions.storemagic",
    "matplotlib_inline.backend_inline",
    "sqlite3",
    "tornado.platform.asyncio",
    "tornado.queues",
    "faulthandler",
    "autograder.kernel.asking",
)


class WarmPool:
    """Kernels forked from one sandboxed process; a context manager.

    While a pool is open, this process and those that it starts take their kernels from it.

    Args:
        limits: What each notebook may use; the defaults of `Sandbox` for None.
        withheld: Modules that notebooks must not import, by name.
        packages: Packages outside Python's own folders that notebooks may import.
        preload: Modules to import before the first kernel.
        within: The folder in which the pool's folder is made; /tmp for None.
    """

    def __init__(
        self,
        limits: SandboxLimits | None = None,
        *,
        withheld: Sequence[str] = (),
        packages: Sequence[str] = (),
        preload: Sequence[str] = PRELOAD,
        within: str | Path | None = None,
    ) -> None:
        self.within = within or "/tmp"
        self.limits = limits or Sandbox().limits()
        self.withheld, self.packages = sorted(withheld), sorted(packages)
        self.preload = list(preload)
        self.directory: Path | None = None
        self._process: subprocess.Popen | None = None
        self._before: str | None = None

    @classmethod
    def from_config(
        cls, config: Config, withheld: Sequence[str] = (), within: str | Path | None = None
    ) -> WarmPool:
        """A pool with the options of nbgrader_config.py."""
        sandbox = Sandbox(config=config)
        return cls(
            sandbox.limits(),
            withheld=withheld,
            packages=sandbox.packages,
            preload=sandbox.preload,
            within=within,
        )

    def __enter__(self) -> WarmPool:
        self.start()
        self._before = os.environ.get(POOL)
        os.environ[POOL] = str(self.directory)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._before is None:
            os.environ.pop(POOL, None)
        else:
            os.environ[POOL] = self._before
        self.close()

    def start(self) -> None:
        """Starts the process; it accepts requests at once, and answers once its modules are loaded.

        The thread that calls this must outlive the pool: when it ends, the pool's kernels die.

        Raises:
            SandboxMissing: When bubblewrap is not installed.
        """
        program = bubblewrap()
        # A socket's path has at most 107 characters, so it does not lie below a long TMPDIR.
        self.directory = Path(tempfile.mkdtemp(prefix="autograder-", dir=self.within))
        try:
            kernels, code = self.directory / "kernels", self.directory / "code"
            kernels.mkdir()
            masked = stage(code, self.packages, self.withheld)
            write_accounts(self.directory)
            for path in (kernels, code, *code.rglob("*")):  # whatever the umask is
                path.chmod(0o755)
            self._describe()
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            listener.bind(str(self.directory / "listener"))
            listener.listen(64)
            options = {
                "listener": listener.fileno(),
                "limits": asdict(self.limits) | {"socket": socket_room()},
                "python_in_scratch": sorted(
                    folder for folder in set(PYTHON) if Path(folder).is_relative_to(SCRATCH)
                ),
                "preload": [*KERNEL_MODULES, *self.preload],
                "user": 1 if os.getuid() == 0 else None,
            }
            descriptors = [listener.fileno()]
            if os.getuid() == 0:
                descriptors.append(user_namespace())
            command = bubblewrap_command(program, kernels, code, masked, descriptors[1:])
            command += [sys.executable, "-m", "autograder.sandbox.warm", json.dumps(options)]
            with open(self.directory / "log", "wb") as log:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=descriptors,
                    start_new_session=True,
                )
            listener.close()
            for descriptor in descriptors[1:]:
                os.close(descriptor)
        except BaseException:
            self.close()
            raise

    def _describe(self) -> None:
        said = json.dumps(terms(self.limits, self.withheld, self.packages))
        (self.directory / "terms.json").write_text(said, encoding="utf-8")

    def close(self) -> None:
        """Kills all kernels of the pool and removes its folder."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self.directory is not None:
            shutil.rmtree(self.directory, ignore_errors=True)
            self.directory = None


def socket_room() -> int:
    """Most bytes of memory that a socket takes, if its process cannot enlarge it.

    This is twice the system's default, because messages take more memory than they have bytes.
    """
    try:
        return 2 * int(Path("/proc/sys/net/core/wmem_default").read_text())
    except (OSError, ValueError):
        return 2 * 212_992  # Linux's default


def terms(
    limits: SandboxLimits, withheld: Sequence[str], packages: Sequence[str]
) -> dict[str, Any]:
    """The terms of a pool's kernels; a notebook uses a pool only if its own terms are the same."""
    names = {"withheld": sorted(withheld), "packages": sorted(packages)}
    return {"limits": asdict(limits), **names}


def open_pool(
    limits: SandboxLimits, withheld: Sequence[str], packages: Sequence[str]
) -> Path | None:
    """The folder of the open pool, if there is one on the same terms."""
    if not (folder := os.environ.get(POOL)):
        return None
    try:
        there = json.loads(Path(folder, "terms.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return Path(folder) if there == terms(limits, withheld, packages) else None

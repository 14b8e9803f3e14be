"""Kernels for the pages, forked from one process that has imported what pages import.

Each page is executed by a kernel of its own, and each would spend three seconds on starting Python
and on importing PyTorch. While the book is built on Linux, they are forked instead. Elsewhere,
where a process that has loaded PyTorch may not be forked, Jupyter starts them as it always does.
A kernel computes with one thread, unless `OMP_NUM_THREADS` says otherwise.

Configuration:
    book_kernels_preload: the modules that are imported once.
"""

import gc
import importlib
import json
import os
import select
import signal
import subprocess
import sys
from importlib.metadata import EntryPoint
from typing import ClassVar

from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner

BACKEND = "module://matplotlib_inline.backend_inline"  # as ipykernel has it, before the import


class ForkedProvisioner(LocalProvisioner):
    """Asks for a kernel where Jupyter's own provisioner starts a program."""

    preload: ClassVar[list[str]] = []
    server: ClassVar[subprocess.Popen | None] = None

    async def launch_kernel(self, cmd: list[str], **options) -> dict:
        """Start a kernel.

        Args:
            cmd: how Jupyter would start it; its options are those of the program it names.
            **options: among them the folder and the environment.

        Returns:
            How to reach it.
        """
        cls = ForkedProvisioner
        if cls.server is None or cls.server.poll() is not None:
            cls.server = subprocess.Popen(
                [sys.executable, __file__, *cls.preload],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=os.environ | {"MPLBACKEND": BACKEND},
            )
        self.cwd = options["cwd"]
        wanted = {"options": cmd[3:], "folder": str(self.cwd), "environment": options["env"]}
        print(json.dumps(wanted), file=cls.server.stdin, flush=True)
        self.process = Forked(int(cls.server.stdout.readline()))
        self.pid = self.pgid = self.process.pid
        return self.connection_info


class Forked:
    """A process that is no child of this one, with what a provisioner asks of `Popen`."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int):
        self.pid = pid
        self._handle = os.pidfd_open(pid)
        self._ended = False

    def poll(self) -> int | None:
        """0 when it has ended; with which status, nobody knows."""
        return self.wait(0)

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for its end."""
        if not self._ended and select.select([self._handle], [], [], timeout)[0]:
            os.close(self._handle)
            self._ended = True
        return 0 if self._ended else None

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            signal.pidfd_send_signal(self._handle, number)


def serve(preload: list[str]) -> None:
    """Import, then fork a kernel for each line that comes, and answer with its number."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what an import or a kernel prints is no answer
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [place for place in sys.path if place != here]  # no kernel has it
    gc.disable()
    for name in preload:
        importlib.import_module(name)
    gc.freeze()
    gc.enable()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        wanted = json.loads(line)
        server = os.getpid()
        pid = os.fork()
        if pid == 0:
            become_kernel(server, **wanted)
        print(pid, file=answers, flush=True)


def become_kernel(server: int, options: list[str], folder: str, environment: dict) -> None:
    """Go on as a kernel in a session of its own; it ends when the server does."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    from ipykernel.kernelapp import IPKernelApp

    IPKernelApp.launch_instance([*options, f"--IPKernelApp.parent_handle={server}"])
    os._exit(0)


def prepare_kernels(app) -> None:
    """Give this build's kernels one thread, and let them be forked.

    What a page trains is small. On a busy machine, several threads of it wait for each other; and
    its last digits would depend on how many processors there are.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if sys.platform != "linux":
        return
    ForkedProvisioner.preload = app.config.book_kernels_preload
    factory = KernelProvisionerFactory.instance()
    factory.provisioners["forked"] = EntryPoint(
        "forked", f"{__name__}:ForkedProvisioner", factory.GROUP_NAME
    )
    factory.default_provisioner_name = "forked"


def stop(app, error: Exception | None) -> None:
    """End the process that the kernels came from."""
    server, ForkedProvisioner.server = ForkedProvisioner.server, None
    if server is not None:
        server.stdin.close()
        server.wait()
        server.stdout.close()


def setup(app) -> dict:
    app.add_config_value("book_kernels_preload", ["ipykernel.kernelapp"], "", list)
    app.connect("builder-inited", prepare_kernels)
    app.connect("build-finished", stop)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    serve(sys.argv[1:])

"""Kernels in bubblewrap: no network, no files but Python's, bounded in everything, dead at the end.

`SandboxKernelManager` starts every kernel through `SandboxProvisioner`, which takes it from a
`WarmPool`: the one that this process or the one that started it has open, or else one of its own
that holds nothing but this kernel. Options are traits of `Sandbox`.
"""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import Empty
from typing import Any

import zmq
import zmq.asyncio
from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.connect import write_connection_file
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import KernelProvisionerBase
from traitlets import Bool, Integer, List, Unicode, default
from traitlets.config import Config, LoggingConfigurable

from autograder.warm import KERNEL, KERNELS, SCRATCH

POOL = "AUTOGRADER_WARM_POOL"  # environment variable: the folder of the open pool
INSTALL = "sudo apt-get install bubblewrap   # or: sudo dnf install bubblewrap"
CODE = "/run/code"  # inside: what of our packages a notebook may import
OURS = (  # of this package; the rest judges
    "__init__",
    "agreement",
    "check",
    "comparison",
    "evidence",
    "explanation",
    "verdict",
    "warm",
)
SYSTEM = ("/usr/bin", "/usr/lib", "/usr/lib32", "/usr/lib64", "/bin", "/lib", "/lib64")
PYTHON = (sys.base_prefix, sys.prefix, sys.base_exec_prefix, sys.exec_prefix)
DETAILS = ("/etc/ld.so.cache", "/etc/localtime", "/usr/share/zoneinfo")
KERNEL_MODULES = (  # what kernels and graded cells always import; no cell's time is spent on it
    "ipykernel.kernelapp",
    "ipykernel.debugger",
    "IPython.core.completerlib",
    "IPython.extensions.storemagic",
    "matplotlib_inline.backend_inline",
    "sqlite3",
    "tornado.platform.asyncio",
    "tornado.queues",
    "autograder.check",
)
NOBODY = 65534  # the user that notebooks run as when the grader is root
MiB = 2**20


class SandboxMissing(RuntimeError):
    """bubblewrap is not there, so no student's code is run."""


@dataclass(frozen=True)
class SandboxLimits:
    """What one notebook may use.

    Args:
        memory: Bytes, of all its processes.
        cpu_seconds: Seconds of processor time, of each process.
        processes: Processes and threads at a time.
        open_files: Open files of each process.
        scratch: Bytes of files.
        files: Number of files.
        message: Bytes of one message to the grader.
    """

    memory: int = 2048 * MiB
    cpu_seconds: int = 300
    processes: int = 64
    open_files: int = 512
    scratch: int = 64 * MiB
    files: int = 4096
    message: int = 16 * MiB


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
        Unicode(),
        ["numpy", "torch", "matplotlib.pyplot"],
        help="Modules that warm kernels have imported already.",
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
    """The path of bubblewrap.

    Raises:
        SandboxMissing: When it is not installed.
    """
    path = shutil.which("bwrap")
    if path is None:
        raise SandboxMissing(
            "Students' code runs in bubblewrap, and there is no `bwrap` here. Install it:\n"
            f"    {INSTALL}\n"
            "On a system that has none, c.Sandbox.allow_unsandboxed = True in nbgrader_config.py "
            "grades without; then a submission can read whatever you can."
        )
    return path


def withheld_modules(path: Path) -> list[str]:
    """The modules that an assignment's checks withhold from notebooks.

    Args:
        path: The checks; the file is read, not run. WITHHELD in it is a tuple of names.
    """
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "WITHHELD" for target in node.targets
        ):
            return list(ast.literal_eval(node.value))
    return []


class WarmPool:
    """Kernels forked from one sandboxed process; a context manager.

    While it is open, this process and those that it starts take their kernels from it.

    Args:
        limits: What each notebook may use.
        withheld: Modules that notebooks must not import, by name.
        packages: Packages outside Python's own folders that notebooks may import.
        preload: Modules to import before the first kernel.
    """

    def __init__(
        self,
        limits: SandboxLimits | None = None,
        *,
        withheld: Sequence[str] = (),
        packages: Sequence[str] = (),
        preload: Sequence[str] = ("numpy", "torch", "matplotlib.pyplot"),
    ) -> None:
        self.limits = limits or SandboxLimits()
        self.withheld, self.packages = sorted(withheld), sorted(packages)
        self.preload = list(preload)
        self.directory: Path | None = None
        self._process: subprocess.Popen | None = None
        self._before: str | None = None

    @classmethod
    def from_config(cls, config: Config, withheld: Sequence[str] = ()) -> WarmPool:
        """A pool with the options of nbgrader_config.py."""
        sandbox = Sandbox(config=config)
        return cls(
            sandbox.limits(),
            withheld=withheld,
            packages=sandbox.packages,
            preload=sandbox.preload,
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
        """Starts the process; it takes requests at once and answers when it has its modules.

        The thread that calls this must outlive the pool: when it ends, the pool's kernels die.

        Raises:
            SandboxMissing: When bubblewrap is not installed.
        """
        program = bubblewrap()
        # A socket's path may have 107 characters, so not below a long TMPDIR.
        self.directory = Path(tempfile.mkdtemp(prefix="autograder-", dir="/tmp"))
        try:
            kernels, code = self.directory / "kernels", self.directory / "code"
            kernels.mkdir()
            masked = stage(code, self.packages, self.withheld)
            for path in (kernels, code, *code.rglob("*")):  # whatever the umask is
                path.chmod(0o755)
            self._describe()
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            listener.bind(str(self.directory / "listener"))
            listener.listen(64)
            options = {
                "listener": listener.fileno(),
                "limits": asdict(self.limits),
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
            command += [sys.executable, "-m", "autograder.warm", json.dumps(options)]
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
        terms = {
            "limits": asdict(self.limits),
            "withheld": self.withheld,
            "packages": self.packages,
        }
        (self.directory / "terms.json").write_text(json.dumps(terms), encoding="utf-8")

    def close(self) -> None:
        """Kills all kernels of the pool and removes its folder."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self.directory is not None:
            shutil.rmtree(self.directory, ignore_errors=True)
            self.directory = None


def stage(target: Path, packages: Sequence[str], withheld: Sequence[str]) -> list[Path]:
    """Copies what notebooks may import of our packages and the instructor's, without the withheld.

    A package that a withheld module was taken from loses what its `__init__` imports too, because
    that may be what was withheld; its other modules are imported by their own names.

    Args:
        target: The folder to make.
        packages: Names of packages to copy.
        withheld: Names of modules and packages to leave out.

    Returns:
        The folders and files of packages that must not be seen where they are.
    """
    own = Path(__file__).parent
    (target / own.name).mkdir(parents=True)
    for name in OURS:
        shutil.copy(own / f"{name}.py", target / own.name)
    places = [own]
    for name in sorted({*packages, *(module.partition(".")[0] for module in withheld)}):
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise ValueError(f"There is no package {name!r} to offer or to withhold.")
        place = Path(spec.origin)
        if spec.submodule_search_locations:
            place = place.parent
            ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
            shutil.copytree(place, target / place.name, ignore=ignore)
        else:
            shutil.copy(place, target)
        places.append(place)
    for module in withheld:
        path = target.joinpath(*module.split("."))
        if path.is_dir():
            shutil.rmtree(path)
        elif path.with_suffix(".py").is_file():
            path.with_suffix(".py").unlink()
        else:
            raise ValueError(f"There is no module {module!r} to withhold.")
        for parent in path.relative_to(target).parents[:-1]:
            (target / parent / "__init__.py").write_text("")
    return places


def user_namespace() -> int:
    """Makes a user namespace in which 0 is root and 1 is nobody, for a grader that is root.

    The system counts no processes of root's, so that notebooks need another user; and what is root
    outside should not be the one that runs strangers' code.

    Returns:
        A descriptor of the namespace.
    """
    with subprocess.Popen(["unshare", "--user", "cat"], stdin=subprocess.PIPE) as holder:
        place = Path(f"/proc/{holder.pid}")
        outside = os.readlink("/proc/self/ns/user")
        while os.readlink(place / "ns/user") == outside:
            if holder.poll() is not None:
                raise RuntimeError(
                    "`unshare --user` failed: user namespaces are switched off here."
                )
            time.sleep(0.001)
        for kind in ("uid_map", "gid_map"):
            (place / kind).write_text(f"0 0 1\n1 {NOBODY} 1\n")
        return os.open(place / "ns/user", os.O_RDONLY)


def bubblewrap_command(
    program: str, kernels: Path, code: Path, masked: Sequence[Path], namespace: Sequence[int]
) -> list[str]:
    """The command line up to the program: what there is inside, and nothing else."""
    command = [program, "--die-with-parent", "--unshare-ipc", "--unshare-pid", "--unshare-net"]
    command += ["--unshare-uts", "--unshare-cgroup-try", "--clearenv"]
    if namespace:
        command += ["--userns", str(*namespace), "--cap-add", "CAP_SETUID"]
        command += ["--cap-add", "CAP_SETGID"]
    else:
        command += ["--unshare-user"]
    command += ["--tmpfs", SCRATCH]  # first, because Python may be in it
    folders = sorted({*SYSTEM, *PYTHON} - {"/usr"})
    # Parents that bubblewrap makes by itself may be for root alone.
    for parent in sorted({str(p) for folder in (*folders, KERNEL) for p in Path(folder).parents}):
        if parent not in ("/", *folders) and not os.path.islink(parent):
            command += ["--perms", "0755", "--dir", parent]
    for folder in folders:
        if os.path.islink(folder):
            command += ["--symlink", os.readlink(folder), folder]
        elif os.path.isdir(folder):
            command += ["--ro-bind", folder, folder]
    for path in DETAILS:
        command += ["--ro-bind-try", path, path]
    for place in masked:
        if any(place.is_relative_to(folder) for folder in folders):
            if place.is_dir():
                command += ["--tmpfs", str(place), "--remount-ro", str(place)]
            else:
                command += ["--ro-bind", "/dev/null", str(place)]
    command += ["--ro-bind", str(code), CODE, "--bind", str(kernels), KERNELS]
    command += ["--perms", "0755", "--dir", KERNEL]
    command += ["--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"]
    command += ["--remount-ro", "/", "--chdir", "/"]
    environment = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"]),
        "PYTHONPATH": CODE,
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": SCRATCH,
        "MPLCONFIGDIR": f"{SCRATCH}/.matplotlib",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "LANG": "C.UTF-8",
        "USER": "student",
        "LOGNAME": "student",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }
    for name, value in environment.items():
        command += ["--setenv", name, value]
    return [*command, "--"]


def copy_work(source: str | None, target: Path, most: int) -> None:
    """Copies the files beside a notebook; links and other special files stay behind.

    Raises:
        ValueError: When they are larger than a notebook's scratch space.
    """
    target.mkdir()
    if source is None:
        return
    total = 0
    for folder, _, files in os.walk(source):
        place = target / os.path.relpath(folder, source)
        place.mkdir(exist_ok=True)
        for name in files:
            path = Path(folder, name)
            if path.is_symlink() or not path.is_file():
                continue
            total += path.stat().st_size
            if total > most:
                raise ValueError(f"The files in {source} have more than {most // MiB} MiB.")
            shutil.copyfile(path, place / name)


class SandboxProvisioner(KernelProvisionerBase):
    """Takes a kernel from a warm pool, or starts a sandbox for it alone."""

    withheld = List(Unicode(), help="Modules that the notebook must not import.")
    startup_timeout = Integer(120, help="Seconds to wait for a kernel.").tag(config=True)

    _connection: socket.socket | None = None
    _own: WarmPool | None = None
    _folder: Path | None = None
    _ended: dict[str, Any] | None = None

    @property
    def cause(self) -> str | None:
        """Why the kernel is gone: "memory", "time" or None where nobody knows."""
        return (self._ended or {}).get("cause")

    @property
    def has_process(self) -> bool:
        return self._connection is not None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        return {"cmd": [], "cwd": kwargs.get("cwd")}

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> dict[str, Any]:
        sandbox = Sandbox(parent=self)
        limits = sandbox.limits()
        pool = open_pool(limits, self.withheld, sandbox.packages)
        if pool is None:
            self._own = WarmPool(
                limits, withheld=self.withheld, packages=sandbox.packages, preload=()
            )
            self._own.start()
            pool = self._own.directory
        try:
            return self._start(pool, limits, kwargs.get("cwd"))
        except BaseException:
            await self.cleanup()
            raise

    def _start(self, pool: Path, limits: SandboxLimits, cwd: str | None) -> dict[str, Any]:
        manager, name = self.parent, secrets.token_hex(8)
        self._folder = folder = pool / "kernels" / name
        folder.mkdir(mode=0o700)
        copy_work(cwd, folder / "work", limits.scratch)
        for number, port in enumerate(PORTS, start=1):
            setattr(manager, port, number)
        manager.ip = str(folder / "k")
        write_connection_file(
            str(folder / "connection.json"),
            ip=f"{KERNEL}/k",
            key=manager.session.key,
            transport="ipc",
            **{port: number for number, port in enumerate(PORTS, start=1)},
        )
        if os.getuid() == 0:
            for place, folders, files in os.walk(folder):
                for path in (place, *(os.path.join(place, each) for each in folders + files)):
                    os.chown(path, NOBODY, NOBODY)
        self._ended = None
        self._connection = connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        connection.settimeout(self.startup_timeout)
        try:
            connection.connect(str(pool / "listener"))
            connection.send(name.encode())
            answer = json.loads(connection.recv(8192) or b'{"error": "the sandbox ended"}')
        except OSError as error:
            answer = {"error": str(error)}
        if "ready" not in answer:
            log = (pool / "log").read_text(errors="replace")[-2000:]
            raise RuntimeError(f"No sandboxed kernel: {answer['error']}. {log}".strip())
        connection.setblocking(False)
        return manager.get_connection_info()

    async def poll(self) -> int | None:
        if self._connection is None:
            return 0 if self._ended is None else self._ended["exit"]
        try:
            text = self._connection.recv(8192)
        except BlockingIOError:
            return None
        except OSError:
            text = b""
        self._ended = json.loads(text) if text else {"exit": -9, "cause": None}
        self._connection.close()
        self._connection = None
        return self._ended["exit"]

    async def wait(self) -> int | None:
        while (status := await self.poll()) is None:
            await asyncio.sleep(0.005)
        return status

    async def send_signal(self, signum: int) -> None:
        words = {2: b"interrupt", 9: b"kill", 15: b"kill"}
        if self._connection is not None and signum in words:
            try:
                self._connection.send(words[signum])
            except OSError:  # it is dead already
                await self.poll()

    async def kill(self, restart: bool = False) -> None:
        await self.send_signal(9)
        await self.wait()

    async def terminate(self, restart: bool = False) -> None:
        await self.kill()

    async def cleanup(self, restart: bool = False) -> None:
        if self._connection is not None:
            self._connection.close()  # which kills what is left
            self._connection = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
        if self._own is not None:
            self._own.close()
            self._own = None


PORTS = ("shell_port", "iopub_port", "stdin_port", "hb_port", "control_port")


def open_pool(
    limits: SandboxLimits, withheld: Sequence[str], packages: Sequence[str]
) -> Path | None:
    """The folder of the open pool, if there is one on the same terms."""
    if not (folder := os.environ.get(POOL)):
        return None
    try:
        terms = json.loads(Path(folder, "terms.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    wanted = {
        "limits": asdict(limits),
        "withheld": sorted(withheld),
        "packages": sorted(packages),
    }
    return Path(folder) if terms == wanted else None


class SandboxClient(AsyncKernelClient):
    """Knows that the kernel is ready by its first messages, and waits for nothing else."""

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Returns when the kernel answers and its outputs arrive.

        Raises:
            RuntimeError: When that takes longer than `timeout` seconds, or the kernel dies.
        """
        deadline = time.monotonic() + (timeout or 60)
        while time.monotonic() < deadline and await self.is_alive():
            self.kernel_info()
            try:
                reply = await self.get_shell_msg(timeout=1)
                while True:
                    message = await self.get_iopub_msg(timeout=0.05)
                    if (
                        message["parent_header"].get("msg_id") == reply["parent_header"]["msg_id"]
                        and message["content"].get("execution_state") == "idle"
                    ):
                        return
            except Empty:
                continue
        raise RuntimeError("The kernel does not answer.")


class SandboxKernelManager(AsyncKernelManager):
    """Starts kernels in the sandbox, and bounds what they can send.

    Args:
        withheld: Modules that the notebook must not import.
    """

    withheld = List(Unicode())

    async def _async_pre_start_kernel(self, **kwargs: Any) -> tuple[list[str], dict[str, Any]]:
        sandbox = Sandbox(parent=self)
        if not (sandbox.allow_unsandboxed and shutil.which("bwrap") is None):
            bubblewrap()
            self.transport = "ipc"
            self.provisioner = SandboxProvisioner(parent=self, withheld=self.withheld)
        return await super()._async_pre_start_kernel(**kwargs)

    @default("client_factory")
    def _sandbox_client(self) -> type:
        return SandboxClient

    def client(self, **kwargs: Any) -> Any:
        """A client that drops connections over which too much comes at once."""
        context = zmq.asyncio.Context()
        context.setsockopt(zmq.MAXMSGSIZE, Sandbox(parent=self).message_mb * MiB)
        context.setsockopt(zmq.RCVHWM, 16)  # messages that wait, on the grader's side
        client = super().client(context=context, **kwargs)
        client._created_context = True  # so that it ends the context with itself
        return client

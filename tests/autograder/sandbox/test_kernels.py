"""The walls, one by one: what code in the sandbox can reach, and what it can use up."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from copy import deepcopy
from pathlib import Path

import pytest
from traitlets.config import Config

from autograder.sandbox import options
from autograder.sandbox.kernels import SandboxKernelManager, copy_work
from autograder.sandbox.options import SandboxMissing, bubblewrap, withheld_modules
from autograder.sandbox.pool import POOL, WarmPool, open_pool, socket_room
from autograder.sandbox.walls import CourseExposed, refuse_exposed, stage
from tests.waiting import HOPELESS, wait_until

LIMITS = Config()
LIMITS.Sandbox.memory_mb = 600
LIMITS.Sandbox.scratch_mb = 16
LIMITS.Sandbox.files = 200
LIMITS.Sandbox.processes = 40
LIMITS.Sandbox.open_files = 64
LIMITS.Sandbox.packages = ["kdlab"]
WITHHELD = ["kdlab.divergences", "kdlab.widgets"]

needs_bubblewrap = pytest.mark.usefixtures("bubblewrap")


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory):
    """A warm pool with small limits, for the whole module."""
    with WarmPool.from_config(LIMITS, WITHHELD) as pool:
        yield pool


class Kernel:
    """A kernel in the sandbox that answers with what the code printed."""

    def __init__(self, cwd: Path, withheld: list[str] = WITHHELD, config: Config = LIMITS) -> None:
        self.loop = asyncio.new_event_loop()
        self.manager = SandboxKernelManager(config=config, withheld=withheld)
        self.do(self.manager.start_kernel(cwd=str(cwd)))
        self.client = self.manager.client()
        self.client.start_channels()
        self.do(self.client.wait_for_ready(timeout=HOPELESS))

    def do(self, work):
        return self.loop.run_until_complete(work)

    def run(self, code: str) -> str:
        return self.do(asyncio.wait_for(self._run(textwrap.dedent(code)), HOPELESS))

    async def _run(self, code: str) -> str:
        texts, asked = [], self.client.execute(code, allow_stdin=False)
        while True:
            message = await self.client.iopub_channel.get_msg()
            content = message["content"]
            if message["parent_header"]["msg_id"] != asked:
                continue
            if content.get("execution_state") == "idle":
                return "".join(texts).strip()
            texts.append(content.get("text", ""))
            if "traceback" in content:
                texts.append(f"{content['ename']}: {content['evalue']}")

    def cause(self, code: str) -> tuple[int, str | None]:
        """How the kernel ends under some code."""
        self.client.execute(textwrap.dedent(code))
        return self.do(asyncio.wait_for(self.manager.provisioner.wait(), HOPELESS)), (
            self.manager.provisioner.cause
        )

    def close(self) -> None:
        self.client.stop_channels()
        if self.manager.has_kernel:
            self.do(self.manager.shutdown_kernel(now=True))
        self.do(self.manager.cleanup_resources())
        self.loop.close()


@pytest.fixture
def kernel(pool: WarmPool, tmp_path: Path):
    made = Kernel(tmp_path)
    yield made
    made.close()


@pytest.fixture
def cold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(POOL, raising=False)
    made = Kernel(tmp_path)
    yield made
    made.close()


@needs_bubblewrap
def test_pip_does_not_try_again_and_again_where_there_is_no_network(kernel: Kernel) -> None:
    said = kernel.run("!pip install some-package")
    without = "CA certificate bundle, invalid path"  # Debian's pip has its own outside
    assert "No matching distribution" in said or without in said
    assert "Retrying" not in said


REACH = """
import glob, os, socket
for path in ("/work", "/root", "/home", "/etc/passwd", "/etc/shadow", "/var", "/sys", {here!r}):
    if os.path.exists(path):
        for folder, _, files in os.walk(path):
            for name in files:
                if not folder.startswith({allowed!r}):
                    print("file", folder, name)
for path in ("/", "/etc", "/usr", "/dev", "/run", "/run/code", "/run/kernel", "/run/kernels",
             "/proc", {prefix!r}):
    try:
        open(path + "/x", "w")
        print("wrote", path)
    except OSError:
        pass
print("interfaces", [name for _, name in socket.if_nameindex()])
print("processes", [n for n in os.listdir("/proc") if n.isdigit()], os.getpid(), os.getppid())
for name in ("1.1.1.1", "127.0.0.1"):
    try:
        socket.create_connection((name, 53), timeout=1)
        print("connected", name)
    except OSError:
        pass
print("others", os.listdir("/run/kernels"))
print("user", os.getuid(), os.getgid(), os.getgroups())
print("environment", sorted(set(os.environ) & {{"HOME", "SECRET", "AUTOGRADER_WARM_POOL"}}))
"""


@needs_bubblewrap
@pytest.mark.parametrize("which", ["kernel", "cold"])
def test_nothing_but_python_can_be_reached(
    which: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SECRET", "x")
    (tmp_path.parent / "other.ipynb").write_text("{}")
    allowed = (sys.base_prefix, sys.prefix, "/usr", "/bin", "/lib")
    kernel = request.getfixturevalue(which)
    code = REACH.format(here=str(tmp_path.parent), allowed=allowed, prefix=sys.prefix)
    assert kernel.run(code).splitlines() == [
        "interfaces ['lo']",
        "processes ['1'] 1 0",
        "others []",
        "user 1000 1000 [1000]" if os.getuid() else "user 1000 1000 []",
        "environment ['HOME']",
    ]


SURRENDERED = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def tried(name, *arguments):
    ctypes.set_errno(0)
    result = libc[name](*arguments) if isinstance(name, str) else libc.syscall(name, *arguments)
    print(name, result, ctypes.get_errno())
tried("unshare", 0x10000000)
tried("mount", b"tmpfs", b"/tmp", b"tmpfs", 0, None)
tried("umount2", b"/run/kernels", 2)
tried("ptrace", 16, 1, 0, 0)
tried("setuid", 0)
tried("chroot", b"/tmp")
tried("memfd_create", b"x", 0)
tried("shmget", 0, 1 << 30, 0o1600)
print("dropped", [c for c in range(41) if libc.prctl(23, c, 0, 0, 0)])
print("nnp", libc.prctl(39, 0, 0, 0, 0), "filter", libc.prctl(21, 0, 0, 0, 0))
"""


@needs_bubblewrap
def test_rights_are_given_up_for_good(kernel: Kernel) -> None:
    lines = kernel.run(SURRENDERED).splitlines()
    assert lines[:8] == [
        "unshare -1 1",
        "mount -1 1",
        "umount2 -1 1",
        "ptrace -1 1",
        lines[4],
        "chroot -1 1",
        "memfd_create -1 1",
        "shmget -1 1",
    ]
    assert lines[4].startswith("setuid -1")
    assert lines[8:] == ["dropped []", "nnp 1 filter 2"]


@needs_bubblewrap
def test_threads_that_were_there_before_have_no_more_rights(kernel: Kernel) -> None:
    code = """
    import ctypes, threading
    loop = get_ipython().kernel.iopub_thread.io_loop
    done, found = threading.Event(), []
    def in_that_thread():
        libc = ctypes.CDLL(None, use_errno=True)
        found.append((libc.umount2(b"/run/kernels", 2), ctypes.get_errno()))
        done.set()
    loop.add_callback(in_that_thread)
    done.wait()
    print(found)
    """
    assert kernel.run(code) == "[(-1, 1)]"


@needs_bubblewrap
def test_withheld_modules_are_nowhere(kernel: Kernel) -> None:
    code = """
    import glob, importlib, sys
    for name in ("kdlab.divergences", "kdlab.widgets", "kdlab.objective", "autograder.questions",
                 "autograder.sandbox.pool", "autograder.grading", "autograder.judging"):
        try:
            importlib.import_module(name)
            print("imported", name)
        except ImportError:
            pass
    print(sorted(name for name in sys.modules if "divergences" in name))
    print([p for folder in sys.path if folder not in ("", ".")
           for p in glob.glob(folder + "/kdlab/**/divergences*", recursive=True)])
    import kdlab.models
    print(kdlab.models.TinyGPT.__name__)
    """
    assert kernel.run(code).splitlines() == ["[]", "[]", "TinyGPT"]


@needs_bubblewrap
def test_a_notebook_finds_the_files_beside_it_but_follows_no_links(
    pool: WarmPool, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.txt").write_text("mine")
    (tmp_path / "stolen").symlink_to("/etc/passwd")
    (tmp_path / "linked").symlink_to("/etc")
    kernel = Kernel(tmp_path)
    try:
        assert kernel.run("print(open('data/x.txt').read(), __import__('os').listdir())") == (
            "mine ['data']"
        )
        kernel.run("open('data/x.txt', 'w').write('changed')")
    finally:
        kernel.close()
    assert (tmp_path / "data" / "x.txt").read_text() == "mine"


def test_files_beside_a_notebook_are_bounded(tmp_path: Path) -> None:
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / "large").write_bytes(bytes(2000))
    with pytest.raises(ValueError, match="more than"):
        copy_work(str(tmp_path / "from"), tmp_path / "to", 1999)


@needs_bubblewrap
def test_what_is_loaded_before_takes_nothing_from_a_notebook(kernel: Kernel) -> None:
    """However much it is: PyTorch has several builds."""
    assert kernel.run("print(len(bytearray(400 * 2**20)))") == f"{400 * 2**20}"


@needs_bubblewrap
def test_the_memory_that_a_notebook_had_is_known_at_its_end(kernel: Kernel) -> None:
    kernel.run("x = bytearray(b'x') * (300 * 2**20); del x")
    assert kernel.manager.provisioner.memory is None
    kernel.do(kernel.manager.shutdown_kernel(now=True))
    assert 300 <= kernel.manager.provisioner.memory / 2**20 < 2000


@needs_bubblewrap
def test_memory_of_one_process_ends_in_an_error_it_can_catch(kernel: Kernel) -> None:
    assert kernel.run("x = bytearray(2**30)").startswith("MemoryError")
    text = kernel.run("import torch; torch.ones(2**28, dtype=torch.float64)")
    assert "can't allocate memory" in text


@needs_bubblewrap
@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (
            """
            import os, time
            for _ in range(20):
                if os.fork() == 0:
                    x = bytearray(b"x") * 200_000_000
                    time.sleep(60)
            time.sleep(60)
            """,
            "memory",
        ),
        ("import os; os._exit(3)", None),
        ("import ctypes; ctypes.string_at(0)", None),
    ],
    ids=["children", "exit", "crash"],
)
def test_ends_have_their_causes(kernel: Kernel, code: str, cause: str | None) -> None:
    status, found = kernel.cause(code)
    assert found == cause
    assert status != 0


@needs_bubblewrap
def test_processor_time_is_bounded(pool: WarmPool, tmp_path: Path) -> None:
    config = deepcopy(LIMITS)
    config.Sandbox.cpu_seconds = 1
    kernel = Kernel(tmp_path, config=config)  # other terms than the pool's: a sandbox of its own
    try:
        assert kernel.cause("while True: pass")[1] == "time"
    finally:
        kernel.close()


@needs_bubblewrap
def test_processes_files_and_disk_are_bounded(kernel: Kernel) -> None:
    code = """
    import errno, os, threading
    def until_it_fails(work):
        for number in range(100_000):
            try:
                work(number)
            except (OSError, RuntimeError) as error:
                return number, type(error).__name__, getattr(error, "errno", None)
    kept, enough = [], threading.Event()
    print("open", until_it_fails(lambda n: kept.append(open("/dev/null")))[0] < 64)
    kept.clear()
    print("threads", until_it_fails(
        lambda n: threading.Thread(target=enough.wait, daemon=True).start())[0] < 40)
    enough.set()
    print("files", until_it_fails(lambda n: open(f"/tmp/{n}", "w").close())[0] < 200)
    print("shm", until_it_fails(lambda n: open(f"/dev/shm/{n}", "w").close())[0] < 200)
    def write(n):
        with open("/tmp/0", "ab") as stream:
            stream.write(bytes(2**20))
    print("bytes", until_it_fails(write)[0] <= 16)
    """
    assert kernel.run(code).splitlines() == [
        "open True",
        "threads True",
        "files True",
        "shm True",
        "bytes True",
    ]


@needs_bubblewrap
def test_everything_is_dead_at_the_end(pool: WarmPool, tmp_path: Path) -> None:
    mark = f"outlives-{os.getpid()}"
    kernel = Kernel(tmp_path)
    kernel.run(f"""
        import subprocess, sys, os
        code = "import time; time.sleep(600)"
        subprocess.Popen([sys.executable, "-c", code, "{mark}"], start_new_session=True)
        if os.fork() == 0:
            os.setsid()
            os.execv(sys.executable, [sys.executable, "-c", code, "{mark}"])
    """)
    wait_until(lambda: len(named(mark)) == 2)
    kernel.close()
    wait_until(lambda: not named(mark))
    assert not list((pool.directory / "kernels").iterdir())


def named(mark: str) -> list[str]:
    """Processes with a word in their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if mark.encode() in path.read_bytes():
                found.append(str(path))
        except OSError:
            continue
    return found


@needs_bubblewrap
@pytest.mark.skipif(os.getuid() != 0, reason="all tests run as a normal user here")
def test_a_normal_user_may_grade_too(tmp_path: Path) -> None:
    code = f"""
import asyncio, os
from autograder.sandbox.kernels import *
async def main():
    with WarmPool(preload=()):
        manager = SandboxKernelManager()
        await manager.start_kernel(cwd={str(tmp_path)!r})
        print(os.getuid(), await manager.is_alive())
        await manager.shutdown_kernel(now=True)
asyncio.run(main())
"""
    command = ["unshare", "--user", "--map-user=1000", "--map-group=1000", sys.executable, "-c"]
    done = subprocess.run([*command, code], capture_output=True, text=True, check=False)
    assert done.stdout == "1000 True\n", done.stderr


@needs_bubblewrap
def test_nothing_outlives_a_grader_that_is_killed(tmp_path: Path) -> None:
    """A process opens a pool, starts a kernel and is killed with a signal that it cannot catch."""
    code = f"""
import asyncio, os, sys, time
from autograder.sandbox.kernels import *
async def main():
    with WarmPool(preload=()) as pool:
        manager = SandboxKernelManager()
        await manager.start_kernel(cwd={str(tmp_path)!r})
        print(pool.directory, flush=True)
        time.sleep(600)
asyncio.run(main())
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as grader:
        directory = grader.stdout.readline().strip()
        assert named(directory)
        grader.send_signal(signal.SIGKILL)
    wait_until(lambda: not named(directory))
    shutil.rmtree(directory)


@pytest.fixture
def without_bubblewrap(monkeypatch: pytest.MonkeyPatch) -> None:
    real = shutil.which
    monkeypatch.delenv(POOL, raising=False)
    monkeypatch.setattr(
        options.shutil, "which", lambda name, *a: None if name == "bwrap" else real(name, *a)
    )


def test_without_bubblewrap_nothing_runs(without_bubblewrap: None) -> None:
    for action in (bubblewrap, WarmPool().start):
        with pytest.raises(SandboxMissing, match="apt-get install bubblewrap"):
            action()
    with pytest.raises(SandboxMissing, match="allow_unsandboxed"):
        asyncio.run(SandboxKernelManager().start_kernel())


@pytest.mark.parametrize("said", ["setting up uid map: Permission denied", "loopback: Failed"])
@pytest.mark.parametrize("restricted", ["1", "0", None])
def test_a_bubblewrap_that_cannot_work_is_said_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, restricted: str | None
) -> None:
    """As on Ubuntu 24.04, whose AppArmor lets only programs with a profile make namespaces."""
    program, setting = tmp_path / "bwrap", tmp_path / "restricted"
    program.write_text(f"#!/bin/sh\necho 'bwrap: {said}' >&2\nexit 1\n")
    program.chmod(0o755)
    if restricted:
        setting.write_text(f"{restricted}\n")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.delenv(POOL, raising=False)
    monkeypatch.setattr(options, "RESTRICTED", setting)
    for action in (
        bubblewrap,
        WarmPool().start,
        lambda: asyncio.run(SandboxKernelManager().start_kernel()),
    ):
        with pytest.raises(SandboxMissing, match=f"bwrap: {said}") as caught:
            action()
        remedy = str(caught.value).partition("\n")[2]
        assert ("sudo tee /etc/apparmor.d/bwrap" in remedy) == (restricted == "1")
    if restricted == "1":  # what the page says to type, and for this bubblewrap
        page = Path(__file__).parents[3] / "book" / "instructors" / "first-evening.md"
        profile = remedy.partition("'")[2].partition("'")[0]
        profile = profile.replace(str(program), "/usr/bin/bwrap")
        assert profile in " ".join(page.read_text(encoding="utf-8").split())


def test_without_bubblewrap_an_instructor_may_decide_otherwise(without_bubblewrap: None) -> None:
    config = Config()
    config.Sandbox.allow_unsandboxed = True

    async def run() -> str:
        manager = SandboxKernelManager(config=config)
        await manager.start_kernel()
        kind = type(manager.provisioner).__name__
        await manager.shutdown_kernel(now=True)
        return kind

    assert asyncio.run(run()) == "LocalProvisioner"


def test_withheld_names_are_read_not_run(tmp_path: Path) -> None:
    path = tmp_path / "checks.py"
    path.write_text('raise SystemExit\nWITHHELD = ("kdlab.fused",)\n')
    assert withheld_modules(path) == ["kdlab.fused"]
    path.write_text('WITHHELD: tuple[str, ...] = ("kdlab", "kdlab_extra")\n')
    assert withheld_modules(path) == ["kdlab", "kdlab_extra"]
    path.write_text('WITHHELD = ["kdlab"]\n')
    assert withheld_modules(path) == ["kdlab"]
    path.write_text("CHECKS = ()\n")
    assert withheld_modules(path) == []


@pytest.mark.parametrize(
    "line",
    [
        'WITHHELD = ("kdlab")',
        "WITHHELD = 5",
        "WITHHELD = (5,)",
        'WITHHELD = ("kdlab",) + OTHERS',
        'WITHHELD = ("kdlab",)\nWITHHELD += ("torch",)',
    ],
)
def test_withheld_names_that_cannot_be_read_are_refused(tmp_path: Path, line: str) -> None:
    """Otherwise the answers would be there."""
    path = tmp_path / "checks.py"
    path.write_text(f"{line}\n")
    with pytest.raises(ValueError, match="WITHHELD is no tuple of names"):
        withheld_modules(path)


def test_staging_names_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no_such_package"):
        stage(tmp_path / "a", ["no_such_package"], [])
    with pytest.raises(ValueError, match="no_such_module"):
        stage(tmp_path / "b", [], ["kdlab.no_such_module"])


def test_a_pool_on_other_terms_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = WarmPool(withheld=["kdlab.fused"])
    pool.directory = tmp_path
    pool._describe()
    monkeypatch.setenv(POOL, str(tmp_path))
    assert open_pool(pool.limits, ["kdlab.fused"], []) == tmp_path
    assert open_pool(pool.limits, [], []) is None
    assert json.loads((tmp_path / "terms.json").read_text())["withheld"] == ["kdlab.fused"]


@needs_bubblewrap
def test_honest_code_finds_its_machine(kernel: Kernel) -> None:
    code = """
    import getpass, os, pwd, psutil, subprocess
    print(pwd.getpwuid(os.getuid()).pw_name, getpass.getuser())
    print(psutil.virtual_memory().total > 0, psutil.pids()[0], psutil.cpu_count() > 0)
    print(subprocess.run(["true"], start_new_session=True).returncode)
    """
    assert kernel.run(code).splitlines() == ["student student", "True 1 True", "0"]


@needs_bubblewrap
def test_code_that_is_to_be_compiled_runs_as_it_is(kernel: Kernel) -> None:
    code = """
    import torch
    @torch.compile
    def double(x):
        return 2 * x
    print(double(torch.ones(2)).tolist())
    """
    assert kernel.run(code) == "[2.0, 2.0]"


@needs_bubblewrap
def test_a_notebook_has_one_processor_whatever_it_starts(kernel: Kernel) -> None:
    code = """
    import os, warnings
    warnings.simplefilter("ignore")  # Python 3.12 warns of forks
    print(len(os.sched_getaffinity(0)))
    if os.fork() == 0:
        os.setsid()
        try:
            os.sched_setaffinity(0, range(os.cpu_count()))
        except PermissionError:
            pass
        os._exit(len(os.sched_getaffinity(0)))
    print(os.waitstatus_to_exitcode(os.wait()[1]))
    """
    assert kernel.run(code).split() == ["1", "1"]


@needs_bubblewrap
def test_a_kernel_that_waits_for_its_processor_is_seen_to_wait(kernel: Kernel) -> None:
    where = "import os; print(*os.sched_getaffinity(0))"
    processor = int(kernel.run(where))
    hog = f"import os; os.sched_setaffinity(0, {{{processor}}})\nwhile True: pass"
    others = [subprocess.Popen([sys.executable, "-c", hog]) for _ in range(3)]
    before = kernel.do(kernel.manager.provisioner.waited())
    try:
        kernel.client.execute("while True: pass")
        wait_until(lambda: kernel.do(kernel.manager.provisioner.waited()) >= before + 0.3)
    finally:
        for other in others:
            other.kill()
            other.wait()
    kernel.do(kernel.manager.shutdown_kernel(now=True))
    assert kernel.do(kernel.manager.provisioner.waited()) == 0


@needs_bubblewrap
def test_memory_in_sockets_is_counted(tmp_path: Path) -> None:
    code = """
    import os, socket, time
    for _ in range(8):
        if os.fork() == 0:
            kept = []
            try:
                while True:
                    kept += socket.socketpair()
            except OSError:
                time.sleep(1000)
    time.sleep(1000)
    """
    config = deepcopy(LIMITS)
    config.Sandbox.open_files = 512
    with WarmPool.from_config(config, WITHHELD):
        kernel = Kernel(tmp_path, config=config)
        assert kernel.cause(code) == (-9, "memory")
        kernel.close()


@needs_bubblewrap
def test_a_socket_holds_no_more_than_the_guard_counts(pool: WarmPool, tmp_path: Path) -> None:
    code = """
    import socket
    one, other = socket.socketpair()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**24)
    one.setblocking(False)
    sent = 0
    try:
        while True:
            sent += one.send(bytes(2**12))
    except BlockingIOError:
        print(sent)
    """
    kernel = Kernel(tmp_path)
    assert 0 < int(kernel.run(code)) <= socket_room()
    kernel.close()


@needs_bubblewrap
def test_memory_in_page_tables_is_counted(pool: WarmPool, tmp_path: Path) -> None:
    code = """
    import ctypes
    map = ctypes.CDLL(None).mmap
    map.restype, map.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_size_t]
    start = map(None, 2**42, 1, 0x22 | 0x4000, -1, 0)  # to be read, private, nobody's, unreserved
    for page in range(start, start + 2**42, 2**21):  # the one page of zeros, by a table of its own
        ctypes.c_char.from_address(page).value
    """
    kernel = Kernel(tmp_path)
    assert kernel.cause(code) == (-9, "memory")
    kernel.close()


@needs_bubblewrap
def test_no_memory_is_made_that_no_process_has(pool: WarmPool, tmp_path: Path) -> None:
    """Shared pages that are let go; what is sent and not taken, while its sender is gone."""
    code = """
    import mmap, socket
    zero = open("/dev/zero", "r+b")
    for descriptor in (-1, zero.fileno()):
        try:
            mmap.mmap(descriptor, 4096)
        except OSError as error:
            print(error.errno)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("here")
    listener.listen(4096)
    try:
        for taken in range(9):
            client = socket.socket(socket.AF_UNIX)
            client.setblocking(False)
            client.connect("here")
            client.close()
    except BlockingIOError:
        print("connections", taken)
    taker = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    taker.bind("there")
    try:
        for taken in range(9):
            client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            client.setblocking(False)
            client.sendto(bytes(2**16), "there")
            client.close()
    except BlockingIOError:
        print("messages", taken)
    """
    kernel = Kernel(tmp_path)
    assert kernel.run(code).split() == ["1", "19", "connections", "1", "messages", "1"]
    kernel.close()


@needs_bubblewrap
def test_a_cell_may_close_its_output_or_take_it_away(pool: WarmPool, tmp_path: Path) -> None:
    kernel = Kernel(tmp_path)
    for code in ("sys.stdout.close(); sys.stderr.close()", "sys.stdout = None", "del sys.stderr"):
        kernel.run(f"import sys; {code}")
        assert kernel.run("print(1)") == "1"
    kernel.run("sys.stdout = open('log', 'w'); sys.stdout.close()")
    assert kernel.run("print(2)") == "2"
    kernel.close()


@needs_bubblewrap
def test_memory_of_the_system_is_not_for_notebooks(pool: WarmPool, tmp_path: Path) -> None:
    code = """
    import ctypes
    libc = ctypes.CDLL(None)
    print(libc.semget(0, 32000, 0o1600), libc.msgget(0, 0o1600), libc.shmget(0, 4096, 0o1600))
    """
    kernel = Kernel(tmp_path)
    assert kernel.run(code) == "-1 -1 -1"
    kernel.close()


def test_a_course_among_what_notebooks_see_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_exposed([tmp_path])
    for place in (Path(sys.prefix), Path(sys.prefix) / "course", Path("/usr/lib/course")):
        with pytest.raises(CourseExposed, match="a folder of its own"):
            refuse_exposed([tmp_path, place])
    (tmp_path / "shared_course").mkdir()
    (tmp_path / "shared_course" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    refuse_exposed([tmp_path], ["shared_course"])  # a package of the course's is offered
    with pytest.raises(CourseExposed, match="the package shared_course"):  # not the course itself
        refuse_exposed([tmp_path / "shared_course" / "checks"], ["shared_course"])
    link = tmp_path / "link"
    link.symlink_to(sys.prefix)
    with pytest.raises(CourseExposed):
        refuse_exposed([link / "gradebook.db"])

"""The process inside the sandbox from which kernels are forked.

bubblewrap starts this file and is the wall around all of it: no network, and no files but Python's.
The process imports what notebooks need, once. For each kernel it then forks a guard. The guard
unshares its user, mount, process, IPC, UTS and network namespaces, hides every place that another
kernel could write or read, and forks once more: that child, process 1 of its namespace, gives up
its rights and becomes the kernel. The guard is not in that process namespace. It watches the
kernel's memory, and kills all of its processes when the grader says so or goes away.

    grader → guard    the name of the kernel's folder; then any of "waited", "interrupt" and
                      "kill"; closing the connection also kills
    guard → grader    {"ready": true}; {"waited": seconds} for each "waited"; at the end
                      {"exit": status, "cause": ..., "memory": peak bytes of the largest process};
                      or, after a failure, {"error": text}
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import re
import resource
import select
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from autograder.sandbox.syscalls import PR_SET_PDEATHSIG, call, surrender
from autograder.sandbox.world import (
    KERNEL,
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_RDONLY,
    MS_REMOUNT,
    PROCESSES,
    SCRATCH,
    make_world,
    mount,
    show_process,
)

WATCH_SECONDS = 0.1  # between two checks of a kernel's memory
PIPE = 64 * 1024  # bytes that a pipe may hold


def main() -> None:
    """Imports the modules to preload, then forks a guard for every connection."""
    options = json.loads(sys.argv[1])
    for descriptor in set(range(3, 64)) - {options["listener"]}:
        try:
            os.close(descriptor)
        except OSError:
            continue
    listener = socket.socket(fileno=options["listener"])
    sys.modules["debugpy"] = None  # unused, and ipykernel would import it for every kernel
    gc.disable()  # imports leave no garbage, and searching for it is slow
    for name in options["preload"]:
        importlib.import_module(name)
    if torch := sys.modules.get("torch"):
        torch.compile = as_it_is
    gc.freeze()  # so that collections in the children do not touch, and copy, these pages
    gc.enable()
    options["limits"]["loaded"] = loaded()
    with suppress(OSError):
        mount("proc", PROCESSES, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    processors = sorted(os.sched_getaffinity(0))
    busy: dict[int, int] = {}  # the running guards, and the processor of each
    while True:
        connection, _ = listener.accept()
        busy = {pid: processor for pid, processor in busy.items() if is_running(pid)}
        processor = min(processors, key=list(busy.values()).count)
        pid = os.fork()
        busy[pid] = processor
        if pid == 0:
            listener.close()
            # A notebook has one processor, however many processes and sessions it makes.
            os.sched_setaffinity(0, {processor})
            try:
                guard(connection, options)
            except BaseException as error:
                connection.send(json.dumps({"error": f"{type(error).__name__}: {error}"}).encode())
            os._exit(0)
        connection.close()


def loaded() -> int:
    """Bytes of data that this process has; a GPU build of PyTorch by itself has 800 MB."""
    return int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()


def as_it_is(model: object = None, **options: object) -> object:
    """Replaces `torch.compile`, which needs a compiler, space and minutes; changes no model."""
    return (lambda given: given) if model is None else model


def is_running(pid: int) -> bool:
    """Whether a process is still there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def guard(connection: socket.socket, options: dict) -> None:
    """Makes a world, starts a kernel in it, and reports how the kernel ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL)
    name = connection.recv(64).decode("ascii")
    if not re.fullmatch(r"[0-9a-f]{16}", name):
        raise ValueError("a kernel's folder has a name of 16 hexadecimal digits")
    processes = os.open("/proc", os.O_PATH | os.O_DIRECTORY)
    may_listen = make_world(name, options)
    ready, say_ready = os.pipe()
    go, say_go = os.pipe()
    pid = os.fork()
    if pid == 0:
        for descriptor in (connection.detach(), processes, ready, say_go):
            os.close(descriptor)
        become_kernel(options["limits"], say_ready, go, may_listen)
    os.close(say_ready)
    os.close(go)
    message = os.read(ready, 4096).decode()
    if message != "ready":
        raise RuntimeError(message or "the kernel ended before it was ready")
    show_process(pid, processes)
    # The kernel has made its sockets; from now on it cannot change its folder, which is on the
    # grader's disk.
    flags = MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV
    mount("none", KERNEL, None, flags)
    os.write(say_go, b"\0")
    connection.send(b'{"ready": true}')
    ended = watch(connection, pid, processes, options["limits"])
    connection.send(json.dumps(ended).encode())


def watch(connection: socket.socket, pid: int, processes: int, limits: dict) -> dict:
    """Waits for a kernel's end; kills it if the grader says so or it uses too much memory."""
    alive, cause = os.pidfd_open(pid), None
    look, urgent = time.monotonic(), [alive, connection]
    while True:
        events, _, _ = select.select(urgent, [], [], WATCH_SECONDS)
        if connection in events:
            asked = connection.recv(64)
            if asked == b"interrupt":
                os.kill(pid, signal.SIGINT)
            elif asked == b"waited":
                connection.send(json.dumps({"waited": waited(pid, processes)}).encode())
            else:  # "kill", or the grader is gone
                cause = cause or "killed"
                urgent = [alive]
                os.kill(pid, signal.SIGKILL)
        if alive in events:
            break
        if time.monotonic() - look > WATCH_SECONDS:
            if too_large(pid, processes, limits, urgent):
                cause = cause or "memory"
                os.kill(pid, signal.SIGKILL)
            look = time.monotonic()
    _, status, used = os.wait4(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    seconds = used.ru_utime + used.ru_stime
    if cause is None and code == -signal.SIGKILL:
        # Nothing inside can kill process 1, so the system did: for its processor time, or for lack
        # of memory.
        cause = "time" if seconds >= limits["cpu_seconds"] else "memory"
    return {"exit": code, "cause": cause, "memory": 1024 * used.ru_maxrss}


def waited(pid: int, processes: int) -> float:
    """Seconds that a process was ready to run but had no processor, as Linux counts them.

    Args:
        pid: The process; only its first thread counts, in which cells run.
        processes: Descriptor of a /proc that shows the process.
    """
    counted = read(processes, f"{pid}/schedstat").split()  # ns run, ns waited, turns
    return int(counted[1]) / 1e9 if counted else 0.0


def read(processes: int, path: str) -> str:
    """The text of a file below a descriptor of /proc; "" if it cannot be read."""
    try:
        with open(os.open(path, os.O_RDONLY, dir_fd=processes)) as stream:
            return stream.read()
    except OSError:
        return ""


def too_large(pid: int, processes: int, limits: dict, urgent: list) -> bool:
    """Whether a process and its descendants use more memory than they may.

    Args:
        pid: The process.
        processes: Descriptor of a /proc that shows the process.
        limits: "memory", the bytes that they may use together, where a page that several processes
            share is divided among them; and "socket", the bytes that a socket may hold.
        urgent: Descriptors that matter more; once one can be read, this stops with False.
    """
    memory, socket = limits["memory"], limits["socket"]

    def names(path: str) -> list[str]:
        try:
            folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY, dir_fd=processes)
        except OSError:
            return []
        found = os.listdir(folder)
        os.close(folder)
        return found

    def held(members: Iterable[int]) -> int:
        """Bytes that pipes and sockets may hold; a shared one counts once."""
        kinds = {}
        for member in members:
            for name in names(f"{member}/fd"):
                try:
                    target = os.readlink(f"{member}/fd/{name}", dir_fd=processes)
                except OSError:
                    continue
                if target.startswith(("socket:", "pipe:")):
                    kinds[target] = socket if target.startswith("socket:") else PIPE
        return sum(kinds.values())

    def kilobytes(name: str, text: str) -> int:
        found = re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)
        return int(found[1]) if found else 0

    sizes, waiting, descriptors, tables = {}, [pid], 0, 0
    while waiting:
        member = waiting.pop()
        status = read(processes, f"{member}/status")
        sizes[member] = 1024 * kilobytes("VmRSS", status)
        # Page tables take memory even if all pages are the one zero page.
        tables += 1024 * kilobytes("VmPTE", status)
        descriptors += len(names(f"{member}/fd"))
        for task in names(f"{member}/task"):
            waiting += map(int, read(processes, f"{member}/task/{task}/children").split())
    if sum(sizes.values()) + tables + descriptors * socket <= memory:
        return False
    # This sum counts shared pages for each process. Dividing them is slow, so it is done process by
    # process, and stops early.
    left = memory - tables - held(sizes)
    for member in sorted(sizes, key=sizes.get, reverse=True):
        if any(select.select(urgent, [], [], 0)):
            return False
        left -= 1024 * kilobytes("Pss", read(processes, f"{member}/smaps_rollup"))
        if left < 0:
            return True
    return False


def become_kernel(limits: dict, say_ready: int, go: int, may_listen: bool) -> None:
    """Gives up every right and becomes an ipykernel, which runs once the guard writes to `go`."""
    try:
        call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL)
        with suppress(OSError):  # then the kernel has the /proc that the guard has made
            mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
        os.setsid()  # all processes of a session share its part of the processors
        nowhere = os.open("/dev/null", os.O_RDWR)
        for descriptor in range(3):
            os.dup2(nowhere, descriptor)
        os.close(nowhere)
        bound(limits)
        surrender(may_listen)
        work = Path(SCRATCH, "work")
        shutil.copytree(Path(KERNEL, "work"), work, symlinks=True)
        os.chdir(work)
        os.environ.update(HOME=SCRATCH, TMPDIR=SCRATCH, IPYTHONDIR=f"{SCRATCH}/.ipython")
        from ipykernel.iostream import OutStream
        from ipykernel.kernelapp import IPKernelApp

        shorten(OutStream, limits["message"] // 16)
        OutStream.close = lambda stream: None
        keep_all(IPKernelApp)
        app = IPKernelApp.instance()
        app.initialize(["-f", f"{KERNEL}/connection.json", "--HistoryManager.hist_file=:memory:"])
        app.shell.ask_exit = lambda: None  # an exit() left in a cell must not cost later tasks
        app.shell.events.register("post_run_cell", streams_back(sys.stdout, sys.stderr))
    except BaseException as error:
        os.write(say_ready, f"{type(error).__name__}: {error}".encode()[:4000])
        os._exit(1)
    os.write(say_ready, b"ready")
    os.read(go, 1)
    os.close(say_ready)
    os.close(go)
    app.start()
    os._exit(0)


def keep_all(app: type) -> None:
    """Makes a kernel wait when it sends faster than the grader reads.

    ZeroMQ would drop messages beyond a thousand unread ones, even the one that says a cell ended.
    """
    import zmq

    whole = app.init_iopub

    def init_iopub(self, context):
        context.setsockopt(zmq.XPUB_NODROP, 1)
        whole(self, context)

    app.init_iopub = init_iopub


def shorten(stream: type, most: int) -> None:
    """Makes a kernel's output streams cut what is printed at once after `most` characters.

    This helps honest code that prints too much, because the grader cuts off a kernel whose message
    is too large. Code that undoes it harms only itself.
    """
    whole = stream._flush_buffers

    def flush_buffers(self):
        for parent, text in whole(self):
            cut = len(text) - most
            yield parent, text if cut <= 0 else f"{text[:most]}\n[{cut} more characters]\n"

    stream._flush_buffers = flush_buffers


def streams_back(stdout: object, stderr: object) -> Callable[..., None]:
    """A callback that restores these streams after a cell that closed or removed them.

    ipykernel flushes both before it says that a cell has ended; if that failed, it never would.
    """

    def put_back(*_: object) -> None:
        for name, stream in (("stdout", stdout), ("stderr", stderr)):
            try:
                getattr(sys, name).flush()
            except Exception:
                setattr(sys, name, stream)

    return put_back


def bound(limits: dict) -> None:
    """Sets the limits that the system enforces, for this process and all that it starts."""
    for kind, value in {
        resource.RLIMIT_DATA: limits["loaded"] + limits["memory"],
        resource.RLIMIT_NPROC: limits["processes"],
        resource.RLIMIT_NOFILE: limits["open_files"],
        resource.RLIMIT_FSIZE: limits["scratch"],
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_CORE: 0,
    }.items():
        resource.setrlimit(kind, (value, value))
    used = int(time.process_time()) + 1
    seconds = used + limits["cpu_seconds"]
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))


if __name__ == "__main__":
    main()

"""A kernel's own world: its namespaces, and the files that it sees.

Its functions run only inside the sandbox, for `warm`; code outside imports its paths.
"""

from __future__ import annotations

import ctypes
import os
import signal
from contextlib import suppress
from pathlib import Path

from autograder.sandbox.syscalls import NAMESPACES, PR_SET_DUMPABLE, PR_SET_PDEATHSIG, call

KERNELS = "/run/kernels"  # the folders of all kernels; no kernel sees it
KERNEL = "/run/kernel"  # this kernel's own: connection.json, its sockets, work/
PROCESSES = "/run/processes"  # an uncovered /proc; only if it exists can a kernel mount its own
SCRATCH = "/tmp"
SHOWN = ("meminfo", "cpuinfo", "stat", "uptime", "loadavg", "version", "vmstat")  # of /proc

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32  # sys/mount.h
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18


def mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    """Calls the system's mount."""
    texts = [text.encode() if text else None for text in (source, target, kind)]
    try:
        call("mount", *texts, ctypes.c_ulong(flags), data.encode() or None)
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror} ({kind or source} at {target})") from None


def make_world(name: str, options: dict) -> bool:
    """Moves this process, and all that it will start, to new namespaces.

    Returns:
        Whether the connections that wait at a listening socket are bounded; see `bound_queue`.
    """
    limits = options["limits"]
    if options["user"] is not None:  # set if the grader is root, which its notebooks must not be
        os.setgroups([])
        os.setresgid(*[options["user"]] * 3)
        os.setresuid(*[options["user"]] * 3)
        call("prctl", PR_SET_DUMPABLE, 1)
        call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL)
    user, group = os.getuid(), os.getgid()
    call("unshare", NAMESPACES)
    for file, text in (
        ("setgroups", "deny"),
        ("uid_map", f"1000 {user} 1"),
        ("gid_map", f"1000 {group} 1"),
    ):
        Path("/proc/self", file).write_text(text)
    Path("/proc/self/oom_score_adj").write_text("1000")  # first killed when memory is short

    bounded = bound_queue()
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    mount("/dev/full", "/dev/zero", None, MS_BIND)  # zeros too, but no memory to map
    mount(f"{KERNELS}/{name}", KERNEL, None, MS_BIND)
    safe = MS_NOSUID | MS_NODEV
    python = {folder: os.open(folder, os.O_PATH) for folder in options["python_in_scratch"]}
    for folder in (SCRATCH, "/dev/shm"):
        bounds = f"size={limits['scratch']},nr_inodes={limits['files']},mode=0700"
        mount("tmpfs", folder, "tmpfs", safe, bounds)
    for folder, descriptor in python.items():  # SCRATCH covered it; show it again
        os.makedirs(folder)
        mount(f"/proc/self/fd/{descriptor}", folder, None, MS_BIND)
        os.close(descriptor)
    mount("tmpfs", KERNELS, "tmpfs", safe | MS_NOEXEC | MS_RDONLY, "size=4k,nr_inodes=1")
    mount("tmpfs", PROCESSES, "tmpfs", safe | MS_NOEXEC | MS_RDONLY, "size=4k,nr_inodes=1")
    hide_processes(safe | MS_NOEXEC)
    mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666")
    return bounded


def bound_queue() -> bool:
    """Bounds what waits at a socket, to one connection and one message; tells whether it could.

    What waits there counts in no process's memory.
    """
    for place in ("/proc", PROCESSES):
        with suppress(OSError):
            Path(place, "sys/net/unix/max_dgram_qlen").write_text("0")
            Path(place, "sys/net/core/somaxconn").write_text("0")
            return True
    return False


def hide_processes(safe: int) -> None:
    """Replaces /proc by one with files about the machine and no processes.

    A kernel sees this one where the system does not let it mount a /proc of its own.
    """
    whole = os.open("/proc", os.O_PATH | os.O_DIRECTORY)
    mount("tmpfs", "/proc", "tmpfs", safe, "size=64k,nr_inodes=64,mode=0755")
    os.fchdir(whole)
    for name in SHOWN:
        try:
            Path("/proc", name).touch()
            mount(name, f"/proc/{name}", None, MS_BIND)
        except OSError:  # not every system has all of these files
            continue
    Path("/proc/1").mkdir()
    os.chdir("/")
    os.close(whole)
    mount("none", "/proc", None, MS_BIND | MS_REMOUNT | MS_RDONLY | safe)


def show_process(pid: int, processes: int) -> None:
    """Shows a kernel its own entry of /proc, as /proc/1, so that it can read its memory, say."""
    os.fchdir(processes)
    with suppress(OSError):  # then a notebook has no /proc/1
        mount(str(pid), "/proc/1", None, MS_BIND)
    os.chdir("/")

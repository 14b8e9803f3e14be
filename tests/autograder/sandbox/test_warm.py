"""The filter of system calls, instruction by instruction, and what guards believe."""

import errno
import re
import socket
import threading
from pathlib import Path

import pytest

from autograder.sandbox.syscalls import (
    CLONE,
    CLONE_CALLS,
    DENIED,
    LISTEN,
    MACHINES,
    MMAP,
    SETSOCKOPT,
    filter_program,
)
from autograder.sandbox.warm import guard

ALLOW, KILL, LEFT_OUT = 0x7FFF0000, 0x80000000, 0x50000
NOT_PERMITTED, NOT_KNOWN = 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


def answer(
    machine: str,
    number: int,
    *given: int,
    architecture: int | None = None,
    may_listen: bool = True,
) -> int:
    """Runs the filter as the system would, on one call."""
    data = {0: number, 4: architecture or MACHINES[machine][1]}
    data |= dict(zip((16, 24, 32, 40), (*given, 0, 0, 0, 0), strict=False))
    program, line, accumulator = filter_program(machine, may_listen), 0, 0
    tests = {
        0x15: lambda value: accumulator == value,
        0x35: lambda value: accumulator >= value,
        0x45: lambda value: bool(accumulator & value),
    }
    while True:
        code, yes, no, value = program[line]
        line += 1
        if code == 0x20:
            accumulator = data[value]
        elif code == 0x06:
            return value
        else:
            line += yes if tests[code](value) else no


@pytest.mark.parametrize("machine", MACHINES)
def test_filter_denies_its_list_and_nothing_else(machine: str) -> None:
    column = MACHINES[machine][0]
    denied = {numbers[column] for numbers in DENIED.values()}
    clone, clone3 = (CLONE_CALLS[name][column] for name in ("clone", "clone3"))
    for number in range(600):
        expected = NOT_PERMITTED if number in denied else NOT_KNOWN if number == clone3 else ALLOW
        assert answer(machine, number) == expected
    assert answer(machine, 0x40000000) == NOT_PERMITTED
    assert answer(machine, 1, architecture=0x40000003) == KILL
    thread = 0x3D0F00  # what the C library asks for when it starts a thread
    assert answer(machine, clone, thread) == answer(machine, clone, 17) == ALLOW
    for flag in CLONE.values():
        assert answer(machine, clone, flag | 17) == NOT_PERMITTED
    setsockopt = SETSOCKOPT[column]
    for level, option in ((1, 7), (1, 8)):
        assert answer(machine, setsockopt, 5, level, option) == LEFT_OUT
    assert answer(machine, LISTEN[column]) == ALLOW
    assert answer(machine, LISTEN[column], may_listen=False) == NOT_PERMITTED
    for shared, anonymous, ours in ((1, 0x20, NOT_PERMITTED), (2, 0x20, ALLOW), (1, 0, ALLOW)):
        assert answer(machine, MMAP[column], 0, 4096, 3, shared | anonymous) == ours
    for level, option in ((1, 2), (1, 9), (0, 7), (6, 8), (1, 0)):
        assert answer(machine, setsockopt, 5, level, option) == ALLOW


@pytest.mark.parametrize("machine", MACHINES)
def test_numbers_are_those_of_the_systems_headers(machine: str) -> None:
    if not HEADERS[machine].is_file():
        pytest.skip(f"needs {HEADERS[machine]}: sudo apt-get install linux-libc-dev")
    text = HEADERS[machine].read_text()
    found = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", text))
    known = {name: int(number) for name, number in found.items()}
    others = {"setsockopt": SETSOCKOPT, "listen": LISTEN, "mmap": MMAP}
    for name, numbers in {**DENIED, **CLONE_CALLS, **others}.items():
        if name in known:  # older headers lack the newest calls
            assert numbers[MACHINES[machine][0]] == known[name], name
    assert len(known.keys() & DENIED.keys()) > len(DENIED) - 3


@pytest.mark.parametrize("name", ["../0123456789ab", "0123456789abcde/", "", "a" * 60])
def test_guards_take_names_of_folders_and_nothing_else(name: str) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    failures = []

    def run() -> None:
        try:
            guard(theirs, {})
        except ValueError as error:
            failures.append(str(error))

    with ours, theirs, pytest.MonkeyPatch.context() as patch:
        patch.setattr("autograder.sandbox.warm.call", lambda *args: 0)
        patch.setattr("autograder.sandbox.warm.signal.signal", lambda *args: None)
        thread = threading.Thread(target=run)
        thread.start()
        ours.send(name.encode()) if name else ours.shutdown(socket.SHUT_WR)
        thread.join()
    assert failures == ["a kernel's folder has a name of 16 hexadecimal digits"]

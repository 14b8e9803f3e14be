"""The system calls that notebooks are denied, and how a process gives them up for good.

`world` and `warm` use it, which run inside the sandbox.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

libc = ctypes.CDLL(None, use_errno=True)

CLONE = {  # linux/sched.h
    "mount": 0x00020000,
    "uts": 0x04000000,
    "ipc": 0x08000000,
    "user": 0x10000000,
    "process": 0x20000000,
    "network": 0x40000000,
}
NAMESPACES = sum(CLONE.values())
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP = 1, 4, 22, 24  # sys/prctl.h
PR_SET_NO_NEW_PRIVS = 38

# System calls that a notebook never needs and that reach past the walls: to other processes, to
# other namespaces, to the kernel itself, or to memory that no limit counts.
# Numbers: asm/unistd_64.h (x86_64) and asm-generic/unistd.h (aarch64).
DENIED = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "mount_setattr": (442, 442),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "kexec_load": (246, 104),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "personality": (135, 92),
    "syslog": (103, 116),
    "sched_setaffinity": (203, 122),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "vmsplice": (278, 75),  # a pipe would keep pages that count in no process
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "landlock_create_ruleset": (444, 444),
}
LISTEN = (50, 201)
MMAP, MAP_SHARED, MAP_ANONYMOUS = (9, 222), 0x01, 0x20  # asm-generic/mman.h
SETSOCKOPT = (54, 208)
SOL_SOCKET, SO_SNDBUF, SO_RCVBUF = 1, 7, 8  # asm-generic/socket.h
CLONE_CALLS = {"clone": (56, 220), "clone3": (435, 435)}
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column, linux/audit.h


def call(name: str, *arguments: object) -> int:
    """Calls a function of the C library.

    Raises:
        OSError: When it fails.
    """
    result = getattr(libc, name)(*arguments)
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def surrender(may_listen: bool) -> None:
    """Gives up all capabilities and dangerous system calls, for good.

    Args:
        may_listen: Whether sockets may listen; False if the connections that wait there are not
            bounded, because they count in no process's memory.

    Raises:
        RuntimeError: On a machine whose system calls are not in the table.
    """
    for capability in range(64):
        try:
            call("prctl", PR_CAPBSET_DROP, capability, 0, 0, 0)
        except OSError as error:
            if error.errno != errno.EINVAL:  # the last capability was the one before
                raise
            break
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3, this process; linux/capability.h
    nothing = (ctypes.c_uint32 * 6)()
    call("capset", ctypes.byref(header), ctypes.byref(nothing))
    call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)

    if platform.machine() not in MACHINES:
        raise RuntimeError(
            f"No table of system calls for {platform.machine()}; there are {', '.join(MACHINES)}."
        )
    program = b"".join(
        struct.pack("=HBBI", *instruction)
        for instruction in filter_program(platform.machine(), may_listen)
    )
    lines = ctypes.create_string_buffer(program, len(program))
    address = ctypes.addressof(lines)
    header = ctypes.create_string_buffer(struct.pack("@HP", len(program) // 8, address))
    call("prctl", PR_SET_SECCOMP, 2, header, 0, 0)


def filter_program(machine: str, may_listen: bool) -> list[tuple[int, int, int, int]]:
    """The seccomp filter; an instruction is (code, jump if true, jump if false, constant)."""
    column, architecture = MACHINES[machine]
    load, equal, at_least, any_bit, back = 0x20, 0x15, 0x35, 0x45, 0x06  # linux/bpf_common.h
    allow, kill = 0x7FFF0000, 0x80000000  # linux/seccomp.h
    done = 0x00050000  # the call is skipped and reports success
    not_permitted, not_known = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
    # offsets in struct seccomp_data
    number, flags, level, option, how = 0, 16, 24, 32, 40
    program = [
        (load, 0, 0, 4),
        (equal, 1, 0, architecture),
        (back, 0, 0, kill),
        (load, 0, 0, number),
        (at_least, 0, 1, 0x40000000),  # x32, the same calls by other numbers
        (back, 0, 0, not_permitted),
    ]
    for denied in (*DENIED.values(), *(() if may_listen else (LISTEN,))):
        program += [(equal, 0, 1, denied[column]), (back, 0, 0, not_permitted)]
    # Shared anonymous memory stays when a process drops its pages, and then counts in no process.
    program += [
        (equal, 0, 5, MMAP[column]),
        (load, 0, 0, how),
        (any_bit, 0, 2, MAP_ANONYMOUS),
        (any_bit, 0, 1, MAP_SHARED),
        (back, 0, 0, not_permitted),
        (back, 0, 0, allow),
    ]
    # A socket's buffers keep their initial size, because the guard relies on it.
    program += [
        (equal, 0, 7, SETSOCKOPT[column]),
        (load, 0, 0, level),
        (equal, 0, 4, SOL_SOCKET),
        (load, 0, 0, option),
        (equal, 1, 0, SO_SNDBUF),
        (equal, 0, 1, SO_RCVBUF),
        (back, 0, 0, done),
        (back, 0, 0, allow),
    ]
    # clone3 hides its flags from filters; if the call seems unknown, the C library uses clone.
    program += [(equal, 0, 1, CLONE_CALLS["clone3"][column]), (back, 0, 0, not_known)]
    program += [
        (equal, 0, 3, CLONE_CALLS["clone"][column]),
        (load, 0, 0, flags),
        (any_bit, 0, 1, NAMESPACES | 0x02000000),  # and CLONE_NEWCGROUP
        (back, 0, 0, not_permitted),
        (back, 0, 0, allow),
    ]
    return program

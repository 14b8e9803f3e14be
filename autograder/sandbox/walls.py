"""The sandbox's walls: bubblewrap's command line, and the code that is copied inside."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from autograder.sandbox.world import KERNEL, KERNELS, PROCESSES, SCRATCH

CODE = "/run/code"  # path inside; the packages of ours that a notebook may import
SYSTEM = ("/usr/bin", "/usr/lib", "/usr/lib32", "/usr/lib64", "/bin", "/lib", "/lib64")
PYTHON = (sys.base_prefix, sys.prefix, sys.base_exec_prefix, sys.exec_prefix)
DETAILS = ("/etc/alternatives", "/etc/ld.so.cache", "/etc/localtime", "/usr/share/zoneinfo")
ACCOUNTS = {  # files of /etc
    "passwd": f"root:x:0:0::/:/bin/sh\nstudent:x:1000:1000:Student:{SCRATCH}:/bin/sh\n",
    "group": "root:x:0:\nstudent:x:1000:\n",
}
INSIDE = ("warm.py", "world.py", "syscalls.py")  # of this folder; importing no more of ours
NOBODY = 65534  # the user that notebooks run as when the grader is root


def stage(target: Path, packages: Sequence[str], withheld: Sequence[str]) -> list[Path]:
    """Copies our code and the instructor's that notebooks may import, without withheld modules.

    A package from which a module is withheld also gets an empty `__init__`, because the original
    may import that module; notebooks import the other modules by their own names.

    Args:
        target: The folder to make.
        packages: Names of packages to copy.
        withheld: Names of modules and packages to leave out.

    Returns:
        The original folders and files of what was copied, which notebooks must not see.
    """
    own = Path(__file__).parents[1]
    ours = target / own.name
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(own / "kernel", ours / "kernel", ignore=ignore)
    (ours / "sandbox").mkdir()
    for folder in (ours, ours / "sandbox"):
        (folder / "__init__.py").touch()
    for name in INSIDE:
        shutil.copy(own / "sandbox" / name, ours / "sandbox")
    (ours / "check.py").write_text("from autograder.kernel.asking import check\n")
    places = [own]
    for name in sorted({*packages, *(module.partition(".")[0] for module in withheld)}):
        place = place_of(name)
        if place.is_dir():
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


def place_of(package: str) -> Path:
    """The folder of a package, or the file of a module that is not in a package.

    Raises:
        ValueError: When there is none of that name.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ValueError(f"There is no package {package!r} to offer or to withhold.")
    return Path(spec.origin).parent if spec.submodule_search_locations else Path(spec.origin)


def write_accounts(folder: Path) -> None:
    """Writes the sandbox's passwd and group, for code that asks for its user's name."""
    for name, text in ACCOUNTS.items():
        (folder / name).write_text(text, encoding="ascii")
        (folder / name).chmod(0o644)  # whatever the umask is


class CourseExposed(RuntimeError):
    """The course lies in a folder that notebooks would see, so no student's code is run."""


def refuse_exposed(places: Sequence[Path], packages: Sequence[str] = ()) -> None:
    """Makes sure that nothing of a course lies in a folder that notebooks can read.

    Args:
        places: The course's folders and files.
        packages: Names of packages that are copied inside.

    Raises:
        CourseExposed: When one does.
    """
    folders = dict.fromkeys({*SYSTEM, *PYTHON, *DETAILS} - {"/usr"}, "where Python is, ")
    folders |= {str(place_of(name)): f"the package {name}, " for name in packages}
    for shown, what in sorted(folders.items()):
        for place in places:
            if place.resolve().is_relative_to(Path(shown).resolve()):
                raise CourseExposed(
                    f"Notebooks can read all of {shown}, {what}and {place} lies in it. "
                    "Make the virtual environment a folder of its own, such as .venv, or move the "
                    "course."
                )


def user_namespace() -> int:
    """Makes a user namespace with root as user 0 and nobody as user 1, for a grader that is root.

    Linux does not limit the number of root's processes, so notebooks need another user. Besides,
    students' code should not run as the machine's root.

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
    """bubblewrap's command line up to the program; it names all that the sandbox contains."""
    command = [program, "--die-with-parent", "--unshare-ipc", "--unshare-pid", "--unshare-net"]
    command += ["--unshare-uts", "--unshare-cgroup-try", "--clearenv"]
    if namespace:
        command += ["--userns", str(*namespace), "--cap-add", "CAP_SETUID"]
        command += ["--cap-add", "CAP_SETGID", "--cap-add", "CAP_SYS_ADMIN"]
    else:
        command += ["--unshare-user"]
    command += ["--tmpfs", SCRATCH]  # first, because Python's folder may lie in it
    folders = sorted({*SYSTEM, *PYTHON} - {"/usr"})
    # Parent folders that bubblewrap makes by itself may be readable by root alone.
    for parent in sorted(
        {str(p) for folder in (*folders, KERNEL, "/etc/x") for p in Path(folder).parents}
    ):
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
    for name in ACCOUNTS:
        command += ["--ro-bind", str(code.parent / name), f"/etc/{name}"]
    command += ["--ro-bind", str(code), CODE, "--bind", str(kernels), KERNELS]
    command += ["--perms", "0755", "--dir", KERNEL, "--dir", PROCESSES]
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
        "PIP_RETRIES": "0",  # retries would wait for a network and use up the cell's time
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "TORCHDYNAMO_DISABLE": "1",  # code runs as is: torch.compile needs a compiler and space
    }
    for name, value in environment.items():
        command += ["--setenv", name, value]
    return [*command, "--"]

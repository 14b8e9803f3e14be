"""The container's list of accounts, with stand-ins for the programs that only root may run."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deploy.room import ROOT

PROGRAMS = {
    "chpasswd": "cat >> {work}/passwords",
    "id": "echo 1000",  # everyone is there
    **dict.fromkeys(("chmod", "getent", "usermod"), ":"),
}


@pytest.fixture
def start(tmp_path: Path) -> Callable:
    """Starts a container with a list of accounts; returns its end and the passwords set."""
    here = tmp_path / "deploy" / "jupyterhub"
    programs = {tmp_path / "bin" / name: text for name, text in PROGRAMS.items()}
    programs |= {here / "setup": ":", tmp_path / ".venv" / "bin" / "jupyterhub": "echo RUNS"}
    for path, text in programs.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text.format(work=tmp_path)}\n")
        path.chmod(0o755)
    shutil.copy(ROOT / "deploy" / "jupyterhub" / "start", here)
    (tmp_path / "root" / "hub").mkdir(parents=True)
    (tmp_path / "passwords").touch()

    def start(accounts: str) -> tuple[subprocess.CompletedProcess, str]:
        (tmp_path / "root" / "accounts").write_bytes(accounts.encode())
        environment = {
            "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
            "KDLAB_ROOT": str(tmp_path / "root"),
        }
        done = subprocess.run(
            ["bash", here / "start"], env=os.environ | environment, capture_output=True, text=True
        )
        return done, (tmp_path / "passwords").read_bytes().decode()

    return start


@pytest.mark.parametrize(
    "accounts",
    ["instructor:$6$a\nada:$6$b\n", "instructor:$6$a\nada:$6$b", "instructor:$6$a\r\nada:$6$b\r\n"],
    ids=["plain", "without-a-last-newline", "of-windows"],
)
def test_everyone_in_the_list_has_the_password_of_the_list(start: Callable, accounts: str) -> None:
    done, passwords = start(accounts)
    assert done.stdout == "RUNS\n", done.stderr
    assert passwords == "instructor:$6$a\nada:$6$b\n"


@pytest.mark.parametrize("line", ["ada", "ada:", "ada:\r"])
def test_nobody_gets_an_empty_password(start: Callable, line: str) -> None:
    done, passwords = start(f"instructor:$6$a\n{line}\n")
    assert done.returncode == 1
    assert "'ada' has no hash" in done.stderr
    assert "openssl passwd -6" in done.stderr
    assert passwords == "instructor:$6$a\n"

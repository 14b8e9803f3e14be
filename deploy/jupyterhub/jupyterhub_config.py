"""A class on one machine: each student an account of the system, one account for the instructor.

    sudo deploy/jupyterhub/setup           once; it prints what it made
    jupyterhub -f deploy/jupyterhub/jupyterhub_config.py

What differs from one place to another are these variables, with what they are without:

    KDLAB_ROOT=/srv/kdlab           the course, the exchange and the hub's own state
    KDLAB_INSTRUCTOR=instructor     the account that owns the course
    KDLAB_STUDENTS=kdlab-students   the system's group of those who may log in beside
    KDLAB_BOOK=http://...           for setup alone: where students read the book
"""

import os
import sys
from pathlib import Path

c = get_config()  # noqa: F821  (JupyterHub defines it)

ROOT = Path(os.environ.get("KDLAB_ROOT", "/srv/kdlab"))
INSTRUCTOR = os.environ.get("KDLAB_INSTRUCTOR", "instructor")
BIN = Path(sys.executable).parent

c.JupyterHub.bind_url = "http://:8000"
c.JupyterHub.cookie_secret_file = str(ROOT / "hub" / "cookie_secret")
c.JupyterHub.db_url = f"sqlite:///{ROOT / 'hub' / 'jupyterhub.sqlite'}"
c.ConfigurableHTTPProxy.pid_file = str(ROOT / "hub" / "proxy.pid")
c.JupyterHub.cleanup_servers = True

# Who has an account of this machine and is in the group, and the instructor; nobody signs up.
c.JupyterHub.authenticator_class = "pam"
c.PAMAuthenticator.allowed_groups = {os.environ.get("KDLAB_STUDENTS", "kdlab-students")}
c.PAMAuthenticator.allowed_users = {INSTRUCTOR}

# Each server runs as its user, and shows that user's home; the instructor's shows the course.
c.JupyterHub.spawner_class = "jupyterhub.spawner.LocalProcessSpawner"
c.Spawner.cmd = [str(BIN / "jupyterhub-singleuser")]
c.Spawner.default_url = "/lab"
# A login shell, which a terminal is without this, sets PATH anew and does not find nbgrader.
c.Spawner.args = ["--ServerApp.terminado_settings={'shell_command': ['bash']}"]
c.Spawner.environment = {"PATH": f"{BIN}:/usr/local/bin:/usr/bin:/bin"}
c.Spawner.start_timeout = 120
c.Spawner.http_timeout = 120


def configure(spawner):
    """Gives instructor and students the configuration that is theirs."""
    is_instructor = spawner.user.name == INSTRUCTOR
    folder = ROOT / ("instructor" if is_instructor else "students")
    spawner.environment["JUPYTER_CONFIG_PATH"] = str(folder)
    if is_instructor:
        spawner.notebook_dir = str(ROOT / "course")
        spawner.environment["KDLAB_EXCHANGE"] = str(ROOT / "exchange")


c.Spawner.pre_spawn_hook = configure

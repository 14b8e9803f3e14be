"""A real hub in a room of its own: one instructor and two students, in a browser, for one round.

`make hub` runs it. Accounts, homes and /srv are made in a mount namespace and are gone afterwards.
"""

import csv
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from exercises.bank import ANSWER, entries, grade_id, solution, source

ROOT = Path(__file__).parents[2]
SET = "ps1_divergences"
TASK = "softmax_with_temperature"
PASSWORD = "only for this room"
MINUTES = 60_000  # milliseconds; a bound for a busy machine, never a wait
IS_ROOT = os.geteuid() == 0
SUDO = [] if IS_ROOT else ["sudo", "-n"]

pytestmark = pytest.mark.hub


def needs() -> dict[str, bool]:
    """What the room needs, by the line that installs it."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    may = IS_ROOT or subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode == 0
    return {
        "a Linux system": sys.platform == "linux",
        ".venv/bin/python -m pip install jupyterhub": find_spec("jupyterhub") is not None,
        "npm install -g configurable-http-proxy": bool(shutil.which("configurable-http-proxy")),
        "apt-get install chromium": bool(chromium),
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

    def close(self) -> None:
        if (self.work / "pid").exists():
            self.inside("kill", (self.work / "pid").read_text().strip())
        else:
            self.process.terminate()
        self.process.wait(timeout=60)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    lacking = [line for line, there in needs().items() if not there]
    if lacking:
        words = "The hub's room needs: " + "; ".join(lacking)
        pytest.fail(words) if os.environ.get("CI") == "true" else pytest.skip(words)
    work = tmp_path_factory.mktemp("room")
    work.chmod(0o755)
    hub = Hub(work)
    try:
        yield hub
    finally:
        hub.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


def until(page: Page, true: Callable[[], bool], what: str) -> None:
    """Waits for a state that is not in the page."""
    for _ in range(1200):
        if true():
            return
        page.wait_for_timeout(250)
    raise AssertionError(f"It never came to this: {what}")


def log_in(hub: Hub, browser: Browser, name: str) -> Page:
    page = browser.new_context(viewport={"width": 1400, "height": 1000}).new_page()
    page.set_default_timeout(2 * MINUTES)
    until(
        page, lambda: "is now running" in hub.log.read_text() or hub.process.poll() is not None, ""
    )
    assert hub.process.poll() is None, hub.log.read_text()[-3000:]
    page.goto(f"{hub.url}/hub/login")
    page.fill("#username_input", name)
    page.fill("#password_input", PASSWORD)
    page.click("#login_submit")
    page.wait_for_url(re.compile(rf"/user/{name}/lab"))
    page.wait_for_selector("#jp-MainLogo")
    return page


def menu(page: Page, *names: str) -> None:
    """Chooses from JupyterLab's menus."""
    page.get_by_role("menuitem", name=names[0], exact=True).first.click()
    for name in names[1:]:
        label = page.locator(".lm-Menu-itemLabel", has_text=re.compile(rf"^{name}$"))
        page.locator(".lm-Menu-item", has=label).last.click()


def shows(page: Page) -> list[str]:
    """What the menu Nbgrader offers."""
    page.get_by_role("menuitem", name="Nbgrader", exact=True).click()
    items = page.locator(".lm-Menu-item:not(.lm-mod-hidden) .lm-Menu-itemLabel")
    expect(items.first).to_be_visible()
    found = [text.strip() for text in items.all_inner_texts() if text.strip()]
    page.keyboard.press("Escape")
    return found


class Terminal:
    """A terminal in JupyterLab: commands are typed, and said to have ended in a file."""

    def __init__(self, hub: Hub, page: Page) -> None:
        self.hub, self.page, self.count = hub, page, 0
        page.goto(f"{hub.url}/user/instructor/lab")
        page.wait_for_selector("#jp-MainLogo")
        menu(page, "File", "New", "Terminal")
        self.screen = page.locator(".jp-Terminal .xterm-screen").last
        self.screen.wait_for()

    def run(self, command: str, status: int = 0) -> str:
        self.count += 1
        place = f"/home/instructor/ended-{self.count}"
        self.screen.click()
        self.page.keyboard.insert_text(f"({command}) > {place}.log 2>&1; echo $? > {place}")
        self.page.keyboard.press("Enter")

        def ended() -> bool:
            return bool(self.hub.inside("cat", place).stdout.strip())

        until(self.page, ended, command)
        said = self.hub.inside("cat", f"{place}.log").stdout
        assert self.hub.inside("cat", place).stdout.strip() == str(status), said[-3000:]
        return said


def assignments(page: Page) -> Locator:
    menu(page, "Nbgrader", "Assignment List")
    panel = page.locator("#assignments")
    panel.wait_for()
    return panel


def cells(page: Page) -> list[str]:
    return [grade_id(cell) for cell in source(SET).cells]


def cell(page: Page, name: str) -> Locator:
    return page.locator(".jp-Notebook .jp-Cell").nth(cells(page).index(name))


def run_cell(page: Page, name: str) -> Locator:
    """Runs a cell and waits for its end."""
    place = cell(page, name)
    before = place.locator(".jp-InputPrompt").inner_text()
    place.locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    prompt = place.locator(".jp-InputPrompt")
    expect(prompt).not_to_have_text(before, timeout=3 * MINUTES)
    expect(prompt).to_have_text(re.compile(r"\[\d+\]:"), timeout=3 * MINUTES)
    return place.locator(".jp-OutputArea")


def write(page: Page, name: str, text: str) -> None:
    editor = cell(page, f"{name}{ANSWER}").locator(".cm-content")
    editor.click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(text)


def fetch(hub: Hub, browser: Browser, name: str) -> Page:
    """A student logs in, fetches the set and opens the notebook."""
    page = log_in(hub, browser, name)
    assert shows(page) == ["Assignment List"]
    released = assignments(page).locator("#released_assignments_list")
    released.get_by_text("Fetch", exact=True).click()
    downloaded = page.locator("#fetched_assignments_list")
    downloaded.get_by_text("Submit", exact=True).wait_for()
    page.goto(f"{hub.url}/user/{name}/lab/tree/{SET}/{SET}.ipynb")
    cell(page, "setup").wait_for()
    expect(page.locator(".jp-Notebook-ExecutionIndicator")).to_have_attribute(
        "data-status", "idle", timeout=3 * MINUTES
    )
    run_cell(page, "setup")
    return page


def submit(page: Page) -> None:
    page.keyboard.press("Control+S")
    panel = assignments(page)
    panel.locator("#fetched_assignments_list").get_by_text("Submit", exact=True).click()
    panel.locator("#submitted_assignments_list .list_item").first.wait_for()


@pytest.mark.slow
def test_a_round_in_a_browser(hub: Hub, browser: Browser) -> None:
    instructor = log_in(hub, browser, "instructor")
    assert "Formgrader" in " ".join(shows(instructor))
    terminal = Terminal(hub, instructor)
    terminal.run(f"nbgrader generate_assignment {SET} && nbgrader release_assignment {SET}")

    # What is the instructor's, students cannot enter; a clone that they can read is named.
    assert "Close them: chmod -R go= " in hub.log.read_text()
    for place in ("course", "course/checks", "hub"):
        assert hub.inside("stat", "-c", "%a", f"/srv/kdlab/{place}").stdout.strip() == "700", place
        assert hub.inside("ls", f"/srv/kdlab/{place}", user="ada").returncode
    assert hub.inside("stat", "-c", "%a", "/srv/kdlab/course/gradebook.db").stdout.strip() == "600"

    ada = fetch(hub, browser, "ada")
    wrong = next(each for each in entries(SET) if each.name == "chaff-temperature_forgotten")
    write(ada, TASK, wrong.answers[TASK])
    run_cell(ada, f"{TASK}{ANSWER}")
    hint = run_cell(ada, TASK)
    expect(hint).to_contain_text("temperature")
    expect(hint).to_contain_text("Hint")
    link = hint.locator("a").first.get_attribute("href")
    assert link.startswith("http://localhost:8000/book/before/")
    for task, text in solution(source(SET)).items():
        write(ada, task, text)
        for given in (f"{task}_given", f"{task}{ANSWER}"):
            if given in cells(ada):
                run_cell(ada, given)
        expect(run_cell(ada, task)).to_contain_text("right")

    ada.keyboard.press("Control+S")
    panel = assignments(ada)
    panel.locator(".assignment-notebooks-link").first.click()
    panel.get_by_text("Validate", exact=True).click()
    dialog = ada.locator(".jp-Dialog", has_text="passes all the tests")
    dialog.wait_for(timeout=5 * MINUTES)
    dialog.get_by_role("button").last.click()
    submit(ada)

    bob = fetch(hub, browser, "bob")
    write(bob, TASK, wrong.answers[TASK])
    submit(bob)

    # One student's work is safe from another.
    inbound = "/srv/kdlab/exchange/kdlab/inbound"
    names = hub.inside("ls", inbound).stdout.split()
    assert hub.inside("ls", inbound, user="bob").returncode
    (handed_in,) = (name for name in names if name.startswith("ada+"))
    for command in (["touch", "new"], ["rm", f"{SET}.ipynb"]):
        path = f"{inbound}/{handed_in}/{command[1]}"
        assert hub.inside(command[0], path, user="bob").returncode
    assert hub.inside("mv", f"{inbound}/{handed_in}", f"{inbound}/x", user="bob").returncode
    assert hub.inside("ls", "/home/ada", user="bob").returncode

    terminal.run(f"nbgrader collect {SET}")
    said = terminal.run(f"python -m autograder grade {SET}")
    assert "2 graded, 0 were graded already, 0 set aside." in " ".join(said.split())
    said = terminal.run(f"python -m autograder feedback {SET}")
    assert "2 pages made anew, 2 released, 0 not delivered." in " ".join(said.split())
    said = terminal.run("nbgrader export --to grades.csv; cat grades.csv")
    rows = csv.DictReader(line for line in said.splitlines() if line.count(",") > 8)
    marks = {row["student_id"]: float(row["score"]) for row in rows if row["assignment"] == SET}
    assert marks == {"ada": 19.0, "bob": 0.0}

    instructor.goto(f"{hub.url}/user/instructor/formgrader/manage_submissions/{SET}")
    expect(instructor.locator("body")).to_contain_text("ada")
    expect(instructor.locator("body")).to_contain_text("bob")

    for student, page, words in (
        ("ada", ada, "19.0 / 22.0"),
        ("bob", bob, "temperature"),
    ):
        page.goto(f"{hub.url}/user/{student}/lab")
        panel = assignments(page)
        panel.get_by_text("Fetch Feedback", exact=True).click()
        panel.get_by_text(re.compile("view feedback")).first.wait_for()
        read = ["sh", "-c", f"cat /home/{student}/{SET}/feedback/*/*.html"]
        page.set_content(hub.inside(*read, user=student).stdout)
        expect(page.locator("body")).to_contain_text(words)
        assert hub.inside(*read, user="bob" if student == "ada" else "ada").returncode


def test_nothing_stays(hub: Hub) -> None:
    """The room's accounts and files are its own."""
    assert hub.inside("id", "ada").returncode == 0
    here = Path("/etc/passwd").read_text()
    assert "/home/instructor" not in here
    assert not Path("/srv/kdlab").exists()

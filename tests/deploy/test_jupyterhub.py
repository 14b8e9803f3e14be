"""A real hub in a room of its own: one instructor and two students, in a browser, for one round.

`make hub` runs it. Accounts, homes and /srv are made in a mount namespace and are gone afterwards.
What people saw is kept as pictures in the test's folder, room0/seen.
"""

import csv
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from exercises.bank import ANSWER, entries, solution, source
from tests.browsing import chromium
from tests.deploy.lab import (
    SET,
    Terminal,
    assignments,
    cell,
    cells,
    fetch,
    log_in,
    menu,
    run_cell,
    shows,
    submit,
    validate,
    write,
)
from tests.deploy.room import ROOT, Hub, needs

TASK = "softmax_with_temperature"
WORDS = "reverse_kl_explained"  # the task that a person marks
EXPLANATION = "It puts its one peak onto one peak of the teacher, the one that it began near."

pytestmark = pytest.mark.hub


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
        hub.wait()
        yield hub
    finally:
        hub.close()


@pytest.fixture(scope="module")
def browser(hub: Hub) -> Iterator[Browser]:
    with chromium() as browser:
        yield browser
        for context in browser.contexts:
            for page in context.pages:
                hub.picture(page, "last")


def mark(hub: Hub, page: Page, points: str) -> None:
    """The instructor marks the one answer that waits for a person, in formgrader."""
    page.goto(f"{hub.url}/user/instructor/lab")
    menu(page, "Nbgrader", "Formgrader")
    grader = page.frame_locator("#formgrader-iframe iframe")
    grader.locator("tbody .name").get_by_text(SET, exact=True).first.wait_for()
    hub.picture(page, "formgrader")
    grader.get_by_role("link", name="Manual Grading").click()
    for place in (SET, f"{SET}/{SET}"):  # the set, and then its notebook of the same name
        grader.locator(f'tbody .name a[href$="/formgrader/gradebook/{place}"]').click()
    waits = grader.locator("tbody tr", has=grader.locator(".needs-manual-grade .glyphicon-ok"))
    waits.wait_for()
    hub.picture(page, "manual-grading")
    waits.locator(".name a.name-hidden").click()
    score = grader.locator(f"input.score#{WORDS}")
    expect(grader.locator("body")).to_contain_text(EXPLANATION)
    extra = grader.locator(f"input#{WORDS}_extra_credit")
    expect(extra).to_have_attribute("placeholder", "0")  # what is typed before is overwritten
    with page.expect_response(lambda r: "/api/grade/" in r.url and r.request.method == "PUT"):
        score.fill(points)
        score.press("Tab")
    hub.picture(page, "marked")


@pytest.mark.slow
def test_a_round_in_a_browser(hub: Hub, browser: Browser) -> None:
    instructor = log_in(hub, browser, "instructor")
    assert "Formgrader" in " ".join(shows(instructor))
    terminal = Terminal(hub, instructor)
    terminal.run(f"nbgrader generate_assignment {SET} && nbgrader release_assignment {SET}")

    # What is the instructor's, students cannot enter; a clone that they can read is named.
    assert "Close them: " in hub.log.read_text()
    for place in ("course", "course/checks", "hub"):
        assert hub.inside("stat", "-c", "%a", f"/srv/kdlab/{place}").stdout.strip() == "700", place
        assert hub.inside("ls", f"/srv/kdlab/{place}", user="ada").returncode
    assert hub.inside("stat", "-c", "%a", "/srv/kdlab/course/gradebook.db").stdout.strip() == "600"
    assert hub.inside("ls", f"/srv/kdlab/course/bank/{SET}").returncode == 0  # for selftest

    ada = fetch(hub, browser, "ada")
    wrong = next(each for each in entries(SET) if each.name == "chaff-temperature_forgotten")
    write(ada, TASK, wrong.answers[TASK])
    run_cell(ada, f"{TASK}{ANSWER}")
    hint = run_cell(ada, TASK)
    expect(hint).to_contain_text("temperature")
    expect(hint).to_contain_text("Hint")
    hub.picture(ada, "hint")
    link = hint.locator("a").first.get_attribute("href")
    assert link.startswith("http://localhost:8000/book/before/")
    for task, text in solution(source(SET)).items():
        write(ada, task, text)
        for given in (f"{task}_given", f"{task}{ANSWER}"):
            if given in cells(ada):
                run_cell(ada, given)
        expect(run_cell(ada, task)).to_contain_text(re.compile(f"{task}: (correct|recorded)"))
    hub.picture(ada, "all-right")

    assert "You did not provide a response." in validate(hub, ada)  # to the question in words
    ada.get_by_role("tab", name=f"{SET}.ipynb").click()
    cell(ada, WORDS).dblclick()
    write(ada, WORDS, EXPLANATION)
    assert "passes all the tests" in validate(hub, ada)
    submit(hub, ada)

    bob = fetch(hub, browser, "bob")
    write(bob, TASK, wrong.answers[TASK])
    submit(hub, bob)

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
    assert "2 graded, 0 graded already, 0 set aside." in " ".join(said.split())
    mark(hub, instructor, "2.5")
    terminal = Terminal(hub, instructor)
    said = terminal.run(f"python -m autograder feedback {SET}")
    assert "2 pages made anew, 2 released, 0 not delivered." in " ".join(said.split())
    said = terminal.run("nbgrader export --to grades.csv; cat grades.csv")
    rows = csv.DictReader(line for line in said.splitlines() if line.count(",") > 8)
    marks = {row["student_id"]: float(row["score"]) for row in rows if row["assignment"] == SET}
    assert marks == {"ada": 21.5, "bob": 0.0}
    terminal.run("python -m autograder report")
    instructor.set_content(hub.inside("cat", "/srv/kdlab/course/report.html").stdout)
    hub.picture(instructor, "report")

    for student, page, words in (
        ("ada", ada, "21.5 / 22.0"),
        ("bob", bob, "temperature"),
    ):
        page.goto(f"{hub.url}/user/{student}/lab")
        panel = assignments(page)
        panel.get_by_text("Fetch Feedback", exact=True).click()
        panel.get_by_text(re.compile("view feedback")).first.click()
        page.locator(".jp-DirListing-item", has_text=f"{SET}.html").dblclick()
        opened = page.frame_locator(".jp-HTMLViewer iframe")
        expect(opened.locator("body")).to_contain_text(words)
        hub.picture(page, f"{student}-feedback")
        read = ["sh", "-c", f"cat /home/{student}/{SET}/feedback/*/*.html"]
        assert words in hub.inside(*read, user=student).stdout
        assert hub.inside(*read, user="bob" if student == "ada" else "ada").returncode


def test_nothing_stays(hub: Hub) -> None:
    """The room's accounts and files are its own."""
    assert hub.inside("id", "ada").returncode == 0
    here = Path("/etc/passwd").read_text()
    assert "/home/instructor" not in here
    assert not Path("/srv/kdlab").exists()


def test_setup_again_changes_nothing(hub: Hub) -> None:
    """What an instructor wrote stays, unless root names another address of the book."""
    settings = "/srv/kdlab/course/course.toml"
    hub.inside("sed", "-i", 's#^book = .*#book = "http://there"#', settings)
    before = hub.inside("cat", settings).stdout
    assert 'book = "http://there"' in before
    setup = ["env", f"KDLAB_PYTHON={sys.executable}", str(ROOT / "deploy/jupyterhub/setup")]
    assert "Book       http://there" in hub.inside(*setup).stdout
    assert hub.inside("cat", settings).stdout == before
    hub.inside(setup[0], "KDLAB_BOOK=http://elsewhere", *setup[1:])
    assert hub.inside("cat", settings).stdout == before.replace("there", "elsewhere")

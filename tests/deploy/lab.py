"""What people do in JupyterLab, and the states that tell that it is done."""

import itertools
import re
from collections.abc import Callable

from playwright.sync_api import Browser, Locator, Page, expect

from exercises.bank import ANSWER, grade_id, source
from tests.deploy.room import PASSWORD, Hub

SET = "ps1_divergences"
MINUTES = 60_000  # milliseconds; a bound for a busy machine, never a wait


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
    page.goto(f"{hub.url}/hub/login")
    page.fill("#username_input", name)
    page.fill("#password_input", PASSWORD)
    page.click("#login_submit")
    page.wait_for_url(re.compile(rf"/user/{name}/lab"))
    page.wait_for_selector("#jp-MainLogo")
    return page


def menu(page: Page, *names: str) -> None:
    """Chooses from JupyterLab's menus."""
    labels = [
        page.locator(".lm-Menu-itemLabel", has_text=re.compile(rf"^{name}$")) for name in names[1:]
    ]
    items = [page.locator(".lm-Menu-item", has=label).last for label in labels]
    opened(page, names[0], items[0])
    for item in items:
        item.click()


def opened(page: Page, name: str, item: Locator) -> None:
    """Opens a menu; a click closes one that is open, and what begins to load may close it, too."""

    def is_open() -> bool:
        if not item.is_visible():
            page.get_by_role("menuitem", name=name, exact=True).first.click()
        return item.is_visible()

    until(page, is_open, f"the menu {name} is open")


def shows(page: Page) -> list[str]:
    """What the menu Nbgrader offers."""
    items = page.locator(".lm-Menu-item:not(.lm-mod-hidden) .lm-Menu-itemLabel")
    opened(page, "Nbgrader", items.first)
    found = [text.strip() for text in items.all_inner_texts() if text.strip()]
    page.keyboard.press("Escape")
    return found


class Terminal:
    """A terminal in JupyterLab: commands are typed, and said to have ended in a file."""

    count = itertools.count()

    def __init__(self, hub: Hub, page: Page) -> None:
        self.hub, self.page = hub, page
        page.goto(f"{hub.url}/user/instructor/lab")
        page.wait_for_selector("#jp-MainLogo")
        hub.picture(page, "instructor")
        menu(page, "File", "New", "Terminal")
        self.screen = page.locator(".jp-Terminal .xterm-screen").last
        self.screen.wait_for()

    def run(self, command: str, status: int = 0) -> str:
        place = f"/home/instructor/ended-{next(self.count)}"
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


def edit(place: Locator) -> None:
    """Puts the cursor into a cell."""
    place.locator(".cm-content").click()
    expect(place.locator(".cm-editor")).to_have_class(re.compile("cm-focused"))


def run_cell(page: Page, name: str) -> Locator:
    """Runs a cell and waits for its end."""
    place = cell(page, name)
    before = place.locator(".jp-InputPrompt").inner_text()
    edit(place)
    page.keyboard.press("Shift+Enter")
    prompt = place.locator(".jp-InputPrompt")
    expect(prompt).not_to_have_text(before, timeout=3 * MINUTES)
    expect(prompt).to_have_text(re.compile(r"\[\d+\]:"), timeout=3 * MINUTES)
    return place.locator(".jp-OutputArea")


def write(page: Page, name: str, text: str) -> None:
    names = cells(page)
    edit(cell(page, f"{name}{ANSWER}" if f"{name}{ANSWER}" in names else name))
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
    hub.picture(page, f"{name}-has-fetched")
    page.goto(f"{hub.url}/user/{name}/lab/tree/{SET}/{SET}.ipynb")
    cell(page, "setup").wait_for()
    status = page.locator("#jp-main-statusbar")
    expect(status).to_contain_text("Python 3 (ipykernel) | Idle", timeout=3 * MINUTES)
    run_cell(page, "setup")
    hub.picture(page, f"{name}-notebook")
    return page


def validate(hub: Hub, page: Page) -> str:
    """What the student is told before handing in."""
    page.keyboard.press("Control+S")
    panel = assignments(page)
    button = panel.get_by_text("Validate", exact=True)
    if not button.is_visible():
        panel.locator(".assignment-notebooks-link").first.click()
    button.click()
    dialog = page.locator(".jp-Dialog", has_text="Validation Results")
    dialog.wait_for(timeout=5 * MINUTES)
    hub.picture(page, "validated")
    said = dialog.inner_text()
    dialog.get_by_role("button", name="Ok").click()
    dialog.wait_for(state="detached")
    return said


def submit(hub: Hub, page: Page) -> None:
    page.keyboard.press("Control+S")
    panel = assignments(page)
    panel.locator("#fetched_assignments_list").get_by_text("Submit", exact=True).click()
    panel.locator("#submitted_assignments_list .list_item").first.wait_for()
    hub.picture(page, "handed-in")

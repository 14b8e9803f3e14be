"""axe-core finds nothing on any page, in either theme."""

from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def axe() -> str:
    module = pytest.importorskip("axe_playwright_python")
    return Path(module.__file__).with_name("axe.min.js").read_text(encoding="utf8")


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(chromium, book, page_names, settle, axe, scheme):
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
    tab = context.new_page()
    found = []
    for name in [*page_names, "search.html", "genindex.html"]:
        tab.goto((book / name).as_uri())
        settle(tab)
        assert tab.evaluate("document.documentElement.dataset.theme") == scheme
        answer_all(tab)
        tab.evaluate(axe)
        # What axe looks at beyond this list are failures; passes need not be sent back.
        result = tab.evaluate("axe.run({resultTypes: ['violations']})")
        for violation in result["violations"]:
            for node in violation["nodes"]:
                found.append(f"{name}: {violation['id']}: {node['html'][:200]}")
    context.close()
    assert not found, "\n".join(found)


def answer_all(tab) -> None:
    """Show the feedback of every question, and the numbers behind every prediction."""
    tab.evaluate(
        """() => {
            document.querySelectorAll("form.question").forEach(form => {
                form.querySelectorAll("input[type=radio], input[type=checkbox]")
                    .forEach(box => box.checked = true);
                form.querySelectorAll("input[type=text]").forEach(field => field.value = "1");
                form.querySelectorAll("select").forEach(select => select.selectedIndex = 1);
                form.requestSubmit();
            });
            document.querySelectorAll(".book-widget").forEach(el => {
                const radio = el.querySelector("input[type=radio]");
                const reveal = [...el.querySelectorAll("button")]
                    .find(button => button.textContent === "Reveal");
                if (reveal) { radio.click(); reveal.click(); }
            });
        }"""
    )

"""Every page as a reader meets it: opened once, and asked here all that is asked of every page.

The tests of a page come in this order, in one tab; each leaves the page as a reader could.
"""

from pathlib import Path

import pytest
import yaml
from bs4 import BeautifulSoup
from fontTools.ttLib import TTFont

from tests.book.narrow import (
    BAD_BREAKS,
    BROKEN_WORDS,
    CUT_EXAMPLES,
    CUT_FORMULAS,
    HARD_TO_SEE,
    NARROW,
    PHONE,
    SCROLLS,
    SMALLER,
    STICK_OUT,
)
from tests.book.questions import answer, check

ROOT = Path(__file__).parents[2]


def names_of_pages() -> list[str]:
    """The written pages, as `_toc.yml` names them."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf8"))
    found, waiting = [toc["root"]], list(toc["parts"])
    while waiting:
        entry = waiting.pop(0)
        found += [entry["file"]] if "file" in entry else []
        waiting = [*entry.get("chapters", []), *entry.get("sections", []), *waiting]
    return found


PAGES = [f"{name}.html" for name in names_of_pages()]
PAPER = {"width": 673, "height": 986}  # an A4 sheet without its margins, in pixels of CSS
COLOURS = ["color-contrast", "link-in-text-block"]  # what the dark theme can break


@pytest.fixture(scope="module", params=[*PAGES, "search.html", "genindex.html"])
def tab(request, new_page, server, settle):
    """A page, opened at a sub-path of a server with nothing cached; the tab notes the sizes."""
    tab = new_page(color_scheme="light")
    tab.name, tab.sizes = request.param, {}
    tab.on(
        "response",
        lambda answer: tab.sizes.update({answer.url: int(answer.headers.get("content-length", 0))}),
    )
    tab.goto(server + tab.name)
    settle(tab)
    yield tab
    tab.context.close()


def test_opens_without_errors_or_requests_outside(tab, server):
    assert tab.locator("h1:visible").count() > 0
    assert not tab.problems
    assert not [url for url in tab.requests if not url.startswith((server, "data:", "blob:"))]


def test_first_load_is_light(tab):
    assert any("pydata-sphinx-theme.css" in url for url in tab.sizes)
    fonts = "/mathjax/output/chtml/fonts/"
    assert sum(size for url, size in tab.sizes.items() if fonts not in url) < 1.2e6


def test_a_page_of_each_kind_opens_from_its_folder(new_page, book, settle):
    """What a browser allows a file less than a server's page is done by scripts."""
    kinds = {}
    for name in [*PAGES, "search.html", "genindex.html"]:
        page = BeautifulSoup((book / name).read_text(encoding="utf-8"), "html.parser")
        scripts = {Path(each["src"].partition("?")[0]).name for each in page("script", src=True)}
        kinds[(*sorted(scripts), bool(page.select(".book-widget")))] = name
    assert len(kinds) > 4
    tab = new_page()
    for name in kinds.values():
        tab.goto((book / name).as_uri())
        settle(tab)
        assert tab.locator("h1:visible").count() > 0
    tab.context.close()
    assert not tab.problems
    base = book.as_uri() + "/"
    assert not [url for url in tab.requests if not url.startswith((base, "data:", "blob:"))]


def test_mathematics_is_set(tab):
    wanted = tab.locator(".math").count()
    assert tab.locator(".math mjx-container").count() >= wanted
    assert tab.locator("mjx-merror").count() == 0
    assert r"\mathrm" not in tab.locator("body").inner_text()


# Words of the text, of choices and of drawings with typewriters' quotation marks, which code has.
STRAIGHT_QUOTES = """() => {
    const code = "pre, code, .sig, mjx-container, script, style, noscript";
    const words = [], all = document.createTreeWalker(document.querySelector("main"), 4);
    while (all.nextNode()) {
        const word = all.currentNode;
        if (/['"]/.test(word.data) && !word.parentElement.closest(code))
            words.push(word.data.trim());
    }
    return words;
}"""


def test_quotation_marks_are_those_of_print(tab):
    assert not tab.evaluate(STRAIGHT_QUOTES)


def test_icons_are_drawn(tab, font):
    glyphs = tab.evaluate(
        """[...document.querySelectorAll("i[class*='fa-']")].map(icon =>
            [icon.className, getComputedStyle(icon, "::before").content])"""
    )
    assert len(glyphs) > 3
    assert not [name for name, content in glyphs if ord(content.strip('"')) not in font]


@pytest.fixture(scope="module")
def font(book) -> set[int]:
    """The characters that the icons' font can draw."""
    path = book / "_static/vendor/fontawesome/webfonts/fa-solid-900.woff"
    return set(TTFont(path).getBestCmap())


def test_its_notebook_is_offered_if_it_has_code(tab, server):
    source = ROOT / Path(tab.name).with_suffix(".md")
    if not source.exists() or "\n```{code-cell}" not in source.read_text(encoding="utf8"):
        return
    hrefs = tab.locator('a[href$=".ipynb"]').evaluate_all("all => all.map(a => a.href)")
    assert f"{server}_sources/{tab.name.removesuffix('html')}ipynb" in hrefs
    assert "Run it yourself" in tab.locator(".book-run").inner_text()


def test_every_question_answered_wrongly_then_rightly(tab):
    forms = tab.locator("form.question").all()
    for form in forms:
        label = form.get_attribute("data-name")
        assert "Answer first" in check(form) or form.get_attribute("data-kind") == "ordering"
        answer(form, right=False)
        wrong = check(form)
        assert wrong.startswith("✗ Not yet."), label
        assert len(wrong) > 60, f"{label}: no feedback"
        answer(form, right=True)
        right = check(form)
        assert right.startswith("✓ Right."), label
        assert len(right) > 40, f"{label}: no feedback"
    if forms:
        tally = tab.locator(".bd-article .question-tally").last.inner_text()
        assert tally.startswith(f"{len(forms)} of {len(forms)} solved")
    assert not tab.problems


# What each choice is told, and each number that is expected: a list for each question.
TOLD = """() => [...document.querySelectorAll("form.question")].flatMap(form => {
    const told = of => { form.requestSubmit(); return form.querySelector(of).innerText; };
    if (form.dataset.kind === "single")
        return [[...form.querySelectorAll("input")].map(box => {
            box.click();
            return told(".question-remark");
        })];
    if (form.dataset.kind !== "numeric") return [];
    return [[...form.querySelectorAll(".question-feedback[data-value]")].map(number => {
        form.querySelector("input").value = number.dataset.value;
        return told(".question-verdict");
    })];
})"""


def test_each_choice_and_each_expected_number_has_its_own_feedback(tab):
    """Readers' clicks were tried above; these are the page's own, of which each costs nothing."""
    kinds = 'form.question:is([data-kind="single"], [data-kind="numeric"])'
    told = tab.evaluate(TOLD)
    assert len(told) == tab.locator(kinds).count()
    for said in told:
        assert said
        assert len(set(said)) == len(said), said
        assert min(map(len, said)) > 40, said


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(tab, axe, theme, tried):
    """In the dark, only the rules that colours can break are asked again."""
    show_all_feedback(tab)
    tab.evaluate(
        """theme => {
            document.documentElement.dataset.theme = theme;
            // What fades to its new colour is there at once; what would never end is taken away.
            for (const each of document.getAnimations())
                try { each.finish(); } catch { each.cancel(); }
        }""",
        theme,
    )
    if not tab.evaluate("'axe' in window"):
        tab.evaluate(axe)
    found = hard_to_read(tab, tried) + tab.evaluate(FAINT_WORDS)
    if theme == "light":
        others = {rule: {"enabled": False} for rule in COLOURS}
        found += violations(tab, "document", {"rules": others})
    assert not found, "\n".join(found)


def test_axe_is_shown_each_pair_of_colours(new_page, axe):
    tab = new_page()
    said = "<p>Said <b>clearly</b>, <i>once</i> and <i>twice</i>.</p>"
    faint = '<p style="background: #eee">In <code style="color: #aaa">grey</code></p>'
    tab.set_content(said + '<p style="color: #bbb">Said faintly.</p>' + said + faint)
    tab.evaluate(axe)
    assert len(tab.evaluate(OF_EACH_LOOK, [])) == 5
    tried = set()
    assert len(hard_to_read(tab, tried)) == 2
    assert not tried  # so that every page with these fails
    tab.set_content(said)
    tab.evaluate(axe)
    assert not hard_to_read(tab, tried)
    assert len(tried) == 2
    tab.set_content(said + faint)
    tab.evaluate(axe)
    assert len(tab.evaluate(OF_EACH_LOOK, list(tried))) == 2
    assert len(hard_to_read(tab, tried)) == 1


@pytest.fixture(scope="session")
def tried() -> set[str]:
    """The looks of text in which axe found nothing, on this page or an earlier one."""
    return set()


# Looks of text that are not known: colours, ground, size and weight. Of each, an element is noted.
OF_EACH_LOOK = """known => {
    const looks = new Set(known);
    const look = node => {
        const grounds = [];
        let opacity = 1;
        for (let at = node; at; at = at.parentElement) {
            const style = getComputedStyle(at);
            opacity *= style.opacity;
            if (grounds.at(-1)?.startsWith("rgb(")) continue;  // nothing shows through it
            grounds.push(style.backgroundColor + style.backgroundImage);
        }
        const own = getComputedStyle(node), around = getComputedStyle(node.parentElement);
        return [
            node.localName === "a", own.color, around.color, opacity, own.fontSize, own.fontWeight,
            own.textShadow, own.textDecorationLine,
            grounds.filter(ground => ground !== "rgba(0, 0, 0, 0)none")
        ].join();
    };
    const holdsText = node => node.checkVisibility() && (node.matches("input, select, button")
        || [...node.childNodes].some(child => child.nodeType === 3 && child.data.trim()));
    window.ofEachLook = [...document.querySelectorAll("body *")].filter(holdsText)
        .filter(node => { const its = look(node); return !looks.has(its) && looks.add(its); });
    return [...looks].slice(known.length);
}"""


def hard_to_read(tab, tried: set[str]) -> list[str]:
    """What the rules find that colours can break; to try every word takes axe seconds a page."""
    looks = tab.evaluate(OF_EACH_LOOK, list(tried))
    found = violations(tab, "{include: ofEachLook}", {"runOnly": COLOURS}) if looks else []
    if not found:
        tried.update(looks)
    return found


def violations(tab, where: str, options: dict) -> list[str]:
    """What axe finds there; what it looks at beyond need not be sent back."""
    result = tab.evaluate(
        f"options => axe.run({where}, options)", options | {"resultTypes": ["violations"]}
    )
    return [
        f"{violation['id']}: {node['html'][:200]}"
        for violation in result["violations"]
        for node in violation["nodes"]
    ]


@pytest.fixture(scope="module")
def axe() -> str:
    module = pytest.importorskip("axe_playwright_python")
    return Path(module.__file__).with_name("axe.min.js").read_text(encoding="utf8")


# Words in drawings, at which axe does not look, with less contrast than 4.5 (3, if they are large)
# to what they stand on: the page's ground, and each shape that was drawn there before them.
FAINT_WORDS = """() => {
    const parts = colour => {
        const [r, g, b, alpha = 1] = (colour.match(/[\\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
        return {rgb: [r, g, b], alpha};
    };
    const over = (top, share, ground) => top.map((x, i) => share * x + (1 - share) * ground[i]);
    const light = x => x <= 10.31475 ? x / 255 / 12.92 : ((x / 255 + 0.055) / 1.055) ** 2.4;
    const luminance = ([r, g, b]) => 0.2126 * light(r) + 0.7152 * light(g) + 0.0722 * light(b);
    const under = node => {
        for (let at = node; at; at = at.parentElement) {
            const {rgb, alpha} = parts(getComputedStyle(at).backgroundColor);
            if (alpha) return rgb;
        }
        return [255, 255, 255];
    };
    const painted = (node, style) => {
        let {rgb, alpha} = parts(style.fill);
        for (let at = node; at.localName !== "svg"; at = at.parentElement)
            alpha *= getComputedStyle(at).opacity;
        return [rgb, alpha * style.fillOpacity];
    };
    const faint = word => {
        const box = word.getBoundingClientRect(), style = getComputedStyle(word);
        const middle = new DOMPoint(box.x + box.width / 2, box.y + box.height / 2);
        let ground = under(word);
        for (const shape of word.closest("svg").querySelectorAll("path, rect, circle, polygon")) {
            const after = word.compareDocumentPosition(shape) & Node.DOCUMENT_POSITION_FOLLOWING;
            const look = getComputedStyle(shape);
            if (after || !look.fill.startsWith("rgb") || shape.closest("defs, clipPath")) continue;
            const there = middle.matrixTransform(shape.getScreenCTM().inverse());
            if (shape.isPointInFill(there)) ground = over(...painted(shape, look), ground);
        }
        const ink = over(...painted(word, style), ground);
        const [less, more] = [luminance(ink), luminance(ground)].sort((a, b) => a - b);
        const size = parseFloat(style.fontSize) * word.getScreenCTM().d;
        return (more + 0.05) / (less + 0.05) < (size >= 24 ? 3 : 4.5);
    };
    return [...document.querySelectorAll("main svg text")]
        .filter(word => word.textContent.trim() && word.checkVisibility() && faint(word))
        .map(word => `a word that is too faint: ${word.outerHTML.slice(0, 200)}`);
}"""


def test_a_word_in_a_drawing_is_measured_on_what_it_stands_on(new_page):
    tab = new_page()
    tab.set_content(
        """<main style="background: #fff">
        <svg viewBox="0 0 90 90" width="90" style="font-size: 12px">
        <text y="10" fill="#777">faint</text><text y="20" fill="#767676">clear</text>
        <g transform="translate(0 30)"><rect width="90" height="30" fill="#0072b2"/>
        <text y="10" fill="#fff">clear</text><text y="25">faint</text></g>
        <rect y="60" width="90" height="30" fill="#000" opacity="0.1"/>
        <text y="80" fill="#767676">faint</text>
        <text y="80" x="50" fill="#000" opacity="0.5">faint</text></svg></main>"""
    )
    assert [found.count(">faint<") for found in tab.evaluate(FAINT_WORDS)] == [1] * 4


def show_all_feedback(tab) -> None:
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


# What a sheet would cut: its right edge is beyond the text's, or it would scroll.
WIDER_THAN_PAPER = """() => {
    const edge = document.querySelector("main").getBoundingClientRect().right + 1;
    const things = "pre, table, img, svg, mjx-container[display=true], .sig, p, li";
    const scrolls = node => getComputedStyle(node).overflowX !== "visible"
        && node.scrollWidth > node.clientWidth + 1;
    return [...document.querySelectorAll("main :is(" + things + ")")]
        .filter(node => node.checkVisibility() && !node.closest("mjx-assistive-mml, .hidden"))
        .filter(node => node.getBoundingClientRect().right > edge || scrolls(node))
        .map(node => node.outerHTML.slice(0, 120));
}"""


# Code that a fold hides goes over the end of a sheet; what is typed is a line to write on.
WHOLE_OR_A_BOX = """() => [...document.querySelectorAll("details.hide, .question-number input")]
    .filter(node => getComputedStyle(node).breakInside !== "auto"
        || (node.localName === "input" && getComputedStyle(node).borderTopWidth !== "0px"))
    .map(node => node.outerHTML.slice(0, 120))"""


def test_prints(tab):
    """All of it, no wider than the sheet, with the answers at the end."""
    screen = tab.viewport_size
    tab.emulate_media(media="print")
    tab.set_viewport_size(PAPER)
    theme = "document.documentElement.dataset.theme"
    tab.evaluate(f"{theme} = 'dark'")
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert tab.evaluate(theme) == "light"
    for chrome in (
        *(".bd-sidebar-primary", ".bd-header-article", ".question-check", ".actions"),
        *("#jb-print-docs-body", ".toggle-button", "form select", ".question-verdict > *"),
        *(".book-run", "p > .question-tally", "section:has(> .question-progress)"),
    ):
        assert tab.locator(f"{chrome}:visible").count() == 0, chrome
    assert tab.locator("main h1:visible, main p:visible, main td:visible").count() > 0
    assert tab.locator(".bd-article details:not([open])").count() == 0
    executed = tab.locator(".book-executed").count()
    assert tab.locator("h1 + .book-executed").count() == executed
    assert not tab.evaluate(WIDER_THAN_PAPER)
    assert not tab.evaluate(BROKEN_WORDS)
    answers = tab.locator(".question-answers dd").all_inner_texts()
    assert len(answers) == tab.locator("form.question").count()
    assert not tab.evaluate(WHOLE_OR_A_BOX)
    # An equation and its number are one line, which Chromium does not divide; a flex box it does.
    lines = "all => all.map(one => getComputedStyle(one).display)"
    assert set(tab.locator("div.math").evaluate_all(lines)) <= {"inline-flex"}
    assert all(len(answer) > 20 for answer in answers)
    # An answer stays with its reason, and a heading that moves on leaves no frame behind.
    styles = "(all, name) => all.map(one => getComputedStyle(one)[name])"
    parts = tab.locator(".question-answers dd > div").evaluate_all(styles, "breakInside")
    assert set(parts) <= {"avoid"}
    frames = tab.locator("main :is(h2, h3) code").evaluate_all(styles, "borderTopWidth")
    assert set(frames) <= {"0px"}
    tab.evaluate("dispatchEvent(new Event('afterprint'))")
    assert tab.evaluate(theme) == "dark"
    tab.evaluate(f"{theme} = 'light'")
    assert tab.locator(".question-answers").count() == 0
    assert tab.locator(".bd-article > p:last-of-type.book-executed").count() == executed
    tab.emulate_media(media="screen")
    tab.set_viewport_size(screen)


def test_a_phone_shows_drawings_equations_and_tables_without_scrolling(tab):
    screen = tab.viewport_size
    assert not tab.evaluate(BROKEN_WORDS)
    tab.set_viewport_size(SMALLER)
    assert not tab.evaluate(SCROLLS)
    tab.set_viewport_size(PHONE)
    assert not tab.evaluate(HARD_TO_SEE)
    assert not tab.evaluate(SCROLLS)
    assert not tab.evaluate(BAD_BREAKS)
    assert not tab.evaluate(BROKEN_WORDS)
    widths = tab.locator(".genindextable td").evaluate_all("all => all.map(td => td.clientWidth)")
    assert min(widths, default=PHONE["width"]) > 300  # Sphinx says 33%, of three beside each other
    # To a screen reader a table whose rows are lists is a table still.
    for table in tab.locator("table.rows").all():
        head = [column for column in table.locator("th").all_inner_texts() if column]
        assert table.get_by_role("columnheader").count() == len(head) > 1
        assert table.get_by_role("row").count() == table.locator("tr").count()
    tab.set_viewport_size(screen)


def test_the_narrowest_phone_does_not_scroll_sideways(tab):
    """And no formula in a line is wider than its paragraph, which would hide its end."""
    width = "document.documentElement.scrollWidth"
    tab.set_viewport_size(NARROW)
    tab.wait_for_function(f"{width} <= {NARROW['width']}")  # the theme's columns move there
    assert not tab.evaluate(CUT_FORMULAS)
    assert not tab.evaluate(CUT_EXAMPLES)
    assert not tab.evaluate(SCROLLS)
    assert not tab.evaluate(BAD_BREAKS)
    # With text of twice the size.
    tab.evaluate("document.documentElement.style.fontSize = '200%'")
    assert not tab.evaluate(CUT_FORMULAS)
    assert tab.evaluate(width) <= 1.05 * NARROW["width"]
    assert not tab.evaluate(STICK_OUT)
    tab.evaluate("document.documentElement.style.fontSize = ''")

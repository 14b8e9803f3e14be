"""What a reader does with the book in a browser; test_pages has what holds of every page."""

import re

from tests.book.questions import answer, check


def test_entrance_leads_to_the_welcome_page(page, book):
    page.goto((book / "index.html").as_uri())
    page.wait_for_url("**/book/index.html")
    assert page.locator("h1").first.inner_text().startswith("Distilling language models")


def test_numbers_may_be_written_as_readers_write_them(page, book):
    page.goto((book / "book/combined/the-formula.html").as_uri())
    form = page.locator("#question-lambda-to-alpha")
    for text in ("0.75", "0,75", "3/4", " 7.5e-1 "):
        form.locator("input").fill(text)
        assert check(form).startswith("✓"), text
    for text in ("75%", "75 %", "3 / (1 + 3)", "0.75 nats", "1 - .25", "3·0.25"):
        form.locator("input").fill(text)
        assert check(form).startswith("✓"), text
    for text in ("three quarters", "3/", "0.75 bits", "3 4", "ln", "(3/4", "1,2,3"):
        form.locator("input").fill(text)
        assert "not a number" in check(form), text


def test_logarithms_are_numbers(page, book):
    page.goto((book / "book/before/which-way-round.html").as_uri())
    form = page.locator('form[data-kind="numeric"]').first
    for text in ("2.3 nats", "ln 10", "ln(10)", "log 10", "-ln 0.1", "−log(1/10)", "2,303"):
        form.locator("input").fill(text)
        assert check(form).startswith("✓"), text


def test_powers_exponentials_and_roots_are_numbers(page, book):
    page.goto((book / "book/before/soft-targets.html").as_uri())
    form = page.locator("#question-ratio-at-t")
    for text in ("e^2", "e**2", "e²", "e^(4/2)", "exp(2)", "exp 2", "sqrt(54.6)", "54.6^(1/2)"):
        form.locator("input").fill(text)
        assert check(form).startswith("✓"), text
    form.locator("input").fill("e^4 / 2")  # a power before a quotient
    assert "half of 54.6" in check(form)
    for text in ("e^", "^2", "2e", "exp", "sqrt(-1)", "toString"):
        form.locator("input").fill(text)
        assert "not a number" in check(form), text


def test_half_an_answer_is_told_what_is_missing(page, book, settle):
    page.goto((book / "book/before/measuring-the-mismatch.html").as_uri())
    settle(page)
    form = page.locator('form[data-kind="matching"]').first
    rows = form.locator(".question-choices > li")
    assert "Answer first" in check(form)
    rows.first.locator("select").select_option(rows.first.get_attribute("data-match"))
    half = check(form)
    assert half.startswith("✗ Not yet. Still to match:")
    assert "Cross-entropy" in half
    assert "Entropy" not in half.splitlines()[0].split("Still to match:")[1].split("”")[0]


def test_a_wrong_match_or_order_is_told_without_the_answer(page, book, settle):
    page.goto((book / "book/combined/the-formula.html").as_uri())
    settle(page)
    for kind in ("matching", "ordering"):
        form = page.locator(f'form[data-kind="{kind}"]').first
        answer(form, right=False)
        wrong = check(form)
        said = form.locator(".question-feedback").all_text_contents()
        assert not [text for text in said if text.strip() in wrong], kind
        assert ("not matched by" if kind == "matching" else "the second comes first") in wrong


def test_what_a_check_says_is_seen(new_page, book, settle):
    """Also where the button was the last line of the screen."""
    tab = new_page(viewport={"width": 390, "height": 844})
    tab.goto((book / "book/combined/the-formula.html").as_uri())
    settle(tab)
    for form in tab.locator("form.question").all():
        button = form.locator(".question-check")
        button.evaluate("one => one.scrollIntoView({block: 'end', behavior: 'instant'})")
        button.evaluate("one => one.click()")
        verdict = form.locator(".question-verdict > p").first
        tab.wait_for_function(
            "said => said.getBoundingClientRect().bottom <= innerHeight",
            arg=verdict.element_handle(),
        )
    tab.context.close()


def test_a_browser_that_keeps_nothing_shows_a_whole_page(page, server, settle):
    """As with all cookies blocked: to ask for what is kept is an error there."""
    page.add_init_script(
        """Object.defineProperty(window, "localStorage", {
            configurable: true, get() { throw new DOMException("denied", "SecurityError"); },
        });"""
    )
    page.goto(server + "book/index.html")
    settle(page)
    before = page.evaluate("document.documentElement.dataset.mode")
    page.locator(".theme-switch-button:visible").first.click()
    assert page.evaluate("document.documentElement.dataset.mode") != before
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Forget my progress").click()
    assert not page.problems


def test_without_scripts_a_formula_is_read_whole(new_page, book):
    tab = new_page(java_script_enabled=False)
    tab.goto((book / "book/combined/the-formula.html").as_uri())
    edges = tab.locator("div.math").evaluate_all(
        "all => all.map(one => [one.scrollWidth - one.clientWidth, getComputedStyle(one).display])"
    )
    assert set(map(tuple, edges)) == {(0, "block")}
    tab.context.close()


def test_each_question_has_a_link(page, book):
    page.goto((book / "book/combined/the-formula.html").as_uri())
    links = page.get_by_role("link", name="Link to this question", include_hidden=True)
    assert links.count() == page.locator("form.question").count() > 3
    for link in links.all():
        target = link.get_attribute("href")
        assert page.locator(f"form{target}").count() == 1


def test_solved_stays_solved(page, server, settle):
    page.goto(server + "book/combined/the-formula.html")
    settle(page)
    form = page.locator("#question-noisy-labels")
    tally = page.locator(".bd-article .question-tally").last
    answer(form, right=True)
    check(form)
    answer(form, right=False)
    assert check(form).startswith("✗")
    assert tally.inner_text().startswith("1 of")
    form.get_by_role("button", name="Start again").click()
    assert form.locator("input:checked").count() == 0
    page.reload()
    settle(page)
    assert page.locator("#question-noisy-labels input:checked").count() == 0
    assert page.locator(".bd-article .question-tally").last.inner_text().startswith("1 of")


def test_progress_survives_a_reload_and_reaches_the_welcome_page(page, server, settle):
    page.goto(server + "book/combined/the-formula.html")
    settle(page)
    form = page.locator("#question-noisy-labels")
    answer(form, right=True)
    check(form)
    page.reload()
    settle(page)
    form = page.locator("#question-noisy-labels")
    assert form.locator(".question-verdict").inner_text().startswith("✓ Right.")
    assert form.locator(".question-verdict .math").count() > 0
    assert form.locator(".question-verdict .math:not(:has(mjx-container))").count() == 0

    page.goto(server + "book/index.html")
    row = page.locator(".question-progress li", has_text="2.2 The formula")
    assert re.match(r"1 of \d+ solved", row.locator(".question-tally").inner_text())
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("button", name="Forget my progress").click()
    assert row.locator(".question-tally").inner_text().startswith("1 of")
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Forget my progress").click()
    assert row.locator(".question-tally").inner_text().startswith("0 of")


def test_questions_by_keyboard_alone(page, book, settle):
    page.goto((book / "book/combined/the-formula.html").as_uri())
    settle(page)
    single = page.locator("#question-noisy-labels")
    single.locator("input").first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    assert single.locator(".question-verdict").inner_text().startswith("✓ Right.")

    ordering = page.locator("#question-order-of-work")
    first = ordering.locator(".question-choices > li").first.get_attribute("data-place")
    ordering.get_by_role("button", name="Move down").first.focus()
    page.keyboard.press("Enter")
    second = ordering.locator(".question-choices > li").nth(1)
    assert second.get_attribute("data-place") == first
    assert page.evaluate("document.activeElement.closest('li').dataset.place") == first


# What has the focus and does not show it; by an outline, where no shadow is drawn.
RINGLESS = """outlined => {
    const ring = ({outlineStyle, boxShadow}) =>
        outlineStyle !== "none" || (!outlined && boxShadow !== "none");
    const seen = [...document.querySelectorAll("a[href], button, input, select, summary")]
        .filter(node => node.checkVisibility() && !node.disabled);
    document.head.append(Object.assign(document.createElement("style"),
        {textContent: "* { transition: none !important }"}));
    return seen.filter(node => {
        node.focus();
        const drawn = [node, ...node.children].map(each => getComputedStyle(each));
        return document.activeElement === node && !drawn.some(ring);
    }).map(node => node.outerHTML.slice(0, 120));
}"""


def test_who_goes_by_keyboard_sees_where_they_are(new_page, book, settle):
    """In the page's colours and in the reader's own, where no shadow is drawn."""
    for colours in ("none", "active"):
        tab = new_page(forced_colors=colours)
        tab.goto((book / "book/combined/the-formula.html").as_uri())
        settle(tab)
        tab.keyboard.press("Tab")  # from here on, what has the focus shows it
        assert tab.evaluate("document.activeElement !== document.body")
        assert not tab.evaluate(RINGLESS, colours == "active")
        tab.context.close()


def test_the_switch_of_colours_goes_on_by_keyboard(page, book, settle):
    page.goto((book / "book/combined/the-formula.html").as_uri())
    settle(page)
    page.locator(".theme-switch-button:visible").focus()
    seen = []
    for _ in range(3):
        page.keyboard.press("Enter")
        seen.append(page.evaluate("document.documentElement.dataset.mode"))
    assert sorted(seen) == ["auto", "dark", "light"]

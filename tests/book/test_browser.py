"""The book as a reader meets it, in Chromium, from a folder and from a server's sub-path."""

import re

import pytest


@pytest.mark.parametrize("origin", ["file", "server"])
def test_pages_open_without_errors_or_requests_outside(
    page, book, server, origin, settle, page_names
):
    base = book.as_uri() + "/" if origin == "file" else server
    for name in [*page_names, "search.html", "genindex.html"]:
        page.goto(base + name)
        settle(page)
        assert page.locator("h1:visible").count() > 0, name
    assert not page.problems
    outside = [url for url in page.requests if not url.startswith((base, "data:", "blob:"))]
    assert not outside


def test_entrance_leads_to_the_welcome_page(page, book):
    page.goto((book / "index.html").as_uri())
    page.wait_for_url("**/book/index.html")
    assert page.locator("h1").first.inner_text().startswith("Distilling language models")


def test_mathematics_is_set(page, book, settle, page_names):
    for name in page_names:
        page.goto((book / name).as_uri())
        settle(page)
        wanted = page.locator(".math").count()
        assert page.locator(".math mjx-container").count() >= wanted, name
        assert page.locator("mjx-merror").count() == 0, name
        assert r"\mathrm" not in page.locator("article").inner_text(), name


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_scrolls_sideways_on_a_phone(chromium, book, scheme, settle, page_names):
    context = chromium.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    tab = context.new_page()
    for name in page_names:
        tab.goto((book / name).as_uri())
        settle(tab)
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390, name
        assert tab.evaluate("document.documentElement.dataset.theme") == scheme
    context.close()


def test_search_finds_reverse_kl_and_is_offered_once(page, book, settle):
    page.goto((book / "search.html").as_uri() + "?q=reverse+KL")
    page.locator("ul.search li").first.wait_for()
    page.goto((book / "book/index.html").as_uri())
    settle(page)
    fields = page.locator(".search-button__button, #search-input")
    assert sum(fields.nth(i).is_visible() for i in range(fields.count())) == 1


# --- questions ------------------------------------------------------------------------------------


def answer(form, right: bool) -> None:
    """Answer a question of any kind, rightly or wrongly."""
    kind = form.get_attribute("data-kind")
    if kind in ("single", "multiple"):
        rows = form.locator(".question-choices > li")
        for i in range(rows.count()):
            fits = (rows.nth(i).get_attribute("data-right") == "true") == right
            box = rows.nth(i).locator("input")
            if kind == "multiple":
                box.set_checked(fits)
            elif fits:
                box.check()
                return
    elif kind == "numeric":
        good = form.locator('.question-feedback[data-right="true"][data-value]').first
        form.locator("input").fill(good.get_attribute("data-value") if right else "-12345")
    elif kind == "matching":
        rows = form.locator(".question-choices > li")
        wanted = [rows.nth(i).get_attribute("data-match") for i in range(rows.count())]
        for i, value in enumerate(wanted if right else wanted[1:] + wanted[:1]):
            rows.nth(i).locator("select").select_option(value)
    elif kind == "ordering" and right:
        rows = form.locator(".question-choices > li")
        for place in range(rows.count()):
            row = form.locator(f'.question-choices > li[data-place="{place}"]')
            while rows.nth(place).get_attribute("data-place") != str(place):
                row.get_by_text("↑").click()


def check(form) -> str:
    form.get_by_role("button", name="Check").click()
    return form.locator(".question-verdict").inner_text()


def test_every_question_answered_wrongly_then_rightly(page, book, settle, page_names):
    asked = set()
    for name in page_names:
        page.goto((book / name).as_uri())
        settle(page)
        forms = page.locator("form.question")
        for i in range(forms.count()):
            form = forms.nth(i)
            label = f"{name} {form.get_attribute('data-name')}"
            assert "Answer first" in check(form) or form.get_attribute("data-kind") == "ordering"
            answer(form, right=False)
            wrong = check(form)
            assert wrong.startswith("✗ Not yet."), label
            assert len(wrong) > 60, f"{label}: no feedback"
            answer(form, right=True)
            right = check(form)
            assert right.startswith("✓ Right."), label
            assert len(right) > 40, f"{label}: no feedback"
            asked.add(form.get_attribute("data-kind"))
        tally = page.locator(".bd-article .question-tally")
        if forms.count():
            assert tally.last.inner_text().startswith(f"{forms.count()} of {forms.count()} solved")
    assert asked == {"single", "multiple", "numeric", "ordering", "matching"}
    assert not page.problems


def test_each_choice_and_each_expected_number_has_its_own_feedback(page, book, settle, page_names):
    for name in page_names:
        page.goto((book / name).as_uri())
        settle(page)
        for form in page.locator('form.question[data-kind="single"]').all():
            said = []
            for box in form.locator("input").all():
                box.check()
                check(form)
                said.append(form.locator(".question-remark").first.inner_text())
            assert len(set(said)) == len(said)
            assert min(map(len, said)) > 40
        for form in page.locator('form.question[data-kind="numeric"]').all():
            said = []
            for number in form.locator(".question-feedback[data-value]").all():
                form.locator("input").fill(number.get_attribute("data-value"))
                said.append(check(form))
            assert len(set(said)) == len(said)


def test_numbers_may_be_written_as_readers_write_them(page, book):
    page.goto((book / "book/combined/the-formula.html").as_uri())
    form = page.locator("#question-lambda-to-alpha")
    for text in ("0.75", "0,75", "3/4", " 7.5e-1 "):
        form.locator("input").fill(text)
        assert check(form).startswith("✓"), text
    form.locator("input").fill("three quarters")
    assert "not a number" in check(form)


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

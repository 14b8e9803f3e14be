"""What a reader does with the book in a browser; test_pages has what holds of every page."""

import re

from tests.book.questions import answer, check


def test_entrance_leads_to_the_welcome_page(page, book):
    page.goto((book / "index.html").as_uri())
    page.wait_for_url("**/book/index.html")
    assert page.locator("h1").first.inner_text().startswith("Distilling language models")


def test_search_finds_reverse_kl_and_is_offered_once(page, book, settle):
    page.goto((book / "search.html").as_uri() + "?q=reverse+KL")
    page.get_by_text("Search finished").wait_for()
    assert page.locator("ul.search li").count()
    page.goto((book / "book/index.html").as_uri())
    settle(page)
    fields = page.locator(".search-button__button, #search-input")
    assert sum(fields.nth(i).is_visible() for i in range(fields.count())) == 1


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

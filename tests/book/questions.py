"""How a reader answers a question of the book, rightly or wrongly."""


def answer(form, right: bool) -> None:
    """Answers a question of any kind."""
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
            for _ in range(rows.count()):
                if rows.nth(place).get_attribute("data-place") == str(place):
                    break
                row.get_by_text("↑").click()


def check(form) -> str:
    """Presses the button, and reads the verdict."""
    form.get_by_role("button", name="Check").click()
    return form.locator(".question-verdict").inner_text()

"""The widgets in a browser: what they compute is what kdlab computes, however they are moved."""

import json
import math
import re
import sys
from pathlib import Path

import pytest
import torch
from playwright.sync_api import expect

from kdlab import CombinedObjective, forward_kl, jensen_shannon, reverse_kl
from kdlab.schedules import SCHEDULES
from kdlab.widgets import HERE, WIDGETS, LambdaMixer, ModeSeeking, SchedulePlayer, log_bell

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "book/_ext"))

from book_widgets import HOST, as_expression  # noqa: E402

MOUNTED: dict[str, list[str]] = {name: [] for name in WIDGETS}
"""The pages that each widget is on."""
for source in sorted((ROOT / "book").glob("*/*.md")):
    for kind in re.findall(r"^```\{widget\} ([\w-]+)", source.read_text(encoding="utf8"), re.M):
        MOUNTED[kind].append(source.relative_to(ROOT).with_suffix(".html").as_posix())
PAGES = sorted({name for names in MOUNTED.values() for name in names})

CALL = """async ([source, name, args]) => {
    const module = await import("data:text/javascript," + encodeURIComponent(source));
    return module[name](...args);
}"""


# --- the mathematics, called directly -------------------------------------------------------------


@pytest.fixture(scope="module")
def call(chromium):
    """Calls an exported function of a widget's module in the browser."""
    tab = chromium.new_page()
    sources = {name: (HERE / f"{name}.js").read_text(encoding="utf8") for name in WIDGETS}
    yield lambda name, function, *args: tab.evaluate(CALL, [sources[name], function, list(args)])
    tab.close()


def distribution(size: int, zeros: bool = False) -> torch.Tensor:
    p = torch.rand(size, dtype=torch.float64) + 0.01
    if zeros:
        p[torch.randint(size, ())] = 0
    return p / p.sum()


@pytest.mark.parametrize("seed", range(5))
def test_softmax(call, seed):
    torch.manual_seed(seed)
    logits, temperature = 8 * torch.randn(6, dtype=torch.float64), 0.1 + 5 * torch.rand(()).item()
    ours = call("softmax-temperature", "softmax", logits.tolist(), temperature)
    p = (logits / temperature).softmax(-1)
    assert ours == pytest.approx(p.tolist(), abs=1e-12)
    entropy = torch.special.entr(p).sum().item()
    assert call("softmax-temperature", "entropy", ours) == pytest.approx(entropy, abs=1e-9)


@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_divergences(call, seed, zeros):
    torch.manual_seed(seed)
    p, q = distribution(4, zeros), distribution(4, zeros)
    ours = call("kl-explorer", "divergences", p.tolist(), q.tolist())
    logits = q.log(), p.log()
    theirs = [f(*logits).item() for f in (forward_kl, reverse_kl, jensen_shannon)]
    assert ours == pytest.approx(theirs, abs=1e-9)
    shares = call("kl-explorer", "shares", p.tolist(), q.tolist())
    assert [sum(column) for column in zip(*shares, strict=True)] == pytest.approx(ours)


@pytest.mark.parametrize("name", ["kl-explorer", "lambda-mixer"])
def test_moving_one_bar_keeps_the_others_in_proportion(call, name):
    moved = call(name, "withEntry", [0.2, 0.2, 0.6], 0, 0.6)
    assert moved == pytest.approx([0.6, 0.1, 0.3])
    assert call(name, "withEntry", [1, 0, 0], 0, 0.5) == pytest.approx([0.5, 0.25, 0.25])
    assert call(name, "withEntry", [0.2, 0.2, 0.6], 2, 1) == pytest.approx([0, 0, 1])


@pytest.mark.parametrize("seed", range(5))
def test_mixing(call, seed):
    torch.manual_seed(seed)
    p, q = distribution(5), distribution(5)
    y, lam = seed % 5, 5 * torch.rand(()).item()
    out = CombinedObjective(lam=lam)(q.log(), p.log(), torch.tensor(y))
    ours = call("lambda-mixer", "losses", p.tolist(), q.tolist(), y, lam)
    theirs = [out.lm_loss.item(), out.kd_loss.item(), out.loss.item()]
    assert ours == pytest.approx(theirs, abs=1e-9)
    tokens = list("abcde")
    mixer = LambdaMixer(tokens=tokens, p=p.tolist(), y=y, lam=lam)
    wanted = [row["q*"] for row in mixer.numbers().values()]
    assert call("lambda-mixer", "mixed", p.tolist(), y, lam) == pytest.approx(wanted)


@pytest.mark.parametrize("w", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_slopes_of_the_descent_are_those_of_kdlab(call, seed, w):
    torch.manual_seed(seed)
    x = torch.tensor(call("mode-seeking", "grid"), dtype=torch.float64)
    bells = ModeSeeking().teacher
    log_p = call("mode-seeking", "logTeacher", x.tolist(), bells)
    log_p = torch.tensor(log_p, dtype=torch.float64)
    mu = (4 * torch.rand((), dtype=torch.float64) - 2).requires_grad_()
    log_sigma = (torch.rand((), dtype=torch.float64) - 0.3).requires_grad_()
    logits = -0.5 * ((x - mu) / log_sigma.exp()) ** 2
    loss = (1 - w) * forward_kl(logits, log_p) + w * reverse_kl(logits, log_p)
    slopes = [slope.item() for slope in torch.autograd.grad(loss, (mu, log_sigma))]
    ours = call("mode-seeking", "loss", log_p.tolist(), x.tolist(), mu.item(), log_sigma.item(), w)
    assert ours["value"] == pytest.approx(loss.item(), abs=1e-9)
    assert [ours["mu"], ours["logSigma"]] == pytest.approx(slopes, abs=1e-8)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize(("start", "end"), [(1.0, 0.01), (0.5, 2.0)])
def test_schedules(call, name, start, end):
    torch.manual_seed(0)
    run = {
        "made_with": "random numbers",
        "lm": (5 - 2 * torch.rand(57).sort().values).tolist(),
        "kd": (2 - 2 * torch.rand(57).sort().values + 0.01).tolist(),
        "gap": {str(step): math.sin(step) / 5 for step in range(5, 57, 5)},
    }
    player = SchedulePlayer(schedule=name, start=start, end=end, run=run)
    options = call("schedule-player", "options", name, start, end, 57)
    assert options == player.options()
    values = call("schedule-player", "play", name, options, run)
    assert values == pytest.approx(player.values(), abs=1e-12)
    assert len(values) == 58


@pytest.mark.parametrize(("lm", "kd", "share"), [(0.0, 0.0, 1.0), (2.0, 0.0, 0.0), (2, 0.0, 1.0)])
def test_a_ratio_of_losses_that_are_zero(call, lm, kd, share):
    run = {"made_with": "", "lm": [lm, 3.0], "kd": [kd, 1.0], "gap": {}}
    player = SchedulePlayer(schedule="ratio", start=share, run=run)
    values = call("schedule-player", "play", "ratio", player.options(), run)
    assert values == pytest.approx(player.values())


def test_a_gap_that_was_measured_before_the_first_step_is_no_news_to_a_plateau(call):
    run = {"made_with": "", "lm": [2.0] * 3, "kd": [1.0] * 3}
    run["gap"] = {str(step): 0.5 for step in range(4)}
    player = SchedulePlayer(schedule="plateau", run=run)
    values = call("schedule-player", "play", "plateau", player.options(), run)
    assert values == pytest.approx(player.values())


def test_who_picks_an_exponential_gets_one_where_a_line_ended_at_zero(page):
    player = SchedulePlayer(start=0.0, end=0.0)
    names = ("schedule", "start", "end", "position", "run", "trained")
    state = json.dumps({name: getattr(player, name) for name in names})
    module = as_expression((HERE / "schedule-player.js").read_text(encoding="utf8"))
    page.set_content(
        f"<main><div></div><script>{HOST.read_text(encoding='utf8')}"
        f"kdlabWidgets.define('schedule-player', {module});"
        f"kdlabWidgets.mount(document.currentScript, 'schedule-player', {state});</script></main>"
    )
    page.locator("select").select_option("exponential")
    found = page.evaluate("names => names.map(document.querySelector('div').model.get)", names)
    player = SchedulePlayer(**dict(zip(names, found, strict=True)))
    assert (player.start, player.end) == (0.1, 0.01)
    shown = page.locator("tbody tr:last-child td").first.inner_text()
    assert float(shown) == pytest.approx(player.values()[-1], abs=0.001)
    assert not page.problems


# --- in the rendered pages ------------------------------------------------------------------------


TEN_FRAMES = """() => new Promise(done => {
    let left = 10;
    const frame = () => left-- ? requestAnimationFrame(frame) : done();
    frame();
})"""
READ = """(el, names) => ({
    state: Object.fromEntries(names.map(name => [name, el.model.get(name)])),
    tables: [...el.querySelectorAll("table")].map(table => {
        const names = [...table.tHead.rows[0].cells].slice(1).map(cell => cell.textContent);
        return Object.fromEntries([...table.tBodies[0].rows].map(row => [
            row.cells[0].textContent,
            Object.fromEntries(names.map((name, i) => [name, row.cells[i + 1].textContent])
                .filter(([name, text]) => name && text)),
        ]));
    }),
})"""


def read(widget) -> tuple:
    """The Python widget in the state of the one on the page, and its tables as a reader sees them.

    A table is a dict of its rows by name, each a dict of its columns by name.
    """
    kind = WIDGETS[widget.get_attribute("data-widget")]
    names = [name for name in kind.class_trait_names(sync=True) if not name.startswith("_")]
    found = widget.evaluate(READ, names)
    state = {name: value for name, value in found["state"].items() if value is not None}
    return kind(**state), found["tables"]


def wrapper(widget):
    return read(widget)[0]


def shown(widget) -> list[dict]:
    return read(widget)[1]


def assert_agrees(widget, label: str) -> None:
    """What the page shows, to the digits that it shows, is what kdlab computes."""
    python, tables = read(widget)
    pairs = [(tables[-1], python.numbers())]
    if getattr(python, "students", None):
        pairs = pairs if python.revealed else []
        scores = tables[0]
        if python.revealed:
            pairs.append((scores, python.scores()))
        else:
            assert {row["KL(p‖q)"] for row in list(scores.values())[1:]} == {"?"}
    for table, numbers in pairs:
        assert table.keys() == numbers.keys(), label
        for row, columns in numbers.items():
            assert table[row].keys() == columns.keys(), f"{label}: {row}"
            for column, value in columns.items():
                text = table[row][column]
                places = len(text.partition(".")[2])
                said = math.inf if text == "∞" else float(text.replace("−", "-"))
                close = pytest.approx(value, abs=0.5001 * 10**-places)
                assert said == close, f"{label}: {row}, {column}"


def test_every_widget_is_somewhere():
    assert all(MOUNTED.values()), MOUNTED


@pytest.fixture(scope="module", params=PAGES)
def opened(request, new_page, book, settle):
    """A page with widgets, opened once for the tests that follow."""
    tab = new_page()
    tab.goto((book / request.param).as_uri())
    settle(tab)
    yield tab
    tab.context.close()


def widgets_of(tab):
    """Every widget of a page, with a label."""
    for i, widget in enumerate(tab.locator(".book-widget").all()):
        yield f"{i} {widget.get_attribute('data-widget')}", widget


def sliders(widget):
    return [s for s in widget.get_by_role("slider").all() if s.is_visible() and s.is_enabled()]


def reveal(widget) -> None:
    """Predict and reveal, where the widget asks for it and has not been told."""
    button = widget.get_by_role("button", name="Reveal")
    if button.count() and not widget.evaluate("el => el.model.get('revealed')"):
        button.click()
        assert "Pick a student first" in widget.inner_text()
        widget.get_by_role("radio").last.check()
        button.click()


def test_prediction_comes_before_the_numbers(opened):
    for label, widget in widgets_of(opened):
        assert_agrees(widget, label)
        if not widget.get_by_role("button", name="Reveal").count():
            continue
        assert widget.locator("td", has_text="?").count() >= 12, label
        assert not sliders(widget)
        reveal(widget)
        scores = wrapper(widget).scores()
        scores.pop("teacher p")
        best = min(scores, key=lambda name: scores[name]["KL(p‖q)"])
        assert best in widget.locator("p", has_text="KL(p‖q) =").inner_text()


def test_every_widget_dragged_shows_kdlabs_numbers(opened):
    for label, widget in widgets_of(opened):
        reveal(widget)
        for slider in sliders(widget):
            before = slider.input_value()
            slider.scroll_into_view_if_needed()
            box = slider.bounding_box()
            y = box["y"] + box["height"] / 2
            low, high, step = (float(slider.get_attribute(x)) for x in ("min", "max", "step"))
            part = (float(before) - low) / (high - low)
            opened.mouse.move(box["x"] + 8 + part * (box["width"] - 16), y)
            opened.mouse.down()
            for at in (0.35, 0.62):
                opened.mouse.move(box["x"] + at * box["width"], y, steps=3)
                assert_agrees(widget, f"{label}, dragged to {at}")
            opened.mouse.up()
            assert slider.input_value() != before, label
            assert float(slider.input_value()) == pytest.approx(
                low + 0.62 * (high - low), abs=0.03 * (high - low) + step
            )
    assert not opened.problems


def test_every_widget_stepped_by_keys_shows_kdlabs_numbers(opened):
    for label, widget in widgets_of(opened):
        reveal(widget)
        for slider in sliders(widget):
            slider.focus()
            for key in ("Home", "PageUp", "ArrowRight", "ArrowLeft", "End"):
                before = slider.get_attribute("aria-valuetext")
                opened.keyboard.press(key)
                assert_agrees(widget, f"{label}, {key}")
                if key == "End":
                    high = float(slider.get_attribute("max"))
                    assert float(slider.input_value()) == high
                elif key == "ArrowLeft":
                    assert slider.get_attribute("aria-valuetext") != before, label
            outline = slider.evaluate("el => getComputedStyle(el).outlineWidth")
            assert outline == "3px", f"{label}: focus is not visible"
    assert not opened.problems


def test_every_choice_of_a_widget_shows_kdlabs_numbers(opened):
    for label, widget in widgets_of(opened):
        reveal(widget)
        for radio in widget.get_by_role("radio").all():
            radio.check()
            assert_agrees(widget, label)
        for select in widget.locator("select").all():
            for option in select.locator("option").all():
                select.select_option(option.get_attribute("value"))
                assert_agrees(widget, f"{label}, {option.inner_text()}")
        swap = widget.get_by_role("button", name="Swap p and q")
        if swap.count():
            before = shown(widget)[-1]["sum"]
            swap.click()
            assert shown(widget)[-1]["sum"]["KL(q‖p)"] == before["KL(p‖q)"]
            assert_agrees(widget, f"{label}, swapped")


def test_start_over_is_the_state_that_the_page_began_with(opened):
    """Of the descent, the student: which KL it descends stays as the reader has set it."""

    def state(widget) -> dict:
        rows = shown(widget)[-1]
        return {name: row | {"loss": ""} if "loss" in row else row for name, row in rows.items()}

    for label, widget in widgets_of(opened):
        reveal(widget)
        again = widget.get_by_role("button", name="Start over")
        again.click()
        first = state(widget)
        for slider in sliders(widget):
            slider.focus()
            opened.keyboard.press("PageUp")
        assert state(widget) != first, label
        again.focus()
        opened.keyboard.press("Enter")
        assert state(widget) == first, label
        assert_agrees(widget, label)


def test_a_held_bar_stays_while_another_moves(opened):
    for label, widget in widgets_of(opened):
        holds = widget.get_by_role("checkbox").all()
        if not holds:
            continue
        reveal(widget)
        widget.get_by_role("button", name="Start over").click()
        names = [hold.get_attribute("aria-label").removeprefix("hold ") for hold in holds]
        held, moved = names.index("q(mat)"), next(i for i, n in enumerate(names) if n == "q(sofa)")
        holds[held].focus()
        opened.keyboard.press("Space")
        slider = widget.get_by_role("slider", name="q(sofa)")
        before = wrapper(widget).q[0]
        slider.focus()
        for key in ("Home", "End"):
            opened.keyboard.press(key)
            found = wrapper(widget).q
            assert found[0] == pytest.approx(before), label
            assert sum(found) == pytest.approx(1)
            assert_agrees(widget, label)
        assert wrapper(widget).q[1] == pytest.approx(1 - before)
        assert moved != held
        holds[held].uncheck()


def test_what_is_drawn_can_be_dragged(opened):
    for label, widget in widgets_of(opened):
        trait = {"mode-seeking": "mu", "schedule-player": "position"}.get(label.split()[1])
        if not trait:
            continue
        picture = widget.locator("svg.drag")
        picture.scroll_into_view_if_needed()
        box = picture.bounding_box()
        y = box["y"] + 0.4 * box["height"]
        opened.mouse.move(box["x"] + 0.5 * box["width"], y)
        opened.mouse.down()
        opened.mouse.move(box["x"] + 0.25 * box["width"], y, steps=3)
        opened.mouse.up()
        found = getattr(wrapper(widget), trait)
        assert found == pytest.approx({"mu": -3.0, "position": 100}[trait], abs=1), label
        assert_agrees(widget, label)


def test_the_player_says_how_students_of_each_schedule_ended(opened):
    for label, widget in widgets_of(opened):
        if "schedule-player" not in label:
            continue
        gaps = wrapper(widget).trained["gap"]
        for name in SCHEDULES:
            widget.locator("select").select_option(name)
            said = widget.inner_text()
            if name in gaps:
                assert f"They end with a gap of {gaps[name][-1]:.3f} nats." in said
            else:
                assert "No student was trained with" in said
            assert f"dashed, end at {gaps['labels alone'][-1]:.3f}." in said


def test_changes_are_announced(opened):
    for label, widget in widgets_of(opened):
        reveal(widget)
        live = widget.get_by_role("status")
        before = live.inner_text()
        for key in ("End", "PageDown", "PageDown"):
            sliders(widget)[-1].press(key)
        expect(live, label).not_to_have_text(before, timeout=300_000)
        for slider in sliders(widget):
            assert slider.get_attribute("aria-valuetext"), label


def test_descent_finds_one_peak_in_reverse_and_both_in_forward(new_page, book, settle):
    tab = new_page(reduced_motion="reduce")  # then it ends at once
    tab.goto((book / MOUNTED["mode-seeking"][0]).as_uri())
    settle(tab)
    widget = tab.locator('[data-widget="mode-seeking"]').first
    share, teacher = sliders(widget)[0], wrapper(widget).teacher
    x = torch.linspace(-6, 6, 121, dtype=torch.float64)
    p = sum(weight * log_bell(x, mu, sigma).exp() for weight, mu, sigma in teacher)
    for key, end in (("Home", "forward"), ("End", "reverse")):
        widget.get_by_role("button", name="Start over").click()
        share.focus()
        tab.keyboard.press(key)
        widget.get_by_role("button", name="Descend").click()
        assert_agrees(widget, end)
        found = wrapper(widget)
        assert found.steps == 300
        if end == "forward":  # the student has the teacher's own mean and mean square
            q = log_bell(x, found.mu, found.sigma).exp()
            assert (q * x).sum().item() == pytest.approx((p * x).sum().item(), abs=1e-3)
            assert (q * x**2).sum().item() == pytest.approx((p * x**2).sum().item(), abs=1e-3)
        else:
            assert min(abs(found.mu - mu) for _, mu, _ in teacher) < 0.1
            assert found.sigma < 1.5 * max(sigma for *_, sigma in teacher)
    tab.context.close()


@pytest.mark.parametrize(
    ("kind", "button", "trait"),
    [("mode-seeking", "Descend", "steps"), ("schedule-player", "Play", "position")],
)
def test_descent_and_player_move_and_can_be_paused(page, book, settle, kind, button, trait):
    page.goto((book / MOUNTED[kind][0]).as_uri())
    settle(page)
    widget = page.locator(f'[data-widget="{kind}"]').first
    now = f"el => el.model.get('{trait}')"
    first = widget.evaluate(now)
    widget.get_by_role("button", name=button).click()
    wait = "([el, trait, first]) => el.model.get(trait) > first"
    page.wait_for_function(wait, arg=[widget.element_handle(), trait, first])
    widget.get_by_role("button", name="Pause").click()
    paused = widget.evaluate(now)
    page.evaluate(TEN_FRAMES)
    assert widget.evaluate(now) == paused
    assert_agrees(widget, f"{kind}, paused")


def test_touch_moves_a_slider_and_nothing_jumped_when_widgets_appeared(new_page, book, settle):
    tab = new_page(viewport={"width": 390, "height": 844}, has_touch=True)
    tab.add_init_script(
        """window.moved = [];
        new PerformanceObserver(list => list.getEntries().forEach(entry =>
            entry.sources.forEach(source => {
                const el = source.node?.closest?.(".book-widget");
                if (el) moved.push([el.dataset.widget, source.previousRect.height,
                                    source.currentRect.height]);
            }))).observe({type: "layout-shift", buffered: true});"""
    )
    for name in PAGES:
        tab.goto((book / name).as_uri(), wait_until="domcontentloaded")
        heights = "[...document.querySelectorAll('.book-widget')].map(el => el.offsetHeight)"
        first = tab.evaluate(heights)
        settle(tab)
        tab.evaluate(TEN_FRAMES)
        assert first == tab.evaluate(heights)
        assert min(first) > 100
        assert not [entry for entry in tab.evaluate("moved") if entry[1] != entry[2]], name
        for label, widget in widgets_of(tab):
            reveal(widget)
            slider = sliders(widget)[0]
            slider.scroll_into_view_if_needed()
            box = slider.bounding_box()
            before = slider.input_value()
            tab.touchscreen.tap(box["x"] + 0.8 * box["width"], box["y"] + box["height"] / 2)
            assert slider.input_value() != before, f"{name} {label}"
            assert_agrees(widget, f"{name} {label}")
    tab.context.close()


def test_without_scripts_the_numbers_are_there(new_page, book):
    tab = new_page(java_script_enabled=False)
    for kind, names in MOUNTED.items():
        tab.goto((book / names[0]).as_uri())
        html = (book / names[0]).read_text(encoding="utf8")
        state = re.search(rf'mount\(document.currentScript, "{kind}", (\{{.*\}})\);', html)[1]
        first = WIDGETS[kind](**json.loads(state))
        table = first.scores() if getattr(first, "students", None) else first.numbers()
        text = tab.locator("noscript .kdlab-widget").all_inner_texts()
        value = next(iter(table.values()))
        assert any(all(f"{x:.3f}" in part for x in value.values()) for part in text), kind
    tab.context.close()

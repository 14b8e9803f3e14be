"""The diagrams: each is used, says what it shows, takes its colours from the page, and fits."""

import inspect
import re
from pathlib import Path

import pytest
from sphinx.testing.util import SphinxTestApp

ROOT = Path(__file__).parents[2]
BOOK = ROOT / "book"
PAGES = [path for path in BOOK.rglob("*.md") if "_build" not in path.parts]
USED = {
    path.relative_to(BOOK).with_suffix("").as_posix(): re.findall(
        r"^```{diagram} ([\w-]+)$", path.read_text(encoding="utf8"), re.MULTILINE
    )
    for path in PAGES
}


@pytest.fixture
def drawings(monkeypatch):
    monkeypatch.syspath_prepend(str(BOOK / "_ext"))
    import drawings

    return drawings


def test_every_page_of_parts_1_to_3_and_6_has_a_diagram_before_its_second_heading():
    parts = [page for page in USED if page.startswith(("before/", "combined/", "after/", "field/"))]
    assert len(parts) >= 12
    for page in parts:
        text = (BOOK / f"{page}.md").read_text(encoding="utf8")
        beginning = "\n## ".join(text.split("\n## ")[:2])
        assert "```{diagram}" in beginning, page


def test_every_drawing_is_used_and_every_used_one_is_there(drawings):
    assert {name for names in USED.values() for name in names} == set(drawings.DRAWINGS)


def test_every_drawing_says_what_it_shows_and_names_no_colour(drawings):
    css = (BOOK / "_static/book.css").read_text(encoding="utf8")
    for name, drawing in drawings.DRAWINGS.items():
        assert len(inspect.getdoc(drawing)) > 80, name
        drawn = drawing()
        assert not re.search(r"#[0-9a-f]{3}|rgb|fill=|stroke=|style=", drawn), name
        for kind in {
            kind for found in re.findall(r'class="([^"]*)"', drawn) for kind in found.split()
        }:
            known = kind in ("student",)  # the colour of the text
            assert known or re.search(rf"\.diagram [.\w ]*\.?{kind}\b", css), (name, kind)


@pytest.mark.parametrize("name", ["one-step", "packed-row"])
def test_a_page_is_read_anew_when_what_draws_its_drawing_changes(drawings, tmp_path, name):
    (tmp_path / "conf.py").write_text("extensions = ['myst_parser', 'book_diagrams']\n")
    (tmp_path / "index.md").write_text(f"# A page\n\n```{{diagram}} {name}\nIt says.\n```\n")
    app = SphinxTestApp(srcdir=tmp_path)
    try:
        app.build()
        noted = {(tmp_path / path).resolve().name for path in app.env.dependencies["index"]}
    finally:
        app.cleanup()
    assert noted >= {Path(inspect.getsourcefile(drawings.DRAWINGS[name])).name, "drawing_pieces.py"}


def test_no_text_leaves_its_drawing_or_its_box(drawings, page):
    css = (BOOK / "_static/book.css").read_text(encoding="utf8")
    for family in ("sans-serif", "DejaVu Sans"):
        style = f"{css} figure.diagram svg {{ font-family: {family}; }}"
        for name, drawing in drawings.DRAWINGS.items():
            page.set_content(
                f'<style>{style}</style><figure class="diagram" style="width:560px">'
                f"{drawing()}</figure>"
            )
            outside = page.evaluate(
                """() => {
                    const svg = document.querySelector('svg');
                    const view = svg.viewBox.baseVal;
                    const boxes = [...svg.querySelectorAll('rect.box')].map((b) => b.getBBox());
                    const inside = (t, b) => t.x >= b.x && t.x + t.width <= b.x + b.width;
                    const middle = (t, b) =>
                        t.x + t.width / 2 > b.x && t.x + t.width / 2 < b.x + b.width &&
                        t.y + t.height / 2 > b.y && t.y + t.height / 2 < b.y + b.height;
                    return [...svg.querySelectorAll('text')].filter((text) => {
                        const t = text.getBBox();
                        return !inside(t, view) || t.y < 0 || t.y + t.height > view.height + 4 ||
                            boxes.some((b) => middle(t, b) && !inside(t, b));
                    }).map((text) => text.textContent);
                }"""
            )
            assert outside == [], (name, family)


def test_the_teacher_of_2_2_lies_where_its_probabilities_say(drawings):
    """q* is on the line from label to teacher, at the teacher's share of the way."""
    label, teacher = drawings.in_triangle(1, 0, 0), drawings.in_triangle(0.3, 0.6, 0.1)
    for lam in (1, 2, 9):
        target = [
            (y + lam * p) / (1 + lam) for y, p in zip((1, 0, 0), (0.3, 0.6, 0.1), strict=True)
        ]
        on_line = drawings.between(label, teacher, lam / (1 + lam))
        assert drawings.in_triangle(*target) == pytest.approx(on_line)


def test_students_and_teacher_of_1_3_are_distributions(drawings):
    """Each student holds as much as the teacher; the one of reverse KL has a peak 1/0.6 as high."""
    drawn = drawings.DRAWINGS["cover-or-seek"]()
    shapes = re.findall(r'points="([^"]*)" class="(area|line student thick)"', drawn)
    found = {"area": [], "line student thick": []}
    for points, kind in shapes:
        x, y = zip(*(map(float, point.split(",")) for point in points.split()), strict=True)
        heights = [150 - height for height in y[:81]]
        inside = sum(heights) * (x[1] - x[0])
        found[kind].append((inside, max(heights)))
    (teacher, peak), _ = found["area"]
    (covers, _), (seeks, sought) = found["line student thick"]
    assert covers == pytest.approx(teacher, rel=0.06)  # its sides go on beyond the picture
    assert seeks == pytest.approx(teacher, rel=0.02)
    assert sought == pytest.approx(peak / 0.6, rel=0.02)

"""What the book's diagrams are drawn with.

A piece is a string of SVG. It names no colour: its classes do, in book.css, for both themes. In
words, _q_ is a variable, in italics.
"""

import html
import math
import re
from collections.abc import Callable, Iterable

from docutils.utils.smartquotes import smartyPants

DRAWINGS: dict[str, Callable[[], str]] = {}


def drawing(function: Callable[[], str]) -> Callable[[], str]:
    DRAWINGS[function.__name__.replace("_", "-")] = function
    return function


def svg(width: float, height: float, *parts: str) -> str:
    return f'<svg viewBox="0 0 {width} {height}">' + "".join(parts) + "</svg>"


def words(x: float, y: float, text: str, kind: str = "", anchor: str = "middle") -> str:
    said = re.sub(r"_(\w+)_", r'<tspan class="variable">\1</tspan>', html.escape(smartyPants(text)))
    return f'<text x="{x:g}" y="{y:g}" class="{kind}" text-anchor="{anchor}">{said}</text>'


def box(x: float, y: float, width: float, height: float, kind: str = "", round_: float = 6) -> str:
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{round_:g}" '
        f'class="box {kind}"/>'
    )


def bar(x: float, y: float, width: float, height: float, kind: str) -> str:
    """From its base up."""
    shape = f'x="{x:g}" y="{y - height:g}" width="{width:g}" height="{height:g}"'
    return f'<rect {shape} class="fill {kind}"/>'


def named_box(x: float, y: float, width: float, text: str, kind: str = "") -> str:
    lines = text.split("\n")
    height = 16 + 20 * len(lines)
    said = (
        words(x + width / 2, y + 22 + 20 * i, line, kind if i == 0 else "small")
        for i, line in enumerate(lines)
    )
    return box(x, y, width, height, kind) + "".join(said)


def dot(x: float, y: float, kind: str = "", size: float = 5) -> str:
    return f'<circle cx="{x:g}" cy="{y:g}" r="{size:g}" class="fill {kind}"/>'


def path(points: Iterable[tuple[float, float]], kind: str = "") -> str:
    steps = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{steps}" class="line {kind}"/>'


def arrow(*points: tuple[float, float], kind: str = "") -> str:
    """A line through the points with a head at the last one."""
    (x, y), (fx, fy) = points[-1], points[-2]
    angle = math.atan2(y - fy, x - fx)
    corners = [
        (x - 10 * math.cos(angle + turn), y - 10 * math.sin(angle + turn)) for turn in (0.4, -0.4)
    ]
    head = " ".join(f"{a:.1f},{b:.1f}" for a, b in ((x, y), *corners))
    back = (x - 7 * math.cos(angle), y - 7 * math.sin(angle))
    return path([*points[:-1], back], kind) + f'<polygon points="{head}" class="fill {kind}"/>'


def between(a: tuple[float, float], b: tuple[float, float], share: float) -> tuple[float, float]:
    """The point that has gone a share of the way from a to b."""
    return a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])


def hump(middle: float, width: float, height: float, base: float, left: float, right: float):
    """Points of a bell curve over its base."""
    for i in range(81):
        x = left + (right - left) * i / 80
        yield x, base - height * math.exp(-0.5 * ((x - middle) / width) ** 2)


def falling(s: float, rate: float) -> float:
    return math.exp(-rate * s)


def curve(x: float, height: Callable[[float], float]) -> list[tuple[float, float]]:
    """Points over a run that goes from x + 6 to x + 216, its heights over the base at 170."""
    return [(x + 6 + 210 * i / 40, 170 - height(i / 40)) for i in range(41)]

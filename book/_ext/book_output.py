"""Keep the rendered folder small and whole: only files that some page loads, and no third of them.

The theme and MathJax together are 31 MB, of which a page would load 3.7. After the build:

- MathJax is copied in the parts that are needed, from the wheel of sphinx-mathjax-offline;
- the theme's icons come from its style sheet and a font cut down to the icons that pages show,
  in place of a script of 1.5 MB that does the same;
- Sphinx's search is left out, for that of book_search;
- style sheets keep the rules of classes that some page or script names;
- scripts of the book's own lose their comments, which every page would load;
- files that nothing refers to are removed;
- what keeps the theme's markup from being read aloud well is put right.
"""

import importlib.util
import re
import shutil
from pathlib import Path

from fontTools import subset
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

MATHJAX = (
    "startup.js",
    "core.js",
    "input/tex.js",
    "input/tex/extensions",  # \boldsymbol and its like are fetched when a page uses one
    "output/chtml.js",
    "output/chtml/fonts",
    "a11y/assistive-mml.js",  # what screen readers read
)
# Where a browser keeps nothing for a page, it refuses to be asked, and the theme would stop there.
STORAGE = """\
    try { localStorage.length; } catch {
      const kept = new Map();
      Object.defineProperty(window, "localStorage", { value: {
        getItem: (key) => kept.get(key) ?? null,
        setItem: (key, value) => kept.set(key, String(value)),
        removeItem: (key) => kept.delete(key),
      }});
    }
"""
# What is put right holds nothing that is wrong: a page that is not written anew is mended again.
MENDED = {
    '<script data-cfasync="false">\n    document': (
        f'<script data-cfasync="false">\n{STORAGE}    document'
    ),
    # The side bar is a landmark, and the arrows that open its parts have a name.
    '<div id="pst-primary-sidebar" class': (
        '<div id="pst-primary-sidebar" role="complementary" aria-label="Course" class'
    ),
    '<summary><span class="toctree-toggle"': (
        '<summary aria-label="Pages of this part"><span class="toctree-toggle"'
    ),
    # Roles that docutils gives and that browsers have given up.
    '<div role="list" class="citation-list">': '<div class="citation-list">',
    ' role="doc-biblioentry"': "",
}
# By patterns, not with BeautifulSoup: it would write every page anew, SVG's viewBox in lower case,
# and be no shorter here. What a pattern no longer finds, the tests' look at each page does (axe).
# Sphinx writes a signature of several lines as a list of definitions with nothing defined.
LONG_SIGNATURE = re.compile(r"(\(</span>\s*)<dl>\s*((?:<dd>.*?</dd>\s*)+)</dl>", re.DOTALL)
EMPTY_HEADER = re.compile(r"<th\b[^>]*>\s*(?:<p>\s*</p>)?\s*</th>")
SCRIPT = r'\s*<script\b[^>]*\bsrc="[^"]*{}[^"]*"[^>]*></script>'
ICON_SCRIPT = re.compile(SCRIPT.format(r"_static/scripts/fontawesome\.js"))
SEARCH_SCRIPTS = re.compile(SCRIPT.format(r"(?:searchtools|language_data|searchindex)\.js"))
ICON_RULE = re.compile(r"((?:\.fa-[a-z0-9-]+:{1,2}before,?)+)\{content:\"\\([0-9a-f]+)\"\}")
FONT = re.compile(r"@font-face\{[^}]*webfonts/(fa-[a-z]+-\d+)\.woff2[^}]*\}")
GLYPH = re.compile(r"\\(f[0-9a-f]{3}|e[0-9a-f]{3})|([\ue000-\uf8ff])")  # escaped, or as it is


RULE = re.compile(r"([^{}@;]+)\{([^{}]*)\}")
COMMENT = re.compile(r"(/\*.*?\*/)", re.DOTALL)
LICENCE = re.compile("licen[cs]e|copyright", re.IGNORECASE)
CLASS = re.compile(r"\.(-?[_a-zA-Z][\w-]*)")
PARENTHESES = re.compile(r"\([^()]*\)")
EMPTY_BLOCK = re.compile(r"@(?:media|supports)[^{}]*\{\s*\}")
BUILT = ("bs-tooltip", "tooltip")  # names that Bootstrap's script puts together


def choose_mathjax(app: Sphinx) -> None:
    app.config.mathjax_path = "mathjax/startup.js"
    parts = ["core", "input/tex", "output/chtml", "a11y/assistive-mml"]
    app.config.mathjax3_config = {
        **(app.config.mathjax3_config or {}),
        "loader": {"load": parts},
    }


def finish(app: Sphinx, failure: Exception | None) -> None:
    if failure or app.builder.format != "html":
        return
    out = Path(app.outdir)
    copy_mathjax(out / "_static/mathjax")
    pages = [page for page in out.rglob("*.html") if "_static" not in page.relative_to(out).parts]
    for page in pages:
        mend(page)
    shown = "".join(page.read_text(encoding="utf8") for page in pages)
    shown += "".join(
        script.read_text(encoding="utf8")
        for script in (out / "_static/scripts").glob("*.js")
        if script.name != "fontawesome.js"
    )
    cut_icons(out / "_static", set(re.findall(r"fa-[a-z0-9-]+", shown)))
    others = (out / "_static").glob("*.js")
    shown += "".join(script.read_text(encoding="utf8") for script in others)
    cut_styles(out / "_static", set(re.findall(r"[\w-]+", shown)))
    for script in (Path(app.srcdir) / "book/_static").glob("*.js"):
        cut_comments(out / "_static" / script.name)
    remove_unused(out / "_static")


def copy_mathjax(target: Path) -> None:
    found = importlib.util.find_spec("sphinx-mathjax-offline")
    if found is None:
        raise ExtensionError("MathJax is missing. Install it: pip install sphinx-mathjax-offline")
    source = Path(found.origin).parent / "static/mathjax"
    shutil.rmtree(target, ignore_errors=True)
    for name in MATHJAX:
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name, dirs_exist_ok=True)
        else:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / name, target / name)


def mend(page: Path) -> None:
    before = page.read_text(encoding="utf8")
    after = ICON_SCRIPT.sub("", before)
    after = LONG_SIGNATURE.sub(as_lines, after)
    after = EMPTY_HEADER.sub("<td></td>", after)
    for wrong, right in MENDED.items():
        after = after.replace(wrong, right)
    after = SEARCH_SCRIPTS.sub("", after)
    if after != before:
        page.write_text(after, encoding="utf8")


def as_lines(signature: re.Match) -> str:
    lines = signature[2].replace("<dd>", '<span class="sig-line">').replace("</dd>", "</span>")
    return f'{signature[1]}<span class="sig-lines">{lines}</span>'


def cut_icons(static: Path, names: set[str]) -> None:
    """Keep the rules and glyphs of these icons, and glyphs that other rules of the theme use."""
    sheet = static / "styles/pydata-sphinx-theme.css"
    text = sheet.read_text(encoding="utf8")

    def keep(rule: re.Match) -> str:
        used = names & set(re.findall(r"fa-[a-z0-9-]+", rule[1]))
        return rule[0] if used else ""

    text = ICON_RULE.sub(keep, text)
    others = "".join(path.read_text(encoding="utf8") for path in static.rglob("*.css"))
    found = GLYPH.findall(text + ICON_RULE.sub("", others))
    glyphs = {int(code, 16) if code else ord(raw) for code, raw in found}
    fonts = static / "vendor/fontawesome/webfonts"

    def cut(face: re.Match) -> str:
        options = subset.Options(flavor="woff", notdef_outline=True, ignore_missing_unicodes=True)
        font = subset.load_font(fonts / f"{face[1]}.ttf", options)
        wanted = glyphs & set(font.getBestCmap())
        cutter = subset.Subsetter(options)
        cutter.populate(unicodes=wanted)
        cutter.subset(font)
        subset.save_font(font, fonts / f"{face[1]}.woff", options)
        start = face[0].index("src:")
        source = f'src:url(../vendor/fontawesome/webfonts/{face[1]}.woff) format("woff")}}'
        return face[0][:start] + source

    sheet.write_text(FONT.sub(cut, text), encoding="utf8")


def cut_comments(script: Path) -> None:
    """Drop the lines of a script of ours that are comments."""
    text = script.read_text(encoding="utf8")
    script.write_text(re.sub(r"^ *//.*\n", "", text, flags=re.MULTILINE), encoding="utf8")


def cut_styles(static: Path, names: set[str]) -> None:
    """Drop the selectors with a class that is not among the names, except in their parentheses.

    Of comments, the licences stay.
    """

    def used(selector: str) -> bool:
        bare = re.sub(r"\[[^\]]*\]", "", selector)
        while bare != (bare := PARENTHESES.sub("", bare)):
            pass
        return all(name in names or name.startswith(BUILT) for name in CLASS.findall(bare))

    def keep(rule: re.Match) -> str:
        kept = ",".join(filter(used, selectors(rule[1])))
        return f"{kept}{{{rule[2]}}}" if kept else ""

    for sheet in static.rglob("*.css"):
        text = sheet.read_text(encoding="utf8")
        text = COMMENT.sub(lambda said: said[0] if LICENCE.search(said[0]) else "", text)
        parts = COMMENT.split(text)
        parts[::2] = [EMPTY_BLOCK.sub("", RULE.sub(keep, part)) for part in parts[::2]]
        sheet.write_text("".join(parts), encoding="utf8")


def selectors(text: str) -> list[str]:
    """The selectors of a rule: split at commas that are in no parentheses."""
    found, depth = [""], 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == "," and not depth:
            found.append("")
        else:
            found[-1] += character
    return found


def remove_unused(static: Path) -> None:
    for path in static.rglob("*"):
        if path.suffix in {".map", ".ttf", ".woff2"} or path.name == "fontawesome.js":
            path.unlink()
    shutil.rmtree(static / "locales", ignore_errors=True)


def setup(app: Sphinx) -> dict:
    app.connect("builder-inited", choose_mathjax, priority=900)
    app.connect("build-finished", finish, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

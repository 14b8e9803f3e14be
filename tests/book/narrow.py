"""What does not fit on a phone: functions that run in a page and name what they find."""

PHONE = {"width": 390, "height": 844}
SMALLER = {"width": 389, "height": 844}  # hardly wider than 24.3em, up to which book.css moves more
NARROW = {"width": 320, "height": 844}

CUT_FORMULAS = """() => {
    const end = node => node.getBoundingClientRect().right;
    const formulas = document.querySelectorAll("article mjx-container:not([display]) > mjx-math");
    return [...formulas]
        .filter(formula => formula.checkVisibility() && !formula.closest("table"))
        .filter(formula => end(formula) > end(formula.closest("p, li, dd, h2, h3, div")) + 1)
        .map(formula => formula.parentElement.textContent);
}"""

CUT_EXAMPLES = """() => [...document.querySelectorAll("dl.py pre")]
    .filter(code => code.scrollWidth > code.clientWidth).map(code => code.textContent)"""

# Drawings that scroll, and words in them whose letters are too small to be read.
HARD_TO_SEE = """() => {
    const size = word => parseFloat(getComputedStyle(word).fontSize)
        * Math.hypot(word.getScreenCTM().a, word.getScreenCTM().b);
    const scrolls = svg => svg.getBoundingClientRect().width > document.documentElement.clientWidth
        || svg.parentElement.scrollWidth > svg.parentElement.clientWidth + 1;
    return [...document.querySelectorAll("main :is(svg.figure, figure.diagram svg)")]
        .filter(svg => svg.checkVisibility()).flatMap(svg => [
            ...(scrolls(svg) ? [`scrolls: ${svg.getAttribute("aria-label")}`] : []),
            ...[...svg.querySelectorAll("text")]
                .filter(word => word.textContent.trim() && size(word) < 8)
                .map(word => `${size(word)} pixels: ${word.textContent}`)
        ]);
}"""

# Words and controls that stick out of what holds them, if nothing there scrolls.
STICK_OUT = """() => {
    const may = "pre, table:not(.rows), svg, .scroll, mjx-container, .together:has(mjx-container), "
        + ".headerlink, .hidden";
    const right = thing => thing.getBoundingClientRect().right;
    const holds = word => {
        let node = word.parentElement;
        while (getComputedStyle(node).display.startsWith("inline")) node = node.parentElement;
        return node;
    };
    const words = [], all = document.createTreeWalker(document.querySelector("main"), 4);
    while (all.nextNode()) {
        const word = all.currentNode, range = document.createRange();
        if (!word.data.trim() || !word.parentElement.checkVisibility()) continue;
        range.selectNodeContents(word);
        if (!word.parentElement.closest(may) && right(range) > right(holds(word)) + 1)
            words.push(word.data.trim());
    }
    const controls = [...document.querySelectorAll("main :is(a, button, input, select)")]
        .filter(node => node.checkVisibility() && !node.closest(may))
        .filter(node => right(node) > right(holds(node)) + 1)
        .map(node => node.outerHTML.slice(0, 120));
    return words.concat(controls);
}"""

# Tables and equations of which a part is seen only when they are moved. Code may be.
SCROLLS = """() => [...document.querySelectorAll("main :is(table, mjx-container[display=true])")]
    .map(node => node.closest(".pst-scrollable-table-container, .scroll") ?? node)
    .filter(node => node.checkVisibility() && node.scrollWidth > node.clientWidth + 1)
    .map(node => `${node.scrollWidth} in ${node.clientWidth} pixels: ${node.textContent}`)"""

# Words of code in two parts that a line would hold, and marks that begin a line behind one.
BROKEN_WORDS = """() => {
    const boxes = word => [...word.getClientRects()];
    const isAlone = code => {
        const mark = document.createRange(), next = (code.closest("a") ?? code).nextSibling;
        if (next?.nodeType !== 3 || !/^[.,;:?!)]/.test(next.data)) return false;
        mark.setStart(next, 0);
        mark.setEnd(next, 1);
        return mark.getBoundingClientRect().top > boxes(code).at(-1).bottom - 2;
    };
    const codes = [...document.querySelectorAll("main :is(p, li) code")]
        .filter(code => code.checkVisibility() && /^\\S+$/.test(code.textContent));
    return codes.filter(code => isAlone(code)
        || [...code.querySelectorAll(".pre")].some(part => boxes(part).length > 1))
        .map(code => code.textContent);
}"""

# Lines of a formula that begin neither at an operator or a factor in large brackets, nor behind a
# comma or a space.
BAD_BREAKS = """() => {
    const left = node => node.getBoundingClientRect().left;
    const first = "mjx-mo:is([space='3'], [space='4']), mjx-mo:has(.mjx-c2016), mjx-mrow";
    const rows = ":is(mjx-math, mjx-mtd):not(:has(mjx-mtable))";
    return [...document.querySelectorAll(`article ${rows}`)].flatMap(row => {
        const nodes = [...row.querySelectorAll(":scope > *, :is(.math-part, .together) > *")]
            .filter(node => node.localName !== "span" && node.getBoundingClientRect().width);
        return nodes.slice(1)
            .filter((node, i) => left(node) < left(nodes[i]) && !node.matches(first)
                && !nodes[i].matches("mjx-mstyle, mjx-mo:has(.mjx-c2C)"))
            .map(node => `${node.outerHTML} begins a line of ${row.parentElement.textContent}`);
    });
}"""

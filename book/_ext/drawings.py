"""The diagrams of the book, a function each; its documentation is the alternative text.

A drawing is about 480 units wide so that it is read on a phone. Those of page 2.4 are in
drawings_of_answers.py.
"""

import math

import drawings_of_answers  # noqa: F401  its drawings join DRAWINGS
from drawing_pieces import (
    DRAWINGS,
    arrow,
    bar,
    between,
    box,
    curve,
    dot,
    drawing,
    falling,
    hump,
    named_box,
    path,
    svg,
    words,
)

__all__ = ["DRAWINGS", "between", "in_triangle"]


@drawing
def course_map() -> str:
    """The parts of the course from left to right. Before: soft targets, KL, which way round, one
    knob. The combined objective: two sources, the formula, what the truth contributes, prompts and
    answers. After: lambda in motion, optimizing a training. Below all three, the labs with real
    models, the reference, what is done in the field, and the problem sets."""
    parts = [
        ("1 · Before", "", ["soft targets", "KL", "which way round", "one knob, λ"]),
        (
            "2 · Objective",
            "strong",
            ["two sources", "the formula", "what truth adds", "prompts, answers"],
        ),
        ("3 · After", "", ["λ in motion", "reading curves", "what to change"]),
    ]
    drawn = []
    for i, (name, kind, pages) in enumerate(parts):
        x = 6 + 164 * i
        drawn.append(box(x, 8, 140, 132, kind))
        drawn.append(words(x + 70, 32, name, "strong"))
        drawn += [words(x + 70, 58 + 22 * j, page, "small") for j, page in enumerate(pages)]
        if i:
            drawn.append(arrow((x - 22, 74), (x - 3, 74)))
        drawn.append(arrow((x + 70, 140), (x + 70, 163)))
    for y, text in (
        (166, "4 · Labs: real language models, recorded runs"),
        (210, "5 · Reference: the library, notation, glossary"),
        (254, "6 · In the field: who does it, how, and what it pays"),
        (298, "Problem sets"),
    ):
        drawn.append(box(6, y, 468, 36))
        drawn.append(words(240, y + 23, text))
    return svg(480, 340, *drawn)


@drawing
def label_and_distribution() -> str:
    """Two bar charts of what follows "pr". Left, the label: one bar of height 1 at the letter o,
    all others empty. Right, the teacher: 0.44 for e, 0.39 for o, 0.14 for i, 0.03 for a space."""
    letters = {"e": 0.44, "o": 0.39, "i": 0.14, "␣": 0.03, "a": 0.0}
    drawn = []
    for x, kind, title in ((20, "label", "one label"), (260, "teacher", "one distribution")):
        drawn.append(words(x + 100, 24, title, f"strong {kind}"))
        drawn.append(path([(x, 160), (x + 200, 160)]))
        for i, (letter, p) in enumerate(letters.items()):
            p = float(letter == "o") if kind == "label" else p
            middle = x + 20 + 40 * i
            drawn.append(bar(middle - 13, 160, 26, 100 * p, kind))
            drawn.append(words(middle, 180, letter, "code"))
            if p:
                drawn.append(words(middle, 154 - 100 * p, f"{p:.2f}" if p < 1 else "1", "small"))
    drawn.append(words(240, 208, "what comes after “pr”?"))
    return svg(480, 216, *drawn)


@drawing
def price_of_a_token() -> str:
    """Two bars of nats per token, one above the other, that begin at the same line. The upper one
    is the teacher's own price, the entropy, 0.64. The lower one is the student's price, the
    cross-entropy, 0.73. The lower bar is longer by 0.09: this difference is the KL divergence."""
    scale, left = 480, 20
    entropy, cross = 0.639 * scale, 0.7305 * scale
    return svg(
        480,
        150,
        words(left, 22, "the teacher pays for its own tokens: entropy H(_p_)", "teacher", "start"),
        bar(left, 56, entropy, 26, "teacher"),
        words(left + entropy / 2, 49, "0.64", "on"),
        words(left, 86, "the student pays for them: cross-entropy H(_p_, _q_)", "", "start"),
        bar(left, 120, entropy, 26, "muted"),
        bar(left + entropy, 120, cross - entropy, 26, "student"),
        words(left + entropy / 2, 113, "0.73 in all", "on"),
        words(left + cross + 8, 113, "KL = 0.09", "student", "start"),
        words(left + entropy, 144, "the difference is the student's alone", "small"),
    )


@drawing
def cover_or_seek() -> str:
    """Two panels with the same teacher, a grey curve with a high peak on the left and a lower one
    on the right. Forward KL: the student is one wide, low hump over both peaks and the valley
    between. Reverse KL: the student is one narrow peak on the teacher's higher one, and higher than
    it; the other is left out."""
    drawn = []
    for x, title, said in (
        (0, "forward: KL(_p_‖_q_)", "covers: miss nothing"),
        (245, "reverse: KL(_q_‖_p_)", "seeks: say nothing wrong"),
    ):
        left, right, base = x + 8, x + 228, 150
        high = list(hump(x + 70, 18, 60, base, left, right))
        low = list(hump(x + 170, 18, 40, base, left, right))
        teacher = [(a, b + d - base) for (a, b), (_, d) in zip(high, low, strict=True)]
        shape = " ".join(f"{a:.1f},{b:.1f}" for a, b in [*teacher, (right, base), (left, base)])
        drawn.append(f'<polygon points="{shape}" class="area"/>')
        if x == 0:
            # The teacher's mean and deviation, and its area: all three are distributions.
            drawn.append(path(hump(x + 110, 52.2, 34.5, base, left, right), "student thick"))
            drawn.append(words(x + 174, 98, "_p_", "muted"))
            drawn.append(words(x + 116, 106, "_q_", "student"))
        else:
            drawn.append(path(hump(x + 70, 18, 100, base, left, right), "student thick"))
            drawn.append(words(x + 174, 98, "_p_", "muted"))
            drawn.append(words(x + 94, 66, "_q_", "student"))
        drawn.append(path([(left, base), (right, base)]))
        drawn.append(words(x + 118, 28, title, "strong"))
        drawn.append(words(x + 118, 174, said, "small"))
    return svg(480, 184, *drawn)


@drawing
def shares_of_lambda() -> str:
    """A line from the label on the left to the teacher on the right. Marks on it say where the
    target is: lambda 0 at the label, 0.25 at a fifth of the way, 1 in the middle, 4 at four
    fifths, and infinite lambda at the teacher."""
    left, right, y = (40, 70), (440, 70), 70
    drawn = [path([left, right]), dot(*left, "label", 7), dot(*right, "teacher", 7)]
    drawn.append(words(40, 44, "label", "label strong"))
    drawn.append(words(440, 44, "teacher", "teacher strong"))
    for lam, name in ((0, "0"), (0.25, "0.25"), (1, "1"), (4, "4"), (math.inf, "∞")):
        share = 1.0 if lam == math.inf else lam / (1 + lam)
        x, _ = between(left, right, share)
        if 0 < share < 1:
            drawn.append(dot(x, y, "lambda"))
        drawn.append(words(x, y + 28, f"λ = {name}", "lambda"))
        drawn.append(words(x, y + 48, f"{share:.0%}", "small"))
    drawn.append(words(240, 144, "the teacher's share of the target, λ/(1 + λ)", "small"))
    return svg(480, 152, *drawn)


@drawing
def one_step() -> str:
    """A flow from the top down. A text gives its context to the teacher, which is frozen, and to
    the student. The student's distribution q is compared with the next token, the label, which
    gives the LM loss, and with the teacher's distribution p, which gives the KD loss. LM plus
    lambda times KD is one loss, and one gradient goes back, to the student alone."""
    return svg(
        480,
        300,
        named_box(90, 6, 300, "text: “… print the ans”  →  “wer”"),
        arrow((100, 42), (60, 84), kind="label"),
        arrow((240, 42), (240, 82)),
        arrow((380, 42), (404, 82)),
        words(92, 72, "next token", "small", "start"),
        named_box(6, 86, 108, "label\n_y_", "label"),
        named_box(180, 86, 120, "student\n_q_", "student"),
        named_box(350, 86, 124, "teacher\n_p_, frozen", "teacher"),
        arrow((60, 142), (110, 180), kind="label"),
        arrow((212, 142), (150, 180), kind="student"),
        arrow((268, 142), (330, 180), kind="student"),
        arrow((412, 142), (370, 180), kind="teacher"),
        named_box(50, 182, 150, "LM = −log _q_(_y_)", "label"),
        named_box(280, 182, 150, "KD = KL(_p_‖_q_)", "teacher"),
        arrow((125, 218), (190, 254)),
        arrow((355, 218), (290, 254)),
        words(344, 248, "× λ", "lambda strong", "start"),
        named_box(150, 256, 180, "loss = LM + λ · KD"),
        arrow((240, 256), (240, 146), kind="lambda dashed"),
        words(248, 172, "one", "small lambda", "start"),
        words(248, 240, "gradient", "small lambda", "start"),
    )


@drawing
def mask() -> str:
    """A row of six tokens. Three belong to the prompt and are grey, with the label minus 100;
    three belong to the answer and are coloured, with their own labels. Both losses, LM and KD, are
    taken over the three of the answer and divided by 3."""
    prompt, answer = ["What", " is", " KL?"], ["It", " is", " …"]
    drawn = []
    for i, token in enumerate([*prompt, *answer]):
        kind = "muted" if i < 3 else "label"
        x = 10 + 77 * i
        drawn.append(box(x, 34, 73, 34, kind))
        drawn.append(words(x + 36, 56, token.strip(), f"code {kind}"))
        drawn.append(words(x + 36, 90, "−100" if i < 3 else token.strip(), f"code small {kind}"))
    drawn.append(words(125, 22, "prompt", "muted"))
    drawn.append(words(356, 22, "answer", "label strong"))
    drawn.append(words(240, 112, "the labels", "small"))
    drawn.append(path([(245, 124), (245, 132), (468, 132), (468, 124)]))
    drawn.append(words(356, 154, "LM, KD: mean of these _N_ = 3", "small"))
    drawn.append(words(116, 154, "in neither loss", "small muted"))
    return svg(480, 164, *drawn)


CORNERS = {"label": (70.0, 236.0), "favourite": (410.0, 236.0), "third": (240.0, 24.0)}


def in_triangle(label: float, favourite: float, third: float) -> tuple[float, float]:
    """Where a distribution over three tokens lies."""
    weights = zip((label, favourite, third), CORNERS.values(), strict=True)
    pairs = [(w * x, w * y) for w, (x, y) in weights]
    return sum(x for x, _ in pairs), sum(y for _, y in pairs)


@drawing
def q_star() -> str:
    """A triangle of all distributions over three tokens; each corner is certain of one token. The
    label is a corner. The teacher p = 0.6, 0.3, 0.1 is a point inside, near the corner of its
    favourite. q star lies on the line between them: half of the way at lambda 1, two thirds at 2,
    nine tenths at 9."""
    y, p = in_triangle(1, 0, 0), in_triangle(0.3, 0.6, 0.1)
    drawn = [path([*CORNERS.values(), CORNERS["label"]], "muted"), path([y, p], "thick")]
    for lam, name in ((1, "λ = 1"), (2, "2"), (9, "9")):
        x, at = between(y, p, lam / (1 + lam))
        drawn.append(dot(x, at, "lambda"))
        drawn.append(words(x, at - 12, name, "small lambda"))
    drawn += [dot(*y, "label", 7), dot(*p, "teacher", 7)]
    drawn.append(words(70, 262, "label _y_", "label strong"))
    drawn.append(words(p[0] + 12, p[1] + 6, "teacher _p_", "teacher strong", "start"))
    middle = between(y, p, 0.5)
    drawn.append(words(middle[0] + 24, middle[1] + 44, "_q_∗ = (𝟙 + λ_p_)/(1 + λ)", "lambda"))
    drawn.append(arrow((middle[0], middle[1] + 26), (middle[0], middle[1] + 8), kind="lambda"))
    drawn.append(words(474, 258, "favourite", "small", "end"))
    drawn.append(words(256, 28, "the third token", "small", "start"))
    return svg(480, 272, *drawn)


@drawing
def bias_and_variance() -> str:
    """The truth r is a ring in the middle. Ten dots around it, far and in all directions, are the
    shares counted in ten samples of labels. The teacher p is one point to the right, always the
    same distance off. Ten mixtures of a sample with the teacher are a smaller cloud, a little to
    the right of the truth."""
    r, p = (150.0, 112.0), (262.0, 84.0)
    turns = [0.35, 0.95, 1.5, 2.1, 2.8, 3.4, 3.9, 4.6, 5.2, 5.85]
    lengths = [92, 96, 84, 98, 90, 96, 86, 94, 88, 90]
    samples = [
        (r[0] + n * math.cos(a), r[1] + 0.95 * n * math.sin(a))
        for a, n in zip(turns, lengths, strict=True)
    ]
    share = 0.4  # of the teacher: the best for these lengths
    return svg(
        480,
        244,
        *(dot(*at, "label", 4.5) for at in samples),
        *(dot(*between(at, p, share), "lambda", 4.5) for at in samples),
        dot(*p, "teacher", 7),
        f'<circle cx="{r[0]:g}" cy="{r[1]:g}" r="8" class="line thick"/>',
        words(r[0] - 14, r[1] - 2, "truth _r_", "strong", "end"),
        words(p[0] + 16, p[1] + 2, "teacher _p_: one error,", "teacher", "start"),
        words(p[0] + 16, p[1] + 22, "the same each time", "small teacher", "start"),
        words(300, 172, "mixtures _q_∗: near", "lambda", "start"),
        arrow((296, 166), (between(samples[1], p, share)[0] + 10, 150), kind="lambda"),
        words(8, 236, "samples of labels: another error each", "label", "start"),
    )


@drawing
def two_paths() -> str:
    """Three points: the start, the teacher, and the truth. Two paths leave the start together,
    towards the teacher. With a constant lambda the path leads to the line between truth and
    teacher, near the teacher. With falling lambda it turns off and goes on to the truth."""
    start, p, r = (50.0, 170.0), (250.0, 50.0), (430.0, 170.0)
    ceiling = between(r, p, 0.8)
    off = between(start, ceiling, 0.45)
    bend = between(off, ceiling, 0.8)
    turn = [
        between(between(off, bend, i / 20), between(bend, (r[0] - 10, r[1] - 4), i / 20), i / 20)
        for i in range(21)
    ]
    return svg(
        480,
        206,
        path([p, r], "muted dashed"),
        arrow(start, (ceiling[0] - 8, ceiling[1] + 3), kind="thick teacher"),
        arrow(*turn, kind="thick lambda"),
        dot(*start, "", 6),
        dot(*p, "teacher", 7),
        dot(*r, "label", 7),
        dot(*ceiling, "teacher", 5),
        words(start[0], start[1] + 26, "start"),
        words(p[0], p[1] - 16, "teacher _p_", "teacher strong"),
        words(r[0], r[1] + 26, "truth _r_", "label strong"),
        words(ceiling[0] + 12, ceiling[1] + 2, "constant λ leads here", "small teacher", "start"),
        words(244, 160, "falling λ goes on", "small lambda"),
    )


@drawing
def two_states() -> str:
    """Two sketches of curves over steps. State A, lambda too high: training LM and held-out LM fall
    fast to the teacher's level, then very slowly below it, and the KL to the teacher is near 0.
    State B, lambda too low for few labels: training LM falls on, held-out LM turns and rises, and
    the KL to the teacher rises with it."""
    drawn = []
    for x, title, cure in (
        (8, "A: at the teacher's level", "lower λ"),
        (250, "B: labels by heart", "raise λ, or stop earlier"),
    ):
        drawn.append(words(x + 111, 20, title, "strong small"))
        drawn.append(path([(x + 6, 36), (x + 6, 170), (x + 216, 170)]))
        drawn.append(path([(x + 6, 92), (x + 216, 92)], "muted dashed"))
        if x == 8:
            drawn.append(path(curve(x, lambda s: 76 + 52 * falling(s, 9) - 5 * s), "student thick"))
            drawn.append(path(curve(x, lambda s: 73 + 53 * falling(s, 9) - 5 * s), "label dashed"))
            drawn.append(path(curve(x, lambda s: 4 + 70 * falling(s, 9)), "teacher"))
            drawn.append(words(x + 130, 120, "LM, both", "small student", "start"))
            drawn.append(words(x + 130, 156, "KL to teacher", "small teacher", "start"))
        else:
            drawn.append(
                path(curve(x, lambda s: 84 + 46 * falling(s, 14) + 40 * s * s), "student thick")
            )
            drawn.append(path(curve(x, lambda s: 24 + 106 * falling(s, 2.6)), "label dashed"))
            drawn.append(path(curve(x, lambda s: 8 + 60 * falling(s, 14) + 44 * s * s), "teacher"))
            drawn.append(words(x + 124, 58, "held-out LM", "small student"))
            drawn.append(words(x + 92, 105, "training LM", "small label", "start"))
            drawn.append(words(x + 216, 163, "KL to teacher", "small teacher", "end"))
        drawn.append(words(x + 111, 192, cure, "strong small lambda"))
    return svg(480, 200, *drawn)


@drawing
def who_wrote_the_text() -> str:
    """A table of two rows and three columns. The columns say who wrote the text: people, the
    teacher, the student. The rows say what is learned at a position. One token, written by people:
    LM, lambda 0; by the teacher: DeepSeek-R1's distilled models; by the student: nothing to
    learn without a checker. The teacher's distribution in full, on people's text: Gemma 2,
    Minitron; on the teacher's text: logits of its own samples; on the student's text: GKD, Qwen3.
    """
    columns = [("people", "label"), ("the teacher", "teacher"), ("the student", "")]
    rows = [
        (54, "one\ntoken", ["LM alone:\nλ = 0", "DeepSeek-R1,\ndistilled", "nothing\nto learn"]),
        (
            126,
            "teacher's\n_p_, in full",
            ["Gemma 2,\nMinitron", "logits of its\nown samples", "GKD,\nQwen3"],
        ),
    ]
    drawn = [words(292, 16, "who wrote the text", "small muted")]
    for i, (who, kind) in enumerate(columns):
        drawn.append(words(160 + 130 * i, 42, who, f"strong {kind}"))
    for y, head, cells in rows:
        for j, line in enumerate(head.split("\n")):
            drawn.append(words(4, y + 28 + 22 * j, line, "strong small", "start"))
        for i, cell in enumerate(cells):
            kind = "muted" if cell.startswith("nothing") else "teacher" if y > 60 or i else "label"
            drawn.append(box(97 + 130 * i, y, 126, 64, kind))
            for j, line in enumerate(cell.split("\n")):
                drawn.append(words(160 + 130 * i, y + 28 + 22 * j, line, "small"))
    return svg(484, 198, *drawn)


@drawing
def on_policy_loop() -> str:
    """A loop of three steps. The student is given a prompt and writes an answer. The teacher reads
    the answer, without writing, and says how likely each of its tokens was. At each token the
    student's log-probability minus the teacher's is a penalty; its negative is the reward. A
    gradient that is weighted with it changes the student, who then writes again."""
    return svg(
        480,
        190,
        named_box(6, 40, 130, "student _q_\nwrites an answer"),
        arrow((136, 68), (172, 68)),
        named_box(176, 40, 130, "teacher _p_\nreads it", "teacher"),
        arrow((306, 68), (340, 68), kind="teacher"),
        named_box(344, 40, 130, "log _q_ − log _p_\nat each token", "lambda"),
        arrow((409, 96), (409, 150), (71, 150), (71, 100), kind="lambda dashed"),
        words(240, 142, "gradient, to the student alone", "small lambda"),
        words(71, 26, "a prompt", "small muted"),
        words(240, 178, "the next answer is the changed student's", "small"),
    )


@drawing
def two_spellings() -> str:
    """One text, "the largest argument", in two rows of tokens. The teacher splits it into: the,
    lar, gest, argument. The student splits it into: the, l, arg, est, arg, ument. Dashed lines
    mark where both have a boundary: after the, after largest, and at the end. Between them lie
    three chunks."""
    rows = [
        (20, "teacher", ["the", " lar", "gest", " argument"], "teacher"),
        (96, "student", ["the", " l", "arg", "est", " arg", "ument"], ""),
    ]
    left, unit = 86, 19.3
    drawn = []
    for cut in (3, 11, 20):
        x = left + unit * cut
        drawn.append(path([(x, 8), (x, 146)], "lambda dashed"))
    for y, who, tokens, kind in rows:
        drawn.append(words(6, y + 23, who, f"strong {kind}", "start"))
        x = left
        for token in tokens:
            width = unit * len(token)
            drawn.append(box(x + 2, y, width - 4, 36, kind))
            drawn.append(words(x + width / 2, y + 23, token.strip(), "code small"))
            x += width
    for begin, end in ((0, 3), (3, 11), (11, 20)):
        drawn.append(words(left + unit * (begin + end) / 2, 166, "a chunk", "small lambda"))
    return svg(480, 176, *drawn)


@drawing
def cost_of_a_step() -> str:
    """Three bars of work per token, for a teacher of six times the student's size. Labels alone:
    the student's part, 1. Distillation with a live teacher: the student's part and the teacher's,
    3 together. With the teacher in a file that five students read: the student's part and a fifth
    of the teacher's, 1.4 together."""
    unit, left = 18, 120
    rows = [
        ("labels", 0.0, "1"),
        ("teacher, live", 12.0, "3"),
        ("in a file, for 5", 2.4, "1.4"),
    ]
    drawn = [words(left, 20, "work per token, in units of labels alone", "small muted", "start")]
    for i, (name, teacher, total) in enumerate(rows):
        y = 64 + 44 * i
        drawn.append(words(left - 10, y - 9, name, "small", "end"))
        drawn.append(bar(left, y, 6 * unit, 26, "muted"))
        drawn.append(words(left + 3 * unit, y - 8, "student", "small on"))
        if teacher:
            drawn.append(bar(left + 6 * unit, y, teacher * unit, 26, "teacher"))
        if teacher > 6:
            drawn.append(words(left + 12 * unit, y - 8, "teacher", "small on"))
        drawn.append(words(left + (6 + teacher) * unit + 8, y - 8, total, "strong", "start"))
    return svg(480, 166, *drawn)

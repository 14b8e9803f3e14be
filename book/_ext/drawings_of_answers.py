"""The diagrams of page 2.4: tokens in a row, and which of them count.

A token that counts has its own label below it, in the colour of labels; one that does not has −100.
What a mistake makes count, or leaves out, is in the teacher's colour. A dashed box is a token of
the template. The first token never counts, because nothing predicts it.
"""

from collections.abc import Collection, Sequence

from drawing_pieces import bar, box, drawing, svg, words

QUESTION = ("user", "2", "weeks", "in", "days", "?", "end", "assistant")
ANSWER = ("1", "4", "end")
FOLLOWING = ("user", "and", "3", "weeks", "?", "end", "assistant", "2", "1", "end")
TEMPLATE = ("user", "assistant", "end")


def tokens_in_a_row(
    y: float,
    tokens: Sequence[str],
    count: Collection[int],
    mistaken: Collection[int] = (),
) -> list[str]:
    """Tokens in boxes, with their labels below them; mistaken ones stand out."""
    drawn, x = [], 6.0
    for i, token in enumerate(tokens):
        width = 12 + 8.7 * len(token)
        kind = "teacher" if i in mistaken else "label" if i in count else "muted"
        dashed = "dashed" if token in TEMPLATE else ""
        drawn.append(box(x, y, width, 30, f"{kind} {dashed}"))
        drawn.append(words(x + width / 2, y + 20, token, f"code small {kind}"))
        label = token if i in count else "−100" if width > 32 else "·"
        drawn.append(words(x + width / 2, y + 48, label, f"code small {kind}"))
        x += width + 4
    return drawn


def mistake(title: str, count: Collection[int], mistaken: Collection[int], said: str) -> str:
    """A question and its answer, and what a mistake makes of their labels."""
    return svg(
        480,
        112,
        words(6, 20, title, "strong", "start"),
        *tokens_in_a_row(32, (*QUESTION, *ANSWER), count, mistaken),
        words(6, 104, said, "small", "start"),
    )


RIGHT = (8, 9, 10)  # the answer and its end


@drawing
def whose_words() -> str:
    """A conversation of two questions and answers as tokens, a question and its answer a line. The
    first line: user, a question, end, assistant, the answer 14, end. The second line: user, another
    question, end, assistant, the answer 21, end. Only the digits of both answers and the end after
    each have labels: six tokens count. All others have the label minus 100, the tokens user and
    assistant and the end of the questions included."""
    return svg(
        480,
        186,
        *tokens_in_a_row(8, (*QUESTION, *ANSWER), RIGHT),
        *tokens_in_a_row(82, FOLLOWING, (7, 8, 9)),
        words(6, 152, "what the assistant wrote, and its end: _N_ = 6", "small label", "start"),
        words(6, 176, "−100, or · in a narrow box: in neither loss", "small muted", "start"),
    )


@drawing
def packed_row() -> str:
    """Two texts, of five and of three tokens. Left, padded: two rows of five, and two of the ten
    positions are padding. Right, packed: one row of eight, whose positions count 0 to 4 and then
    0 to 2. Below it a square of eight by eight says who sees whom: two filled triangles, one for
    each text, and nothing between them."""
    drawn = [words(90, 22, "padded", "strong"), words(340, 22, "packed", "strong")]
    lengths = ((5, "label"), (3, "lambda"))
    for row, (length, kind) in enumerate(lengths):
        for i in range(5):
            shown = kind if i < length else "muted dashed"
            drawn.append(box(14 + 31 * i, 36 + 36 * row, 28, 28, shown))
            drawn.append(words(28 + 31 * i, 56 + 36 * row, str(i) if i < length else "–", shown))
    drawn.append(words(90, 136, "2 of 10 are padding", "small muted"))
    at = [(kind, i) for length, kind in lengths for i in range(length)]
    for column, (kind, i) in enumerate(at):
        x = 218 + 31 * column
        drawn.append(box(x, 36, 28, 28, kind))
        drawn.append(words(x + 14, 56, str(i), kind))
    drawn.append(words(340, 88, "position ids begin anew", "small"))
    for down, (kind, _) in enumerate(at):
        for across, (seen, _) in enumerate(at):
            x, y = 274 + 16 * across, 104 + 16 * down
            sees = kind == seen and across <= down
            drawn.append(bar(x, y + 14, 14, 14, kind) if sees else box(x, y, 14, 14, "muted", 0))
    drawn.append(words(338, 250, "who sees whom", "small"))
    return svg(480, 258, *drawn)


@drawing
def prompt_counted() -> str:
    """The question and its answer as tokens. All but the first one count; the seven tokens of the
    question and of the assistant's header stand out as the mistake. Ten count, where three
    should."""
    return mistake(
        "The prompt counted",
        range(1, 11),
        range(1, 8),
        "_N_ = 10 instead of 3: seven parts of ten are the question",
    )


@drawing
def template_counted() -> str:
    """The same tokens. Besides the answer and its end, the end of the question and the token
    assistant count, which the template wrote; they stand out as the mistake. Five count, where
    three should."""
    return mistake(
        "The template's tokens counted",
        (6, 7, *RIGHT),
        (6, 7),
        "_N_ = 5 instead of 3: two come after every question alike",
    )


@drawing
def end_masked() -> str:
    """The same tokens. Only the two digits of the answer count. The end after them has the label
    minus 100 and stands out as the mistake. Two count, where three should."""
    return mistake(
        "The end of text masked",
        (8, 9),
        (10,),
        "_N_ = 2 instead of 3: nothing says that the answer is over",
    )


@drawing
def padding_as_end() -> str:
    """A short row, assistant 9 end, that is padded with three more end tokens, drawn twice. Above,
    all of the padding counts, and stands out as the mistake: five count instead of two. Below,
    every end has been masked by its id, the answer's own end among them, which stands out: one
    counts instead of two."""
    row = ("assistant", "9", "end", "end", "end", "end")
    drawn = [words(6, 20, "Padding as end of text", "strong", "start")]
    drawn += tokens_in_a_row(32, row, range(1, 6), (3, 4, 5))
    drawn += [words(304, 52, "counted: _N_ = 5", "small", "start")]
    drawn += tokens_in_a_row(98, row, (1,), (2,))
    drawn += [words(304, 118, "masked by id: _N_ = 1", "small", "start")]
    drawn += [words(6, 172, "right: _N_ = 2, the answer and the first end", "small", "start")]
    return svg(480, 182, *drawn)

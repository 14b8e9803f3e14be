"""Evidence: what goes in comes out, and nothing else gets through."""

import base64
import contextlib
import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograder.judging import evidence
from autograder.judging.evidence import (
    Refused,
    decode,
    decode_outcome,
    loads,
    read_evidence,
)
from autograder.kernel import evidence as written
from autograder.kernel.evidence import (
    NUMPY_DTYPES,
    Outcome,
    Unsupported,
    encode,
    encode_outcome,
    write_evidence,
)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=50)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=20,
)
JSON = st.recursive(
    SCALARS.filter(lambda x: not isinstance(x, float) or math.isfinite(x)),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["array", "list", "dict", "float", "returned", "raised", "other"]),
            inner,
            max_size=2,
        )
    ),
    max_leaves=20,
)


def depth(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(depth, inner), default=0) if isinstance(value, dict | list) else 0


@given(VALUES.filter(lambda value: depth(value) <= evidence.MAX_DEPTH))
def test_plain_values_come_back(value: object) -> None:
    assert decode(loads(json.dumps(encode(value)))) == value


@given(
    hnp.arrays(
        st.sampled_from([name for name in NUMPY_DTYPES if name != "bfloat16"]),
        hnp.array_shapes(min_dims=0, min_side=0, max_side=4),
    )
)
def test_arrays_come_back_as_arrays_and_as_tensors(array: np.ndarray) -> None:
    data = json.loads(json.dumps(encode(array)))
    np.testing.assert_array_equal(decode(data), array)
    assert decode(data).dtype == array.dtype
    tensor = written.decode(data)
    np.testing.assert_array_equal(tensor.numpy(), array)


@pytest.mark.parametrize("value", [np.longdouble(0.5), np.arange(3, dtype=np.longdouble)])
def test_numbers_with_more_digits_than_others_keep_what_float64_holds(value: np.generic) -> None:
    assert decode(encode(value)).dtype == np.float64
    np.testing.assert_array_equal(decode(encode(value)), value)


def test_bfloat16_is_exact() -> None:
    tensor = torch.tensor([1.0, -0.1, 3e38, float("nan"), float("-inf")], dtype=torch.bfloat16)
    data = encode(tensor)
    np.testing.assert_array_equal(decode(data), tensor.float().numpy())
    torch.testing.assert_close(written.decode(data), tensor, equal_nan=True)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.ones(3, requires_grad=True) * 2,
        torch.eye(3).T[::2],
        torch.eye(3).to_sparse(),
        torch.tensor(1.5),
        torch.empty(0, 3),
        torch.complex(torch.zeros(3), torch.arange(3.0)).conj().imag,
        torch._efficientzerotensor((2,)),
        torch.ones(1).expand(4),
        torch.nn.Parameter(torch.ones(2)),
        torch.eye(3).to_mkldnn(),
    ],
    ids=[
        *("gradient", "strided", "sparse", "scalar", "empty"),
        *("negative bit", "zeros", "expanded", "parameter", "mkldnn"),
    ],
)
def test_tensors_of_every_kind(tensor: torch.Tensor) -> None:
    plain = tensor.detach().to_dense() if tensor.layout != torch.strided else tensor.detach()
    plain = (torch.zeros(tensor.shape) + plain).numpy()
    np.testing.assert_array_equal(decode(encode(tensor)), plain)


@pytest.mark.parametrize("number", [math.inf, -math.inf])
def test_infinite_numbers_come_back(number: float) -> None:
    assert decode(loads(json.dumps(encode(number), allow_nan=False))) == number


@pytest.mark.parametrize(
    "value", [object(), {1: 2}, 1j, torch.ones(1, dtype=torch.complex64), 2**63, {1, 2}, b"bytes"]
)
def test_other_values_are_not_carried(value: object) -> None:
    with pytest.raises(Unsupported):
        encode(value)
    assert encode_outcome(Outcome("returned", value)).keys() == {"unsupported"}


def test_a_list_in_itself_is_not_carried() -> None:
    loop: list = []
    loop.append(loop)
    assert encode_outcome(Outcome("returned", loop)).keys() == {"unsupported"}


def array(dtype: object = "float32", shape: object = (1,), raw: object = b"\0" * 4) -> dict:
    text = base64.b64encode(raw).decode() if isinstance(raw, bytes) else raw
    return {"array": [dtype, list(shape) if isinstance(shape, tuple) else shape, text]}


@pytest.mark.parametrize(
    "data",
    [
        array(dtype="object"),
        array(dtype="O"),
        array(dtype=["float32"]),
        array(shape=(2,)),
        array(shape=(-1,)),
        array(shape=(True,)),
        array(shape=(1.0,)),
        array(shape=(2**62, 4)),
        array(shape=(1,) * 9),
        array(shape=(2**23, 2**23, 2**23, 0), raw=b""),
        array(shape="1"),
        array(raw="!!!!"),
        array(raw="AAAA\nAA=="),
        array(raw=None),
        array(dtype="bool", raw=b"\2"),
        {"array": ["float32", [1]]},
        {"list": {}},
        {"dict": []},
        {"float": "1e5"},
        {"float": 1},
        {"list": [], "dict": {}},
        {"pickle": "gASVCgAAAAAAAACMBmFiY2RlZpQu"},
        {},
        [],
        [1],
        2**63,
        "x" * (evidence.MAX_STRING + 1),
        set(),
    ],
    ids=repr,
)
def test_malformed_values_are_refused(data: object) -> None:
    with pytest.raises(Refused):
        decode(data)


def test_deep_nesting_is_refused() -> None:
    data: object = 1
    for _ in range(evidence.MAX_DEPTH + 1):
        data = {"list": [data]}
    with pytest.raises(Refused, match="deeper"):
        decode(data)


@pytest.mark.parametrize(
    "text",
    [
        None,
        b"{}",
        {"version": 1},
        "",
        "{",
        "NaN",
        '{"a": Infinity}',
        "1e999",
        '{"a": 1, "a": 2}',
        "[" * 100_000,
        "[" + "1," * evidence.MAX_ITEMS + "1]",
        '"' + "x" * evidence.MAX_CHARACTERS + '"',
        "9" * 5000,
    ],
    ids=lambda text: repr(text)[:20],
)
def test_malformed_text_is_refused(text: object) -> None:
    with pytest.raises(Refused):
        loads(text)


@given(JSON)
def test_hostile_data_is_decoded_or_refused(data: object) -> None:
    for read in (decode, decode_outcome):
        with contextlib.suppress(Refused):
            read(data)


@given(st.text() | JSON.map(json.dumps))
def test_hostile_text_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        read_evidence(text, check="c", nonce="n", count=1)


def test_evidence_comes_back() -> None:
    outcomes = [
        Outcome("returned", 1.5),
        Outcome("raised", None, "ValueError", "no " * 1000),
        Outcome("unsupported", None, "set"),
    ]
    text = write_evidence("kl", "secret", outcomes)
    back = read_evidence(text, check="kl", nonce="secret", count=3)
    assert back[0] == outcomes[0]
    assert (back[1].type, len(back[1].message)) == ("ValueError", evidence.MAX_MESSAGE)
    assert back[2] == outcomes[2]


@pytest.mark.parametrize(
    "asked",
    [
        {"check": "other", "nonce": "secret", "count": 1},
        {"check": "kl", "nonce": "of another run", "count": 1},
        {"check": "kl", "nonce": "secret", "count": 2},
        {"check": "kl", "nonce": "secret", "count": 0},
    ],
)
def test_evidence_of_another_question_is_refused(asked: dict) -> None:
    text = write_evidence("kl", "secret", [Outcome("returned", 1)])
    with pytest.raises(Refused):
        read_evidence(text, **asked)


@pytest.mark.parametrize("change", [{"version": 2}, {"points": 4}, {"outcomes": "all right"}])
def test_changed_evidence_is_refused(change: dict) -> None:
    data = json.loads(write_evidence("kl", "n", [Outcome("returned", 1)])) | change
    with pytest.raises(Refused):
        read_evidence(json.dumps(data), check="kl", nonce="n", count=1)

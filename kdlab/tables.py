"""Rows of a table of Hugging Face, without the nulls that the table filled in.

In a column of structs, each row gets the fields of all rows, and null where the row lacked one: a
call of one tool gets the arguments of all tools. A null that was really in the data looks the
same, because the table does not keep which rows had a field. Filled-in and real nulls can be told
apart in two cases. A column of JSON, as text or of the type ``Json``, is as it was written. And if
the row's ``tools`` or ``functions`` require an argument (strict schemas require all), a null given
for it is real.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any


def without_filled(row: Mapping[str, Any], features: Mapping[str, Any]) -> dict[str, Any]:
    """A row without the fields that its table may have filled in.

    Args:
        row: a row of the table.
        features: the table's ``features``, which tell structs from JSON.

    >>> call = {"name": "f", "arguments": {"x": None, "y": None}}
    >>> tool = {"name": "f", "parameters": {"type": "object", "required": ["x"]}}
    >>> found = without_filled({"call": call, "tools": [tool]}, {"call": call})
    >>> found["call"]["arguments"]
    {'x': None}
    """
    required = _required(row.get("tools")) | _required(row.get("functions"))
    kept: dict[str, Any] = _told(row, features, required)
    return kept


def _told(
    value: Any, feature: Any, required: Mapping[str, Collection[str]], given: Collection[str] = ()
) -> Any:
    """A value whose structs have no null fields, except those in ``given``."""
    if isinstance(value, Mapping) and isinstance(feature, Mapping):
        name = value.get("name")
        asked = required.get(name, ()) if isinstance(name, str) else ()
        return {
            name: _told(part, feature.get(name), required, asked if name == "arguments" else ())
            for name, part in value.items()
            if part is not None or name in given
        }
    inside = feature[0] if isinstance(feature, list) else getattr(feature, "feature", None)
    if isinstance(value, list) and inside is not None:
        return [_told(part, inside, required) for part in value]
    return value


def _required(tools: Any) -> dict[str, Collection[str]]:
    """The arguments that each tool of a row requires, by the tool's name."""
    if isinstance(tools, str):
        try:
            tools = json.loads(tools)
        except json.JSONDecodeError:
            return {}  # reported where the tools are read
    found = {}
    for tool in tools if isinstance(tools, list) else ():
        tool = tool.get("function") or tool if isinstance(tool, Mapping) else {}
        schema = tool.get("parameters")
        if isinstance(tool.get("name"), str) and isinstance(schema, Mapping):
            found[tool["name"]] = schema.get("required") or ()
    return found

# SPDX-License-Identifier: BSD-2-Clause
"""Keywords, their checks and their documentation, all made from the library's option table
(include/sluice/options.h): an option that is added there is a keyword here."""
from __future__ import annotations

import datetime
import decimal
import difflib
import fractions
import inspect
import operator
import os
import textwrap
from typing import Any, NamedTuple

from . import _sluice

# An output has no name here: it is what the caller iterates over.
_NOT_HERE = {"output"}


class Option(NamedTuple):
    key: str
    type: str
    default: str | None
    choices: list[str]
    metavar: str | None
    help: str

    @property
    def keyword(self) -> str:
        return self.key.replace("-", "_")

    @property
    def value(self) -> Any:
        """The default, as Python has it."""
        text = self.default
        if self.type == "bool":
            return text in ("yes", "true", "1")
        if text is None or self.type == "list":
            return "" if self.type in ("string", "enum") else None
        if self.type == "int":
            return int(text)
        if self.type == "rational":
            exact = fractions.Fraction(text)
            return exact.numerator if exact.denominator == 1 else exact
        return text


def _table(rows: list[Any]) -> dict[str, Option]:
    return {o.keyword: o for o in map(Option._make, rows) if o.key not in _NOT_HERE}


REMUX = _table(_sluice.remux_options())
ENCODER = _table(_sluice.encoder_options())
LADDER = _table(_sluice.ladder_options())


def _rational(value: Any) -> str:
    if isinstance(value, datetime.timedelta):
        value = fractions.Fraction(value // datetime.timedelta(microseconds=1), 1_000_000)
    elif isinstance(value, float):
        value = fractions.Fraction(repr(value))  # 0.1 is a tenth, as it was written
    elif isinstance(value, (int, fractions.Fraction, decimal.Decimal)):
        value = fractions.Fraction(value)
    else:
        raise TypeError
    return f"{value.numerator}/{value.denominator}"


def _string(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ",".join(map(_string, value))
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    text = os.fspath(value)
    return text if isinstance(text, str) else os.fsdecode(text)


def _size(value: Any) -> str:
    width, height = map(operator.index, value)
    return f"{width}x{height}"


_TO_TEXT = {
    "bool": lambda value: "yes" if operator.index(value) else "no",
    "int": lambda value: str(operator.index(value)),
    "rational": _rational,
    "string": _string,
    "enum": _string,
    "size": _size,
}


def _text(option: Option, value: Any) -> str:
    if isinstance(value, str):
        return value  # the library reads it as it reads the command line
    try:
        return _TO_TEXT[option.type](value)
    except TypeError:
        raise TypeError(f"{option.keyword} ({option.type}) cannot be made of a "
                        f"{type(value).__name__}: {value!r}") from None


def to_text(function: str, keywords: dict[str, Any],
            table: "dict[str, Option]" = REMUX) -> list[tuple[str, str]]:
    """(key, text) for the library, in the order given. None leaves the default."""
    pairs = []
    for keyword, value in keywords.items():
        option = table.get(keyword)
        if option is None:
            raise TypeError(f"{function}() got an unexpected keyword argument {keyword!r}" +
                            "".join(f"; did you mean {near!r}?" for near in
                                    difflib.get_close_matches(keyword, table, 1)))
        if value is None:
            continue
        values = value if option.type == "list" and not isinstance(value, str) else [value]
        pairs += [(option.key, _text(option, each)) for each in values]
    return pairs


def describe(function: Any, table: "dict[str, Option]" = REMUX, without: tuple[str, ...] = ()) -> Any:
    """Decorator: gives a function that takes **options their names, defaults and help."""
    own = inspect.signature(function)
    options = [o for o in table.values() if o.keyword not in (*own.parameters, *without)]
    parameters = [p for p in own.parameters.values() if p.kind is not p.VAR_KEYWORD]
    lines = [inspect.cleandoc(function.__doc__), "", "Options:"]
    for o in options:
        parameters.append(inspect.Parameter(o.keyword, inspect.Parameter.KEYWORD_ONLY,
                                            default=o.value))
        text = f"{o.help} ({' | '.join(o.choices)})" if o.choices else o.help
        lines.append(f"  {o.keyword} = {o.value!r}")
        lines += textwrap.wrap(text.replace("--", ""), 92, initial_indent=" " * 6,
                               subsequent_indent=" " * 6)
    function.__signature__ = own.replace(parameters=parameters)
    function.__doc__ = "\n".join(lines)
    return function

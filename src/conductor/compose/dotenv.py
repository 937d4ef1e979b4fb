"""Env files: `.env` beside the compose file, and what `env_file` names.

Law: what Compose reads out of such a file is read, with its quotes, comments, `export`, several lines in quotes and interpolation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from conductor.compose.node import Text
from conductor.compose.template import Find, Substitution, TemplateError
from conductor.errors import ConfigurationError, Problem

_KEY = re.compile(r"[ \t]*(?:export[ \t]+)?(?P<key>[^\s=:]*(?:[ \t]+[^\s=:]+)*)[ \t]*(?P<sign>[=:]?)[ \t]*")
_KEY_LETTERS = re.compile(r"[A-Za-z0-9_.\-\[\]]*")
_ESCAPES = {
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "v": "\v",
    "\\": "\\",
    '"': '"',
    "$": "$$",
}


def parse_dotenv(
    content: bytes, *, file: str, substitution: Substitution, earlier: Mapping[str, Text] | None = None
) -> dict[str, Text | None]:
    """Read an env file; None is a name without a value, to be taken from around. Raises `ConfigurationError`."""
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise ConfigurationError([Problem(file=file, message="this is no UTF-8 text")]) from None
    return _Reader(text, file, substitution, earlier or {}).read()


def parse_raw(content: bytes, *, file: str) -> dict[str, Text | None]:
    """Read an env file with `format: raw`: what follows `=` is the value, as it stands."""
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ConfigurationError([Problem(file=file, message="this is no UTF-8 text")]) from None
    pairs = (line.partition("=") for line in lines if line.strip() and not line.lstrip().startswith("#"))
    return {key.strip(): value if sign else None for key, sign, value in pairs}


@dataclass(slots=True)
class _Reader:
    text: str
    file: str
    substitution: Substitution
    earlier: Mapping[str, Text]
    at: int = 0
    values: dict[str, Text | None] = field(default_factory=dict)

    def read(self) -> dict[str, Text | None]:
        around = self.substitution.find
        self.substitution.find = _first_of(around, self.values, self.earlier)
        try:
            while self._skip_blank():
                self._pair()
        finally:
            self.substitution.find = around
        return self.values

    def _skip_blank(self) -> bool:
        blank = re.compile(r"(?:\s+|#[^\n]*)*").match(self.text, self.at)
        self.at = blank.end() if blank else self.at
        return self.at < len(self.text)

    def _pair(self) -> None:
        start = self.at
        found = _KEY.match(self.text, start)
        key, sign = (found["key"], found["sign"]) if found else ("", "")
        self._check_key(key, start)
        self.at = found.end() if found else start
        self.values[key] = self._value() if sign else None

    def _check_key(self, key: str, start: int) -> None:
        if " " in key or "\t" in key:
            raise self._problem(start, f"`{key}` has a space in a variable's name", "Write NAME=value.")
        if not _KEY_LETTERS.fullmatch(key):
            raise self._problem(start, f"`{key[:60]}` is no name of a variable", "Write NAME=value.")

    def _value(self) -> Text:
        quote = self.text[self.at : self.at + 1]
        return self._quoted(quote) if quote in ("'", '"') and quote else self._plain()

    def _plain(self) -> Text:
        end = self.text.find("\n", self.at)
        end = len(self.text) if end < 0 else end
        raw, start, self.at = self.text[self.at : end], self.at, end
        return self._interpolated(re.split(r"\s#", raw, maxsplit=1)[0].strip(), start)

    def _quoted(self, quote: str) -> Text:
        start = self.at
        end = start + 1
        while end < len(self.text) and self.text[end] != quote:
            end += 2 if self.text[end] == "\\" and quote == '"' else 1
        if end >= len(self.text):
            raise self._problem(start, "a quoted value is never closed", f"Close it with {quote}.")
        raw = self.text[start + 1 : end]
        self.at = end + 1
        return raw if quote == "'" else self._interpolated(_unescape(raw), start)

    def _interpolated(self, raw: str, start: int) -> Text:
        try:
            return self.substitution(raw)
        except TemplateError as error:
            raise self._problem(start, str(error), "A dollar that is meant as one is written `$$`.") from None

    def _problem(self, at: int, message: str, remedy: str) -> ConfigurationError:
        line = self.text.count("\n", 0, at) + 1
        return ConfigurationError(
            [Problem(file=self.file, line=line, column=1, message=message, remedy=remedy)]
        )


def _first_of(around: Find, *others: Mapping[str, Text | None] | Mapping[str, Text]) -> Find:
    def find(name: str) -> Text | None:
        values = (around(name), *(other.get(name) for other in others))
        return next((value for value in values if value is not None), None)

    return find


def _unescape(raw: str) -> str:
    return re.sub(r'\\([abfnrtv$"\\])', lambda found: _ESCAPES[found[1]], raw)

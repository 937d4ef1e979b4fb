"""The words that values of `.conductor.yaml` are written in: durations, sizes, names, paths, patterns of tags.

Every reader raises ValueError with one sentence, made for the person who wrote the word.
"""

from __future__ import annotations

import re
from datetime import timedelta

from conductor.documents.text import quoted, shown

DURATION = r"(?=[0-9])(?:([0-9]{1,6})d)?(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,8})s)?"
SIZE = r"([0-9]{1,15}(?:\.[0-9]{1,3})?)\s?(b|k|kb|ki|kib|m|mb|mi|mib|g|gb|gi|gib)"
NAME = r"[A-Za-z_][A-Za-z0-9_]{0,199}"
ENVIRONMENT = r"[a-z][a-z0-9_]{0,19}"
WORD = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}"
VARIABLE = r"[A-Za-z_][A-Za-z0-9_.-]{0,199}"
SUITE_NAME = r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,59}"
IMAGE = r"[A-Za-z0-9][A-Za-z0-9._/:@-]{0,499}"
TAG_PATTERN = r"[A-Za-z0-9_+*][^\s\\~^:?\[\x00-\x20\x7f]{0,199}"

LONGEST = timedelta(days=365)
LEAST_BYTES = 4 * 1024**2
_UNITS = {"b": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


def duration(value: object) -> timedelta:
    """Read a duration.

    >>> duration("1h30m")
    datetime.timedelta(seconds=5400)
    """
    if isinstance(value, timedelta):
        return value
    _need_unit(value, f"`{value}s` or `{value}m`")
    found = re.fullmatch(DURATION, _text(value, "a duration such as `30m`, `1h30m` or `24h`"), re.ASCII)
    if not found:
        raise ValueError(f"{quoted(str(value))} is no duration: write `90s`, `30m`, `1h30m` or `2d`")
    days, hours, minutes, seconds = (int(group or 0) for group in found.groups())
    length = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if not timedelta(0) < length <= LONGEST:
        raise ValueError("a duration is longer than nothing and at most 365d")
    return length


def duration_text(length: timedelta) -> str:
    """Write a duration with its largest unit that fits.

    >>> duration_text(timedelta(minutes=90)), duration_text(timedelta(hours=24))
    ('90m', '24h')
    """
    seconds = int(length.total_seconds())
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def memory(value: object) -> int:
    """Read a size into bytes; units count in 1024, as Compose's do.

    >>> memory("512m"), memory("1.5g")
    (536870912, 1610612736)
    """
    _need_unit(value, "`512m` or `2g`")
    text = _text(value, "a size such as `512m` or `2g`")
    found = re.fullmatch(SIZE, text.lower(), re.ASCII)
    if not found:
        raise ValueError(f"{quoted(text)} is no size: write `512m` or `2g`")
    made = int(float(found[1]) * _UNITS[found[2][0]])
    if made < LEAST_BYTES:
        raise ValueError(f"{quoted(text)} is too little for any container: give it 4m or more")
    return made


def secret_name(value: object) -> str:
    """Read the name of a secret, without the suffix of its environment."""
    text = _text(value, "the name of a secret")
    if not re.fullmatch(NAME, text):
        raise ValueError(
            f"{quoted(text)} is no name of a secret: letters, digits and `_`, not starting with a digit"
        )
    return text


def environment(value: object) -> str:
    """Read the name of an environment."""
    text = _text(value, "the name of an environment")
    if not re.fullmatch(ENVIRONMENT, text):
        raise ValueError(
            f"{quoted(text)} is no name of an environment: small letters and digits, such as `qa`"
        )
    return text


def suite_name(value: object) -> str:
    """Read the name of a test suite."""
    text = _text(value, "the name of a suite")
    if not re.fullmatch(SUITE_NAME, text):
        raise ValueError(
            f"{quoted(text)} is no name of a suite: letters, digits, space, `.`, `_` and `-`, 60 at most"
        )
    return text


def image(value: object) -> str:
    """Read a reference to an image."""
    text = _text(value, "a reference to an image")
    if not re.fullmatch(IMAGE, text):
        raise ValueError(f"{quoted(text)} is no reference to an image, such as `registry.example/dev:1.4`")
    return text


def word(value: object) -> str:
    """Read the name of a service, a profile or a template."""
    text = _text(value, "a name")
    if not re.fullmatch(WORD, text):
        raise ValueError(f"{quoted(text)} is no name: letters, digits, `.`, `_` and `-`")
    return text


def variable(value: object) -> str:
    """Read the name of a variable, a build argument or a parameter."""
    text = _text(value, "the name of a variable")
    if not re.fullmatch(VARIABLE, text):
        raise ValueError(
            f"{quoted(text)} is no name of a variable: letters, digits and `_`, not starting with a digit"
        )
    return text


def tag_pattern(value: object) -> str:
    """Read the pattern of a tag: what git allows in a tag, and `*` for any text.

    Only `*` is special: so one pattern lies within another exactly when the other matches its text.
    """
    text = _text(value, "a tag, with `*` for any text")
    wrong = not re.fullmatch(TAG_PATTERN, text) or ".." in text or "//" in text or "@{" in text
    if wrong or text.endswith((".", "/", ".lock")) or shown(text) != text:
        raise ValueError(f"{quoted(text)} is no tag that git would take; `*` stands for any text")
    return text


def path(value: object) -> str:
    """Read a path of the repository: relative, with `/`, leading nowhere else."""
    text = glob(value)
    if text.startswith("/"):
        raise ValueError(f"{quoted(text)} is absolute: paths are relative to the repository's root")
    return text


def glob(value: object) -> str:
    """Read a path or pattern in a container: relative to its working directory, or absolute."""
    text = _text(value, "a path")
    if not text.strip() or "\\" in text or text.startswith("~") or "\n" in text or shown(text) != text:
        raise ValueError(f"{quoted(text)} is no path: write it with `/`, relative to the repository's root")
    if ".." in text.split("/"):
        raise ValueError(f"{quoted(text)} leads out with `..`: paths stay where they start")
    return text


def command(value: object) -> str | tuple[str, ...]:
    """Read a command: text for the shell of the image, or a list of arguments."""
    if isinstance(value, str) and value.strip():
        return value
    is_list = isinstance(value, list | tuple) and value and all(isinstance(part, str) for part in value)
    if is_list and value[0]:  # type: ignore[index]  # it is a list with something in it
        return tuple(value)  # type: ignore[arg-type]
    raise ValueError("must be text (run by the image's shell) or a list of arguments, and not empty")


def version(value: object) -> int:
    """Read the version of the format: there is one."""
    if type(value) is int and value == 1:
        return value
    raise ValueError("must be 1, the only version there is")


def _need_unit(value: object, example: str) -> None:
    if type(value) in (int, float):
        raise ValueError(f"{value} has no unit: write {example}")


def _text(value: object, what: str) -> str:
    if isinstance(value, str):
        return value
    raise ValueError(f"must be {what}, not {kind(value)}")


def kind(value: object) -> str:
    """Name what a value of a YAML file is, for a message."""
    names = {dict: "a mapping", list: "a list", str: "text", bool: "true or false", type(None): "nothing"}
    return names.get(type(value), "a number")

"""What a container would do, read from its command: enough of a shell to play `echo ready; sleep 2; exit 3`.

Known are echo and cat (with `>`, `>>`), head, sleep, exit, true, false, kill, mkdir, test -f, loops without end, variables, `;`, `&&` and
`||`. What is not known goes well and takes no time.
"""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

FOREVER = float("inf")
_BETWEEN = (";", "&&", "||", "&", ";;")
SHELLS = ("sh", "bash", "ash", "dash")


@dataclass(slots=True)
class Course:
    """What happened: lines with their time in seconds from the start, files, how long it took, and the exit code.

    `known` is False where none of the programs is one that is played.
    """

    lines: list[tuple[float, str, str]] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    exit_code: int = 0
    known: bool = True


class _Exit(Exception):  # noqa: N818 -- no error: it ends the play
    pass


def play(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    files: Mapping[str, str] | None = None,
    stdin: str = "",
) -> Course:
    """Play a command, of a shell or not."""
    course = Course(files=dict(files or {}))
    words = _inside(list(command))
    tokens = _tokens(words[2]) if _is_script(words) else words
    environment = {**environment, **{str(place): word for place, word in enumerate(words[3:])}}
    course.known = any(token.rsplit("/", 1)[-1] in _VERBS for token in _programs(tokens))
    with contextlib.suppress(_Exit):
        _run(tokens, environment, course, stdin)
    return course


def _inside(words: list[str]) -> list[str]:
    """Return what a script makes way for, where all it does is to go somewhere and `exec "$@"`."""
    while _is_script(words) and _tokens(words[2])[-2:] == ["exec", "$@"]:
        words = words[4 + _tokens(words[2]).count("shift") :]
    return words


def _is_script(words: Sequence[str]) -> bool:
    return len(words) > 2 and words[0].rsplit("/", 1)[-1] in SHELLS and words[1] in ("-c", "-ec", "-lc")  # noqa: PLR2004


def _tokens(script: str) -> list[str]:
    lexer = shlex.shlex(script.strip().replace("\n", " ; "), posix=True, punctuation_chars=";&|<>")
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        return list(lexer)
    except ValueError:
        return [script]


def _programs(tokens: Sequence[str]) -> list[str]:
    """Return the first word of each statement."""
    return [token for before, token in zip([";", *tokens], tokens, strict=False) if before in _BETWEEN]


def _run(tokens: Sequence[str], environment: Mapping[str, str], course: Course, stdin: str) -> None:
    statement: list[str] = []
    join = ";"
    for token in [*tokens, ";"]:
        if token not in _BETWEEN:
            statement.append(token)
            continue
        skipped = (join == "&&" and course.exit_code) or (join == "||" and not course.exit_code)
        if statement and not skipped:
            _do([_expand(word, environment, course) for word in statement], course, stdin)
        statement, join = [], token


def _do(words: list[str], course: Course, stdin: str) -> None:
    words, output = _redirected(words)
    while words and words[0] in ("exec", "then", "do", "else", "nohup"):
        words = words[1:]
    if not words:
        return
    verb = _VERBS.get(words[0].rsplit("/", 1)[-1])
    course.exit_code = 0
    said = verb(words, course, stdin) if verb else None
    if said is None:
        return
    if output in ("stdout", "stderr"):
        course.lines += [(course.seconds, output, line) for line in said.split("\n")]
    else:
        course.files[output] = said + "\n"


def _redirected(words: list[str]) -> tuple[list[str], str]:
    """Take `> file`, `>> file` and `>&2` off; return where the output goes."""
    for place, word in enumerate(words):
        if word in (">", ">>", ">&"):
            target = " ".join(words[place + 1 : place + 2])
            before = words[:place]
            if before[-1:] == ["2"]:  # the other stream's: it says nothing here
                return before[:-1], "stdout"
            return before, target if word != ">&" else "stderr" if target == "2" else "stdout"
    return words, "stdout"


def _echo(words: list[str], _course: Course, _stdin: str) -> str:
    return " ".join(word for word in words[1:] if word not in ("-n", "-e"))


def _cat(words: list[str], course: Course, stdin: str) -> str | None:
    if not words[1:]:
        return stdin.removesuffix("\n") or None
    if any(name not in course.files for name in words[1:]):
        course.exit_code = 1
        return None
    return "".join(course.files[name] for name in words[1:]).removesuffix("\n")


def _head(words: list[str], course: Course, stdin: str) -> str | None:
    """Play `head -c BYTES -- FILE`."""
    said = _cat(["cat", words[-1]], course, stdin)
    return said[: int(words[2])] if said is not None and words[1] == "-c" else said


def _sleep(words: list[str], course: Course, _stdin: str) -> None:
    text = words[1] if len(words) > 1 else "0"
    amount = re.fullmatch(r"(\d*\.?\d+)([smhd]?)", text)
    factor = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
    course.seconds += float(amount[1]) * factor[amount[2]] if amount else FOREVER
    if course.seconds == FOREVER:
        raise _Exit


def _exit(words: list[str], course: Course, _stdin: str) -> None:
    course.exit_code = int(words[1]) if len(words) > 1 and words[1].isdigit() else course.exit_code
    raise _Exit


def _false(_words: list[str], course: Course, _stdin: str) -> None:
    course.exit_code = 1


def _true(_words: list[str], _course: Course, _stdin: str) -> None:
    """Do nothing, well."""


def _test(words: list[str], course: Course, _stdin: str) -> None:
    name = next((word for word in words[1:] if not word.startswith("-") and word != "]"), "")
    course.exit_code = 0 if name in course.files else 1


def _loop(_words: list[str], course: Course, _stdin: str) -> None:
    course.seconds = FOREVER
    raise _Exit


def _kill(words: list[str], course: Course, _stdin: str) -> None:
    course.exit_code = 137 if "-9" in words or "-KILL" in words else 143
    raise _Exit


def _expand(word: str, environment: Mapping[str, str], course: Course) -> str:
    known = {**environment, "?": str(course.exit_code)}
    return re.sub(
        r"\$\{?(\w+|\?)\}?", lambda found: known.get(found[1], found[0] if found[1] == "$" else ""), word
    )


_VERBS = {
    "echo": _echo,
    "printf": _echo,
    "cat": _cat,
    "head": _head,
    "sleep": _sleep,
    "exit": _exit,
    "true": _true,
    ":": _true,
    "mkdir": _true,
    "trap": _true,
    "false": _false,
    "test": _test,
    "[": _test,
    "while": _loop,
    "kill": _kill,
}

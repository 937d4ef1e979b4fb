"""What Kaniko writes, line by line: its own words told from those of the Dockerfile's commands. Pure.

Kaniko's lines are logfmt (`level=info msg="RUN make"`); what a command writes comes as it is. A step is named by its text alone, so that
its line in the Dockerfile has to be found by whoever has that.
"""

from __future__ import annotations

import json
import re
from collections import deque
from dataclasses import dataclass, field

LAST_LINES = 20
"""How much of a failed build's output its error carries."""
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_OWN = re.compile(
    r'(?:time="?[^ ]+"? )?level=(?P<level>\w+) msg=(?P<text>"(?:[^"\\]|\\.)*"|\S*)(?: .*)?', re.DOTALL
)
_COLOURED = re.compile(r"(?P<level>INFO|WARN|ERRO|FATA|DEBU)\[\d+\] (?P<text>.*)")
_NOBODYS = re.compile(r"(?:remote: )?\w+ objects: +\d+%|To simulate EOF and exit")
_STEP = re.compile(
    r"(?:RUN|COPY|ADD|WORKDIR|USER|ENV|ARG|LABEL|EXPOSE|VOLUME|CMD|ENTRYPOINT|HEALTHCHECK|SHELL|STOPSIGNAL|ONBUILD|MAINTAINER)\s.*",
    re.DOTALL,
)
_NOISE = (
    "Cmd: ",
    "Args: ",
    "Running: ",
    "Util.Lookup returned",
    "active feature flags: ",
    "credential providers by ",
    "Returning cached image manifest",
)
_RETRIEVING = re.compile(r"Retrieving image (?:manifest )?(?P<image>\S+)")
_LEVELS = {"warning": "warning: ", "error": "error: ", "fatal": "error: ", "WARN": "warning: "}
_USAGE = re.compile(r"Usage:$|Flags:$|Available Commands:$")


@dataclass(slots=True)
class Output:
    """Reads one build's output."""

    step: str = ""
    """The instruction that was begun last."""
    base: str = ""
    """The image that Kaniko asked a registry for last."""
    trouble: str = ""
    """What Kaniko says it failed of."""
    warnings: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))
    last: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))
    """What the last step wrote."""
    _in_usage: bool = False

    def take(self, line: str) -> str | None:
        """Read a line; return what people are shown of it, None where it is noise."""
        text = _ANSI.sub("", line).rstrip("\r\n").rpartition("\r")[2]
        if self._in_usage or _NOBODYS.match(text):
            return None
        if found := _OWN.fullmatch(text) or _COLOURED.fullmatch(text):
            return self._own(found["level"], _unquoted(found["text"]))
        if text.startswith(("Error: ", "error ")):
            self.trouble = text
        if self.trouble.startswith("Error: ") and _USAGE.match(text):
            self._in_usage = True
            return None
        if text.strip():
            self.last.append(text)
        return text

    def _own(self, level: str, text: str) -> str | None:
        if text.startswith(_NOISE):
            return None
        if level == "info" and _STEP.fullmatch(text):
            self.step = text
            self.last.clear()
        if found := _RETRIEVING.match(text):
            self.base = found["image"]
        if prefix := _LEVELS.get(level, ""):
            self.warnings.append(text)
            return f"{prefix}{text}"
        return text


def _unquoted(text: str) -> str:
    if not text.startswith('"'):
        return text
    try:
        return str(json.loads(text))
    except ValueError:
        return text[1:-1]

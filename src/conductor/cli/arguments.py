"""What people type after a command, read in one place: durations, NAME=VALUE pairs, ports of services."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import typer

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"(?:\d+[smhdw])+")
_PART = re.compile(r"(\d+)([smhdw])")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PUBLISH = re.compile(r"(?P<service>[A-Za-z0-9][A-Za-z0-9._-]*):(?P<port>\d+)(?:=(?P<host>\d+))?")
_ADDRESSED = re.compile(r"(?P<service>[A-Za-z0-9][A-Za-z0-9._-]*)(?::(?P<port>\d{1,5}))?")
LAST_PORT = 65535
_NO_ISSUE = 10**9
LONGEST = timedelta(days=366)


def duration(text: str) -> timedelta:
    """Read a duration of whole seconds, minutes, hours, days and weeks.

    >>> duration("1h30m")
    datetime.timedelta(seconds=5400)
    """
    written = text.strip().lower()
    if not _DURATION.fullmatch(written):
        raise typer.BadParameter(f"{text!r} is no duration: write 90s, 30m, 24h, 7d or 1h30m.")
    seconds = sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(written))
    if not 0 < seconds <= LONGEST.total_seconds():
        raise typer.BadParameter(f"{text!r} is out of range: from 1s to 366d.")
    return timedelta(seconds=seconds)


def moment(text: str) -> datetime:
    """Read an ISO 8601 time; one without an offset is local time. The answer is in UTC."""
    try:
        read = datetime.fromisoformat(text.strip())
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no time: write 2026-11-24T18:00 or 2026-11-24T18:00+01:00."
        ) from None
    return read.astimezone(UTC)


def span_until(end: datetime, *, now: datetime) -> timedelta:
    """Say how long it is until then; a time that is past, or more than a year away, was not meant."""
    span = end - now
    if not timedelta(0) < span <= LONGEST:
        raise typer.BadParameter(f"{end:%Y-%m-%d %H:%M %Z} is not within the next 366 days.")
    return span


def variable(text: str) -> tuple[str, str]:
    """Read NAME=VALUE; the value may be empty and may hold further equal signs.

    >>> variable("TAG=a=b")
    ('TAG', 'a=b')
    """
    name, equals, value = text.partition("=")
    if not equals or not _NAME.fullmatch(name):
        raise typer.BadParameter(f"{name!r} is no variable: write NAME=VALUE.")
    return name, value


@dataclass(frozen=True, slots=True)
class IssueName:
    """An issue as it is typed."""

    repository: str
    number: int


def issue(text: str) -> IssueName:
    """Read REPOSITORY#NUMBER.

    >>> issue("acme/shop#12")
    IssueName(repository='acme/shop', number=12)
    """
    repository, _, number = text.rpartition("#")
    if not repository or not number.isdecimal() or not 0 < int(number[:10]) < _NO_ISSUE:
        raise typer.BadParameter(f"{text!r} is no issue: write OWNER/NAME#NUMBER, such as acme/shop#12.")
    return IssueName(repository, int(number))


def published(text: str) -> str:
    """Check SERVICE:PORT or SERVICE:PORT=HOSTPORT and give it back as it stands.

    >>> published("backend:3001=8080")
    'backend:3001=8080'
    """
    service_port(text)
    return text


def addressed(text: str) -> tuple[str, int | None]:
    """Take SERVICE[:PORT] apart; no port is the service's first.

    >>> addressed("backend"), addressed("backend:3001")
    (('backend', None), ('backend', 3001))
    """
    match = _ADDRESSED.fullmatch(text)
    port = int(match["port"]) if match and match["port"] else None
    if match is None or (port is not None and not 1 <= port <= LAST_PORT):
        raise typer.BadParameter(f"{text!r} is no service with an address: write SERVICE or SERVICE:PORT.")
    return match["service"], port


def service_port(text: str) -> tuple[str, int, int | None]:
    """Take SERVICE:PORT[=HOSTPORT] apart; the host's port is None where none is named.

    >>> service_port("backend:3001"), service_port("backend:3001=8080")
    (('backend', 3001, None), ('backend', 3001, 8080))
    """
    match = _PUBLISH.fullmatch(text)
    if match is None:
        raise typer.BadParameter(
            f"{text!r} is no port of a service: write SERVICE:PORT or SERVICE:PORT=HOSTPORT."
        )
    ports = [int(port) for port in (match["port"], match["host"]) if port is not None]
    if not all(1 <= port <= LAST_PORT for port in ports):
        raise typer.BadParameter(f"{text!r}: ports go from 1 to {LAST_PORT}.")
    return match["service"], ports[0], ports[1] if len(ports) > 1 else None

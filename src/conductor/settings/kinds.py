"""The kinds of values that settings have: how each is written in a variable, and what is wrong with one that is not."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
_OBJECT = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_GATEWAY = re.compile(rf"{_OBJECT.pattern}/{_OBJECT.pattern}")
_DOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
_QUANTITY = re.compile(r"\d+(\.\d+)?(m|k|K|M|G|T|Ki|Mi|Gi|Ti)?")
_PLACE = re.compile(r"[A-Za-z0-9.-]+(:\d+)?(/[a-z0-9._/-]+)?")
_REACH = re.compile(rf"[0-9a-fA-F.:]+/\d{{1,3}}(:\d{{1,5}})?|{LABEL.pattern}")
_REPOSITORY = re.compile(r"[A-Za-z0-9_.*?-]+(/[A-Za-z0-9_.*?-]+)*")
_LISTEN = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]*):(\d{1,5})")
_DURATION = re.compile(r"(?:\d+d)?(?:\d+h)?(?:\d+m)?(?:\d+s)?(?<!^)")
_PART = re.compile(r"(\d+)([dhms])")
_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_BYTES = re.compile(r"(\d+(?:\.\d+)?)(k|K|M|G|T|Ki|Mi|Gi|Ti)?")
_FACTORS = {
    "": 1,
    **{unit: 1000**power for unit, power in {"k": 1, "K": 1, "M": 2, "G": 3, "T": 4}.items()},
    **{f"{unit}i": 1024**power for unit, power in {"K": 1, "M": 2, "G": 3, "T": 4}.items()},
}
SHORTEST_KEY = 32
_EGRESS = ("allow", "cluster", "deny")


class EngineKind(StrEnum):
    """Where workloads run."""

    DOCKER = "docker"
    KUBERNETES = "kubernetes"
    FAKE = "fake"


class RegistryType(StrEnum):
    """Where images go and come from."""

    HARBOR = "harbor"
    DOCKERHUB = "dockerhub"
    PLAIN = "plain"


class LogLevel(StrEnum):
    """What Conductor says of its own work."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """How it says it: for people, or one JSON object a line."""

    AUTO = "auto"
    PLAIN = "plain"
    JSON = "json"


def split(text: str) -> tuple[str, ...]:
    """Take apart what has commas between."""
    return tuple(part for part in (piece.strip() for piece in text.split(",")) if part)


def _postgres(value: SecretStr) -> SecretStr:
    if not re.match(r"postgresql://.", value.get_secret_value()):
        raise ValueError("write it as postgresql://USER:PASSWORD@HOST/NAME")
    return value


def several(value: Any, *, like: re.Pattern[str], wrong: str) -> Any:
    """Read words with commas between them; ValueError for the first that is not `like` it."""
    words = split(value) if isinstance(value, str) else value
    if strange := [word for word in words if not like.fullmatch(word)]:
        raise ValueError(f"{strange[0]!r} {wrong}")
    return words


def _pairs(value: Any, *, like: re.Pattern[str], wrong: str) -> Any:
    if not isinstance(value, str):
        return value
    pairs = [part.partition("=") for part in split(value)]
    if strange := ["".join(pair) for pair in pairs if not (pair[0] and like.fullmatch(pair[2]))]:
        raise ValueError(f"{strange[0]!r} {wrong}")
    return {name.strip(): what.strip() for name, _, what in pairs}


def _whole(like: re.Pattern[str], wrong: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value and not like.fullmatch(value):
            raise ValueError(wrong)
        return value

    return check


def _egress(value: Any) -> Any:
    if not isinstance(value, str) or value in _EGRESS:
        return value
    try:
        return tuple(str(ipaddress.ip_network(part)) for part in split(value))
    except ValueError as error:
        raise ValueError(f"use {', '.join(_EGRESS)}, or networks with commas between them: {error}") from None


def _domain(value: str) -> str:
    return _whole(_DOMAIN, "write a name such as stacks.example.org, without scheme and port")(
        value.lower().strip(".")
    )


def _long(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < SHORTEST_KEY:
        raise ValueError(f"it has {SHORTEST_KEY} characters or more: `openssl rand -hex 32` makes one")
    return value


def _size(value: str) -> str:
    if not _QUANTITY.fullmatch(value):
        raise ValueError("write a size such as 1Gi")
    return value


def _span(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if not _DURATION.fullmatch(value):
        raise ValueError("write a duration such as 12h, 30d or 1d12h")
    return timedelta(seconds=sum(int(number) * _SECONDS[unit] for number, unit in _PART.findall(value)))


def _bytes(value: Any) -> Any:
    found = _BYTES.fullmatch(value) if isinstance(value, str) else None
    if not isinstance(value, str):
        return value
    if found is None:
        raise ValueError("write a size such as 50Gi")
    return int(float(found[1]) * _FACTORS[found[2] or ""])


def _address(value: str | None) -> str | None:
    if value is not None and not re.match(r"(unix|tcp|http|https|ssh|npipe)://.", value):
        raise ValueError("write it as unix:///path/of/socket or tcp://host:port")
    return value


def _web(value: str) -> str:
    if value and not re.match(r"https?://[^/?#@\s]+(/[^?#\s]*)?$", value):
        raise ValueError("write it as https://host[:port][/path]")
    return value.rstrip("/")


_strings = "put commas between several"
ObjectNames = Annotated[
    tuple[str, ...],
    NoDecode,
    BeforeValidator(partial(several, like=_OBJECT, wrong=f"is no name of a Kubernetes object; {_strings}")),
]
"""Names of Kubernetes objects."""
Places = Annotated[
    tuple[str, ...],
    NoDecode,
    BeforeValidator(partial(several, like=_PLACE, wrong=f"is no HOST[:PORT][/PATH]; {_strings}")),
]
"""Registries, or paths in them."""
Reaches = Annotated[
    tuple[str, ...],
    NoDecode,
    BeforeValidator(partial(several, like=_REACH, wrong="is no network, network:port or namespace")),
]
"""What may be reached."""
Repositories = Annotated[
    tuple[str, ...],
    NoDecode,
    BeforeValidator(partial(several, like=_REPOSITORY, wrong=f"is no OWNER/NAME; `*` is any; {_strings}")),
]
"""Patterns of repositories' names."""
Amounts = Annotated[
    dict[str, str],
    NoDecode,
    BeforeValidator(partial(_pairs, like=_QUANTITY, wrong=f"is no NAME=QUANTITY; {_strings}")),
]
"""`NAME=QUANTITY`, with commas between them."""
PlaceMap = Annotated[
    dict[str, str],
    NoDecode,
    BeforeValidator(partial(_pairs, like=_PLACE, wrong=f"is no HOST=HOST[/PATH]; {_strings}")),
]
"""`HOST=HOST[/PATH]`, with commas between them."""
Egress = Annotated[Literal["allow", "cluster", "deny"] | tuple[str, ...], NoDecode, BeforeValidator(_egress)]
"""One of three words, or networks."""
Domain = Annotated[str, AfterValidator(_domain)]
GatewayName = Annotated[str, AfterValidator(_whole(_GATEWAY, "write it as namespace/name"))]
Key = Annotated[SecretStr, AfterValidator(_long)]
Size = Annotated[str, AfterValidator(_size)]
Span = Annotated[timedelta, BeforeValidator(_span)]
"""A duration: days, hours, minutes, seconds."""
Bytes = Annotated[int, BeforeValidator(_bytes)]
"""A size in bytes, written as Kubernetes writes them."""
InstanceName = Annotated[
    str, AfterValidator(_whole(LABEL, "use lower-case letters, digits and hyphens, 40 at most"))
]
EngineAddress = Annotated[str, AfterValidator(_address)]
DatabaseAddress = Annotated[SecretStr, AfterValidator(_postgres)]
WebAddress = Annotated[str, AfterValidator(_web)]
Listen = Annotated[str, AfterValidator(_whole(_LISTEN, "write it as ADDRESS:PORT, such as 127.0.0.1:8000"))]

"""Options that several commands share, spelt once."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

import typer

from conductor.cli.arguments import duration


class EngineName(StrEnum):
    """The engines that can be named: one that runs nothing is of no use where it is asked for."""

    KUBERNETES = "kubernetes"
    DOCKER = "docker"


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
RunId = Annotated[
    str | None,
    typer.Argument(metavar="RUN", help="The run's id or its beginning; the latest where none is named."),
]
NamedRun = Annotated[str, typer.Argument(metavar="RUN", help="The run's id or its beginning.")]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is written from now on.")]
Tail = Annotated[
    int | None, typer.Option("--tail", min=0, metavar="N", help="Only the last N lines of what is there.")
]
Span = Annotated[
    timedelta | None,
    typer.Option(parser=duration, metavar="DURATION", help="For how long, such as 24h or 1h30m."),
]

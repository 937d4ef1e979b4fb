"""The three ways in which a run is shown while it runs: a picture on a terminal, plain lines, events as JSON. One feed behind all."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TextIO, cast

from rich.console import Console, RenderableType
from rich.file_proxy import FileProxy
from rich.live import Live
from rich.text import Text

from conductor.cli.live import ASCII, UNICODE, Canvas, draw
from conductor.cli.output import print_json_line, speaks_unicode
from conductor.cli.plain import heading, plain_lines
from conductor.cli.progress import Progress, advance
from conductor.cli.reporting import outcome_line, print_report, summary
from conductor.domain.event import Event, Kind
from conductor.domain.report import LogLine, Report
from conductor.domain.run import Run
from conductor.domain.verdict import Outcome
from conductor.reports.readable import on_one_line

FRAMES_PER_SECOND = 8


class Surface(Protocol):
    """Law: `show` takes every item of the feed in order; `say` may come at any time; after `close` only `finish` comes."""

    def show(self, item: Event | LogLine) -> None:
        """Show what happened."""
        ...

    def say(self, text: str) -> None:
        """Say something of the command's own, such as what a second Ctrl-C does."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was. Repeated: nothing happens."""
        ...

    def finish(self, run: Run, outcome: Outcome, report: Report | None) -> None:
        """Print the end: the report where there is one."""
        ...


class LiveSurface:
    """The picture, redrawn a few times a second in its place."""

    def __init__(self, run: Run, console: Console, now: Callable[[], datetime]) -> None:
        self._progress = Progress(run=run)
        self._console = console
        self._now = now
        self._glyphs = UNICODE if speaks_unicode() else ASCII
        self._live = Live(
            get_renderable=self._draw,
            console=console,
            refresh_per_second=FRAMES_PER_SECOND,
            redirect_stdout=False,
            redirect_stderr=False,
            transient=True,
        )
        self._live.start()

    def show(self, item: Event | LogLine) -> None:
        """Take it into the picture; notes stay above it."""
        self._progress = advance(self._progress, item)
        if isinstance(item, Event) and item.kind is Kind.NOTE:
            self.say(f"note: {item.data.get('text', '')}")

    def say(self, text: str) -> None:
        """Print a line above the picture."""
        self._console.print(Text(on_one_line(text), "yellow"))

    def log_stream(self) -> TextIO:
        """Return where log lines go so that they stand above the picture and do not tear it."""
        return cast("TextIO", FileProxy(self._console, sys.stderr))

    def close(self) -> None:
        """Take the picture away."""
        self._live.stop()

    def finish(self, run: Run, outcome: Outcome, report: Report | None) -> None:
        """Print the report in its place."""
        del run
        _print_report(self._console, outcome, report)

    def _draw(self) -> RenderableType:
        size = self._console.size
        return draw(
            self._progress,
            Canvas(width=size.width, height=max(size.height - 1, 1), now=self._now(), glyphs=self._glyphs),
        )


class PlainSurface:
    """A line for each event, for files and pipes."""

    def __init__(self, run: Run, console: Console) -> None:
        self._run = run
        self._console = console
        self._print(heading(run))

    def show(self, item: Event | LogLine) -> None:
        """Print its lines at once."""
        for line in plain_lines(self._run, item):
            self._print(line)

    def say(self, text: str) -> None:
        """Print a line between the others."""
        self._print(on_one_line(text))

    def close(self) -> None:
        """Nothing is left to put back."""

    def finish(self, run: Run, outcome: Outcome, report: Report | None) -> None:
        """Print the report below the lines."""
        del run
        self._print("")
        _print_report(self._console, outcome, report)

    def _print(self, text: str) -> None:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


class JsonSurface:
    """An event a line, and the outcome as the last one."""

    def show(self, item: Event | LogLine) -> None:
        """Print events; what the tests write is in `conductor runs logs`."""
        if isinstance(item, Event):
            print_json_line(item)

    def say(self, text: str) -> None:
        """Say it where no program reads."""
        sys.stderr.write(f"{on_one_line(text)}\n")

    def close(self) -> None:
        """Nothing is left to put back."""

    def finish(self, run: Run, outcome: Outcome, report: Report | None) -> None:
        """Print the outcome: the last line of the stream."""
        print_json_line(summary(run, outcome, report))


def _print_report(console: Console, outcome: Outcome, report: Report | None) -> None:
    if report is None:
        console.print(Text(on_one_line(outcome_line(outcome))), soft_wrap=True)
    else:
        print_report(console, report)

"""One JUnit test case: what happened, in which words, and when.

Forms: junitparser knows the elements of Ant, Jenkins and Surefire (`failure`, `error`, `skipped`, `flakyFailure`, `rerunFailure`);
attributes that only some producers write (`file`, `line`, `timestamp`, `status`) are read here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from xml.etree.ElementTree import Element

from junitparser import xunit2
from junitparser.junitparser import Error, Failure, FinalResult, Result, Skipped

from conductor.domain.results import Case, CaseStatus
from conductor.reports.readable import clean, cut, cut_head, cut_middle, on_one_line

NAME_LENGTH = 300
MESSAGE_LENGTH = 2_000
DETAILS_LENGTH = 8_000
OUTPUT_LENGTH = 4_000

Mask = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class SuiteAround:
    """What a case inherits from the suites around it."""

    name: str = ""
    file: str = ""
    started_at: datetime | None = None


def number_in(element: Element, *names: str) -> int:
    """Read the first of the attributes that is there; nought where it is no number."""
    text = next((element.attrib[name] for name in names if name in element.attrib), "0").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 7 else 0  # noqa: PLR2004 -- ten million tests


def entered(element: Element, around: SuiteAround) -> SuiteAround:
    """Go into a suite: what its cases inherit."""
    name = " > ".join(part for part in (around.name, element.get("name", "").strip()) if part)
    return SuiteAround(
        name=name,
        file=element.get("file") or element.get("filepath") or around.file,
        started_at=moment_in(element.get("timestamp")) or around.started_at,
    )


def _parsed(element: Element) -> xunit2.TestCase:
    parsed: xunit2.TestCase = xunit2.TestCase.fromelem(element)  # type: ignore[no-untyped-call]
    return parsed


def read_case(element: Element, suite: SuiteAround, mask: Mask, elapsed: float) -> Case:
    """Read a `testcase`. `elapsed` is how many seconds of its suite had passed at its end."""
    parsed = _parsed(element)
    results: list[FinalResult] = parsed.result
    status = _status(results, element)
    bad = [result for result in results if isinstance(result, Failure | Error)]
    flaky = [*parsed.flaky_failures(), *parsed.flaky_errors()] if not bad else []
    telling: Sequence[Result] = bad or flaky or [result for result in results if isinstance(result, Skipped)]
    wrong = bool(bad or flaky)
    readable = _Readable(mask)
    return Case(
        name=readable.line(parsed.name or parsed.classname or "(no name)"),
        classname=readable.line(parsed.classname or suite.name),
        file=readable.line(element.get("file") or element.get("filepath") or suite.file),
        line=number_in(element, "line", "lineno") or None,
        status=status,
        seconds=seconds_in(element.get("time")),
        message=cut(readable.text(_message(telling)), MESSAGE_LENGTH),
        details=cut_middle(readable.text(_details(telling)), DETAILS_LENGTH) if wrong else "",
        output=cut_head(readable.text(_output(element)), OUTPUT_LENGTH) if wrong else "",
        flaky=bool(flaky) and status is CaseStatus.PASSED,
        ended_at=_ended_at(element, suite, elapsed),
    )


@dataclass(frozen=True, slots=True)
class _Readable:
    """Others' text, cleaned and masked, in that order: a colour inside a value would hide it from the mask."""

    mask: Mask

    def text(self, text: str) -> str:
        return self.mask(clean(text)).strip("\n")

    def line(self, text: str) -> str:
        return cut(self.mask(on_one_line(text)), NAME_LENGTH)


_WORDS = {
    "failed": CaseStatus.FAILED, "fail": CaseStatus.FAILED, "failure": CaseStatus.FAILED,
    "error": CaseStatus.ERROR, "errored": CaseStatus.ERROR,
    "skipped": CaseStatus.SKIPPED, "disabled": CaseStatus.SKIPPED, "notrun": CaseStatus.SKIPPED, "ignored": CaseStatus.SKIPPED,
}  # fmt: skip


def _status(results: Iterable[FinalResult], element: Element) -> CaseStatus:
    """Take the worst of the elements; where there is none, the word that some producers write in `status`."""
    kinds = {type(result) for result in results}
    for kind, status in (
        (Error, CaseStatus.ERROR),
        (Failure, CaseStatus.FAILED),
        (Skipped, CaseStatus.SKIPPED),
    ):
        if kind in kinds:
            return status
    word = element.get("status") or element.get("result") or ""
    return _WORDS.get(word.strip().lower(), CaseStatus.PASSED)


def _message(results: Iterable[Result]) -> str:
    return "\n".join(dict.fromkeys(filter(None, map(_message_of, results))))


def _message_of(result: Result) -> str:
    """Take the message; else the first line of the text that says something; else the type."""
    message = (result.message or "").strip()
    first = next((line.strip() for line in _text_of(result).splitlines() if line.strip()), "")
    return message or first or (result.type or "").strip()


def _details(results: Iterable[Result]) -> str:
    return "\n\n".join(filter(None, (_text_of(result).strip("\r\n") for result in results)))


def _text_of(result: Result) -> str:
    """Take all text of the element, a Surefire `stackTrace` too, but not the output of its try."""
    element: Element = result._elem  # noqa: SLF001 -- junitparser reads the text before the first child only
    trace = result.stack_trace if isinstance(result, xunit2.InterimResult) else None
    return str(trace) if trace else "".join(element.itertext())


def _output(element: Element) -> str:
    parts = (child.text for tag in ("system-out", "system-err") for child in element.iterfind(tag))
    return "\n".join(part.strip("\r\n") for part in parts if part and part.strip())


def seconds_in(text: str | None) -> float:
    """Read `1.5`, `1,234.5` and `0,25`; what is no time, or a negative one, is nought."""
    text = (text or "").strip()
    text = text.replace(",", "" if "." in text or text.count(",") > 1 else ".")
    try:
        value = float(text or 0)
    except ValueError:
        return 0.0
    return value if math.isfinite(value) and 0 <= value < 10**7 else 0.0


def moment_in(text: str | None) -> datetime | None:
    """Read an ISO 8601 time; one without a zone is taken for UTC, as containers have it."""
    try:
        moment = datetime.fromisoformat((text or "").strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _ended_at(element: Element, suite: SuiteAround, elapsed: float) -> datetime | None:
    """Take the case's own time and its duration; else the suite's start and the durations up to here."""
    own = moment_in(element.get("timestamp"))
    start, seconds = (own, seconds_in(element.get("time"))) if own else (suite.started_at, elapsed)
    try:
        return start + timedelta(seconds=seconds) if start else None
    except OverflowError:
        return None

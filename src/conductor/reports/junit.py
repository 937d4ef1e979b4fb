"""JUnit XML of any producer, many files of it, to cases and counts.

Law: no file can make reading fail. What cannot be read is a problem with a reason, and what stood before the mistake counts. A case that is
in two files with the very same content (a merged report beside its parts) counts once; one that is in a file twice counts twice.

There is no one schema. The forms read here: Ant and Jenkins (`junit-10.xsd` of Jenkins' xunit plugin), Maven Surefire with its rerun and
flaky elements (`surefire-test-report.xsd`), and what pytest, jest-junit, mocha, PHPUnit, GoogleTest, Catch2, Bazel and others make of them.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from xml.etree.ElementTree import Element

from junitparser import xunit2
from junitparser.junitparser import Error, Failure, FinalResult, Result, Skipped

from conductor.domain.results import Case, CaseStatus, Counts, ReportProblem
from conductor.reports.readable import clean, cut, cut_head, cut_middle, on_one_line
from conductor.reports.xml_tree import read_tree

NAME_LENGTH = 300
MESSAGE_LENGTH = 2_000
DETAILS_LENGTH = 8_000
OUTPUT_LENGTH = 4_000
FAILURES_WITH_DETAILS = 500
"""Of further failures only the message is kept: nobody reads them, and a report has to stay small."""

OTHER_REPORTS = frozenset({"coverage", "report", "checkstyle", "pmd", "pmd-cpd"})
"""Roots of Cobertura, JaCoCo, Checkstyle, PMD: they lie beside JUnit files and are nobody's mistake."""

Mask = Callable[[str], str]


@dataclass(frozen=True, kw_only=True, slots=True)
class JUnit:
    """What all report files of a suite say together. `files` is how many of them were JUnit, read whole or in part."""

    cases: tuple[Case, ...] = ()
    counts: Counts = field(default_factory=Counts)
    problems: tuple[ReportProblem, ...] = ()
    files: int = 0


@dataclass(frozen=True, slots=True)
class _Suite:
    """What a case inherits from the suites around it."""

    name: str = ""
    file: str = ""
    started_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Found:
    """A case, and what tells it from another one."""

    case: Case
    identity: bytes


def read_junit(files: Mapping[str, bytes], *, mask: Mask = lambda text: text) -> JUnit:
    """Read report files by name. `mask` hides secrets, and is applied before anything is cut."""
    cases: list[Case] = []
    known: Counter[bytes] = Counter()
    problems: list[ReportProblem] = []
    uncounted = Counts()
    read = 0
    for name in sorted(files):
        reading = _File(name, mask)
        reading.read(files[name])
        cases += _new(reading.found, known)
        problems += reading.problems
        uncounted = _sum(uncounted, reading.counted_only)
        read += reading.is_junit
    kept = tuple(_with_few_details(cases))
    return JUnit(cases=kept, counts=_sum(count(kept), uncounted), problems=tuple(problems), files=read)


def count(cases: Iterable[Case]) -> Counts:
    """Count cases by their status."""
    by = Counter(case.status for case in cases)
    return Counts(
        passed=by[CaseStatus.PASSED],
        failed=by[CaseStatus.FAILED],
        errors=by[CaseStatus.ERROR],
        skipped=by[CaseStatus.SKIPPED],
    )


class _File:
    """The reading of one file."""

    def __init__(self, name: str, mask: Mask) -> None:
        self._name = on_one_line(mask(name))
        self._mask = mask
        self.found: list[_Found] = []
        self.problems: list[ReportProblem] = []
        self.counted_only = Counts()
        self.is_junit = False

    def read(self, content: bytes) -> None:
        """Fill `found`, `problems` and the rest."""
        tree = read_tree(content)
        if tree.root is not None and tree.root.tag in ("testsuites", "testsuite", "testcase"):
            self.is_junit = True
            self._read_container(tree.root, _Suite())
        elif tree.root is not None and not tree.problem:
            if tree.root.tag not in OTHER_REPORTS:
                self._problem(f"is no JUnit report: its root element is <{cut(tree.root.tag, 60)}>")
            return
        if tree.problem:
            before = f"; read up to there: {len(self.found)} cases" if self.found else ""
            self._problem(cut(on_one_line(tree.problem), 300) + before)

    def _problem(self, why: str) -> None:
        self.problems.append(ReportProblem(file=self._name, why=self._mask(why)))

    def _read_container(self, element: Element, suite: _Suite) -> None:
        """Read a `testsuites` or `testsuite` with all that is in it; a lone `testcase` too."""
        if element.tag == "testcase":
            self._read_case(element, suite, elapsed=0.0)
            return
        within = _entered(element, suite)
        elapsed = 0.0
        children = [child for child in element if child.tag in ("testsuites", "testsuite", "testcase")]
        for child in children:
            if child.tag == "testcase":
                elapsed += _seconds(child.get("time"))
                self._read_case(child, within, elapsed=elapsed)
            else:
                self._read_container(child, within)
        if element.tag == "testsuite" and not children:
            self._read_counts_only(element)

    def _read_case(self, element: Element, suite: _Suite, *, elapsed: float) -> None:
        if element.get("cut-off"):
            return
        case = _case(_parsed(element), suite, self._mask, elapsed)
        self.found.append(_Found(case, _identity(case, suite)))

    def _read_counts_only(self, element: Element) -> None:
        """Believe a suite that says how many but not which: `tests="6" failures="1"` and no case."""
        tests, failed, errors, skipped = (_number(element, *names) for names in _COUNT_ATTRIBUTES)
        if not tests:
            return
        passed = max(tests - failed - errors - skipped, 0)
        self.counted_only = _sum(
            self.counted_only, Counts(passed=passed, failed=failed, errors=errors, skipped=skipped)
        )
        if not element.get("cut-off"):
            name = on_one_line(element.get("name", "")) or "a suite"
            self._problem(f"{cut(name, NAME_LENGTH)} counts {tests} tests but lists none of them")


_COUNT_ATTRIBUTES = (("tests",), ("failures",), ("errors",), ("skipped", "skips", "skip", "disabled"))


def _number(element: Element, *names: str) -> int:
    """Read the first of the attributes that is there; nought where it is no number."""
    text = next((element.attrib[name] for name in names if name in element.attrib), "0").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 7 else 0  # noqa: PLR2004 -- ten million tests


def _entered(element: Element, around: _Suite) -> _Suite:
    name = " > ".join(part for part in (around.name, element.get("name", "").strip()) if part)
    return _Suite(
        name=name,
        file=element.get("file") or element.get("filepath") or around.file,
        started_at=_moment(element.get("timestamp")) or around.started_at,
    )


def _parsed(element: Element) -> xunit2.TestCase:
    parsed: xunit2.TestCase = xunit2.TestCase.fromelem(element)  # type: ignore[no-untyped-call]
    return parsed


def _case(parsed: xunit2.TestCase, suite: _Suite, mask: Mask, elapsed: float) -> Case:
    element: Element = parsed._elem  # noqa: SLF001 -- junitparser knows neither file, line nor timestamp
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
        line=_number(element, "line", "lineno") or None,
        status=status,
        seconds=_seconds(element.get("time")),
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


def _seconds(text: str | None) -> float:
    """Read `1.5`, `1,234.5` and `0,25`; what is no time, or a negative one, is nought."""
    text = (text or "").strip()
    text = text.replace(",", "" if "." in text or text.count(",") > 1 else ".")
    try:
        value = float(text or 0)
    except ValueError:
        return 0.0
    return value if math.isfinite(value) and 0 <= value < 10**7 else 0.0


def _moment(text: str | None) -> datetime | None:
    """Read an ISO 8601 time; one without a zone is taken for UTC, as containers have it."""
    try:
        moment = datetime.fromisoformat((text or "").strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _ended_at(element: Element, suite: _Suite, elapsed: float) -> datetime | None:
    """Take the case's own time and its duration; else the suite's start and the durations up to here."""
    own = _moment(element.get("timestamp"))
    start, seconds = (own, _seconds(element.get("time"))) if own else (suite.started_at, elapsed)
    try:
        return start + timedelta(seconds=seconds) if start else None
    except OverflowError:
        return None


def _identity(case: Case, suite: _Suite) -> bytes:
    """Boil down all that a case says, and in which suite, to sixteen bytes; the suites around that one are left out: merging adds some."""
    inner = suite.name.rpartition(" > ")[2]
    return hashlib.blake2b(repr((inner, suite.started_at, case)).encode(), digest_size=16).digest()


def _new(found: Iterable[_Found], known: Counter[bytes]) -> Iterator[Case]:
    """Leave out as many of each case as one of the files before has brought already."""
    here: Counter[bytes] = Counter()
    for item in found:
        here[item.identity] += 1
        if here[item.identity] > known[item.identity]:
            known[item.identity] = here[item.identity]
            yield item.case


def _with_few_details(cases: Iterable[Case]) -> Iterator[Case]:
    failures = 0
    for case in cases:
        failures += bool(case.details or case.output)
        yield case if failures <= FAILURES_WITH_DETAILS else replace(case, details="", output="")


def _sum(one: Counts, other: Counts) -> Counts:
    return Counts(
        passed=one.passed + other.passed,
        failed=one.failed + other.failed,
        errors=one.errors + other.errors,
        skipped=one.skipped + other.skipped,
    )

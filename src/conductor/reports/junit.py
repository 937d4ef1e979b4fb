"""JUnit XML of any producer, many files of it, to cases and counts.

Law: no file can make reading fail. What cannot be read is a problem with a reason, and what stood before the mistake counts. A case that is
in two files with the very same content (a merged report beside its parts) counts once; one that is in a file twice counts twice.

There is no one schema. The forms read here: Ant and Jenkins (`junit-10.xsd` of Jenkins' xunit plugin), Maven Surefire with its rerun and
flaky elements (`surefire-test-report.xsd`), and what pytest, jest-junit, mocha, PHPUnit, GoogleTest, Catch2, Bazel and others make of them.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from xml.etree.ElementTree import Element

from conductor.domain.results import Case, CaseStatus, Counts, ReportProblem
from conductor.reports.junit_case import (
    NAME_LENGTH,
    Mask,
    SuiteAround,
    entered,
    number_in,
    read_case,
    seconds_in,
)
from conductor.reports.readable import cut, on_one_line
from conductor.reports.xml_tree import read_tree

FAILURES_WITH_DETAILS = 500
"""Of further failures only the message is kept: nobody reads them, and a report has to stay small."""

OTHER_REPORTS = frozenset({"coverage", "report", "checkstyle", "pmd", "pmd-cpd"})
"""Roots of Cobertura, JaCoCo, Checkstyle, PMD: they lie beside JUnit files and are nobody's mistake."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JUnit:
    """What all report files of a suite say together. `files` is how many of them were JUnit, read whole or in part."""

    cases: tuple[Case, ...] = ()
    counts: Counts = field(default_factory=Counts)
    problems: tuple[ReportProblem, ...] = ()
    files: int = 0


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
            self._read_container(tree.root, SuiteAround())
        elif tree.root is not None and not tree.problem:
            if tree.root.tag not in OTHER_REPORTS:
                self._problem(f"is no JUnit report: its root element is <{cut(tree.root.tag, 60)}>")
            return
        if tree.problem:
            before = f"; read up to there: {len(self.found)} cases" if self.found else ""
            self._problem(cut(on_one_line(tree.problem), 300) + before)

    def _problem(self, why: str) -> None:
        self.problems.append(ReportProblem(file=self._name, why=self._mask(why)))

    def _read_container(self, element: Element, suite: SuiteAround) -> None:
        """Read a `testsuites` or `testsuite` with all that is in it; a lone `testcase` too."""
        if element.tag == "testcase":
            self._read_case(element, suite, elapsed=0.0)
            return
        within = entered(element, suite)
        elapsed = 0.0
        children = [child for child in element if child.tag in ("testsuites", "testsuite", "testcase")]
        for child in children:
            if child.tag == "testcase":
                elapsed += seconds_in(child.get("time"))
                self._read_case(child, within, elapsed=elapsed)
            else:
                self._read_container(child, within)
        if element.tag == "testsuite" and not children:
            self._read_counts_only(element)

    def _read_case(self, element: Element, suite: SuiteAround, *, elapsed: float) -> None:
        if element.get("cut-off"):
            return
        case = read_case(element, suite, self._mask, elapsed)
        self.found.append(_Found(case, _identity(case, suite)))

    def _read_counts_only(self, element: Element) -> None:
        """Believe a suite that says how many but not which: `tests="6" failures="1"` and no case."""
        tests, failed, errors, skipped = (number_in(element, *names) for names in _COUNT_ATTRIBUTES)
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


def _identity(case: Case, suite: SuiteAround) -> bytes:
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

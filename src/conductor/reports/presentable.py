"""A report made fit to be shown: every text in it cleaned, everything masked that looks like a credential.

The values of the run's own secrets were masked where the texts were read. This is the second line: what a renderer gets has passed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any

from conductor.domain.masking import Masker
from conductor.domain.report import Report
from conductor.domain.results import SuiteResult
from conductor.reports.readable import clean

_hide_credentials = Masker()
FLAKY_SHOWN = 20


def presentable(report: Report, *, with_cases: bool = False) -> Report:
    """Return the report to show. Without `with_cases` only failed cases (in `failures`) and some flaky ones are in it."""
    shown = (
        report
        if with_cases
        else replace(report, suites=tuple(_without_cases(suite) for suite in report.suites))
    )
    made: Report = _cleaned(shown)
    return made


def safe(text: str) -> str:
    """Clean a text and hide credentials in it."""
    return _hide_credentials(text if text.isprintable() and text.isascii() else clean(text))


def _without_cases(suite: SuiteResult) -> SuiteResult:
    return replace(suite, cases=tuple(case for case in suite.cases if case.flaky)[:FLAKY_SHOWN])


def _cleaned(value: Any) -> Any:
    """Walk through a value of the domain and make each text in it safe."""
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        return safe(value)
    if isinstance(value, tuple):
        return tuple(_cleaned(item) for item in value)
    if isinstance(value, Mapping):
        return {_cleaned(key): _cleaned(item) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: _cleaned(getattr(value, field.name)) for field in fields(value)})
    return value

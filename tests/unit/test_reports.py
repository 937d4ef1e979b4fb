"""How a green, a red and a broken run look on the terminal, on GitHub and to programs; and that others' text stays text."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from conductor.domain.event import StepRecord
from conductor.domain.lease import Lease, NamespaceStatus
from conductor.domain.report import BuiltImage, Failure, LogLine, Report, ServiceEnding
from conductor.domain.results import Case, CaseStatus, Counts, ReportProblem, SuiteResult
from conductor.domain.run import Run, Source
from conductor.domain.verdict import Fault, Outcome, Reason, Verdict
from conductor.reports.as_json import as_data, to_json
from conductor.reports.digest import to_digest, to_digest_json
from conductor.reports.escaping import block, cell, code, in_html, link, prose
from conductor.reports.markdown import to_markdown
from conductor.reports.terminal import to_text

START = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def step(name: str, begin: float, end: float, subject: str = "") -> StepRecord:
    return StepRecord(
        run="shop-k3v9qd", attempt=1, name=name, subject=subject, started_at=at(begin), ended_at=at(end)
    )


RUN = Run(
    id="shop-k3v9qd",
    repository="acme/shop",
    source=Source(location="https://github.com/acme/shop", commit="1a2b3c4d" * 5, branch="12-orders"),
    principal="alice",
    requested_at=START,
)
OK = Case(name="answers", classname="backend", status=CaseStatus.PASSED)
GREEN = Report(
    run=RUN,
    outcome=Outcome(verdict=Verdict.PASSED, subject="tests", message="2 passed, 1 skipped"),
    started_at=START,
    ended_at=at(64),
    steps=(
        step("clone", 0, 2), step("make-image", 2, 30, "backend"), step("make-image", 2, 14, "tests/tests"),
        step("raise-stack", 3, 40), step("await-tests", 40, 62, "tests"), step("write-report", 63.8, 64),
    ),
    images=(
        BuiltImage(name="backend", reference="conductor/backend:1", digest="sha256:" + "ab" * 32, seconds=28),
        BuiltImage(name="tests/tests", reference="conductor/tests:1", cached=True),
    ),
    services=(
        ServiceEnding(name="redis", phase="running", health="healthy", ready_after_seconds=1.2),
        ServiceEnding(name="migrate", phase="ended", exit_code=0),
    ),
    suites=(
        SuiteResult(
            suite="tests", outcome=Outcome(verdict=Verdict.PASSED, subject="tests"), exit_code=0, seconds=22,
            counts=Counts(passed=2, skipped=1), cases=(OK, replace(OK, name="retries", flaky=True)),
        ),
    ),
    notes=("container_name is only one more name",),
    lease=Lease(
        namespace="conductor-shop-k3v9qd", run=RUN.id, repository="acme/shop", created_at=START,
        expires_at=START + timedelta(days=1), status=NamespaceStatus.KEPT,
    ),
    links={"logs": "conductor stacks logs shop-k3v9qd -f", "page": "https://conductor.example/runs/shop-k3v9qd"},
)  # fmt: skip
BAD = Case(
    name="sends an e-mail", classname="orders", file="tests/orders.test.js", line=12, status=CaseStatus.FAILED,
    seconds=1.5, message="expected 1 e-mail, got 0", details="AssertionError: expected 1 e-mail, got 0\n    at orders.test.js:12",
)  # fmt: skip
RED = replace(
    GREEN,
    outcome=Outcome(
        verdict=Verdict.FAILED, reason=Reason.TESTS_FAILED, fault=Fault.REPOSITORY, subject="tests",
        message="1 of 2 tests failed: sends an e-mail", remedy="Read the failures; then mend code or test.",
    ),
    suites=(
        SuiteResult(
            suite="tests", outcome=Outcome(verdict=Verdict.FAILED), exit_code=1, seconds=22, counts=Counts(passed=1, failed=1),
            cases=(OK, BAD), problems=(ReportProblem(file="reports/late.xml", why="is empty"),), partial=True,
        ),
    ),
    failures=(
        Failure(
            suite="tests", case=BAD,
            around=(LogLine(workload="backend", at=at(50.25), text="Error: connect ECONNREFUSED mailhog:1025", stream="stderr"),),
        ),
    ),
    lease=None, links={}, steps=(), images=(), services=(), notes=(), partial=("tests: reports/late.xml: is empty",),
)  # fmt: skip
BROKEN = replace(
    RED,
    outcome=Outcome(
        verdict=Verdict.BROKEN, reason=Reason.CRASHED, fault=Fault.REPOSITORY, subject="backend",
        message="backend exited with 1 3 times", remedy="Read the service's log; its last lines say why it stops.",
    ),
    suites=(), failures=(), partial=("logs of redis",),
    services=(ServiceEnding(name="backend", phase="ended", exit_code=1, restarts=2, reason="CrashLoopBackOff"),),
    tail=(LogLine(workload="backend", at=at(9), text="Error: Cannot find module 'express'", stream="stderr"),),
)  # fmt: skip


def test_a_green_run_on_the_terminal():
    assert to_text(GREEN) == snapshot("""\
PASSED
  2 passed, 1 skipped

  acme/shop at 1a2b3c4d1a2b (12-orders)
  run shop-k3v9qd, 2 passed, 1 skipped, 1 min 4 s

Stages
  clone                   2.0 s  █
  make-image backend      28 s    ██████████████
  make-image tests/tests  12 s    ██████
  raise-stack             37 s     ██████████████████
  await-tests tests       22 s                       ███████████
  write-report            0.2 s                                 ▏

Images
  backend      built in 28 s               sha256:abababababab
  tests/tests  unchanged, not built again  conductor/tests:1

Services
  redis    healthy, ready after 1.2 s
  migrate  exited with 0

Tests
  tests  passed  2 passed, 1 skipped  22 s
  passed only when tried again: backend > retries

Notes
  - container_name is only one more name

To look at
  lease  kept in conductor-shop-k3v9qd until 2026-11-24 10:00 UTC
  logs   conductor stacks logs shop-k3v9qd -f
  page   https://conductor.example/runs/shop-k3v9qd
""")


def test_a_red_run_on_the_terminal():
    assert to_text(RED) == snapshot("""\
FAILED  TestsFailed of tests
  1 of 2 tests failed: sends an e-mail
  -> Read the failures; then mend code or test.
  Who can mend it: the repository

  acme/shop at 1a2b3c4d1a2b (12-orders)
  run shop-k3v9qd, 1 failed, 1 passed, 1 min 4 s

Failures (1)
  1. tests: orders > sends an e-mail  [tests/orders.test.js:12]
       expected 1 e-mail, got 0
     | AssertionError: expected 1 e-mail, got 0
     |     at orders.test.js:12
     around that moment:
       10:00:50.250 backend: Error: connect ECONNREFUSED mailhog:1025

Tests
  tests  failed  1 failed, 1 passed  22 s

Missing from the evidence
  - tests: reports/late.xml: is empty
""")


def test_a_broken_run_on_the_terminal():
    assert to_text(BROKEN) == snapshot("""\
BROKEN  CrashLoopBackOff of backend
  backend exited with 1 3 times
  -> Read the service's log; its last lines say why it stops.
  Who can mend it: the repository

  acme/shop at 1a2b3c4d1a2b (12-orders)
  run shop-k3v9qd, 1 min 4 s

Last lines of backend
  10:00:09.000 backend: Error: Cannot find module 'express'

Services
  backend  exited with 1, 2 restarts, CrashLoopBackOff

Missing from the evidence
  - logs of redis
""")


def test_a_green_run_on_github():
    assert to_markdown(GREEN) == snapshot("""\
## ✅ Conductor: passed

```text
2 passed, 1 skipped
```

`acme/shop` at `1a2b3c4d1a2b` on `12-orders` · run `shop-k3v9qd` · attempt 1 · 2 passed, 1 skipped · 1 min 4 s

- container\\_name is only one more name
- passed only when tried again: backend &gt; retries

- The stack is kept in conductor-shop-k3v9qd until 2026-11-24 10:00 UTC
- logs: `conductor stacks logs shop-k3v9qd -f`
- [page](<https://conductor.example/runs/shop-k3v9qd>)

<details><summary>Tests</summary>

| suite | verdict | tests | time |
| --- | --- | --- | --- |
| `tests` | passed | 2 passed, 1 skipped | 22 s |

</details>

<details><summary>Stages</summary>

```text
clone                        2.0 s  █
make-image backend            28 s   ██████████████
make-image tests/tests        12 s   ██████
raise-stack                   37 s    ██████████████████
await-tests tests             22 s                      ███████████
write-report                 0.2 s                                 ▏
```

</details>

<details><summary>Images</summary>

| image |  | digest |
| --- | --- | --- |
| `backend` | built in 28 s | `sha256:abababababababababababababababababababababababababababababababab` |
| `tests/tests` | unchanged, not built again | `conductor/tests:1` |

</details>

<details><summary>Services</summary>

| service | state |
| --- | --- |
| `redis` | `healthy, ready after 1.2 s` |
| `migrate` | `exited with 0` |

</details>
""")


def test_a_red_run_on_github():
    assert to_markdown(RED) == snapshot("""\
## ❌ Conductor: failed: TestsFailed of tests

```text
1 of 2 tests failed: sends an e-mail
```

**What to do:** Read the failures; then mend code or test.

**Who can mend it:** the repository

`acme/shop` at `1a2b3c4d1a2b` on `12-orders` · run `shop-k3v9qd` · attempt 1 · 1 failed, 1 passed · 1 min 4 s

### Failures (1)

<details><summary><code>tests: orders &gt; sends an e-mail</code></summary>

`tests/orders.test.js:12`

```text
expected 1 e-mail, got 0
```

Details:

```text
AssertionError: expected 1 e-mail, got 0
    at orders.test.js:12
```

What the services wrote around that moment:

```text
10:00:50.250 backend: Error: connect ECONNREFUSED mailhog:1025
```

</details>

- missing from the evidence: tests: reports/late.xml: is empty

<details><summary>Tests</summary>

| suite | verdict | tests | time |
| --- | --- | --- | --- |
| `tests` | failed | 1 failed, 1 passed | 22 s |

</details>
""")


def test_a_broken_run_on_github():
    assert to_markdown(BROKEN) == snapshot("""\
## ⚠️ Conductor: broken: CrashLoopBackOff of backend

```text
backend exited with 1 3 times
```

**What to do:** Read the service's log; its last lines say why it stops.

**Who can mend it:** the repository

`acme/shop` at `1a2b3c4d1a2b` on `12-orders` · run `shop-k3v9qd` · attempt 1 · no tests · 1 min 4 s

### Last lines of `backend`

```text
10:00:09.000 backend: Error: Cannot find module 'express'
```

- missing from the evidence: logs of redis

<details><summary>Services</summary>

| service | state |
| --- | --- |
| `backend` | `exited with 1, 2 restarts, CrashLoopBackOff` |

</details>
""")


def test_a_green_run_in_the_digest():
    assert to_digest(GREEN) == snapshot("""\
# passed

```text
2 passed, 1 skipped
```

- Run: `shop-k3v9qd`, `acme/shop` at `1a2b3c4d1a2b`, attempt 1
- Tests: 2 passed, 1 skipped; 1 min 4 s in all

## Notes
- `container_name is only one more name`

## To look at
- logs: `conductor stacks logs shop-k3v9qd -f`
- page: `https://conductor.example/runs/shop-k3v9qd`
""")


def test_a_red_run_in_the_digest():
    assert to_digest(RED) == snapshot("""\
# failed (TestsFailed): `tests`

```text
1 of 2 tests failed: sends an e-mail
```

- What to do: Read the failures; then mend code or test.
- Who can mend it: the repository
- Run: `shop-k3v9qd`, `acme/shop` at `1a2b3c4d1a2b`, attempt 1
- Tests: 1 failed, 1 passed; 1 min 4 s in all

## Failures (1)

### `orders > sends an e-mail` (`tests/orders.test.js:12`)
```text
expected 1 e-mail, got 0
AssertionError: expected 1 e-mail, got 0
    at orders.test.js:12
```
The services around that moment:
```text
10:00:50.250 backend: Error: connect ECONNREFUSED mailhog:1025
```

## Missing from the evidence
- `tests: reports/late.xml: is empty`
""")


def test_a_broken_run_in_the_digest():
    assert to_digest(BROKEN) == snapshot("""\
# broken (CrashLoopBackOff): `backend`

```text
backend exited with 1 3 times
```

- What to do: Read the service's log; its last lines say why it stops.
- Who can mend it: the repository
- Run: `shop-k3v9qd`, `acme/shop` at `1a2b3c4d1a2b`, attempt 1
- Tests: no tests; 1 min 4 s in all

## Last lines

```text
10:00:09.000 backend: Error: Cannot find module 'express'
```

## Services that did not stand well
- `backend: exited with 1, 2 restarts, CrashLoopBackOff`

## Missing from the evidence
- `logs of redis`
""")


def test_a_red_run_in_the_digest_for_programs():
    assert json.loads(to_digest_json(RED)) == snapshot(
        {
            "version": 1,
            "verdict": "failed",
            "reason": "TestsFailed",
            "fault": "repository",
            "subject": "tests",
            "message": "1 of 2 tests failed: sends an e-mail",
            "remedy": "Read the failures; then mend code or test.",
            "run": "shop-k3v9qd",
            "attempt": 1,
            "repository": "acme/shop",
            "commit": "1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d",
            "counts": {"passed": 1, "failed": 1, "errors": 0, "skipped": 0, "quarantined": 0, "total": 2},
            "failures": [
                {
                    "suite": "tests",
                    "test": "orders > sends an e-mail",
                    "place": "tests/orders.test.js:12",
                    "text": """\
expected 1 e-mail, got 0
AssertionError: expected 1 e-mail, got 0
    at orders.test.js:12\
""",
                    "times": 1,
                    "also": [],
                    "around": ["10:00:50.250 backend: Error: connect ECONNREFUSED mailhog:1025"],
                }
            ],
            "failures_left_out": 0,
            "vulnerable": [],
            "attested": [],
            "tail": [],
            "partial": ["tests: reports/late.xml: is empty"],
            "notes": [],
            "links": {},
        }
    )


def test_the_json_of_a_red_run():
    assert as_data(RED) == snapshot(
        {
            "version": 1,
            "run": {
                "id": "shop-k3v9qd",
                "attempt": 1,
                "repository": "acme/shop",
                "location": "https://github.com/acme/shop",
                "ref": None,
                "commit": "1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d",
                "branch": "12-orders",
                "dirty": False,
                "environment": "qa",
                "principal": "alice",
                "requested_at": "2026-11-23T10:00:00Z",
                "namespace": "conductor-shop-k3v9qd",
            },
            "verdict": "failed",
            "reason": "TestsFailed",
            "fault": "repository",
            "subject": "tests",
            "message": "1 of 2 tests failed: sends an e-mail",
            "remedy": "Read the failures; then mend code or test.",
            "exit_code": 1,
            "started_at": "2026-11-23T10:00:00Z",
            "ended_at": "2026-11-23T10:01:04Z",
            "seconds": 64.0,
            "counts": {"passed": 1, "failed": 1, "errors": 0, "skipped": 0, "quarantined": 0, "total": 2},
            "suites": [
                {
                    "name": "tests",
                    "verdict": "failed",
                    "reason": None,
                    "fault": None,
                    "subject": "",
                    "message": "",
                    "remedy": "",
                    "exit_code": 1,
                    "seconds": 22,
                    "counts": {
                        "passed": 1,
                        "failed": 1,
                        "errors": 0,
                        "skipped": 0,
                        "quarantined": 0,
                        "total": 2,
                    },
                    "cases": [
                        {
                            "name": "answers",
                            "classname": "backend",
                            "file": "",
                            "line": None,
                            "status": "passed",
                            "flaky": False,
                            "quarantined": False,
                            "seconds": 0.0,
                            "message": "",
                        },
                        {
                            "name": "sends an e-mail",
                            "classname": "orders",
                            "file": "tests/orders.test.js",
                            "line": 12,
                            "status": "failed",
                            "flaky": False,
                            "quarantined": False,
                            "seconds": 1.5,
                            "message": "expected 1 e-mail, got 0",
                        },
                    ],
                    "problems": [{"file": "reports/late.xml", "why": "is empty"}],
                    "artifacts": [],
                    "partial": True,
                }
            ],
            "failures": [
                {
                    "suite": "tests",
                    "name": "sends an e-mail",
                    "classname": "orders",
                    "file": "tests/orders.test.js",
                    "line": 12,
                    "status": "failed",
                    "flaky": False,
                    "quarantined": False,
                    "seconds": 1.5,
                    "message": "expected 1 e-mail, got 0",
                    "details": """\
AssertionError: expected 1 e-mail, got 0
    at orders.test.js:12\
""",
                    "output": "",
                    "around": [
                        {
                            "workload": "backend",
                            "at": "2026-11-23T10:00:50.250000Z",
                            "stream": "stderr",
                            "text": "Error: connect ECONNREFUSED mailhog:1025",
                        }
                    ],
                }
            ],
            "stages": [],
            "images": [],
            "services": [],
            "tail": [],
            "notes": [],
            "partial": ["tests: reports/late.xml: is empty"],
            "lease": None,
            "cost": None,
            "since_green": None,
            "links": {},
        }
    )


def test_json_text_is_the_data():
    assert json.loads(to_json(GREEN)) == as_data(GREEN)
    assert to_json(GREEN).endswith("}\n")


HOSTILE = (
    "@alice #12 GH-7 acme/shop#3 www.evil.example https://evil.example a@b.example <img src=x onerror=alert(1)> "
    "[x](http://evil.example) ![x](http://evil.example) **bold** <!-- conductor:run --> --> </details> ``` `code` | a | b \\| c"
)
TOKEN = "ghp_" + "a1B2" * 9


def everywhere(text: str) -> Report:
    """Put a text into every field that a repository fills."""
    case = replace(BAD, name=text, classname=text, file=text, message=text, details=f"{text}\nx", output=text)
    line = LogLine(workload=text, at=START, text=text)
    outcome = Outcome(verdict=Verdict.BROKEN, reason=Reason.ERROR, subject=text, message=text, remedy=text)
    return Report(
        run=replace(RUN, repository=text, source=replace(RUN.source, branch=text)),
        outcome=outcome,
        started_at=START,
        ended_at=at(1),
        steps=(replace(step("clone", 0, 1, text), error=text),),
        images=(BuiltImage(name=text, reference=text),),
        services=(ServiceEnding(name=text, phase="running", reason=text, message=text),),
        suites=(
            SuiteResult(
                suite=text, outcome=outcome, cases=(replace(case, flaky=True),), problems=(ReportProblem(file=text, why=text),)
            ),
        ),
        failures=(Failure(suite=text, case=case, around=(line,)),),
        notes=(text,),
        partial=(text,),
        links={text: text, "page": f"https://ours.example/{text}"},
        tail=(line,),
    )  # fmt: skip


def outside_of_code(markdown: str) -> str:
    """Take out code blocks, code spans and code elements, as GitHub reads them: what is left is looked through for mentions."""
    left = re.sub(r"(?ms)^(`{3,})text\n.*?^\1$", "", markdown)
    left = re.sub(r"(?s)<code>.*?</code>", "", left)
    return re.sub(r"(?s)\\[!-/:-@\[-`{-~]|(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", left)


@pytest.mark.parametrize("render", [to_markdown, to_digest])
def test_text_of_a_repository_stays_text_on_github(render):  # noqa: ANN001
    left = outside_of_code(render(everywhere(HOSTILE)))
    left = re.sub(r"\]\(<https://ours\.example/[^<>\s]*>\)", "]", left)
    assert not re.search(r"@\w|#\d|GH-\d|www\.|https?://|<img|<!--|\*\*bold|\]\(http", left)
    assert left.count("<details>") == left.count("</details>")
    assert "<!--" not in render(everywhere(HOSTILE))


@pytest.mark.parametrize("render", [to_text, to_markdown, to_digest, to_json, to_digest_json])
def test_credentials_and_control_characters_reach_no_reader(render):  # noqa: ANN001
    text = render(everywhere(f"a \x1b[31m{TOKEN}\x1b[0m\x00\u202eb"))
    assert TOKEN not in text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", text)


@given(st.text())
def test_code_holds_any_text_in_one_span(text: str):
    for made in (code(text), cell(text)):
        fence = re.match("`+", made)
        assert fence
        assert made.endswith(fence[0])
        assert "\n" not in made
        inner = made[len(fence[0]) : -len(fence[0])]
        assert fence[0] not in re.findall("`+", inner)
    assert "|" not in cell(text)


@given(st.text())
def test_a_block_ends_only_with_its_own_fence(text: str):
    fence, *body, last = block(text).split("\n")
    assert last == fence.removesuffix("text")
    assert not any(line.strip().startswith(last) for line in body)


@given(st.text() | st.just(HOSTILE))
def test_prose_and_summaries_hold_no_html(text: str):
    assert not re.search("[<>]", prose(text))
    assert in_html(text).count("<") == 2


def test_an_address_becomes_a_link_and_a_command_becomes_code():
    assert link("page", "https://x.example/a b>(c)") == "[page](<https://x.example/a%20b%3E%28c%29>)"
    assert link("logs", "conductor stacks logs x") == "logs: `conductor stacks logs x`"
    assert link("bad", "javascript:alert(1)") == "bad: `javascript:alert(1)`"


def test_a_report_that_github_would_refuse_is_made_smaller_until_it_fits():
    many = replace(RED, failures=RED.failures * 5000, notes=("n" * 1000,) * 1000)
    for limit in (65_000, 20_000, 5_000, 1_000):
        text = to_markdown(many, limit=limit)
        assert len(text) <= limit
        assert text.startswith(("## ❌ Conductor: failed", "# failed"))
    assert re.search(r"^49\d\d failures left out here\.$", to_markdown(many), re.MULTILINE)


def test_the_terminal_shows_twenty_failures_and_counts_the_others():
    text = to_text(replace(RED, failures=RED.failures * 25))
    assert "Failures (25)" in text
    assert "... and 5 failures more" in text

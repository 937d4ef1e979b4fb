import io
from dataclasses import replace
from datetime import timedelta

from inline_snapshot import snapshot
from rich.console import Console, RenderableType

from conductor.cli.tables import (
    NO_RUNS,
    NO_STACKS,
    address_lines,
    diagnoses_table,
    end_text,
    run_lines,
    runs_table,
    stacks_table,
)
from conductor.domain.event import StepRecord
from conductor.domain.run import Status
from conductor.domain.verdict import Outcome, Verdict
from conductor.operations.runs import RunView
from conductor.ports.engine import Diagnosis
from tests.surfaces.story import ASKED, LEASE, RUN, at, row, stack

NOW = ASKED + timedelta(minutes=5)
PASSED = replace(row(), run=replace(RUN, id="shop-aaaaaa"), outcome=Outcome(verdict=Verdict.PASSED))
AT_WORK = replace(
    row(), run=replace(RUN, id="shop-bbbbbb"), status=Status.RUNNING, outcome=None, ended_at=None
)


def printed(what: RenderableType, width: int = 80) -> str:
    paper = Console(file=io.StringIO(), width=width, color_system=None)
    paper.print(what)
    return "\n".join(line.rstrip() for line in paper.file.getvalue().splitlines())


def test_runs_with_their_verdicts_in_words():
    assert printed(runs_table([row(), PASSED, AT_WORK], now=NOW, width=80)) == snapshot("""\
run          repository  ref          commit   verdict  reason       age    took
shop-k3v9qd  acme/shop   run-integr…  3f2a91c  failed   TestsFailed  5 min  21 s
shop-aaaaaa  acme/shop   run-integr…  3f2a91c  passed                5 min  21 s
shop-bbbbbb  acme/shop   run-integr…  3f2a91c  running               5 min\
""")


def test_a_run_whose_process_is_gone_says_so():
    assert "interrupted" in printed(
        runs_table([AT_WORK], now=NOW, width=80, interrupted=frozenset({"shop-bbbbbb"}))
    )


def test_ids_and_verdicts_are_whole_in_a_narrow_terminal():
    lines = printed(runs_table([row()], now=NOW, width=66), width=66)
    assert "shop-k3v9qd" in lines
    assert "failed" in lines


def test_empty_lists_say_what_to_do_next():
    assert (printed(runs_table([], now=NOW, width=80)), printed(stacks_table([], now=NOW, width=80))) == (
        NO_RUNS,
        NO_STACKS,
    )


def test_stacks_with_their_ends_and_services():
    assert printed(stacks_table([stack()], now=NOW, width=80)) == snapshot("""\
run          repository  branch     status  ends     services
shop-k3v9qd  acme/shop   12-orders  kept    in 23 h  redis healthy, setup exite…\
""")


def test_an_address_is_whole_in_any_terminal():
    url = f"https://{'w' * 63}.stacks.example.org/"
    view = replace(stack(), info=replace(stack().info, addresses=(url,)))
    assert address_lines([stack(), view]) == [f"shop-k3v9qd: {url}\n"]


def test_a_lease_ends_in_words():
    assert end_text(LEASE, NOW) == "in 23 h"
    assert end_text(replace(LEASE, expires_at=None), NOW) == "pinned"
    assert end_text(LEASE, NOW + timedelta(days=2)) == "over"


def test_a_run_at_work_shows_its_steps():
    steps = [
        StepRecord(run=RUN.id, attempt=1, name="clone", started_at=at(0), ended_at=at(1.5)),
        StepRecord(run=RUN.id, attempt=1, name="make-image", subject="backend", started_at=at(2)),
    ]
    view = RunView(row=AT_WORK, steps=steps, results=[], images=[], report=None)
    assert printed(run_lines(view, now=NOW, interrupted=True)) == snapshot("""\
run     shop-bbbbbb
code    acme/shop run-integration-tests @ 3f2a91c on 12-orders
status  interrupted
asked   5 min ago by ada
step    clone: 1.5 s
step    make-image backend: under way
        Its process is gone: conductor runs resume shop-bbbbbb\
""")


def test_what_is_not_well_comes_with_its_remedy():
    found = [
        Diagnosis(subject="git", ok=True, detail="2.39.5"),
        Diagnosis(subject="engine", ok=False, detail="no socket", remedy="Install Podman."),
    ]
    assert printed(diagnoses_table(found)) == snapshot("""\
ok        git     2.39.5
not well  engine  no socket
                  Install Podman.\
""")


def test_markup_in_a_name_is_text():
    rows = [replace(row(), run=replace(RUN, repository="[red]acme[/red]"))]
    assert "[red]acme[/red]" in printed(runs_table(rows, now=NOW, width=200), width=200)

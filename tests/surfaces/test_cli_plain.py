from inline_snapshot import snapshot

from conductor.cli.plain import heading, plain_lines
from conductor.domain.event import Kind
from tests.surfaces.story import RUN, event, log, story


def test_a_run_as_plain_lines():
    lines = [heading(RUN), *(line for item in story() for line in plain_lines(RUN, item))]
    assert "\n".join(lines) == snapshot("""\
shop-k3v9qd: acme/shop run-integration-tests @ 3f2a91c on 12-orders
     0.1s  run      started, attempt 1
     0.5s  step     clone: done in 0.4 s
     0.7s  step     read-plan: done in 0.2 s
     1.0s  step     create-namespace: done in 0.3 s
     1.1s  step     sync-secrets: done in 0.1 s
     1.1s  build    backend: started
     1.1s  build    frontend: started
     1.1s  build    tests/tests: started
     1.4s  service  redis: awaiting health
     1.4s  service  mailhog: running
     1.6s  build    frontend: unchanged in 0.5 s
     3.0s  service  redis: healthy
     9.0s  build    backend: built in 7.9 s
     9.2s  service  backend: awaiting health
    10.0s  service  backend: healthy
    10.2s  service  frontend: running
    10.3s  step     raise-stack: done in 9.2 s
    12.0s  build    tests/tests: built in 11 s
    12.4s  suite    tests: started
    13.0s  log      tests | PASS orders/0.test.js
    13.5s  log      tests | PASS orders/1.test.js
    14.0s  log      tests | PASS orders/2.test.js
    14.5s  log      tests | PASS orders/3.test.js
    15.0s  log      tests | PASS orders/4.test.js
    15.5s  log      tests | PASS orders/5.test.js
    16.0s  log      tests | PASS orders/6.test.js
    16.5s  log      tests | PASS orders/7.test.js
    17.0s  log      tests | PASS orders/8.test.js
    20.0s  suite    tests: 14 passed, 2 failed, 1 skipped in 7.6 s
    20.0s  note     The default branch has no .conductor.yaml yet.
    20.5s  step     capture-logs: done in 0.5 s
    20.6s  stack    kept until 2026-11-24 12:00 UTC
    20.7s  verdict  failed (TestsFailed)
    20.7s           2 of 17 tests failed
    20.7s           Read the failures below.\
""")


def test_a_line_that_a_test_writes_stays_one_line_without_control_characters():
    [line] = plain_lines(RUN, log(1, "10%\r\x1b[2K100%\x07 done"))
    assert line.endswith("tests | 100% done")


def test_an_error_of_a_step_is_on_the_line_of_the_step():
    [line] = plain_lines(RUN, event(4, Kind.STEP_ENDED, "clone", seconds=1.0, error="no such\nref"))
    assert line.endswith("clone: failed in 1.0 s: no such ref")


def test_a_run_that_the_platform_spoiled_says_that_it_begins_again():
    lines = list(plain_lines(RUN, event(4, Kind.RUN_ENDED, verdict="broken", reason="Evicted", again=True)))
    assert lines[-1].endswith("the platform was at fault: once more, from the beginning")


def test_the_clock_of_the_lines_never_runs_below_zero():
    [line] = plain_lines(RUN, log(-3, "early"))
    assert line.lstrip().startswith("0.0s")

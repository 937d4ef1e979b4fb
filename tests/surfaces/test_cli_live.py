import io

import pytest
from inline_snapshot import snapshot
from rich.console import Console

from conductor.cli.live import ASCII, UNICODE, Canvas, Glyphs, draw
from conductor.cli.progress import Progress, advance
from conductor.domain.event import Kind
from tests.surfaces.story import RUN, at, event, log, progress_at, service


def drawn(
    progress: Progress, seconds: float, *, width: int = 80, height: int = 24, glyphs: Glyphs = UNICODE
) -> str:
    paper = Console(file=io.StringIO(), width=width, height=height, color_system=None)
    paper.print(draw(progress, Canvas(width=width, height=height, now=at(seconds), glyphs=glyphs)))
    return "\n".join(line.rstrip() for line in paper.file.getvalue().splitlines())


def test_the_first_moment():
    assert drawn(progress_at(0.3), 0.3) == snapshot("""\
shop-k3v9qd  acme/shop  run-integration-tests @ 3f2a91c on 12-orders       0.3 s
▸ clone                     0.2 s                                      ━━━━━━━━━
· plan
· namespace
· secrets
· builds
· services
· tests
· capture
· verdict\
""")


def test_images_and_services_side_by_side():
    assert drawn(progress_at(2), 2) == snapshot("""\
shop-k3v9qd  acme/shop  run-integration-tests @ 3f2a91c on 12-orders       2.0 s
✓ clone                     0.4 s                                  ━━━
✓ plan                      0.2 s                                     ━
✓ namespace                 0.3 s                                      ━━
✓ secrets                   0.1 s                                        ━
▸ builds                    0.9 s  1 of 3, 1 unchanged                    ━━━━━━
    ▸ backend               0.9 s  building                               ━━━━━━
    ✓ frontend              0.5 s  unchanged                              ━━━
    ▸ tests/tests           0.9 s  building                               ━━━━━━
▸ services                  0.9 s  1 ready, 1 not                         ━━━━━━
    ▸ redis                 0.6 s  awaiting health                          ━━━━
    ✓ mailhog               0.0 s  running                                  ━
· tests
· capture
· verdict\
""")


def test_the_tests_with_their_last_lines():
    assert drawn(progress_at(15), 15) == snapshot("""\
shop-k3v9qd  acme/shop  run-integration-tests @ 3f2a91c on 12-orders        15 s
✓ clone                     0.4 s                                  ━
✓ plan                      0.2 s                                  ━
✓ namespace                 0.3 s                                  ━
✓ secrets                   0.1 s                                  ━
✓ builds                     11 s  3 of 3, 1 unchanged             ━━━━━━━━━━
✓ services                  9.2 s  4 ready                         ━━━━━━━━
▸ tests                     2.6 s  running                                   ━━━
    │ PASS orders/0.test.js
    │ PASS orders/1.test.js
    │ PASS orders/2.test.js
    │ PASS orders/3.test.js
    │ PASS orders/4.test.js
· capture
· verdict\
""")


def test_a_red_run_at_its_end():
    assert drawn(progress_at(30), 30) == snapshot("""\
shop-k3v9qd  acme/shop  run-integration-tests @ 3f2a91c on 12-orders        21 s
✓ clone                     0.4 s                                  ━
✓ plan                      0.2 s                                  ━
✓ namespace                 0.3 s                                  ━
✓ secrets                   0.1 s                                  ━
✓ builds                     11 s  3 of 3, 1 unchanged             ━━━━━━━
✓ services                  9.2 s  4 ready                         ━━━━━━
✗ tests                     7.6 s  14 passed, 2 failed, 1 skipped         ━━━━━
✓ capture                   0.5 s                                              ━
✗ verdict                          failed (TestsFailed)\
""")


def test_a_low_terminal_keeps_what_is_at_work_and_what_went_wrong():
    assert drawn(progress_at(15), 15, height=10) == snapshot("""\
shop-k3v9qd  acme/shop  run-integration-tests @ 3f2a91c on 12-orders        15 s
✓ clone                     0.4 s                                  ━
✓ plan                      0.2 s                                  ━
✓ namespace                 0.3 s                                  ━
✓ secrets                   0.1 s                                  ━
✓ builds                     11 s  3 of 3, 1 unchanged             ━━━━━━━━━━
✓ services                  9.2 s  4 ready                         ━━━━━━━━
▸ tests                     2.6 s  running                                   ━━━
    │ PASS orders/3.test.js
    │ PASS orders/4.test.js\
""")


def test_a_narrow_terminal_has_no_bars():
    assert drawn(progress_at(2), 2, width=44) == snapshot("""\
shop-k3v9qd  acme/shop  run-integrati… 2.0 s
✓ clone                0.4 s
✓ plan                 0.2 s
✓ namespace            0.3 s
✓ secrets              0.1 s
▸ builds               0.9 s  1 of 3, 1 unc…
    ▸ backend          0.9 s  building
    ✓ frontend         0.5 s  unchanged
    ▸ tests/tests      0.9 s  building
▸ services             0.9 s  1 ready, 1 not
    ▸ redis            0.6 s  awaiting heal…
    ✓ mailhog          0.0 s  running
· tests
· capture
· verdict\
""")


def test_a_terminal_without_unicode_gets_ascii():
    assert drawn(progress_at(2), 2, glyphs=ASCII).isascii()


@pytest.mark.parametrize("width", [1, 10, 30, 75, 80, 200])
@pytest.mark.parametrize("height", [1, 2, 9, 24, 60])
@pytest.mark.parametrize("seconds", [0, 2, 15, 30])
def test_no_picture_is_larger_than_its_terminal(width: int, height: int, seconds: float):
    lines = drawn(progress_at(seconds), seconds, width=width, height=height).splitlines()
    assert len(lines) <= height
    assert max(len(line) for line in lines) <= width


def test_a_failed_service_stays_in_view_below_a_crowd_of_ready_ones():
    progress = Progress(run=RUN)
    for item in [
        event(0, Kind.STEP_STARTED, "raise-stack"),
        *(service(1, f"worker-{number}", "running") for number in range(40)),
        service(2, "database", "ended", exit_code=1, reason="Error"),
    ]:
        progress = advance(progress, item)
    assert "✗ database" in drawn(progress, 3)


def test_lines_of_several_suites_say_whose_they_are():
    progress = progress_at(15)
    for item in [
        event(15, Kind.SUITE_STARTED, "slow", workload="tests-slow"),
        log(15, "begin", "tests-slow"),
    ]:
        progress = advance(progress, item)
    assert "│ tests-slow: begin" in drawn(progress, 15)


def test_what_a_test_writes_cannot_steer_the_terminal():
    progress = advance(progress_at(15), log(15, "\x1b[2J\x1b]0;title\x07\x1b[31mred\x1b[5;5Hhere\r"))
    paper = Console(file=io.StringIO(), width=80, force_terminal=True, color_system="standard")
    paper.print(draw(progress, Canvas(width=80, height=24, now=at(15))))
    text = paper.file.getvalue()
    assert "redhere" in text.replace("\x1b[31m", "").replace("\x1b[0m", "")
    assert "\x1b[2J" not in text
    assert "\x1b]" not in text
    assert "\x1b[5;5H" not in text

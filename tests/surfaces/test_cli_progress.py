from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as some

from conductor.cli.progress import STAGE_OF_STEP, STAGES, TAIL_LINES, Progress, advance
from conductor.cli.words import State, service_text
from conductor.domain.event import Kind
from tests.surfaces.story import RUN, Item, event, log, progress_at, service, step, story


def states(progress: Progress) -> dict[str, State]:
    return {name: stage.state for name, stage in progress.stages.items()}


def test_before_anything_happens_every_stage_waits():
    assert set(states(Progress(run=RUN)).values()) == {State.WAITING}


def test_builds_and_services_are_at_work_side_by_side():
    seen = states(progress_at(2))
    assert (seen["secrets"], seen["builds"], seen["services"], seen["tests"]) == (
        State.DONE,
        State.RUNNING,
        State.RUNNING,
        State.WAITING,
    )


def test_a_stage_is_done_when_the_last_of_its_images_is():
    assert progress_at(11.9).stages["builds"].state is State.RUNNING
    done = progress_at(12).stages["builds"]
    assert (done.state, done.ended_at) == (
        State.DONE,
        progress_at(12).stages["builds"].rows["tests/tests"].ended_at,
    )


def test_a_service_with_a_health_check_is_done_when_it_is_healthy():
    assert progress_at(2).stages["services"].rows["redis"].state is State.RUNNING
    assert progress_at(3).stages["services"].rows["redis"].state is State.DONE


def test_a_red_suite_makes_the_stage_red_and_its_counts_are_told():
    tests = progress_at(30).stages["tests"]
    assert (tests.state, tests.rows["tests"].detail) == (State.FAILED, "14 passed, 2 failed, 1 skipped")


def test_a_failed_step_stays_failed_when_a_later_step_of_its_stage_goes_well():
    progress = Progress(run=RUN)
    for item in [
        event(0, Kind.STEP_STARTED, "capture-logs"),
        event(1, Kind.STEP_ENDED, "capture-logs", error="the disk is full"),
        *step(1, 2, "write-report"),
    ]:
        progress = advance(progress, item)
    assert progress.stages["capture"].state is State.FAILED


def test_what_was_at_work_when_the_run_ended_was_cut_off():
    cut = progress_at(2)
    ended = advance(cut, event(2.5, Kind.RUN_ENDED, verdict="cancelled", reason="Cancelled"))
    assert states(ended)["services"] is State.STOPPED
    assert ended.stages["builds"].rows["backend"].state is State.STOPPED
    assert ended.stages["verdict"].detail == "cancelled (Cancelled)"


def test_a_second_attempt_begins_with_every_stage_waiting_and_keeps_the_notes():
    again = advance(replace(progress_at(30)), event(31, Kind.RUN_STARTED, attempt=2))
    assert set(states(again).values()) == {State.WAITING}
    assert (again.attempt, again.ended_at, len(again.notes)) == (2, None, 1)


def test_only_the_last_lines_of_the_tests_are_remembered():
    progress = Progress(run=RUN)
    for number in range(TAIL_LINES + 5):
        progress = advance(progress, log(number, str(number)))
    assert (progress.tail[0].text, len(progress.tail)) == ("5", TAIL_LINES)


def test_every_step_of_the_house_stands_in_a_stage_that_is_shown():
    assert set(STAGE_OF_STEP.values()) <= set(STAGES)


def test_a_service_is_described_in_words_for_every_way_it_can_stand():
    told = [
        service_text(service(0, "web", *how[:2], **how[2]).data)
        for how in [
            ("pending", "none", {}),
            ("running", "none", {}),
            ("running", "starting", {}),
            ("running", "unhealthy", {"reason": "Unhealthy"}),
            ("ended", "none", {"exit_code": 3, "restarts": 2}),
            ("pending", "none", {"reason": "ImagePullBackOff"}),
        ]
    ]
    assert told == [
        "pending",
        "running",
        "awaiting health",
        "Unhealthy, unhealthy",
        "exited with 3, restarted 2x",
        "ImagePullBackOff, pending",
    ]


@given(some.permutations(story()))
def test_no_order_of_events_is_more_than_the_model_can_take(items: list[Item]):
    progress = Progress(run=RUN)
    for item in items:
        progress = advance(progress, item)
    assert tuple(progress.stages) == STAGES


def test_a_step_that_was_cancelled_was_cut_off_and_did_not_fail():
    progress = Progress(run=RUN)
    for item in [
        event(0, Kind.STEP_STARTED, "raise-stack"),
        event(1, Kind.STEP_ENDED, "raise-stack", error="cancelled"),
    ]:
        progress = advance(progress, item)
    assert progress.stages["services"].state is State.STOPPED

from datetime import UTC, datetime, timedelta

import pytest
import typer

from conductor.cli.arguments import duration, moment, published, service_port, span_until, variable


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("24h", 86400), ("1h30m", 5400), ("7D", 604800), (" 2w ", 1209600)]
)
def test_durations_are_numbers_with_units(text: str, seconds: int):
    assert duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "24", "h", "1.5h", "-3h", "1h 30m", "0s", "9999d", "24hours"])
def test_what_is_no_duration_is_refused_with_examples(text: str):
    with pytest.raises(typer.BadParameter, match=r"duration|range"):
        duration(text)


def test_a_time_without_offset_is_local_and_one_with_offset_is_not():
    assert moment("2026-11-24T18:00+01:00") == datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
    assert moment("2026-11-24T18:00").utcoffset() == timedelta(0)


def test_a_time_that_is_none_is_refused():
    with pytest.raises(typer.BadParameter, match="no time"):
        moment("tomorrow")


@pytest.mark.parametrize("days", [-1, 0, 367])
def test_a_lease_ends_neither_in_the_past_nor_in_another_year(days: int):
    now = datetime(2026, 11, 23, tzinfo=UTC)
    with pytest.raises(typer.BadParameter, match="366 days"):
        span_until(now + timedelta(days=days), now=now)


def test_a_value_of_a_variable_may_hold_equal_signs_and_be_empty():
    assert (variable("A=b=c"), variable("A=")) == (("A", "b=c"), ("A", ""))


@pytest.mark.parametrize("text", ["A", "=b", "1A=b", "A-B=c"])
def test_what_is_no_variable_is_refused(text: str):
    with pytest.raises(typer.BadParameter, match="NAME=VALUE"):
        variable(text)


def test_the_refusal_of_a_variable_never_shows_its_value():
    with pytest.raises(typer.BadParameter) as refused:
        variable("MY-KEY=hunter22")
    assert "hunter22" not in str(refused.value.message)


def test_ports_of_services_with_and_without_a_port_of_the_host():
    assert service_port("backend:3001") == ("backend", 3001, None)
    assert service_port("my.web_1:80=8080") == ("my.web_1", 80, 8080)
    assert published("backend:3001=8080") == "backend:3001=8080"


@pytest.mark.parametrize(
    "text", ["backend", ":80", "backend:0", "backend:65536", "backend:80=0", "backend:80=", "a b:80"]
)
def test_what_is_no_port_of_a_service_is_refused(text: str):
    with pytest.raises(typer.BadParameter, match="port"):
        published(text)

"""Log lines: with run and step, masked, and quiet by default."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from conductor import telemetry


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(out: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_lines_bear_their_run_and_step():
    out = io.StringIO()
    telemetry.configure(level="info", stream=out)
    with telemetry.bound(run="shop-1", step="clone"):
        structlog.get_logger().info("cloned", files=3)
        logging.getLogger("a.library").warning("slow")
    logging.getLogger("a.library").warning("after")
    first, second, third = lines(out)
    assert (first["event"], first["run"], first["step"], first["files"]) == ("cloned", "shop-1", "clone", 3)
    assert (second["event"], second["run"], second["level"]) == ("slow", "shop-1", "warning")
    assert "run" not in third


def test_nothing_is_said_by_default_below_a_warning():
    out = io.StringIO()
    telemetry.configure(stream=out)
    structlog.get_logger().info("quiet")
    logging.getLogger("dbos").info("quiet too")
    assert out.getvalue() == ""


def test_requests_to_an_api_server_are_its_librarys_business():
    out = io.StringIO()
    telemetry.configure(level="info", stream=out)
    for library in ("httpx2", "httpcore2.connection"):
        logging.getLogger(library).info("GET https://10.96.0.1/api/v1/namespaces")
    assert out.getvalue() == ""


def test_values_are_hidden_wherever_they_stand_in_a_line():
    out = io.StringIO()
    telemetry.configure(level="debug", stream=out)
    log = structlog.get_logger()
    with telemetry.masking(lambda text: text.replace("hunter2", "***")):
        log.info("the password is hunter2", nested={"a": ["hunter2"]}, thing=ValueError("hunter2"))
        logging.getLogger("a.library").warning("connecting with %s", "hunter2")
        try:
            int("hunter2")
        except ValueError:
            log.exception("failed")
    assert "hunter2" not in out.getvalue()
    assert len(lines(out)) == 3
    log.info("hunter2")
    assert "hunter2" in out.getvalue()


def test_plain_lines_are_for_people():
    out = io.StringIO()
    telemetry.configure(level="warning", form="plain", stream=out)
    structlog.get_logger().warning("slow", seconds=3)
    assert "slow" in out.getvalue()
    assert "seconds=3" in out.getvalue()
    assert not out.getvalue().startswith("{")

from pathlib import Path

import pytest
from tests.unit.compose.conftest import Repository

from conductor.compose.unsupported import NOTES, REFUSALS
from conductor.domain.account import Treatment

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "compose.md"
SERVICE = sorted(place for place in REFUSALS if place.startswith("services.*.") and place.count(".") == 2)


@pytest.mark.parametrize("place", SERVICE)
def test_what_is_refused_says_why_and_what_to_do_instead(repository: Repository, place: str):
    key = place.rsplit(".", 1)[-1]
    loaded = repository.loaded(f"services:\n  web:\n    image: app\n    {key}: {{something: else}}\n")
    (problem,) = loaded.problems
    assert problem.line == 4
    assert problem.message == f"`{key}` is refused: {REFUSALS[place].why}"
    assert problem.remedy == REFUSALS[place].instead
    refused = [entry for entry in loaded.account if entry.treatment is Treatment.REFUSED]
    assert [entry.path for entry in refused] == [f"services.web.{key}", f"services.web.{key}.something"]


@pytest.mark.parametrize("place", [place for place in SERVICE if REFUSALS[place].harmless])
def test_a_value_that_asks_for_nothing_special_is_taken(repository: Repository, place: str):
    key = place.rsplit(".", 1)[-1]
    for value in REFUSALS[place].harmless:
        assert repository.problems(f"{key}: {value}") == []


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("cap_add: [SYS_ADMIN]", "the capability SYS_ADMIN"),
        ("cap_add: [all]", "the capability ALL"),
        ("security_opt: ['seccomp:unconfined']", "seccomp:unconfined"),
        ("extra_hosts: ['host.docker.internal:host-gateway']", "host-gateway"),
        ("pull_policy: daily", "`daily`"),
        ("logging: {driver: fluentd}", "`driver` is refused"),
        ("deploy: {mode: global-job}", "`mode` is refused"),
        ("deploy: {resources: {reservations: {devices: [{capabilities: [gpu]}]}}}", "`devices` is refused"),
    ],
)
def test_a_value_that_asks_for_too_much_is_refused(repository: Repository, written: str, said: str):
    (problem,) = repository.problems(written)
    assert said in problem
    assert "is refused" in problem


@pytest.mark.parametrize(
    ("section", "written"),
    [
        ("volumes", "{vol: {driver: nfs}}"),
        ("volumes", "{vol: {driver_opts: {type: none, o: bind, device: /etc}}}"),
        ("volumes", "{vol: {external: true}}"),
        ("networks", "{default: {driver: host}}"),
        ("networks", "{default: {ipam: {config: [{subnet: 10.0.0.0/8}]}}}"),
        ("networks", "{default: {external: true, name: proxy}}"),
    ],
)
def test_volumes_and_networks_of_the_machine_are_refused(repository: Repository, section: str, written: str):
    (problem,) = repository.problems(
        "volumes: ['vol:/x']" if section == "volumes" else "init: true", f"{section}: {written}"
    )
    assert "is refused" in problem


def test_all_problems_come_at_once(repository: Repository):
    problems = repository.problems(
        "privileged: true\ncomand: x\nports: [x]\nvolumes: ['/etc:/x', 'nope:/y']\ndepends_on: [gone]\nmem_limit: lots"
    )
    assert len(problems) == 7


@pytest.mark.parametrize("place", sorted({*REFUSALS, *NOTES}))
def test_the_reference_lists_it(place: str):
    row = next((line for line in REFERENCE.read_text().splitlines() if line.startswith(f"| `{place}` |")), "")
    expected = REFUSALS[place].why if place in REFUSALS else NOTES[place]
    assert expected in row

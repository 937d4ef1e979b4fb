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
    asked = "host" if key in ("ipc", "network_mode", "pid") else "{something: else}"
    loaded = repository.loaded(f"services:\n  web:\n    image: app\n    {key}: {asked}\n")
    (problem,) = loaded.problems
    assert problem.line == 4
    assert problem.message == f"`{key}` is refused: {REFUSALS[place].why}"
    assert problem.remedy == REFUSALS[place].instead
    refused = [entry for entry in loaded.account if entry.treatment is Treatment.REFUSED]
    below = [] if asked == "host" else [f"services.web.{key}.something"]
    assert [entry.path for entry in refused] == [f"services.web.{key}", *below]


@pytest.mark.parametrize("place", [place for place in SERVICE if REFUSALS[place].harmless])
def test_a_value_that_asks_for_nothing_special_is_taken(repository: Repository, place: str):
    key = place.rsplit(".", 1)[-1]
    for value in REFUSALS[place].harmless:
        written = f"{key}: '{value.replace('*', 'db')}'" if key != "use_api_socket" else f"{key}: {value}"
        loaded = repository.loaded(f"services: {{web: {{image: app, {written}}}, db: {{image: d}}}}")
        assert loaded.problems == (), value


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("cap_add: [SYS_ADMIN]", "the capability SYS_ADMIN"),
        ("cap_add: [all]", "the capability ALL"),
        ("security_opt: ['seccomp:unconfined']", "seccomp:unconfined"),
        ("extra_hosts: ['host.docker.internal:host-gateway']", "host-gateway"),
        ("oom_score_adj: -500", "`-500`"),
        ("annotations: {run.oci.handler: wasm}", "the annotation `run.oci.handler`"),
        ("blkio_config: {device_read_bps: [{path: /dev/sda, rate: 1mb}]}", "`device_read_bps` is refused"),
        ("post_start: [{command: x, privileged: true}]", "`privileged` is refused"),
        ("volumes_from: ['container:x']", "`container:x` is refused"),
        ("extra_hosts: ['a=1.1.1.1', 'a=2.2.2.2']", "a host with several addresses"),
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
        ("networks", "{default: {driver_opts: {com.docker.network.bridge.name: br0}}}"),
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

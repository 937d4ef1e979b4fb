"""What an engine refuses of the stack is told at the keys that asked for it, wherever they stand."""

from __future__ import annotations

import pytest
from tests.unit.compose.conftest import Repository

from conductor.compose.account import is_as_compose
from conductor.compose.load import Loaded
from conductor.domain.account import EngineRefusal, Entry, Treatment

MOON = "moon"


def refusal(path: str) -> Entry:
    return Entry(file="", line=0, path=path, treatment=Treatment.REFUSED, why="no air", instead="Bring some.")


def refused(loaded: Loaded, *paths: str) -> list[str]:
    """Return the keys that the account says are refused on the moon, by an engine that refuses these paths of the stack."""
    assert not loaded.problems, loaded.problems
    account = loaded.ledger.account({MOON: [refusal(path) for path in paths]})
    return [f"{e.file}:{e.line} {e.path}" for e in account if e.on(MOON) is Treatment.REFUSED]


def test_an_engine_refuses_a_key_and_all_below_it_and_no_other_engine_does(repository: Repository):
    loaded = repository.loaded("services:\n  web:\n    image: app\n    ulimits:\n      nofile: 1024\n")
    account = loaded.ledger.account({MOON: [refusal("services.web.ulimits")]})
    assert refused(loaded, "services.web.ulimits") == [
        "compose.yaml:4 services.web.ulimits",
        "compose.yaml:5 services.web.ulimits.nofile",
    ]
    assert [entry.refusal_on(MOON) for entry in account][-1] == EngineRefusal(
        engine=MOON, why="no air", instead="Bring some."
    )
    assert {entry.on("earth") for entry in account} == {Treatment.CONVERTED}


def test_what_came_by_extends_is_refused_where_it_was_written(repository: Repository):
    repository.file("sub/base.yaml", "services:\n  base:\n    image: app\n    init: true\n")
    loaded = repository.loaded("services: {web: {extends: {file: sub/base.yaml, service: base}}}")
    assert refused(loaded, "services.web.init") == ["sub/base.yaml:4 services.base.init"]


def test_what_came_by_include_is_refused_in_the_included_file(repository: Repository):
    repository.file("more.yaml", "services:\n  db:\n    image: db\n    init: true\n")
    loaded = repository.loaded("include: [more.yaml]\nservices: {web: {image: app}}")
    assert refused(loaded, "services.db.init") == ["more.yaml:4 services.db.init"]


def test_what_several_files_say_together_is_refused_in_each(repository: Repository):
    repository.file("one.yaml", "services: {web: {image: app, sysctls: {a: 1}, ulimits: {core: 1}}}")
    repository.file("two.yaml", "services: {web: {sysctls: {b: 2}}}")
    assert refused(repository.load("one.yaml", "two.yaml"), "services.web.sysctls") == [
        "one.yaml:1 services.web.sysctls",
        "one.yaml:1 services.web.sysctls.a",
        "two.yaml:1 services.web.sysctls",
        "two.yaml:1 services.web.sysctls.b",
    ]


def test_one_of_several_values_is_refused_alone(repository: Repository):
    loaded = repository.loaded("services: {web: {image: app, sysctls: {net.a.b: 1, net.a.c: 2}}}")
    assert refused(loaded, "services.web.sysctls.net.a.b") == ["compose.yaml:1 services.web.sysctls.net.a.b"]


def test_an_item_of_a_short_form_is_refused_as_an_item(repository: Repository):
    loaded = repository.loaded("services: {web: {image: app, environment: ['A=1', 'B=2']}}")
    assert refused(loaded, "services.web.environment.B") == ["compose.yaml:1 services.web.environment[1]"]


def test_names_of_services_may_have_dots(repository: Repository):
    loaded = repository.loaded("services: {my.web: {image: app, init: true}, my: {image: other}}")
    assert refused(loaded, "services.my.web.init") == ["compose.yaml:1 services.my.web.init"]


def test_mounts_are_counted_over_all_attributes_that_make_them(repository: Repository):
    repository.file("key.txt", "y")
    loaded = repository.loaded(
        """
        services:
          web:
            image: app
            volumes:
              - data:/data
              - type: bind
                source: ./conf
                target: /conf
            tmpfs: /run
            configs: [settings]
            secrets:
              - source: key
        volumes: {data: }
        configs: {settings: {content: x}}
        secrets: {key: {file: key.txt}}
        """
    )
    places = ["volumes[0]", "volumes[1]", "volumes[2]", "volumes[3]", "volumes[4]"]
    found = [refused(loaded, f"services.web.{place}")[0].partition(" ")[2] for place in places]
    assert found == [
        "services.web.volumes[0]",
        "services.web.volumes[1]",
        "services.web.tmpfs",
        "services.web.configs[0]",
        "services.web.secrets[0]",
    ]


def test_a_mount_that_is_refused_everywhere_does_not_count(repository: Repository):
    loaded = repository.loaded("services: {web: {image: app, volumes: ['/etc:/etc', './a:/a']}}")
    document, path = loaded.ledger.where("services.web.volumes[0]") or (None, ())
    assert (document and document.file, path) == ("compose.yaml", ("services", "web", "volumes", 1))


@pytest.mark.parametrize(
    ("written", "asked", "found"),
    [
        ("deploy: {resources: {limits: {pids: 9}}}", "pids_limit", "deploy.resources.limits.pids"),
        ("scale: 2", "deploy.replicas", "scale"),
        ("mem_limit: 1g", "deploy.resources.limits.memory", "mem_limit"),
        ("env_file: web.env", "environment.FROM_FILE", "env_file"),
        ("links: [db]", "depends_on.db", "links"),
    ],
)
def test_what_several_attributes_can_say_is_found_at_the_one_that_says_it(
    repository: Repository, written: str, asked: str, found: str
):
    repository.file("web.env", "FROM_FILE=1\n")
    loaded = repository.loaded(f"services:\n  web: {{image: app, {written}}}\n  db: {{image: db}}\n")
    assert refused(loaded, f"services.web.{asked}") == [f"compose.yaml:2 services.web.{found}"]


def test_what_no_file_asked_for_has_no_place(repository: Repository):
    ledger = repository.loaded("services: {web: {image: app}}").ledger
    assert [ledger.where(path) for path in ("services.web.init", "services.gone", "tests.tests")] == [
        None
    ] * 3


def test_a_refusal_everywhere_is_one_on_each_engine(repository: Repository):
    account = repository.loaded("services: {web: {image: app, privileged: true}}").account
    (entry,) = [entry for entry in account if entry.path == "services.web.privileged"]
    assert entry.on("earth") is entry.on(MOON) is Treatment.REFUSED


def test_what_is_refused_everywhere_is_refused_in_each_file_that_says_it(repository: Repository):
    for name in ("one.yaml", "two.yaml"):
        repository.file(name, "services: {web: {image: app, devices: ['/dev/null:/dev/null']}}")
    account = repository.load("one.yaml", "two.yaml").account
    told = [entry.file for entry in account if entry.treatment is Treatment.REFUSED]
    assert set(told) == {"one.yaml", "two.yaml"}


def test_a_file_that_is_read_twice_is_told_of_once(repository: Repository):
    repository.file("more.yaml", "services: {db: {image: db}}")
    repository.file("sub/one.yaml", "include: [../more.yaml]\nservices: {a: {image: a}}")
    account = repository.loaded("include: [more.yaml, sub/one.yaml]\nservices: {web: {image: app}}").account
    told = [entry.path for entry in account if entry.file == "more.yaml"]
    assert told == ["services", "services.db", "services.db.image"]


def test_an_alias_is_told_of_where_it_is_used_and_where_it_was_written(repository: Repository):
    account = repository.loaded(
        "x-env: &env\n  A: 1\nservices:\n  web:\n    image: app\n    environment:\n      <<: *env\n"
    ).account
    told = [(entry.path, entry.line) for entry in account if entry.path.endswith(".A")]
    assert told == [("x-env.A", 2), ("services.web.environment.A", 2)]


@pytest.mark.parametrize(
    ("note", "same"),
    [
        ("Compose ignores it", True),
        ("replaced by two.yaml:3", True),
        ("the run gives the stack its name", False),
        ("TAG is not set: taken for empty", False),
    ],
)
def test_notes_that_say_only_what_compose_does_are_known(note: str, same: bool):  # noqa: FBT001 -- a table
    assert is_as_compose(note) is same

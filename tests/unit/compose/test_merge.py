from tests.unit.compose.conftest import Repository

from conductor.domain.stack import BindMount, Port, VolumeMount

BASE = """
services:
  web:
    image: base
    command: [base]
    environment: [A=base, B=base]
    ports: ["8080:80"]
    expose: [1]
    volumes: ["./a:/a", "data:/d"]
    depends_on: [db]
    labels: {a: base}
    dns: 1.1.1.1
    healthcheck: {test: [CMD, base], interval: 5s}
  db: {image: db}
volumes: {data: }
"""


def merged(repository: Repository, over: str):
    repository.file("base.yaml", BASE)
    repository.file("over.yaml", over)
    loaded = repository.load("base.yaml", "over.yaml")
    assert not loaded.problems, loaded.problems
    return loaded


def test_a_later_file_comes_over_an_earlier_one(repository: Repository):
    loaded = merged(
        repository,
        """
        services:
          web:
            image: over
            command: [over]
            environment: {B: over, C: over}
            ports: ["8080:80", "9090:90"]
            expose: [2]
            volumes: ["./b:/a", "/anon"]
            depends_on: {db: {condition: service_healthy}}
            labels: [b=over]
            dns: [2.2.2.2]
            healthcheck: {test: [CMD, over]}
          new: {image: new}
        """,
    )
    web = loaded.stack.service("web")
    assert (web.image, web.command) == ("over", ("over",))
    assert web.environment == {"A": "base", "B": "over", "C": "over"}
    assert web.ports == (Port(target=80, published="8080"), Port(target=90, published="9090"))
    assert web.expose == (1, 2)
    assert web.mounts == (
        BindMount(source="b", target="/a"),
        VolumeMount(volume="data", target="/d"),
        VolumeMount(volume=None, target="/anon"),
    )
    assert web.depends_on[0].condition == "service_healthy"
    assert web.labels == {"a": "base", "b": "over"}
    assert web.dns == ("1.1.1.1", "2.2.2.2")
    assert web.healthcheck.test == ("CMD", "over")
    assert web.healthcheck.interval.total_seconds() == 5
    assert [service.name for service in loaded.stack.services] == ["web", "db", "new"]


def test_reset_takes_away_and_override_replaces(repository: Repository):
    web = merged(
        repository,
        """
        services:
          web:
            ports: !reset []
            command: !reset null
            environment: !override {ONLY: this}
            volumes: !override ["/anon"]
        """,
    ).stack.service("web")
    assert web.ports == ()
    assert web.command is None
    assert web.environment == {"ONLY": "this"}
    assert web.mounts == (VolumeMount(volume=None, target="/anon"),)


def test_what_is_replaced_says_by_what_in_the_account(repository: Repository):
    loaded = merged(repository, "services: {web: {image: over}}")
    (entry,) = [e for e in loaded.account if e.file == "base.yaml" and e.path == "services.web.image"]
    assert entry.note == "replaced by over.yaml:1"


def test_documents_of_one_file_lie_over_each_other(repository: Repository):
    loaded = repository.loaded("services: {web: {image: a}}\n---\nservices: {web: {image: b}}\n")
    assert loaded.stack.service("web").image == "b"


def test_anchors_and_merge_keys(repository: Repository):
    loaded = repository.loaded(
        """
        x-common: &common {restart: always, environment: &env {A: common, B: common}}
        services:
          web: {<<: *common, image: a, environment: {<<: *env, B: own}}
          db: {<<: *common, image: b}
        """
    )
    assert not loaded.problems
    assert loaded.stack.service("web").environment == {"A": "common", "B": "own"}
    assert loaded.stack.service("db").restart == "always"


def test_paths_of_a_later_file_are_relative_to_the_first(repository: Repository):
    repository.file("compose.yaml", "services: {web: {image: a}}")
    repository.file("ci/over.yaml", "services: {web: {volumes: ['./src:/app']}}")
    loaded = repository.load("compose.yaml", "ci/over.yaml")
    assert loaded.stack.service("web").mounts == (BindMount(source="src", target="/app"),)

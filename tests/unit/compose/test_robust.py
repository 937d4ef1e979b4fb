"""Whatever stands in the place of a value, it is read or said to be wrong, and never a crash."""

from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from conductor.compose.load import examine
from conductor.compose.reader import Checkout

FILE = yaml.safe_load(
    """
    include: [{path: [inc.yaml], project_directory: ., env_file: [a.env]}]
    services:
      web:
        image: app
        build: {context: ., args: {A: b}, labels: [a=b], platforms: [linux/amd64], dockerfile_inline: FROM x}
        command: [a, b]
        environment: {A: b, C: 1}
        env_file: [{path: a.env, required: false}]
        ports: ["1:2", {target: 1, published: 2, protocol: tcp}]
        expose: [1]
        volumes: ["v1:/x", {type: bind, source: ., target: /y, bind: {create_host_path: true}}]
        tmpfs: [/t]
        configs: [{source: c, mode: "0440"}]
        secrets: [s]
        depends_on: {db: {condition: service_healthy, required: true}}
        links: ["db:x"]
        networks: {n: {aliases: [a]}}
        healthcheck: {test: [CMD, x], interval: 1s, retries: 2}
        deploy: {replicas: 1, resources: {limits: {cpus: 1, memory: 1m}}, restart_policy: {condition: any}}
        ulimits: {nofile: {soft: 1, hard: 2}}
        extra_hosts: ["a=1.1.1.1"]
        labels: [a=b]
        profiles: []
        logging: {driver: local}
        cap_add: [CHOWN]
        security_opt: ["no-new-privileges:true"]
      db: {extends: {service: base}, image: db}
      base: {image: b}
    volumes: {v1: {labels: {a: b}}}
    networks: {n: {internal: true, ipam: {driver: default}}}
    configs: {c: {content: x}}
    secrets: {s: {file: a.env}}
    """
)
ODD = st.sampled_from(
    [None, [], {}, "", 0, -1, True, 1.5, "x", [None], [[]], [{}], {"a": None}, {"a": []}, "a:b:c", "${X}", "$", "/x", ["a", "a"],
     {"file": "x"}, {"condition": []}, 10**30, "\u2028"]
)  # fmt: skip


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    pairs = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(found for key, value in pairs for found in places(value, (*path, key)))]


PLACES = places(FILE)[1:]


@settings(deadline=None)
@given(
    changes=st.lists(st.tuples(st.sampled_from(PLACES), ODD), min_size=1, max_size=3), merged=st.booleans()
)
def test_any_value_in_any_place_is_read_or_said_to_be_wrong(changes: list[tuple[Any, Any]], *, merged: bool):
    data = deepcopy(FILE)
    for path, value in changes:
        replace(data, path, value)
    with TemporaryDirectory() as folder:
        (Path(folder) / "compose.yaml").write_text(yaml.safe_dump(data))
        (Path(folder) / "inc.yaml").write_text("services: {other: {image: x}}")
        (Path(folder) / "base.yaml").write_text(yaml.safe_dump(FILE))
        (Path(folder) / "a.env").write_text("A=1\n")
        files = ["base.yaml", "compose.yaml"] if merged else ["compose.yaml"]
        loaded = examine(Checkout(Path(folder)), files, name="x")
    assert all(problem.message for problem in loaded.problems)
    assert loaded.account


def replace(data: Any, path: tuple[Any, ...], value: Any) -> None:
    """Put a value in a place, as far as the place is still there."""
    for key in path[:-1]:
        there = data.get(key) if isinstance(data, dict) else None
        data = data[key] if isinstance(data, list) and isinstance(key, int) and key < len(data) else there
    if isinstance(data, dict) or (
        isinstance(data, list) and isinstance(path[-1], int) and path[-1] < len(data)
    ):
        data[path[-1]] = deepcopy(value)


def test_the_file_itself_is_right(repository: Any):
    repository.file("compose.yaml", yaml.safe_dump(FILE))
    repository.file("inc.yaml", "services: {other: {image: x}}")
    repository.file("a.env", "A=1\n")
    assert repository.load().problems == ()

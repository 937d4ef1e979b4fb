"""Every key is in exactly the right place: read, noted or refused. None is called converted and then forgotten."""

import json
import os
from pathlib import Path

import pytest
from tests.unit.compose.conftest import Repository

from conductor.compose.normalise import LONG_FORMS
from conductor.compose.schema import KEYS
from conductor.compose.unsupported import NOTES, REFUSALS

TOP = "volumes: {vol: }\nnetworks: {n: , m: }\nconfigs: {c: {content: x}}\nsecrets: {s: {file: one.env}}\n"
WITHOUT = "init: false"
BUILD = "build: {context: api}"
CHANGES: dict[str, tuple[str, str]] = {
    "services.*.build": ("build: api", WITHOUT),
    "services.*.build.args": ("build: {context: api, args: {A: b}}", BUILD),
    "services.*.build.context": ("build: {context: .}", BUILD),
    "services.*.build.dockerfile": ("build: {context: api, dockerfile: ../Dockerfile}", BUILD),
    "services.*.build.dockerfile_inline": ("build: {context: api, dockerfile_inline: FROM x}", BUILD),
    "services.*.build.labels": ("build: {context: api, labels: {a: b}}", BUILD),
    "services.*.build.network": ("build: {context: api, network: none}", BUILD),
    "services.*.build.no_cache": ("build: {context: api, no_cache: true}", BUILD),
    "services.*.build.platforms": ("build: {context: api, platforms: [linux/arm64]}", BUILD),
    "services.*.build.pull": ("build: {context: api, pull: true}", BUILD),
    "services.*.build.target": ("build: {context: api, target: x}", BUILD),
    "services.*.cap_add": ("cap_add: [NET_ADMIN]", WITHOUT),
    "services.*.cap_drop": ("cap_drop: [ALL]", WITHOUT),
    "services.*.command": ("command: x", WITHOUT),
    "services.*.configs": ("configs: [c]", WITHOUT),
    "services.*.configs[].gid": ("configs: [{source: c, gid: '1'}]", "configs: [c]"),
    "services.*.configs[].uid": ("configs: [{source: c, uid: '1'}]", "configs: [c]"),
    "services.*.configs[].mode": ("configs: [{source: c, mode: 0400}]", "configs: [c]"),
    "services.*.configs[].source": ("configs: [{source: c}]", WITHOUT),
    "services.*.configs[].target": ("configs: [{source: c, target: /x}]", "configs: [c]"),
    "services.*.container_name": ("container_name: xx", WITHOUT),
    "services.*.cpu_period": ("cpu_quota: 100\ncpu_period: 200", "cpu_quota: 100"),
    "services.*.cpu_quota": ("cpu_quota: 100", WITHOUT),
    "services.*.cpus": ("cpus: 1", WITHOUT),
    "services.*.depends_on": ("depends_on: [db]", WITHOUT),
    "services.*.depends_on.*.condition": ("depends_on: {db: {condition: service_healthy}}", "depends_on: [db]"),
    "services.*.depends_on.*.required": ("depends_on: {db: {condition: service_started, required: false}}", "depends_on: [db]"),
    "services.*.depends_on.*.restart": ("depends_on: {db: {condition: service_started, restart: true}}", "depends_on: [db]"),
    "services.*.deploy": ("deploy: {replicas: 2}", WITHOUT),
    "services.*.deploy.replicas": ("deploy: {replicas: 2}", WITHOUT),
    "services.*.deploy.resources": ("deploy: {resources: {limits: {cpus: 1}}}", WITHOUT),
    "services.*.deploy.resources.limits": ("deploy: {resources: {limits: {cpus: 1}}}", WITHOUT),
    "services.*.deploy.resources.limits.cpus": ("deploy: {resources: {limits: {cpus: 1}}}", WITHOUT),
    "services.*.deploy.resources.limits.memory": ("deploy: {resources: {limits: {memory: 1m}}}", WITHOUT),
    "services.*.deploy.resources.limits.pids": ("deploy: {resources: {limits: {pids: 1}}}", WITHOUT),
    "services.*.deploy.resources.reservations": ("deploy: {resources: {reservations: {cpus: 1}}}", WITHOUT),
    "services.*.deploy.resources.reservations.cpus": ("deploy: {resources: {reservations: {cpus: 1}}}", WITHOUT),
    "services.*.deploy.resources.reservations.memory": ("deploy: {resources: {reservations: {memory: 1m}}}", WITHOUT),
    "services.*.deploy.restart_policy": ("deploy: {restart_policy: {condition: any}}", WITHOUT),
    "services.*.deploy.restart_policy.condition": ("deploy: {restart_policy: {condition: any}}", WITHOUT),
    "services.*.deploy.restart_policy.max_attempts": (
        "deploy: {restart_policy: {condition: on-failure, max_attempts: 2}}", "deploy: {restart_policy: {condition: on-failure}}"),
    "services.*.annotations": ("annotations: {a: b}", WITHOUT),
    "services.*.blkio_config": ("blkio_config: {weight: 100}", WITHOUT),
    "services.*.blkio_config.weight": ("blkio_config: {weight: 100}", "blkio_config: {weight: 200}"),
    "services.*.build.shm_size": ("build: {context: ., shm_size: 1m}", "build: {context: .}"),
    "services.*.cpu_shares": ("cpu_shares: 100", WITHOUT),
    "services.*.cpuset": ("cpuset: '0'", WITHOUT),
    "services.*.dns": ("dns: 1.1.1.1", WITHOUT),
    "services.*.dns_opt": ("dns_opt: [use-vc]", WITHOUT),
    "services.*.dns_search": ("dns_search: a", WITHOUT),
    "services.*.domainname": ("domainname: a", WITHOUT),
    "services.*.entrypoint": ("entrypoint: x", WITHOUT),
    "services.*.env_file": ("env_file: one.env", WITHOUT),
    "services.*.env_file[].format": ("env_file: [{path: one.env, format: raw}]", "env_file: [{path: one.env}]"),
    "services.*.env_file[].path": ("env_file: [{path: one.env}]", WITHOUT),
    "services.*.environment": ("environment: {A: b}", WITHOUT),
    "services.*.expose": ("expose: [1]", WITHOUT),
    "services.*.extends.file": ("extends: {service: x, file: other.yaml}", WITHOUT),
    "services.*.extends.service": ("extends: {service: x, file: other.yaml}", "extends: {service: y, file: other.yaml}"),
    "services.*.extra_hosts": ("extra_hosts: {a: 1.1.1.1}", WITHOUT),
    "services.*.group_add": ("group_add: [a]", WITHOUT),
    "services.*.healthcheck": ("healthcheck: {test: x}", WITHOUT),
    "services.*.healthcheck.disable": ("healthcheck: {disable: true}", WITHOUT),
    "services.*.healthcheck.interval": ("healthcheck: {test: x, interval: 1s}", "healthcheck: {test: x}"),
    "services.*.healthcheck.retries": ("healthcheck: {test: x, retries: 1}", "healthcheck: {test: x}"),
    "services.*.healthcheck.start_interval": ("healthcheck: {test: x, start_interval: 1s}", "healthcheck: {test: x}"),
    "services.*.healthcheck.start_period": ("healthcheck: {test: x, start_period: 1s}", "healthcheck: {test: x}"),
    "services.*.healthcheck.test": ("healthcheck: {test: y}", "healthcheck: {test: x}"),
    "services.*.healthcheck.timeout": ("healthcheck: {test: x, timeout: 1s}", "healthcheck: {test: x}"),
    "services.*.hostname": ("hostname: a", WITHOUT),
    "services.*.image": ("image: other", WITHOUT),
    "services.*.init": ("init: true", WITHOUT),
    "services.*.label_file": ("label_file: one.env", WITHOUT),
    "services.*.labels": ("labels: {a: b}", WITHOUT),
    "services.*.links": ("links: [db]", WITHOUT),
    "services.*.ipc": ("ipc: service:db", "ipc: shareable"),
    "services.*.mac_address": ("mac_address: 02:42:ac:11:00:02", WITHOUT),
    "services.*.mem_swappiness": ("mem_swappiness: 10", WITHOUT),
    "services.*.memswap_limit": ("mem_limit: 1m\nmemswap_limit: 2m", "mem_limit: 1m"),
    "services.*.network_mode": ("network_mode: service:db", "network_mode: none"),
    "services.*.networks.*.mac_address": ("networks: {n: {mac_address: 02:42:ac:11:00:02}}", "networks: [n]"),
    "services.*.oom_score_adj": ("oom_score_adj: 100", WITHOUT),
    "services.*.pid": ("pid: service:db", WITHOUT),
    **{
        f"services.*.{hook}": (f"{hook}: [{{command: x}}]", WITHOUT) for hook in ("post_start", "pre_stop")
    },
    **{
        f"services.*.{hook}[].{key}": (f"{hook}: [{{command: x, {key}: {value}}}]", f"{hook}: [{{command: x}}]")
        for hook in ("post_start", "pre_stop")
        for key, value in {"environment": "[A=b]", "user": "u", "working_dir": "/w"}.items()
    },
    **{
        f"services.*.{hook}[].command": (f"{hook}: [{{command: x}}]", f"{hook}: [{{command: y}}]")
        for hook in ("post_start", "pre_stop")
    },
    "services.*.mem_limit": ("mem_limit: 1m", WITHOUT),
    "services.*.mem_reservation": ("mem_reservation: 1m", WITHOUT),
    "services.*.networks": ("networks: [n]", WITHOUT),
    "services.*.networks.*.aliases": ("networks: {n: {aliases: [a]}}", "networks: [n]"),
    "services.*.pids_limit": ("pids_limit: 1", WITHOUT),
    "services.*.platform": ("platform: linux/arm64", WITHOUT),
    "services.*.ports": ("ports: [1]", WITHOUT),
    "services.*.ports[].name": ("ports: [{target: 1, name: a}]", "ports: [1]"),
    "services.*.ports[].protocol": ("ports: [{target: 1, protocol: udp}]", "ports: [1]"),
    "services.*.ports[].target": ("ports: [{target: 2}]", "ports: [1]"),
    "services.*.ports[].published": ("ports: [{target: 1, published: 2}]", "ports: [1]"),
    "services.*.profiles": ("profiles: [p]", WITHOUT),
    "services.*.pull_policy": ("pull_policy: always", WITHOUT),
    "services.*.read_only": ("read_only: true", WITHOUT),
    "services.*.restart": ("restart: always", WITHOUT),
    "services.*.scale": ("scale: 2", WITHOUT),
    "services.*.secrets": ("secrets: [s]", WITHOUT),
    "services.*.secrets[].gid": ("secrets: [{source: s, gid: '1'}]", "secrets: [s]"),
    "services.*.secrets[].mode": ("secrets: [{source: s, mode: 0400}]", "secrets: [s]"),
    "services.*.secrets[].source": ("secrets: [{source: s}]", WITHOUT),
    "services.*.secrets[].target": ("secrets: [{source: s, target: x}]", "secrets: [s]"),
    "services.*.secrets[].uid": ("secrets: [{source: s, uid: '1'}]", "secrets: [s]"),
    "services.*.security_opt": ("security_opt: ['no-new-privileges:true']", WITHOUT),
    "services.*.shm_size": ("shm_size: 1m", WITHOUT),
    "services.*.stdin_open": ("stdin_open: true", WITHOUT),
    "services.*.stop_grace_period": ("stop_grace_period: 1s", WITHOUT),
    "services.*.stop_signal": ("stop_signal: SIGINT", WITHOUT),
    "services.*.sysctls": ("sysctls: {net.a: 1}", WITHOUT),
    "services.*.tmpfs": ("tmpfs: /x", WITHOUT),
    "services.*.tty": ("tty: true", WITHOUT),
    "services.*.ulimits": ("ulimits: {a: 1}", WITHOUT),
    "services.*.ulimits.*.hard": ("ulimits: {a: {soft: 1, hard: 2}}", "ulimits: {a: 1}"),
    "services.*.ulimits.*.soft": ("ulimits: {a: {soft: 1, hard: 2}}", "ulimits: {a: 2}"),
    "services.*.user": ("user: a", WITHOUT),
    "services.*.volumes_from": ("volumes_from: [db]", WITHOUT),
    "services.*.volumes": ("volumes: ['vol:/x']", WITHOUT),
    "services.*.volumes[].bind": (
        "volumes: [{type: bind, source: api, target: /x, bind: {create_host_path: true}}]",
        "volumes: [{type: bind, source: api, target: /x}]"),
    "services.*.volumes[].bind.create_host_path": (
        "volumes: [{type: bind, source: api, target: /x, bind: {create_host_path: true}}]",
        "volumes: [{type: bind, source: api, target: /x}]"),
    "services.*.volumes[].read_only": ("volumes: ['/x:ro']".replace("/x", "vol:/x"), "volumes: ['vol:/x']"),
    "services.*.volumes[].source": ("volumes: [{type: volume, source: vol, target: /x}]", "volumes: [{type: volume, target: /x}]"),
    "services.*.volumes[].target": ("volumes: [{type: volume, target: /y}]", "volumes: [{type: volume, target: /x}]"),
    "services.*.volumes[].tmpfs": ("volumes: [{type: tmpfs, target: /x, tmpfs: {size: 1}}]", "volumes: [{type: tmpfs, target: /x}]"),
    "services.*.volumes[].tmpfs.mode": (
        "volumes: [{type: tmpfs, target: /x, tmpfs: {mode: 0700}}]", "volumes: [{type: tmpfs, target: /x}]"),
    "services.*.volumes[].tmpfs.size": ("volumes: [{type: tmpfs, target: /x, tmpfs: {size: 1}}]", "volumes: [{type: tmpfs, target: /x}]"),
    "services.*.volumes[].type": ("volumes: [{type: tmpfs, target: /x}]", "volumes: [{type: volume, target: /x}]"),
    "services.*.volumes[].volume": (
        "volumes: [{type: volume, source: vol, target: /x, volume: {nocopy: true}}]", "volumes: ['vol:/x']"),
    "services.*.volumes[].volume.nocopy": (
        "volumes: [{type: volume, source: vol, target: /x, volume: {nocopy: true}}]", "volumes: ['vol:/x']"),
    "services.*.volumes[].volume.subpath": (
        "volumes: [{type: volume, source: vol, target: /x, volume: {subpath: a}}]", "volumes: ['vol:/x']"),
    "services.*.working_dir": ("working_dir: /x", WITHOUT),
}  # fmt: skip
"""A key -> attributes of a service with it, and without it (or with another value)."""

ELSEWHERE = {
    "include": "test_extends_and_include",
    "include[].env_file": "test_extends_and_include",
    "include[].path": "test_extends_and_include",
    "include[].project_directory": "test_extends_and_include",
    "services": "every test",
    "networks": "test_networks",
    "networks.*.internal": "test_networks",
    "networks.*.enable_ipv6": "test_networks",
    "networks.*.ipam.config[].aux_addresses": "noted with its parent",
    "networks.*.ipam.config[].gateway": "noted with its parent",
    "networks.*.ipam.config[].ip_range": "noted with its parent",
    "networks.*.ipam.config[].subnet": "test_addresses",
    "volumes": "test_volumes",
    "volumes.*.labels": "test_volumes",
    "configs": "test_configs_and_secrets",
    "configs.*.content": "test_configs_and_secrets",
    "configs.*.environment": "test_configs_and_secrets",
    "configs.*.file": "test_configs_and_secrets",
    "secrets": "test_configs_and_secrets",
    "secrets.*.environment": "test_secrets_of_the_plan",
    "secrets.*.file": "test_configs_and_secrets",
    "services.*.volumes[].image.subpath": "its parent is refused",
    "services.*.env_file[].required": "test_environment",
}


def places() -> list[str]:
    return sorted(f"{place}.{key}".removeprefix(".") for place, keys in KEYS.items() for key in keys)


@pytest.mark.parametrize("place", places())
def test_every_key_is_read_noted_or_refused(place: str):
    assert place in CHANGES or place in NOTES or place in REFUSALS or place in ELSEWHERE


@pytest.mark.parametrize("place", sorted(CHANGES))
def test_what_is_called_converted_changes_the_stack(repository: Repository, place: str):
    for file in ("Dockerfile", "api/Dockerfile"):
        repository.file(file, "FROM x")
    repository.file("one.env", "A='b'\n")
    repository.file("other.yaml", "services: {x: {image: a, user: x}, y: {image: a}}")
    (with_it, without_it) = (
        repository.loaded(stack_of(attributes), profiles=["p"]) for attributes in CHANGES[place]
    )
    assert not with_it.problems, with_it.problems
    assert not without_it.problems
    assert with_it.stack != without_it.stack


def stack_of(attributes: str) -> str:
    named = "" if "image:" in attributes or "build:" in attributes else "    image: app\n"
    lines = "".join(f"    {line}\n" for line in attributes.splitlines())
    return f"services:\n  web:\n{named}{lines}  db: {{image: db}}\n{TOP}"


@pytest.mark.parametrize("place", sorted({*REFUSALS, *NOTES}))
def test_refusals_and_notes_are_about_keys_that_are_known(place: str):
    assert place in places()


def test_long_forms_are_of_places_that_are_known():
    known = {*places(), *KEYS}
    assert [
        place for place in LONG_FORMS if place not in known and place.removesuffix("[]") not in known
    ] == []


def test_unknown_keys_are_said_with_line_and_the_nearest_right_key(repository: Repository):
    problems = repository.loaded(
        """
        services:
          web:
            image: app
            enviroment: {A: b}
            healthcheck: {test: x, timeut: 1s}
        volums: {}
        web: {image: app}
        x-mine: {anything: goes}
        """
    ).problems
    assert [(problem.line, problem.message, problem.remedy) for problem in problems] == [
        (5, "unknown key `enviroment`", "Did you mean `environment`?"),
        (6, "unknown key `timeut`", "Did you mean `timeout`?"),
        (7, "unknown key `volums`", "Did you mean `volumes`?"),
        (8, "unknown key `web`", "If it is a service, put it under `services:`."),
    ]


def test_the_keys_are_those_of_the_specification():
    root = os.environ.get("CONDUCTOR_CONTRACTS")
    if not root:
        pytest.skip("CONDUCTOR_CONTRACTS is unset: the specification's schema is not here")
    schema = json.loads((Path(root) / "specs" / "compose-spec.json").read_text())
    definitions = schema["definitions"]
    assert set(schema["properties"]) <= KEYS[""]
    assert set(definitions["service"]["properties"]) <= KEYS["services.*"]
    for name in ("network", "volume", "secret", "config"):
        assert set(definitions[name]["properties"]) <= KEYS[f"{name}s.*"]
    assert set(definitions["healthcheck"]["properties"]) == KEYS["services.*.healthcheck"]
    assert set(definitions["deployment"]["properties"]) == KEYS["services.*.deploy"]

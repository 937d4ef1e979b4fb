"""A small example of each key that is converted: the reference shows them, and tests see that each changes what is made of a file.

A sample is a service's attributes, with the key and without it (or with another value), or two whole files.
"""

from __future__ import annotations

from collections.abc import Mapping

NOTHING = "init: false"

SAMPLES: Mapping[str, tuple[str, str]] = {
    "configs": (
        "services: {web: {image: app, configs: [c]}}\nconfigs: {c: {content: text}}",
        "services: {web: {image: app}}",
    ),
    "configs.*.content": (
        "services: {web: {image: app, configs: [c]}}\nconfigs: {c: {content: text}}",
        "services: {web: {image: app, configs: [c]}}\nconfigs: {c: {content: other}}",
    ),
    "configs.*.environment": (
        "services: {web: {image: app, configs: [c]}}\nconfigs: {c: {environment: NAME}}",
        "services: {web: {image: app, configs: [c]}}\nconfigs: {c: {content: other}}",
    ),
    "configs.*.file": (
        "services: {web: {image: app, configs: [c]}}\nconfigs: {c: {file: one.env}}",
        "services: {web: {image: app, configs: [c]}}\nconfigs: {c: {content: other}}",
    ),
    "include": (
        "include: [other.yaml]\nservices: {web: {image: app}}",
        "include: []\nservices: {web: {image: app}}",
    ),
    "include[].env_file": (
        "include: [{path: named.yaml, env_file: one.env}]\nservices: {web: {image: app}}",
        "include: [{path: named.yaml}]\nservices: {web: {image: app}}",
    ),
    "include[].path": (
        "include: [{path: other.yaml}]\nservices: {web: {image: app}}",
        "include: []\nservices: {web: {image: app}}",
    ),
    "include[].project_directory": (
        "include: [{path: built.yaml, project_directory: .}]\nservices: {web: {image: app}}",
        "include: [{path: built.yaml, project_directory: api}]\nservices: {web: {image: app}}",
    ),
    "networks": (
        "services: {web: {image: app, networks: [n]}}\nnetworks: {n: {}}",
        "services: {web: {image: app}}",
    ),
    "networks.*.enable_ipv6": (
        "services: {web: {image: app, networks: [n]}}\nnetworks: {n: {enable_ipv6: true}}",
        "services: {web: {image: app, networks: [n]}}\nnetworks: {n: {}}",
    ),
    "networks.*.internal": (
        "services: {web: {image: app, networks: [n]}}\nnetworks: {n: {internal: true}}",
        "services: {web: {image: app, networks: [n]}}\nnetworks: {n: {}}",
    ),
    "networks.*.ipam.config[].aux_addresses": (
        "services: {web: {image: app, networks: [n]}}\nnetworks: {n: {ipam: {config: [{aux_addresses: {a: 10.9.0.2}}]}}}",
        "services: {web: {image: app, networks: [n]}}\nnetworks: {n: {}}",
    ),
    "networks.*.ipam.config[].gateway": (
        "services: {web: {image: app, networks: [n]}}\nnetworks: {n: {ipam: {config: [{subnet: 10.9.0.0/16, gateway: 10.9.0.1}]}}}",
        "services: {web: {image: app, networks: [n]}}\nnetworks: {n: {}}",
    ),
    "networks.*.ipam.config[].ip_range": (
        "services: {web: {image: app, networks: [n]}}\nnetworks: {n: {ipam: {config: [{subnet: 10.9.0.0/16, ip_range: 10.9.1.0/24}]}}}",
        "services: {web: {image: app, networks: [n]}}\nnetworks: {n: {}}",
    ),
    "networks.*.ipam.config[].subnet": (
        "services: {web: {image: app, networks: [n]}}\nnetworks: {n: {ipam: {config: [{subnet: 10.9.0.0/16}]}}}",
        "services: {web: {image: app, networks: [n]}}\nnetworks: {n: {}}",
    ),
    "secrets": (
        "services: {web: {image: app, secrets: [s]}}\nsecrets: {s: {file: one.env}}",
        "services: {web: {image: app}}",
    ),
    "secrets.*.environment": (
        "services: {web: {image: app, secrets: [s]}}\nsecrets: {s: {environment: NAME}}",
        "services: {web: {image: app, secrets: [s]}}\nsecrets: {s: {file: one.env}}",
    ),
    "secrets.*.file": (
        "services: {web: {image: app, secrets: [s]}}\nsecrets: {s: {file: one.env}}",
        "services: {web: {image: app, secrets: [s]}}\nsecrets: {s: {file: Dockerfile}}",
    ),
    "services": ("services: {web: {image: app}, db: {image: db}}", "services: {web: {image: app}}"),
    "services.*.annotations": ("annotations: {a: b}", NOTHING),
    "services.*.blkio_config": ("blkio_config: {weight: 300}", NOTHING),
    "services.*.blkio_config.weight": ("blkio_config: {weight: 300}", NOTHING),
    "services.*.build": ("build: api", NOTHING),
    "services.*.build.args": ("build: {context: api, args: {A: b}}", "build: {context: api}"),
    "services.*.build.context": ("build: {context: .}", "build: {context: api}"),
    "services.*.build.dockerfile": (
        "build: {context: api, dockerfile: ../Dockerfile}",
        "build: {context: api}",
    ),
    "services.*.build.dockerfile_inline": (
        "build: {context: api, dockerfile_inline: FROM x}",
        "build: {context: api}",
    ),
    "services.*.build.extra_hosts": (
        "build: {context: api, extra_hosts: {a: 10.0.0.2}}",
        "build: {context: api}",
    ),
    "services.*.build.labels": ("build: {context: api, labels: {a: b}}", "build: {context: api}"),
    "services.*.build.network": ("build: {context: api, network: none}", "build: {context: api}"),
    "services.*.build.no_cache": ("build: {context: api, no_cache: true}", "build: {context: api}"),
    "services.*.build.platforms": (
        "build: {context: api, platforms: [linux/arm64]}",
        "build: {context: api}",
    ),
    "services.*.build.pull": ("build: {context: api, pull: true}", "build: {context: api}"),
    "services.*.build.shm_size": ("build: {context: api, shm_size: 64m}", "build: {context: api}"),
    "services.*.build.target": ("build: {context: api, target: x}", "build: {context: api}"),
    "services.*.build.ulimits": ("build: {context: api, ulimits: {nofile: 1024}}", "build: {context: api}"),
    "services.*.cap_add": ("cap_drop: [ALL]\ncap_add: [CHOWN]", "cap_drop: [ALL]"),
    "services.*.cap_drop": ("cap_drop: [ALL]", NOTHING),
    "services.*.command": ("command: run --now", NOTHING),
    "services.*.configs": ("configs: [c]", NOTHING),
    "services.*.configs[].gid": ("configs: [{source: c, gid: '1'}]", "configs: [c]"),
    "services.*.configs[].mode": ("configs: [{source: c, mode: 0400}]", "configs: [c]"),
    "services.*.configs[].source": ("configs: [{source: c}]", NOTHING),
    "services.*.configs[].target": ("configs: [{source: c, target: /x}]", "configs: [c]"),
    "services.*.configs[].uid": ("configs: [{source: c, uid: '1'}]", "configs: [c]"),
    "services.*.container_name": ("container_name: the-web", NOTHING),
    "services.*.cpu_period": ("cpu_quota: 100\ncpu_period: 200", "cpu_quota: 100"),
    "services.*.cpu_quota": ("cpu_quota: 100", NOTHING),
    "services.*.cpu_shares": ("cpu_shares: 512", NOTHING),
    "services.*.cpus": ("cpus: 1", NOTHING),
    "services.*.cpuset": ("cpuset: 0-1", NOTHING),
    "services.*.depends_on": ("depends_on: [db]", NOTHING),
    "services.*.depends_on.*.condition": (
        "depends_on: {db: {condition: service_healthy}}",
        "depends_on: [db]",
    ),
    "services.*.depends_on.*.required": (
        "depends_on: {db: {condition: service_started, required: false}}",
        "depends_on: [db]",
    ),
    "services.*.depends_on.*.restart": (
        "depends_on: {db: {condition: service_started, restart: true}}",
        "depends_on: [db]",
    ),
    "services.*.deploy": ("deploy: {replicas: 2}", NOTHING),
    "services.*.deploy.replicas": ("deploy: {replicas: 2}", NOTHING),
    "services.*.deploy.resources": ("deploy: {resources: {limits: {cpus: 1}}}", NOTHING),
    "services.*.deploy.resources.limits": ("deploy: {resources: {limits: {cpus: 1}}}", NOTHING),
    "services.*.deploy.resources.limits.cpus": ("deploy: {resources: {limits: {cpus: 1}}}", NOTHING),
    "services.*.deploy.resources.limits.memory": ("deploy: {resources: {limits: {memory: 1m}}}", NOTHING),
    "services.*.deploy.resources.limits.pids": ("deploy: {resources: {limits: {pids: 1}}}", NOTHING),
    "services.*.deploy.resources.reservations": ("deploy: {resources: {reservations: {cpus: 1}}}", NOTHING),
    "services.*.deploy.resources.reservations.cpus": (
        "deploy: {resources: {reservations: {cpus: 1}}}",
        NOTHING,
    ),
    "services.*.deploy.resources.reservations.memory": (
        "deploy: {resources: {reservations: {memory: 1m}}}",
        NOTHING,
    ),
    "services.*.deploy.restart_policy": ("deploy: {restart_policy: {condition: any}}", NOTHING),
    "services.*.deploy.restart_policy.condition": ("deploy: {restart_policy: {condition: any}}", NOTHING),
    "services.*.deploy.restart_policy.max_attempts": (
        "deploy: {restart_policy: {condition: on-failure, max_attempts: 2}}",
        "deploy: {restart_policy: {condition: on-failure}}",
    ),
    "services.*.dns": ("dns: 1.1.1.1", NOTHING),
    "services.*.dns_opt": ("dns_opt: ['ndots:1']", NOTHING),
    "services.*.dns_search": ("dns_search: example.com", NOTHING),
    "services.*.domainname": ("domainname: example.com", NOTHING),
    "services.*.entrypoint": ("entrypoint: /start", NOTHING),
    "services.*.env_file": ("env_file: one.env", NOTHING),
    "services.*.env_file[].format": (
        "env_file: [{path: one.env, format: raw}]",
        "env_file: [{path: one.env}]",
    ),
    "services.*.env_file[].path": ("env_file: [{path: one.env}]", NOTHING),
    "services.*.env_file[].required": ("env_file: [{path: none.env, required: false}]", NOTHING),
    "services.*.environment": ("environment: {A: b}", NOTHING),
    "services.*.expose": ("expose: [3000]", NOTHING),
    "services.*.extends.file": ("extends: {service: x, file: other.yaml}", NOTHING),
    "services.*.extends.service": (
        "extends: {service: x, file: other.yaml}",
        "extends: {service: y, file: other.yaml}",
    ),
    "services.*.extra_hosts": ("extra_hosts: {a: 1.1.1.1}", NOTHING),
    "services.*.group_add": ("group_add: ['1000']", NOTHING),
    "services.*.healthcheck": ("healthcheck: {test: [CMD, look]}", NOTHING),
    "services.*.healthcheck.disable": ("healthcheck: {disable: true}", NOTHING),
    "services.*.healthcheck.interval": (
        "healthcheck: {test: [CMD, look], interval: 1s}",
        "healthcheck: {test: [CMD, look]}",
    ),
    "services.*.healthcheck.retries": (
        "healthcheck: {test: [CMD, look], retries: 1}",
        "healthcheck: {test: [CMD, look]}",
    ),
    "services.*.healthcheck.start_interval": (
        "healthcheck: {test: [CMD, look], start_period: 9s, start_interval: 1s}",
        "healthcheck: {test: [CMD, look], start_period: 9s}",
    ),
    "services.*.healthcheck.start_period": (
        "healthcheck: {test: [CMD, look], start_period: 1s}",
        "healthcheck: {test: [CMD, look]}",
    ),
    "services.*.healthcheck.test": (
        "healthcheck: {test: curl -f localhost}",
        "healthcheck: {test: [CMD, look]}",
    ),
    "services.*.healthcheck.timeout": (
        "healthcheck: {test: [CMD, look], timeout: 1s}",
        "healthcheck: {test: [CMD, look]}",
    ),
    "services.*.hostname": ("hostname: db-1", NOTHING),
    "services.*.image": ("image: other", NOTHING),
    "services.*.ipc": ("ipc: 'service:db'", NOTHING),
    "services.*.network_mode": ("network_mode: 'service:db'", NOTHING),
    "services.*.pid": ("pid: 'service:db'", NOTHING),
    "services.*.init": ("init: true", NOTHING),
    "services.*.label_file": ("label_file: one.env", NOTHING),
    "services.*.labels": ("labels: {a: b}", NOTHING),
    "services.*.links": ("links: [db]", NOTHING),
    "services.*.mac_address": ("mac_address: 02:42:ac:11:65:43", NOTHING),
    "services.*.mem_limit": ("mem_limit: 1m", NOTHING),
    "services.*.mem_reservation": ("mem_reservation: 1m", NOTHING),
    "services.*.mem_swappiness": ("mem_swappiness: 10", NOTHING),
    "services.*.memswap_limit": ("mem_limit: 1g\nmemswap_limit: 2g", "mem_limit: 1g"),
    "services.*.networks": ("networks: [n]", NOTHING),
    "services.*.networks.*.aliases": ("networks: {n: {aliases: [a]}}", "networks: [n]"),
    "services.*.networks.*.mac_address": ("networks: {n: {mac_address: 02:42:ac:11:65:43}}", "networks: [n]"),
    "services.*.oom_score_adj": ("oom_score_adj: 500", NOTHING),
    "services.*.pids_limit": ("pids_limit: 1", NOTHING),
    "services.*.platform": ("platform: linux/arm64", NOTHING),
    "services.*.ports": ("ports: ['8080:80']", NOTHING),
    "services.*.ports[].name": ("ports: [{target: 1, name: a}]", "ports: [1]"),
    "services.*.ports[].protocol": ("ports: [{target: 1, protocol: udp}]", "ports: [1]"),
    "services.*.ports[].published": ("ports: [{target: 1, published: 2}]", "ports: [1]"),
    "services.*.ports[].target": ("ports: [{target: 2}]", "ports: [1]"),
    "services.*.post_start": ("post_start: [{command: warm}]", NOTHING),
    "services.*.post_start[].command": ("post_start: [{command: warm}]", NOTHING),
    "services.*.post_start[].environment": (
        "post_start: [{command: warm, environment: {A: b}}]",
        "post_start: [{command: warm}]",
    ),
    "services.*.post_start[].user": (
        "post_start: [{command: warm, user: root}]",
        "post_start: [{command: warm}]",
    ),
    "services.*.post_start[].working_dir": (
        "post_start: [{command: warm, working_dir: /x}]",
        "post_start: [{command: warm}]",
    ),
    "services.*.pre_stop": ("pre_stop: [{command: drain}]", NOTHING),
    "services.*.pre_stop[].command": ("pre_stop: [{command: drain}]", NOTHING),
    "services.*.pre_stop[].environment": (
        "pre_stop: [{command: drain, environment: {A: b}}]",
        "pre_stop: [{command: drain}]",
    ),
    "services.*.pre_stop[].user": (
        "pre_stop: [{command: drain, user: root}]",
        "pre_stop: [{command: drain}]",
    ),
    "services.*.pre_stop[].working_dir": (
        "pre_stop: [{command: drain, working_dir: /x}]",
        "pre_stop: [{command: drain}]",
    ),
    "services.*.profiles": ("profiles: [p]", NOTHING),
    "services.*.pull_policy": ("pull_policy: always", NOTHING),
    "services.*.read_only": ("read_only: true", NOTHING),
    "services.*.restart": ("restart: always", NOTHING),
    "services.*.scale": ("scale: 2", NOTHING),
    "services.*.secrets": ("secrets: [s]", NOTHING),
    "services.*.secrets[].gid": (
        "services: {web: {image: app, secrets: [{source: s, gid: '1'}]}}\nsecrets: {s: {environment: NAME}}",
        "services: {web: {image: app, secrets: [s]}}\nsecrets: {s: {environment: NAME}}",
    ),
    "services.*.secrets[].mode": (
        "services: {web: {image: app, secrets: [{source: s, mode: 0400}]}}\nsecrets: {s: {environment: NAME}}",
        "services: {web: {image: app, secrets: [s]}}\nsecrets: {s: {environment: NAME}}",
    ),
    "services.*.secrets[].source": ("secrets: [{source: s}]", NOTHING),
    "services.*.secrets[].target": ("secrets: [{source: s, target: x}]", "secrets: [s]"),
    "services.*.secrets[].uid": (
        "services: {web: {image: app, secrets: [{source: s, uid: '1'}]}}\nsecrets: {s: {environment: NAME}}",
        "services: {web: {image: app, secrets: [s]}}\nsecrets: {s: {environment: NAME}}",
    ),
    "services.*.security_opt": ("security_opt: ['no-new-privileges:true']", NOTHING),
    "services.*.shm_size": ("shm_size: 1m", NOTHING),
    "services.*.stdin_open": ("stdin_open: true", NOTHING),
    "services.*.stop_grace_period": ("stop_grace_period: 1m", NOTHING),
    "services.*.stop_signal": ("stop_signal: SIGINT", NOTHING),
    "services.*.sysctls": ("sysctls: {net.ipv4.tcp_syncookies: 0}", NOTHING),
    "services.*.tmpfs": ("tmpfs: /x", NOTHING),
    "services.*.tty": ("tty: true", NOTHING),
    "services.*.ulimits": ("ulimits: {nofile: 1024}", NOTHING),
    "services.*.ulimits.*.hard": ("ulimits: {nofile: {soft: 1, hard: 2}}", "ulimits: {nofile: 1}"),
    "services.*.ulimits.*.soft": ("ulimits: {nofile: {soft: 1, hard: 2}}", "ulimits: {nofile: 2}"),
    "services.*.user": ("user: '1000:1000'", NOTHING),
    "services.*.volumes": ("volumes: ['vol:/x']", NOTHING),
    "services.*.volumes[].bind": (
        "volumes: [{type: bind, source: api, target: /x, bind: {create_host_path: false}}]",
        "volumes: [{type: bind, source: api, target: /x}]",
    ),
    "services.*.volumes[].bind.create_host_path": (
        "volumes: [{type: bind, source: api, target: /x, bind: {create_host_path: false}}]",
        "volumes: [{type: bind, source: api, target: /x}]",
    ),
    "services.*.volumes[].read_only": ("volumes: ['vol:/x:ro']", "volumes: ['vol:/x']"),
    "services.*.volumes[].source": (
        "volumes: [{type: volume, source: vol, target: /x}]",
        "volumes: [{type: volume, target: /x}]",
    ),
    "services.*.volumes[].target": (
        "volumes: [{type: volume, target: /y}]",
        "volumes: [{type: volume, target: /x}]",
    ),
    "services.*.volumes[].tmpfs": (
        "volumes: [{type: tmpfs, target: /x, tmpfs: {size: 1}}]",
        "volumes: [{type: tmpfs, target: /x}]",
    ),
    "services.*.volumes[].tmpfs.mode": (
        "volumes: [{type: tmpfs, target: /x, tmpfs: {mode: 0700}}]",
        "volumes: [{type: tmpfs, target: /x}]",
    ),
    "services.*.volumes[].tmpfs.size": (
        "volumes: [{type: tmpfs, target: /x, tmpfs: {size: 1}}]",
        "volumes: [{type: tmpfs, target: /x}]",
    ),
    "services.*.volumes[].type": (
        "volumes: [{type: tmpfs, target: /x}]",
        "volumes: [{type: volume, target: /x}]",
    ),
    "services.*.volumes[].volume": (
        "volumes: [{type: volume, source: vol, target: /x, volume: {nocopy: true}}]",
        "volumes: ['vol:/x']",
    ),
    "services.*.volumes[].volume.nocopy": (
        "volumes: [{type: volume, source: vol, target: /x, volume: {nocopy: true}}]",
        "volumes: ['vol:/x']",
    ),
    "services.*.volumes[].volume.subpath": (
        "volumes: [{type: volume, source: vol, target: /x, volume: {subpath: a}}]",
        "volumes: ['vol:/x']",
    ),
    "services.*.volumes_from": ("volumes_from: [db]", NOTHING),
    "services.*.working_dir": ("working_dir: /x", NOTHING),
    "volumes": (
        "services: {web: {image: app, volumes: ['data:/x']}}\nvolumes: {data: }",
        "services: {web: {image: app}}",
    ),
    "volumes.*.labels": (
        "services: {web: {image: app, volumes: ['data:/x']}}\nvolumes: {data: {labels: {a: b}}}",
        "services: {web: {image: app, volumes: ['data:/x']}}\nvolumes: {data: }",
    ),
}

ODD: Mapping[str, tuple[str, ...]] = {
    "services.*.cap_add": ("cap_add: [NET_ADMIN]",),
    "services.*.command": ("command: []",),
    "services.*.container_name": ("container_name: The_Web",),
    "services.*.deploy.replicas": ("deploy: {replicas: 2}\nvolumes: ['vol:/x']",),
    "services.*.entrypoint": ("entrypoint: []",),
    "services.*.environment": ("environment: {a b: c}",),
    "services.*.group_add": ("group_add: [staff]",),
    "services.*.hostname": ("hostname: db.example",),
    "services.*.stop_signal": ("stop_signal: SIGINT",),
    "services.*.sysctls": ("sysctls: {net.core.somaxconn: 1024}",),
    "services.*.user": ("user: postgres",),
    "services.*.volumes": ("volumes: [{type: bind, source: api, target: '/a:b'}]",),
}
"""Values that only some engines take."""

BESIDE: Mapping[str, str] = {
    "Dockerfile": "FROM scratch\n",
    "api/Dockerfile": "FROM scratch\n",
    "one.env": "A='b'\n",
    "other.yaml": "services: {x: {image: a, user: '5'}, y: {image: a}}\n",
    "named.yaml": "services: {z: {image: 'a:$A'}}\n",
    "built.yaml": "services: {z: {build: .}}\n",
}
"""The files that the samples name."""

NAMED = "volumes: {vol: }\nnetworks: {n: , m: }\nconfigs: {c: {content: x}}\nsecrets: {s: {file: one.env}}\n"
VARIABLES: Mapping[str, str] = {"NAME": "value"}


def compose_file(sample: str) -> str:
    """Write the compose file of a sample."""
    if sample.startswith(("services:", "include:")):
        return sample
    image = "" if any(key in sample for key in ("image:", "build:")) else "    image: app\n"
    lines = "".join(f"    {line}\n" for line in sample.splitlines())
    return f"services:\n  web:\n{image}{lines}  db: {{image: db}}\n{NAMED}"

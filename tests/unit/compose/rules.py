# ruff: noqa: E501 -- a case is one line, and read as one
"""Small compose files, one for each rule: the oracle says what they mean, and so do we.

A case is one file, or several by their names; `one.yaml` and `two.yaml` are laid over each other.
"""

from __future__ import annotations

from collections.abc import Mapping

Case = str | Mapping[str, str]


def web(*lines: str, rest: str = "") -> str:
    """Write a file with the service `web` of these attributes, and a service `db`."""
    attributes = "".join(f"    {line}\n" for line in lines)
    return f"services:\n  web:\n    image: app\n{attributes}  db: {{image: db}}\n{rest}"


def two(one: list[str], over: list[str], rest: str = "") -> Mapping[str, str]:
    """Write two files over each other: the service `web` of these attributes, and more of it."""
    more = "".join(f"    {line}\n" for line in over)
    return {"one.yaml": web(*one, rest=rest), "two.yaml": f"services:\n  web:\n{more}"}


PLAIN = "services: {web: {image: x}}\n"

ATTRIBUTES: Mapping[str, Case] = {
    "annotations list": web("annotations: [a=b, c]"),
    "annotations map": web("annotations: {a: b, c: 1, d: }"),
    "blkio": web("blkio_config: {weight: 300}"),
    "cap": web("cap_add: [NET_ADMIN, NET_ADMIN]"),
    "cap2": web("cap_add: [NET_ADMIN]", "cap_drop: [ALL]"),
    "cpus": web("cpus: 0.5", "cpu_shares: 73", "cpuset: 0-1", "cpu_quota: 50000", "cpu_period: 20ms"),
    "cpus2": web("cpu_quota: 50000", "cpu_period: 100000"),
    "cpus3": web("cpus: '1.5'", 'cpu_shares: "73"', 'cpuset: "0"'),
    "mem": web("mem_limit: 512m", "memswap_limit: 1g", "mem_swappiness: 10", "mem_reservation: 1k"),
    "mem -1": web("mem_limit: 512m", "memswap_limit: -1"),
    'mem "-1"': web("mem_limit: 512m", 'memswap_limit: "-1"'),
    "mem float": web("mem_limit: 1.5g", "shm_size: 1.5gb"),
    "mem b": web("mem_limit: 500000b"),
    "mem num": web("mem_limit: 50000000"),
    "dns": web("dns: 1.1.1.1", "dns_search: a", 'dns_opt: [use-vc, "ndots:2"]'),
    "dns str opt": web("dns_opt: use-vc"),
    "hosts": web('extra_hosts: ["a=1.1.1.1","b:::1","c=[::1]","d:[fe80::1]"]'),
    "hosts map": web('extra_hosts: {a: 1.1.1.1, b: "::1"}'),
    "hosts two": web('extra_hosts: ["a=1.1.1.1","a=2.2.2.2"]'),
    "hosts map list": web("extra_hosts: {a: [1.1.1.1, 1.1.1.1]}"),
    "health only times": web("healthcheck: {interval: 5s, retries: 3}"),
    "health empty": web("healthcheck: {}"),
    "health disable": web("healthcheck: {disable: true}"),
    "health disable + test": web("healthcheck: {disable: true, test: x}"),
    "health NONE": web("healthcheck: {test: [NONE]}"),
    "health NONE str": web("healthcheck: {test: NONE}"),
    "health bad": web("healthcheck: {test: [x]}"),
    "health empty list": web("healthcheck: {test: []}"),
    "health empty cmd": web('healthcheck: {test: ["CMD"]}'),
    "health quotes": web("""healthcheck: {test: 'curl "a b" || exit 1', retries: "4", interval: 1m30s}"""),
    "health retries 0": web("healthcheck: {test: x, retries: 0}"),
    "hooks": web(
        "post_start: [{command: ./do it, user: root, environment: [A=b, C], working_dir: /x}, {command: [a, b], environment: {A: 1}}]",
        "pre_stop: [{command: x y}]",
    ),
    "hook privileged false": web("post_start: [{command: x, privileged: false}]"),
    "hook no command": web("post_start: [{user: x}]"),
    "ipc": web("ipc: shareable", rest='  b: {image: x, ipc: "service:web"}\n'),
    "pid": web('pid: "service:db"'),
    "pid unknown": web('pid: "service:nope"'),
    "ipc unknown": web('ipc: "service:nope"'),
    "netmode unknown": web('network_mode: "service:nope"'),
    "netmode svc": web('network_mode: "service:db"'),
    "netmode svc+dep": web('network_mode: "service:db"', "depends_on: {db: {condition: service_healthy}}"),
    "netmode none": web("network_mode: none"),
    "netmode bridge": web("network_mode: bridge", "links: [db]"),
    "netmode default": web("network_mode: default"),
    "netmode + networks": web("network_mode: bridge", "networks: [default]"),
    "netmode + networks empty": web("network_mode: bridge", "networks: []"),
    "mac": web("mac_address: 02:42:ac:11:00:02"),
    "mac net": web("networks: {default: {mac_address: 02:42:ac:11:00:02}}"),
    "oom": web("oom_score_adj: 500"),
    "oom str": web('oom_score_adj: "500"'),
    "oom kill": web("oom_kill_disable: false"),
    "labels": web('labels: [a=b, c, "d=e=f"]'),
    "labels map": web("labels: {a: 1, b: true, c: , d: 1.50}"),
    "label_file": {
        "one.yaml": web("label_file: l.env", "labels: {a: own}"),
        "l.env": 'a=file\nb=$X\nc="q r"\n# x\n',
    },
    "env": web(
        'environment: {A: 1, B: true, C: , D: 1.50, E: "x=y", F: 012, G: 0x1F, H: 1e3, I: ~, J: "", K: .5, L: 1_000, M: yes, N: 12:30, O: 2020-01-01, P: 0o17}'
    ),
    "env list": web('environment: [A=1, B, "C=", "D=a=b"]'),
    "env spaces": web('environment: ["A =1"]'),
    "expose": web('expose: [80, "81", "82-84", "85/udp", "86/tcp"]'),
    "ports": web(
        'ports: [80, "81", "1:82", "127.0.0.1:2:83/udp", "3000-3002:84-86", "90-91", "5000-5010:87", {target: 88, published: "90-92", host_ip: 0.0.0.0, protocol: tcp, mode: host, name: x, app_protocol: http}, "[::1]:6:89", "127.0.0.1::99"]'
    ),
    "ports bad": web('ports: ["a:b"]'),
    "ports bad2": web('ports: ["1-3:1-2"]'),
    "ports sctp": web('ports: ["1:1/sctp"]'),
    "ports TCP": web('ports: ["1:1/TCP"]'),
    "ports float": web("ports: [80.5]"),
    "ports dup": web('ports: ["80:80","80:80"]'),
    "ports sexagesimal": web("ports: [22:22]"),
    "restart": web("restart: on-failure:3"),
    "restart no": web("restart: no"),
    'restart "no"': web('restart: "no"'),
    "restart false": web("restart: false"),
    "restart bad": web("restart: sometimes"),
    "policy": web(
        "deploy: {restart_policy: {condition: on-failure, max_attempts: 3, delay: 5s, window: 1m}}"
    ),
    "policy none": web("deploy: {restart_policy: {condition: none}}"),
    "policy empty": web("deploy: {restart_policy: {}}"),
    "policy any attempts": web("deploy: {restart_policy: {condition: any, max_attempts: 3}}"),
    "deploy": web(
        'deploy: {mode: global, replicas: 2, resources: {limits: {cpus: "0.5", memory: 50M, pids: 10}, reservations: {cpus: 0.25, memory: 20M}}, labels: [a], endpoint_mode: vip, update_config: {parallelism: 2}}'
    ),
    "scale+replicas": web("scale: 2", "deploy: {replicas: 3}"),
    "scale": web('scale: "2"'),
    "limits+mem": web("mem_limit: 10m", "deploy: {resources: {limits: {memory: 20m}}}"),
    "security_opt": web('security_opt: ["no-new-privileges:true"]'),
    "security_opt=": web('security_opt: ["no-new-privileges=true"]'),
    "security_opt short": web('security_opt: ["no-new-privileges"]'),
    "stop": web("stop_grace_period: 1m30.5s", "stop_signal: SIGINT"),
    "stop d": web("stop_grace_period: 1d"),
    "stop num": web("stop_grace_period: 10"),
    "stop str num": web('stop_grace_period: "10"'),
    "sysctls": web('sysctls: {net.core.somaxconn: 1024, a: "b"}'),
    "sysctls list": web("sysctls: [net.core.somaxconn=1024]"),
    "tmpfs": web('tmpfs: ["/run:size=64m,mode=755,uid=1,gid=2,noexec,rw", /tmp]'),
    "tmpfs str": web("tmpfs: /run"),
    "ulimits": web('ulimits: {nproc: 65535, nofile: {soft: 1, hard: "2"}}'),
    "ulimits str": web('ulimits: {nproc: "65535"}'),
    "user": web(
        'user: "1000:1000"', "working_dir: /x", 'group_add: [1, "2"]', "hostname: h", "domainname: d"
    ),
    "user int": web("user: 1000"),
    "hostname int": web("hostname: 1"),
    "image int": "services: {web: {image: 1}}\n",
    "volumes_from": web(
        'volumes: [/a, "vol:/b", "./c:/c:ro"]',
        rest='  b: {image: x, volumes_from: ["web:ro"]}\n  c: {image: x, volumes_from: [b], volumes: ["vol:/a"]}\nvolumes: {vol: }\n',
    ),
    "volumes_from unknown": web("volumes_from: [nope]"),
    "volumes_from self": web("volumes_from: [web]"),
    "volumes": web(
        'volumes: ["vol:/a:ro,z", "./x:/x:cached", "/anon", "vol:/n:nocopy", {type: volume, source: vol, target: /s, volume: {subpath: a/b, nocopy: true}}, {type: tmpfs, target: /t, tmpfs: {size: 64m, mode: 0700}}, {type: tmpfs, target: /u, tmpfs: {size: 1000, mode: 448}}, {type: bind, source: ./b, target: /bb, read_only: true, bind: {create_host_path: true, propagation: rprivate}}]',
        rest="volumes: {vol: {labels: [a=b]}}\n",
    ),
    "volume undefined": web('volumes: ["vol:/a"]'),
    "volume rel target": web('volumes: ["vol:a"]', rest="volumes: {vol: }\n"),
    "volume dup": web('volumes: ["./a:/x", "./b:/x"]'),
    "volume trailing": web('volumes: ["./a:/x/", "./b/:/y/../z"]'),
    "volume bind dir": web(
        'volumes: ["vol:/x"]',
        rest="volumes: {vol: {driver: local, driver_opts: {type: none, o: bind, device: ./}}}\n",
    ),
    "configs": web(
        'configs: [c, {source: c, target: /t, mode: 0440, uid: "1", gid: "2"}, {source: d, mode: "0400"}, {source: c, target: rel, mode: 440}]',
        rest='configs: {c: {content: "x $$y"}, d: {file: ./d.txt}}\n',
    ),
    "secrets": web(
        'secrets: [c, {source: c, target: /t, mode: 0440, uid: "1", gid: "2"}, {source: c, target: rel}]',
        rest="secrets: {c: {file: ./c.txt}}\n",
    ),
    "config env": {
        "one.yaml": web("configs: [c]", rest="configs: {c: {environment: CC}}\n"),
        ".env": "CC=val\n",
    },
    "config undefined": web("configs: [c]"),
    "config two": web("configs: [c]", rest="configs: {c: {content: x, file: y}}\n"),
    "build": {
        "one.yaml": web(
            "build: {context: ./d, dockerfile: X, args: [A=1, B], labels: [a=b], target: t, network: none, no_cache: true, pull: true, shm_size: 64m, tags: [x], cache_from: [y], platforms: [linux/amd64]}"
        )
    },
    "build platform": web(
        "build: {context: ., platforms: [linux/amd64, linux/arm64]}", "platform: linux/arm64"
    ),
    "build platform2": web("build: {context: ., platforms: [linux/amd64, linux/arm64]}"),
    "build platform3": web("build: {context: ., platforms: [linux/amd64]}", "platform: linux/arm64"),
    "build str": web("build: ."),
    "build abs dockerfile inline": web('build: {dockerfile_inline: "FROM x"}'),
    "pull daily": web("pull_policy: daily"),
    "pull every": web("pull_policy: every_12h"),
    "pull bad": web("pull_policy: x"),
    "networks": web(
        "networks: {a: {aliases: [x, y], priority: 3}, b: }",
        rest="networks: {a: {internal: true, labels: {a: b}}, b: {enable_ipv6: true, driver: bridge, attachable: true}}\n",
    ),
    "network name same": web("networks: [a]", rest="networks: {a: {name: n}}\n"),
    "external net": web("networks: [a]", rest="networks: {a: {external: true}}\n"),
    "external net name": web("networks: [a]", rest="networks: {a: {external: {name: foo}}}\n"),
    "ipam": web(
        "networks: [a]",
        rest="networks: {a: {ipam: {driver: default, config: [{subnet: 172.20.0.0/16, gateway: 172.20.0.1}]}}}\n",
    ),
    "ipam used": web(
        "networks: [a]",
        "environment: {IP: 172.20.0.9}",
        rest="networks: {a: {ipam: {config: [{subnet: 172.20.0.0/16}]}}}\n",
    ),
    "links alias": web('links: ["db:database", db]'),
    "links alias conflict": web('links: ["db:other"]', rest="  other: {image: x}\n"),
    "depends": web("depends_on: {db: {condition: service_healthy, required: false, restart: true}}"),
    "depends unknown opt": web("depends_on: {nope: {condition: service_started, required: false}}"),
    "depends bad": web("depends_on: {db: {condition: x}}"),
    "depends no cond": web("depends_on: {db: {}}"),
    "depends self": web("depends_on: [web]"),
    "tty": web("tty: true", 'stdin_open: "true"', 'init: "yes"', "read_only: false"),
    "bool 1": web("tty: 1"),
    'bool "on"': web('tty: "on"'),
    "profiles": web("profiles: [a]"),
    "profiles dep": web("depends_on: [p]", rest="  p: {image: x, profiles: [q]}\n"),
    "attach": web("attach: false", "logging: {driver: json-file, options: {max-size: 10m, n: 1}}"),
    "x": web("x-foo: {a: b}", rest="x-top: 1\nvolumes: {v: {x-a: 1}}\n"),
    "command": web("command: 'a \"b c\" d\\\\ e'", 'entrypoint: ["", "x"]'),
    "command empty": web('command: ""', "entrypoint: []"),
    "command null": web("command: null", 'entrypoint: ""'),
    "command []": web("command: []"),
    "command multi": web("command: >", "  a", "  b", "entrypoint: |", "  x y", "  z"),
    "command num": web("command: [1]"),
    "command dollars": web('command: [sh, -c, "echo $$HOME $$$$ $${X}"]'),
    "name norm": "name: My App\n" + web(),
    "name ok": "name: my-app_1\n" + web('container_name: "${COMPOSE_PROJECT_NAME}-x"'),
    "version": 'version: "3"\n' + web(),
    "version num": "version: 3\n" + web(),
}

LOADING: Mapping[str, Case] = {
    "date env": web("environment: {A: 2020-01-01}"),
    "date x": web("x-a: 2020-01-01"),
    "date label": web("labels: {a: 2020-01-01}"),
    "date label list": web("labels: [2020-01-01]"),
    "datetime": web("environment: {A: 2001-12-14t21:59:43.10-05:00}"),
    "date quoted": web('environment: {A: "2020-01-01"}'),
    "date image": "services: {web: {image: 2020-01-01}}",
    "date spaced": web("environment: {A: 2001-12-14 21:59:43}"),
    "date short": web("environment: {A: 2001-1-4}"),
    "not a date": web("environment: {A: 2001-13-44}"),
    "merge cmd": two(["command: [a, b]", "entrypoint: [x]"], ["command: [c]"]),
    "merge ports": two(['ports: ["80:80","81:81"]'], ['ports: ["80:80","82:80", "127.0.0.1:80:80"]']),
    "merge ports long": two(
        ['ports: [{target: 80, published: "80", name: a}]'],
        ['ports: [{target: 80, published: "80", app_protocol: x}]'],
    ),
    "merge volumes": two(['volumes: ["./a:/x","./b:/y:ro"]'], ['volumes: ["./c:/x", /y]']),
    "merge volumes long": two(
        ["volumes: [{type: bind, source: ./a, target: /x, read_only: true}]"],
        ["volumes: [{type: bind, source: ./b, target: /x}]"],
    ),
    "merge volumes short over long": two(
        ["volumes: [{type: bind, source: ./a, target: /x, read_only: true}]"], ['volumes: ["./b:/x"]']
    ),
    "merge env": two(["environment: [A=1, B=2, C]"], ["environment: {A: 3, B: }"]),
    "merge labels": two(["labels: [a=1, b]"], ["labels: {a: 3, c: }"]),
    "merge dns": two(["dns: 1.1.1.1", "dns_search: a"], ["dns: [2.2.2.2, 1.1.1.1]", "dns_search: b"]),
    "merge expose": two(["expose: [1, 2]"], ['expose: [2, "3"]']),
    "merge cap": two(["cap_add: [NET_ADMIN]"], ["cap_add: [CHOWN, NET_ADMIN]"]),
    "merge depends list map": two(["depends_on: [db]"], ["depends_on: {db: {condition: service_healthy}}"]),
    "merge depends map list": two(
        ["depends_on: {db: {condition: service_healthy, required: false}}"], ["depends_on: [db]"]
    ),
    "merge healthcheck": two(
        ["healthcheck: {test: a, interval: 1s}"], ["healthcheck: {test: [CMD, b], retries: 2}"]
    ),
    "merge healthcheck disable": two(
        ["healthcheck: {test: a, interval: 1s}"], ["healthcheck: {disable: true}"]
    ),
    "merge logging": two(
        ["logging: {driver: json-file, options: {a: b}}"], ["logging: {driver: local, options: {c: d}}"]
    ),
    "merge networks": two(
        ["networks: [a]"], ["networks: {b: {aliases: [x]}, a: {aliases: [y]}}"], rest="networks: {a: , b: }\n"
    ),
    "merge networks aliases": two(
        ["networks: {a: {aliases: [x, z]}}"],
        ["networks: {a: {aliases: [y, z]}}"],
        rest="networks: {a: , b: }\n",
    ),
    "merge ulimits": two(["ulimits: {nofile: {soft: 1, hard: 2}, nproc: 3}"], ["ulimits: {nofile: 5}"]),
    "merge ulimits2": two(["ulimits: {nofile: 5}"], ["ulimits: {nofile: {soft: 1, hard: 2}}"]),
    "merge sysctls": two(["sysctls: [a=1, b=2]"], ["sysctls: {a: 3}"]),
    "merge extra_hosts": two(['extra_hosts: ["a=1.1.1.1"]'], ["extra_hosts: {b: 2.2.2.2}"]),
    "merge extra_hosts same": two(['extra_hosts: ["a=1.1.1.1"]'], ["extra_hosts: {a: 2.2.2.2}"]),
    "merge tmpfs": two(["tmpfs: /a"], ["tmpfs: [/b, /a]"]),
    "merge tmpfs opt": two(["tmpfs: /a"], ['tmpfs: ["/a:size=1m"]']),
    "merge env_file": {
        **two(["env_file: a.env"], ["env_file: [b.env]"]),
        "a.env": "A=1\nB=1\n",
        "b.env": "B=2\n",
    },
    "merge env_file same": {
        **two(["env_file: [a.env, b.env]"], ["env_file: [a.env]"]),
        "a.env": "A=1\nB=1\n",
        "b.env": "B=2\n",
    },
    "merge security": two(
        ['security_opt: ["no-new-privileges:true"]'], ['security_opt: ["no-new-privileges:true"]']
    ),
    "merge configs": two(
        ["configs: [c, d]"],
        ["configs: [{source: c, target: /t}, {source: d, mode: 0400}]"],
        rest="configs: {c: {content: x}, d: {content: y}}\n",
    ),
    "merge secrets": two(
        ["secrets: [c]"], ["secrets: [c, {source: c, target: other}]"], rest="secrets: {c: {file: ./x}}\n"
    ),
    "merge build str map": {**two(["build: ."], ["build: {args: {A: b}}"])},
    "merge build map str": {**two(["build: {context: a, args: [A=b], target: t}"], ["build: b"])},
    "merge build args": {
        **two(["build: {context: a, args: [A=b], labels: [x=y]}"], ["build: {args: {C: d}, labels: {z: 1}}"])
    },
    "merge deploy": two(
        ['deploy: {replicas: 2, resources: {limits: {cpus: "1"}}}'],
        ["deploy: {resources: {limits: {memory: 1m}}}"],
    ),
    "merge mem": two(["mem_limit: 1m"], ["mem_limit: 2m", "cpus: 1"]),
    "merge image build": {**two([], ["build: ."])},
    "merge profiles": two(["profiles: [a]"], ["profiles: [b]"]),
    "merge restart": two(["restart: always"], ['restart: "no"']),
    "merge null": two(["environment: {A: b}", "command: x"], ["environment: ", "command: "]),
    "merge volume top": {
        "one.yaml": web('volumes: ["vol:/a"]', rest="volumes: {vol: {labels: {a: b}}}\n"),
        "two.yaml": "volumes: {vol: {labels: [c=d]}}\n",
    },
    "merge volume top null": {
        "one.yaml": web('volumes: ["vol:/a"]', rest="volumes: {vol: {labels: {a: b}}}\n"),
        "two.yaml": "volumes: {vol: }\n",
    },
    "merge config top": {
        "one.yaml": web("configs: [c]", rest="configs: {c: {content: x}}\n"),
        "two.yaml": "configs: {c: {content: z}}\n",
    },
    "merge config top file": {
        "one.yaml": web("configs: [c]", rest="configs: {c: {content: x}}\n"),
        "two.yaml": "configs: {c: {file: ./z}}\n",
    },
    "merge network internal": {
        "one.yaml": web("networks: [n]", rest="networks: {n: {internal: true}}\n"),
        "two.yaml": "networks: {n: {driver: bridge}}\n",
    },
    "merge links": two(["links: [db]"], ['links: ["db:x"]']),
    "merge group_add": two(["group_add: [1]"], ["group_add: [2, 1]"]),
    "merge hooks": two(["post_start: [{command: a}]"], ["post_start: [{command: b}]"]),
    "merge annotations": two(["annotations: [a=1]"], ["annotations: {b: 2}"]),
    "merge volumes_from": two(["volumes_from: [db]"], ['volumes_from: ["db:ro"]']),
    "reset list": two(
        ['ports: ["80:80"]', "environment: {A: b}"], ["ports: !reset []", "environment: !reset {}"]
    ),
    "reset null": two(["command: x"], ["command: !reset null"]),
    "reset key": two(["environment: {A: b, C: d}"], ["environment: {A: !reset null}"]),
    "reset service": {"one.yaml": web("tty: true"), "two.yaml": "services: {db: !reset null}\n"},
    "reset item": two(['ports: ["80:80","81:81"]'], ['ports: [!reset "80:80", "82:82"]']),
    "reset same file": web('ports: !reset ["80:80"]'),
    "override": two(
        ['ports: ["80:80"]', "environment: {A: b}", 'volumes: ["./a:/a"]'],
        ['ports: !override ["81:81"]', "environment: !override {C: d}", "volumes: !override []"],
    ),
    "override service": {"one.yaml": web("tty: true"), "two.yaml": "services: {web: !override {image: z}}\n"},
    "override build": two(["build: {context: ., args: {A: b}}"], ["build: !override {context: .}"]),
    "override scalar": two(["hostname: a"], ["hostname: !override b"]),
    "override key": two(["environment: {A: b, C: d}"], ["environment: {A: !override x}"]),
    "reset then extends": {
        "one.yaml": 'services: {base: {image: x, ports: ["80:80"], command: [a]}, web: {extends: base, ports: !reset [], command: !reset null}}\n'
    },
    "extends depends": {
        "one.yaml": "services: {base: {image: x, depends_on: [db], links: [db], networks: [n], volumes: [/a], tty: true}, web: {extends: {service: base}}, db: {image: d}}\nnetworks: {n: }\n"
    },
    "extends other": {
        "one.yaml": 'services: {web: {extends: {service: base, file: sub/o.yaml}, volumes: ["./w:/w"], environment: {A: own}}}\nvolumes: {vv: }\n',
        "sub/o.yaml": 'services: {base: {build: {context: ., dockerfile: D}, volumes: ["./v:/v", "vv:/n"], env_file: e.env, environment: {A: base, B: base}, label_file: l.env, configs: []}}\n',
        "sub/e.env": "E=1\nA=file\n",
        "sub/l.env": "L=1\n",
        "sub/D": "FROM x",
    },
    "extends chain": {
        "one.yaml": "services: {web: {extends: {service: b, file: s/b.yaml}}}\n",
        "s/b.yaml": 'services: {b: {extends: {service: c, file: t/c.yaml}, volumes: ["./b:/b"]}}\n',
        "s/t/c.yaml": 'services: {c: {image: x, volumes: ["./c:/c"], extends: d}, d: {image: d, hostname: d}}\n',
    },
    "extends missing svc": {
        "one.yaml": "services: {web: {extends: {service: nope, file: o.yaml}}}\n",
        "o.yaml": PLAIN,
    },
    "extends missing file": {"one.yaml": "services: {web: {extends: {service: nope, file: o.yaml}}}\n"},
    "extends self": {"one.yaml": "services: {web: {image: x, extends: web}}\n"},
    "extends cycle": {"one.yaml": "services: {a: {image: x, extends: b}, b: {extends: a}}\n"},
    "extends other named net": {
        "one.yaml": "services: {web: {extends: {service: b, file: o.yaml}}}\n",
        "o.yaml": "services: {b: {image: x, networks: [n]}}\nnetworks: {n: }\n",
    },
    "extends interp": {
        "one.yaml": 'services: {web: {extends: {service: "${S:-b}", file: "${F:-o}.yaml"}}}\n',
        "o.yaml": 'services: {b: {image: "x:${T:-1}"}}\n',
    },
    "extends with profile": {
        "one.yaml": "services: {b: {image: x, profiles: [p]}, web: {extends: b}, c: {image: y}}\n"
    },
    "extends volumes_from": {
        "one.yaml": "services: {b: {image: x, volumes_from: [d]}, web: {extends: b}, d: {image: y}}\n"
    },
    "extends merged later": {
        "one.yaml": "services: {b: {image: x, hostname: one}, web: {extends: b}}\n",
        "two.yaml": "services: {b: {image: z, hostname: two}}\n",
    },
    "extends over two": {
        "one.yaml": "services: {b: {image: x, hostname: one}, web: {image: w, hostname: w}}\n",
        "two.yaml": "services: {web: {extends: b}}\n",
    },
    "extends over two b": {
        "one.yaml": "services: {web: {image: w, hostname: w}}\n",
        "two.yaml": "services: {b: {image: bb, hostname: hb}, web: {extends: b}}\n",
    },
    "include": {
        "one.yaml": "include: [i.yaml]\nservices: {web: {image: x, depends_on: [inc]}}\n",
        "i.yaml": 'services: {inc: {image: i, volumes: ["./v:/v"]}}\n',
    },
    "include dir": {
        "one.yaml": "include: [s/i.yaml]\nservices: {web: {image: x, depends_on: [inc]}}\n",
        "s/i.yaml": 'services: {inc: {image: "i:${T:-none}", volumes: ["./v:/v"], env_file: e}}\n',
        "s/.env": "T=sub\n",
        "s/e": "E=${T}\n",
    },
    "include env parent wins": {
        "one.yaml": 'include: [s/i.yaml]\nservices: {web: {image: "x:$T"}}\n',
        "s/i.yaml": 'services: {inc: {image: "i:${T:-none}${U}"}}\n',
        "s/.env": "T=sub\nU=u\n",
        ".env": "T=top\n",
    },
    "include long": {
        "one.yaml": "include: [{path: [s/i.yaml, s/j.yaml], project_directory: other, env_file: [a.env, b.env]}]\nservices: {web: {image: x}}\n",
        "s/i.yaml": 'services: {inc: {image: "i:${T}", volumes: ["./v:/v"]}}\n',
        "s/j.yaml": 'services: {inc: {hostname: "${U}"}}\n',
        "a.env": "T=a\nU=a\n",
        "b.env": "U=b$T\n",
        "other/x": "",
    },
    "include conflict": {
        "one.yaml": "include: [i.yaml]\nservices: {web: {image: x}}\n",
        "i.yaml": "services: {web: {image: i}}\n",
    },
    "include same": {
        "one.yaml": "include: [i.yaml]\nservices: {web: {image: x}}\n",
        "i.yaml": "services: {web: {image: x}}\n",
    },
    "include vol same": {
        "one.yaml": 'include: [i.yaml]\nservices: {web: {image: x, volumes: ["vv:/a"]}}\nvolumes: {vv: }\n',
        "i.yaml": 'services: {inc: {image: i, volumes: ["vv:/a"]}}\nvolumes: {vv: }\n',
    },
    "include vol differs": {
        "one.yaml": 'include: [i.yaml]\nservices: {web: {image: x, volumes: ["vv:/a"]}}\nvolumes: {vv: }\n',
        "i.yaml": 'services: {inc: {image: i, volumes: ["vv:/a"]}}\nvolumes: {vv: {labels: {a: b}}}\n',
    },
    "include override file": {
        "one.yaml": "include: [i.yaml]\nservices: {web: {image: x}}\n",
        "i.yaml": "services: {inc: {image: i}}\n",
        "two.yaml": "services: {inc: {image: two}}\n",
    },
    "include in two": {
        "one.yaml": "services: {web: {image: x}}\n",
        "two.yaml": "include: [i.yaml]\n",
        "i.yaml": "services: {inc: {image: i}}\n",
    },
    "include in both": {
        "one.yaml": "include: [i.yaml]\nservices: {web: {image: x}}\n",
        "two.yaml": "include: [i.yaml]\n",
        "i.yaml": "services: {inc: {image: i}}\n",
    },
    "include twice": {
        "one.yaml": "include: [i.yaml, j.yaml]\nservices: {web: {image: x}}\n",
        "i.yaml": "include: [k.yaml]\nservices: {i: {image: i}}\n",
        "j.yaml": "include: [k.yaml]\nservices: {j: {image: i}}\n",
        "k.yaml": "services: {k: {image: k}}\n",
    },
    "include cycle": {
        "one.yaml": "include: [i.yaml]\nservices: {web: {image: x}}\n",
        "i.yaml": "include: [one.yaml]\nservices: {i: {image: i}}\n",
    },
    "include missing": {"one.yaml": "include: [i.yaml]\nservices: {web: {image: x}}\n"},
    "include interp": {
        "one.yaml": 'include: ["${F:-i}.yaml"]\nservices: {web: {image: x}}\n',
        "i.yaml": "services: {i: {image: i}}\n",
    },
    "include str": {
        "one.yaml": "include: i.yaml\nservices: {web: {image: x}}\n",
        "i.yaml": "services: {i: {image: i}}\n",
    },
    "include env_file missing": {
        "one.yaml": "include: [{path: i.yaml, env_file: nope}]\nservices: {web: {image: x}}\n",
        "i.yaml": "services: {i: {image: i}}\n",
    },
    "include env devnull": {
        "one.yaml": "include: [{path: s/i.yaml, env_file: /dev/null}]\nservices: {web: {image: x}}\n",
        "s/i.yaml": 'services: {i: {image: "i:$T"}}\n',
        "s/.env": "T=1\n",
    },
    "include depends back": {
        "one.yaml": "include: [i.yaml]\nservices: {web: {image: x}}\n",
        "i.yaml": "services: {i: {image: i, depends_on: [web]}}\n",
    },
    "include profile": {
        "one.yaml": "include: [i.yaml]\nservices: {web: {image: x}}\n",
        "i.yaml": "services: {i: {image: i, profiles: [p]}}\n",
    },
    "include network default": {
        "one.yaml": "include: [i.yaml]\nservices: {web: {image: x}}\nnetworks: {default: {internal: true}}\n",
        "i.yaml": "services: {i: {image: i}}\n",
    },
    "include pwd": {
        "one.yaml": "include: [s/i.yaml]\nservices: {web: {image: x}}\n",
        "s/i.yaml": 'services: {i: {image: i, volumes: ["$PWD/x:/x"]}}\n',
    },
    "env_file obj": {
        "one.yaml": web(
            "env_file: [{path: a.env, required: false}, {path: nope.env, required: false}, {path: r.env, format: raw}, b.env]"
        ),
        "a.env": "A=1\n",
        "b.env": 'B="x $A"\n',
        "r.env": 'R="q $A" # no\n',
    },
    "env_file missing": web("env_file: nope.env"),
    "env_file required true": web("env_file: [{path: nope.env, required: true}]"),
    "env_file order": {
        "one.yaml": web("env_file: [a.env, b.env]", "environment: {A: own, Z: }"),
        "a.env": "A=1\nB=1\nZ=file\n",
        "b.env": "B=2\nC=${PLAIN}x\nD=${A}\n",
    },
    "env_file unset": {"one.yaml": web("env_file: [a.env]"), "a.env": "A\nB=\nC=$NOPE\n", ".env": "A=frm\n"},
    "env_file str multi": {
        "one.yaml": web("env_file: a.env"),
        "a.env": "export A=1\nB='x\ny'\nC=\"a\\nb\" # c\nD=a#b\nE=a #b\n F = sp \nG: yaml\n#H=1\n",
    },
    "interp ops": {
        "one.yaml": web(
            'environment: ["A=${X-d}", "B=${X:-d}", "C=${E-d}", "D=${E:-d}", "F=${X+s}", "G=${E+s}", "H=${E:+s}", "I=${S:+s}", "J=${X:-${Y:-deep}}", "K=$S$S", "L=${S}x", "M=$$S", "N=${X:-a:b-c}", "O=${S:?err}", "P=${X:-}", "Q=${S:+${X:-n}}", "R=a$", "T=$1", "U=${X:-$S}", "V=${X:-\\"q\\"}"]'
        ),
        ".env": "S=set\nE=\n",
    },
    "interp bad": web('environment: ["A=${}"]'),
    "interp bad2": web('environment: ["A=${X"]'),
    "interp bad3": web('environment: ["A=${X!y}"]'),
    "interp bad4": web('environment: ["A=${1X}"]'),
    "interp req": web('environment: ["A=${X?gone}"]'),
    "interp req empty": {"one.yaml": web('environment: ["A=${X?gone}","B=${X:-y}"]'), ".env": "X=\n"},
    "interp key": web('environment: {"${X:-a}": b}', 'labels: {"$Y": z}'),
    "interp types": {
        "one.yaml": web(
            'tty: "${PLAIN}"',
            'mem_limit: "${M}"',
            'ports: ["${P}:80", {target: "${P}"}]',
            'deploy: {replicas: "${N}"}',
            'healthcheck: {test: x, retries: "${N}", interval: "${T}"}',
            'ulimits: {nofile: "${N}"}',
            'cpus: "${N}"',
            "stop_grace_period: ${T}",
            "scale: ${N}",
            "oom_score_adj: ${N}",
        ),
        ".env": "B=true\nM=1g\nP=8080\nN=2\nT=3s\n",
    },
    "interp empty bool": web('tty: "${PLAIN}"'),
    "interp empty int": web('scale: "${PLAIN}"'),
    "interp empty port": web('ports: ["${P}:80"]'),
    "interp empty image": 'services: {web: {image: "${X}"}}\n',
    "interp empty mem": web('mem_limit: "${X}"'),
    "interp service name": 'services: {"${X:-web}": {image: x}}\n',
    "interp config content": web("configs: [c]", rest='configs: {c: {content: "a ${X:-b} $$c"}}\n'),
    "interp in yaml anchors": 'x-e: &e {A: "${X:-1}"}\nservices: {web: {image: x, environment: *e}}\n',
    "dotenv interp": {
        "one.yaml": web("environment: [A, PLAIN, C, D]"),
        ".env": "A=1\nB=${A}2\nC=\"${PLAIN}3\"\nD='$A'\n",
    },
    "dotenv COMPOSE_PROFILES": {"one.yaml": web("profiles: [p]"), ".env": "COMPOSE_PROFILES=p\n"},
    "dotenv bad": {"one.yaml": web("tty: true"), ".env": "A B=1\n"},
    "profiles none": "services: {web: {image: x}, p: {image: y, profiles: []}}\n",
    "anchors merge": "x-a: &a {image: x, environment: {A: b}}\nx-b: &b {hostname: h}\nservices: {web: {<<: [*a, *b], command: c}, v: {<<: *a, environment: {C: d}}}\n",
    "multi doc": "services: {web: {image: x}}\n---\nservices: {web: {hostname: y}, b: {image: z}}\n",
    "empty": "",
    "no services": "volumes: {a: }\n",
    "services null": "services:\n",
    "services {}": "services: {}\n",
    "dup key": "services: {web: {image: x, image: y}}\n",
    "name empty": 'name: ""\n' + PLAIN,
    "name bad": 'name: "A B"\n' + PLAIN,
    "name var": {"one.yaml": 'name: "${N}"\nservices: {web: {image: x}}\n', ".env": "N=foo\n"},
    "svc name odd": 'services: {"a.b_c-D": {image: x}}\n',
    "svc name bad": 'services: {"a b": {image: x}}\n',
    "svc no image": "services: {web: {command: x}}\n",
    "unknown top": "foo: 1\n" + PLAIN,
    "net name bad ref": web("networks: [nope]"),
    "int keys": "services: {1: {image: x}}\n",
    "bool keys": "services: {true: {image: x}}\n",
    "null in list": web("command: [a, null]"),
    "list env map": web("environment: [{A: b}]"),
    "configs at list map": web("configs: {c: }", rest="configs: {c: {content: x}}\n"),
}

REFUSED_HERE: Mapping[str, str] = {
    "hosts two": "a host with several addresses",
    "health empty cmd": "a test is a command",
    "restart bad": "is no restart rule",
    "volume rel target": "is no absolute path",
    "ipam used": "each run has other ones",
    "links alias conflict": "names are the same for all services",
    "policy any attempts": "goes with `condition: on-failure` alone",
}
"""What Compose reads and only finds wrong when it starts containers, or Conductor does not do: what is said of it."""

"""One service: its node becomes a `Service`.

What stands for itself is in the table of `attributes`; what needs more than one attribute or other parts of the project is here, or has
a module of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from conductor.compose.addresses import network_card
from conductor.compose.attributes import single_attributes
from conductor.compose.builds import read_build
from conductor.compose.check import undefined
from conductor.compose.context import Context
from conductor.compose.environment import read_environment
from conductor.compose.findings import MistakeError
from conductor.compose.hooks import read_hooks
from conductor.compose.limits import read_replicas, read_resources, read_restart
from conductor.compose.mounts import read_mounts
from conductor.compose.node import Node
from conductor.compose.paths import repository_file
from conductor.compose.ports import service_ports
from conductor.compose.sharing import read_namespaces, read_volumes_from, shares
from conductor.compose.values import (
    boolean,
    count,
    duration,
    mapping,
    sequence,
    strict_text,
    text,
    text_map,
    texts,
)
from conductor.domain.stack import Condition, Dependency, Healthcheck, Service

_TIMES: Mapping[str, Callable[[Node], Any]] = {
    "interval": duration, "timeout": duration, "start_period": duration, "start_interval": duration, "retries": count,
}  # fmt: skip


def read_service(name: str, node: Node, context: Context) -> Service:
    """Read a service. What is wrong with an attribute is a finding, and the attribute is left at its default."""
    fields = single_attributes(node, context)
    for read in (
        _image, _variables, _health, _networks, _shared, _dependencies, _ports, _labels, _limits, _rule, _hooks,
    ):  # fmt: skip
        with context.findings.catching():
            fields |= read(name, node, context)
    return Service(name=name, **fields)


def _image(name: str, node: Node, context: Context) -> dict[str, Any]:
    build, image = node.get("build"), node.get("image")
    if build is not None:
        if image is not None:
            context.findings.note(image, "what is built is named by what is in it")
        return {"image": None, "build": read_build(build, context, platform=node.get("platform"))}
    if (image is None or image.value == "") and node.get("provider") is None:
        message = f"the service {name} has neither `image` nor `build`"
        raise MistakeError(node, message, remedy="Name an image to run, or a folder to build.", key=True)
    return {}


def _variables(name: str, node: Node, context: Context) -> dict[str, Any]:
    keys = tuple(dict.fromkeys(secret.name for secret in context.secrets if secret.is_for(name)))
    return {
        "secret_keys": keys,
        "environment": read_environment(name, node, context),
        "mounts": read_mounts(name, node, context),
    }


def _health(_name: str, node: Node, _context: Context) -> dict[str, Any]:
    check = node.get("healthcheck")
    if check is None:
        return {}
    mapping(check)
    disable, test = check.get("disable"), check.get("test")
    words = tuple(strict_text(item) for item in sequence(test)) if test else ()
    if (disable and boolean(disable)) or words[:1] == ("NONE",):
        return {"healthcheck_disabled": True}
    if words and (words[0] not in ("CMD", "CMD-SHELL") or len(words) == 1):
        remedy = "Write [CMD, program, argument], [CMD-SHELL, command line], [NONE], or plain text."
        raise MistakeError(test or check, "a test is a command", remedy=remedy)
    made = _healthcheck(check, words)
    return {"healthcheck": made} if words or len(made.inherited) < len(_TIMES) else {}


def _healthcheck(check: Node, words: tuple[str, ...]) -> Healthcheck:
    given = {key: read(value) for key, read in _TIMES.items() if (value := check.get(key)) is not None}
    said = {key: value for key, value in given.items() if value}
    return Healthcheck(test=words, inherited=tuple(key for key in _TIMES if key not in said), **said)


def _networks(_name: str, node: Node, context: Context) -> dict[str, Any]:
    networks = node.get("networks")
    if networks is None or not mapping(networks) or node.get("network_mode") is not None:
        return {}
    declared = {"default", *context.section("networks")}
    made: dict[str, tuple[str, ...]] = {}
    for name, attached in mapping(networks).items():
        if name not in declared:
            raise undefined(attached, name, "network", declared)
        aliases = attached.get("aliases")
        made[name] = texts(aliases) if aliases else ()
    return {"networks": made, **network_card(mapping(networks))}


def _shared(_name: str, node: Node, context: Context) -> dict[str, Any]:
    return {**read_namespaces(node, context), "volumes_from": read_volumes_from(node)}


def _hooks(name: str, node: Node, context: Context) -> dict[str, Any]:
    return {kind: read_hooks(name, node.get(kind), context) for kind in ("post_start", "pre_stop")}


def _dependencies(_name: str, node: Node, context: Context) -> dict[str, Any]:
    made: dict[str, Dependency] = {}
    for name, (target, restart) in implied(node).items():
        if _is_there(name, target, context):
            made[name] = Dependency(service=name, restart=restart)
    depends_on = node.get("depends_on")
    for name, wish in mapping(depends_on).items() if depends_on else ():
        with context.findings.catching():
            dependency = _dependency(name, wish)
            if _is_there(name, wish, context, required=dependency.required):
                made[name] = dependency
    return {"depends_on": tuple(made.values())}


def implied(node: Node) -> dict[str, tuple[Node, bool]]:
    """Return the services that it needs without saying so in `depends_on`: the place that names each, and whether it restarts with it."""
    links = node.get("links")
    made = {name: (place, restart) for name, place, restart in shares(node)}
    return made | {text(item).partition(":")[0]: (item, True) for item in (sequence(links) if links else [])}


def _is_there(name: str, place: Node, context: Context, *, required: bool = True) -> bool:
    if name in context.enabled:
        return True
    services = context.section("services")
    if name not in services:
        raise undefined(place, name, "service", services)
    if not required:
        context.findings.note(place, "it takes no part in this run, and is not required")
        return False
    profiles = services[name].get("profiles")
    named = ", ".join(texts(profiles)) if profiles else ""
    remedy = f"Enable one of its profiles ({named}) under stack.profiles, or write `required: false`."
    raise MistakeError(place, f"the service {name} takes no part: its profile is not enabled", remedy=remedy)


def _dependency(name: str, wish: Node) -> Dependency:
    mapping(wish)
    condition, required, restart = (wish.get(key) for key in ("condition", "required", "restart"))
    if condition is None:
        raise MistakeError(
            wish, "a dependency needs its `condition`", remedy=f"Write one of {', '.join(Condition)}."
        )
    if condition.value not in list(Condition):
        message = f"`{str(condition.value)[:64]}` is no condition"
        raise MistakeError(condition, message, remedy=f"Write one of {', '.join(Condition)}.")
    return Dependency(
        service=name,
        condition=Condition(condition.value),
        required=boolean(required) if required else True,
        restart=boolean(restart) if restart else False,
    )


def _ports(_name: str, node: Node, _context: Context) -> dict[str, Any]:
    ports, exposed = service_ports(node.get("ports"), node.get("expose"))
    return {"ports": ports, "expose": exposed}


def _labels(_name: str, node: Node, context: Context) -> dict[str, Any]:
    made: dict[str, str] = {}
    files, labels = node.get("label_file"), node.get("labels")
    for item in sequence(files) if files else []:
        found = context.loading.env_file(repository_file(item, context.checkout), context.variables, item)
        made |= {key: text(item.with_value(value)) for key, value in found.items()}
    return {"labels": made | dict(text_map(labels) if labels else {})}


def _limits(_name: str, node: Node, _context: Context) -> dict[str, Any]:
    return {"resources": read_resources(node), "replicas": read_replicas(node)}


def _rule(_name: str, node: Node, _context: Context) -> dict[str, Any]:
    rule, attempts = read_restart(node)
    return {"restart": rule, "restart_attempts": attempts}

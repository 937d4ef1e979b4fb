"""A service's variables: `env_file`, then `environment`.

Law: a secret of the plan is there by name only, and only where the plan says that this service gets it.
"""

from __future__ import annotations

from collections.abc import Mapping

from conductor.compose.context import Context
from conductor.compose.findings import MistakeError
from conductor.compose.interpolate import Variables
from conductor.compose.node import Node, Text
from conductor.compose.paths import repository_file
from conductor.compose.values import boolean, mapping, sequence, text


def read_environment(name: str, service: Node, context: Context) -> dict[str, Text]:
    """Read both attributes. A variable without a value that nobody gives is absent, as in Compose."""
    env_file, environment = service.get("env_file"), service.get("environment")
    own: dict[str, Text | None] = {}
    for key, node in mapping(environment).items() if environment else ():
        with context.findings.catching():
            own[_name(node, key)] = _value(name, key, node, context)
    said = {key: value for key, value in own.items() if value is not None}
    made: dict[str, Text] = {}
    for item in sequence(env_file) if env_file else []:
        with context.findings.catching():
            made |= _from_file(name, item, context, context.variables.under(said), made)
    for key, value in own.items():
        _set(made, key, value)
    return made


def read_variables(service: str, node: Node, context: Context) -> dict[str, Text]:
    """Read `environment` of something of a service that has no env files."""
    environment = node.get("environment")
    made: dict[str, Text] = {}
    for key, value in mapping(environment).items() if environment else ():
        _set(made, _name(value, key), _value(service, key, value, context))
    return made


def _set(made: dict[str, Text], key: str, value: Text | None) -> None:
    made.pop(key, None)
    if value is not None:
        made[key] = value


def _from_file(
    service: str, item: Node, context: Context, variables: Variables, earlier: Mapping[str, Text]
) -> dict[str, Text]:
    path, required, form = item.get("path"), item.get("required"), item.get("format")
    if path is None:
        raise MistakeError(item, "an env file needs a `path`")
    file = repository_file(path, context.checkout)
    if required is not None and not boolean(required) and not context.checkout.exists(file):
        context.findings.note(item, "it is not there, and need not be")
        return {}
    if form is not None and text(form) != "raw":
        raise MistakeError(
            form, f"`{text(form)}` is no format of an env file", remedy="Write `raw`, or leave it out."
        )
    found = context.loading.env_file(file, variables, path, raw=form is not None, earlier=earlier)
    return {key: context.permitted(path, value, service) for key, value in found.items()}


def _name(node: Node, key: str) -> str:
    if not key or key != key.strip():
        raise MistakeError(
            node, f"`{key}` is no name of a variable", remedy="Write NAME=value, without spaces."
        )
    return key


def _value(service: str, key: str, node: Node, context: Context) -> Text | None:
    if node.value is not None:
        return context.secret_or_text(node, service)
    found = context.variables.find(key)
    if found is None:
        context.findings.note(node, f"{key} is not set: give it in .env or with --set")
        return None
    return context.permitted(node, found, service)

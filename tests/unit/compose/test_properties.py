"""Laws that hold for whatever is written: interpolation is Compose's, long forms are final, and it matters not how YAML is put."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.unit.compose.test_oracle import NAME, ask_compose, needs_oracle
from tests.unit.compose.test_robust import FILE

from conductor.compose.load import examine
from conductor.compose.node import Node, Source, graft
from conductor.compose.normalise import normalise
from conductor.compose.reader import Checkout
from conductor.documents.document import read_documents
from conductor.domain.stack import Stack

DOTENV = "SET=some text\nEMPTY=\nDOLLAR='$SET'\nBRACE={}\n"
NAMES = st.sampled_from(["SET", "EMPTY", "UNSET", "DOLLAR", "BRACE", "_x1"])
LITERALS = st.text(alphabet="ab 0:-+?=.,/'\"\\#é", max_size=6)
OPERATORS = st.sampled_from([":-", "-", ":+", "+"])
EXPRESSIONS = st.recursive(
    st.one_of(
        LITERALS,
        NAMES.map("$%s ".__mod__),
        NAMES.map("${%s}".__mod__),
        st.just("$$"),
    ),
    lambda inner: st.one_of(
        st.builds("${{{}{}{}}}".format, NAMES, OPERATORS, inner),
        st.builds(
            "${{{}{}{}}}".format, st.sampled_from(["SET", "DOLLAR"]), st.sampled_from([":?", "?"]), inner
        ),
        st.lists(inner, max_size=3).map("".join),
    ),
    max_leaves=6,
)


WITH_BRACES = st.one_of(EXPRESSIONS, st.sampled_from(["{}", '{"a": 1}', '{"a": "${SET}"}']))
"""Braces of the text's own stand outside: in a default, Compose counts them in ways of its own."""


@needs_oracle
@settings(max_examples=10, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(expressions=st.lists(WITH_BRACES, min_size=50, max_size=50))
def test_interpolation_is_that_of_compose(expressions: list[str]):
    """Fifty expressions in one file are one question; where one of them is wrong, the halves are asked."""
    with TemporaryDirectory() as folder:
        root = Path(folder)
        (root / ".env").write_text(DOTENV)
        compared(expressions, root)


def compared(expressions: list[str], root: Path) -> None:
    ours, theirs = both(expressions, root)
    if len(expressions) == 1 or (ours is not None and theirs is not None):
        assert ours == theirs, expressions
    else:
        half = len(expressions) // 2
        compared(expressions[:half], root)
        compared(expressions[half:], root)


def both(expressions: list[str], root: Path) -> tuple[Mapping[str, str] | None, Mapping[str, str] | None]:
    variables = {f"E{number}": expression for number, expression in enumerate(expressions)}
    (root / "one.yaml").write_text(
        json.dumps({"services": {"web": {"image": "a", "environment": variables}}})
    )
    project, _ = ask_compose(root, "one.yaml", dollars=True)
    loaded = examine(Checkout(root), ["one.yaml"], name=NAME)
    ours = dict(loaded.stack.service("web").environment) if not loaded.problems else None
    theirs = project["services"]["web"]["environment"] if project else None
    return ours, {key: value.replace("$$", "$") for key, value in theirs.items()} if theirs else None  # type: ignore[return-value]


def plain(node: Node) -> Any:
    if isinstance(node.value, dict):
        return {key: plain(value) for key, value in node.items()}
    return [plain(item) for item in node.value] if isinstance(node.value, list) else node.value


def node_of(data: Any) -> Node:
    (document,) = read_documents(yaml.safe_dump(data).encode(), file="compose.yaml")
    return graft(document.data, Source(document, "."))


SERVICE = FILE["services"]["web"]
KEYS = st.lists(st.sampled_from(sorted(SERVICE)), unique=True)


@given(keys=KEYS)
def test_long_forms_of_long_forms_are_the_same(keys: list[str]):
    once = normalise(node_of({**FILE, "services": {"web": {key: SERVICE[key] for key in keys}}}))
    assert plain(normalise(once)) == plain(once)


def stack_of(*files: Any, style: Mapping[str, Any] | None = None) -> Stack:
    with TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "a.env").write_text("A=1\n")
        (root / "inc.yaml").write_text("services: {other: {image: x}}")
        names = [f"{number}.yaml" for number in range(len(files))]
        for name, data in zip(names, files, strict=True):
            (root / name).write_text(yaml.safe_dump(data, **(style or {})))
        loaded = examine(Checkout(root), names, name=NAME)
    assert not loaded.problems, loaded.problems
    return loaded.stack


def with_keys(keys: list[str]) -> Any:
    data = deepcopy(FILE)
    data["services"]["web"] = {"image": "app", **{key: SERVICE[key] for key in keys}}
    return data


@settings(deadline=None, max_examples=60)
@given(
    keys=KEYS, flow=st.sampled_from([True, False, None]), width=st.sampled_from([20, 1000]),
    quotes=st.sampled_from([None, "'", '"']), indent=st.sampled_from([2, 5]), ordered=st.booleans(),
)  # fmt: skip
def test_it_matters_not_how_yaml_is_put(
    keys: list[str], *, flow: bool | None, width: int, quotes: str | None, indent: int, ordered: bool
):
    data = with_keys(keys)
    style = {"default_flow_style": flow, "width": width, "indent": indent, "sort_keys": ordered}
    quoted = {**style, "default_style": quotes} if quotes and not numbers_matter(data) else style
    assert same(stack_of(data, style=quoted)) == same(stack_of(data))


def numbers_matter(data: Any) -> bool:
    """Tell whether quotes would change what a value is: `true`, 5 and nothing are no texts."""
    if isinstance(data, dict):
        return any(map(numbers_matter, data.values()))
    return any(map(numbers_matter, data)) if isinstance(data, list) else not isinstance(data, str)


def same(stack: Stack) -> Any:
    return (
        sorted(stack.services, key=lambda s: s.name),
        sorted(stack.volumes, key=str),
        sorted(stack.networks, key=str),
    )


@settings(deadline=None, max_examples=40)
@given(keys=KEYS)
def test_a_file_over_itself_is_itself_and_an_empty_one_changes_nothing(keys: list[str]):
    data = with_keys([key for key in keys if key != "security_opt"])
    assert stack_of(data, data) == stack_of(data)
    assert stack_of(data, {"services": {"web": {}}}) == stack_of(data)


@settings(deadline=None, max_examples=40)
@given(first=KEYS, second=KEYS)
def test_what_files_say_of_different_keys_may_come_in_any_order(first: list[str], second: list[str]):
    apart = [key for key in second if key not in first]
    base = with_keys([])
    one, other = ({"services": {"web": {key: SERVICE[key] for key in keys}}} for keys in (first, apart))
    assert stack_of(base, one, other) == stack_of(base, other, one)

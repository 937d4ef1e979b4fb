import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.compose.conftest import Repository

from conductor.compose.template import (
    DEEPEST,
    MOST_CHARACTERS,
    MissingVariableError,
    Substitution,
    TemplateError,
    join,
)
from conductor.domain.stack import SecretText

VARIABLES = {"SET": "value", "EMPTY": "", "OTHER": "other"}
SECRET = SecretText(parts=("", "KEY", ""))


def expand(text: str):
    return Substitution(lambda name: SECRET if name == "KEY" else VARIABLES.get(name))(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("$SET", "value"),
        ("${SET}", "value"),
        ("a${SET}b$OTHER-c", "avaluebother-c"),
        ("$NOPE", ""),
        ("${EMPTY-default}", ""),
        ("${EMPTY:-default}", "default"),
        ("${NOPE-default}", "default"),
        ("${NOPE:-default}", "default"),
        ("${SET:-default}", "value"),
        ("${SET:+other}", "other"),
        ("${EMPTY:+other}", ""),
        ("${EMPTY+other}", "other"),
        ("${NOPE+other}", ""),
        ("${SET:?no}", "value"),
        ("${EMPTY?no}", ""),
        ("${NOPE:-${ALSO:-${SET}}}", "value"),
        ("${NOPE:-$SET}", "value"),
        ("${NOPE-a:-b}", "a:-b"),
        ('${NOPE:-{"a":{}}}', '{"a":{}}'),
        ("${NOPE:-a{b}", "a{b"),
        ("${NOPE:-a}b}", "ab}"),
        ("${NOPE:-$$SET}", "$SET"),
        ("$$", "$"),
        ("$${SET}", "${SET}"),
        ("costs $5 or $", "costs $5 or $"),
        ("$SET}", "value}"),
    ],
)
def test_text_is_interpolated_as_compose_does(text: str, expected: Any):
    assert expand(text) == expected


@pytest.mark.parametrize(
    "text", ["${", "${}", "${SET", "${1X}", "${SET!}", "${ SET}", "${SET:=x}", "${NOPE:-${SET}"]
)
def test_what_is_no_interpolation_is_said(text: str):
    with pytest.raises(TemplateError):
        expand(text)


@pytest.mark.parametrize("text", ["${NOPE:?tell me}", "${NOPE?tell me}", "${EMPTY:?tell me}"])
def test_a_required_variable_that_is_missing_is_named_with_its_message(text: str):
    with pytest.raises(MissingVariableError, match=r"(NOPE|EMPTY) is missing: tell me"):
        expand(text)


def test_a_secret_is_a_name_in_the_text_and_never_a_value():
    assert expand("redis://:${KEY}@${NOPE:-redis}") == SecretText(parts=("redis://:", "KEY", "@redis"))
    assert expand("${KEY:?needed}") == SECRET
    assert expand("${KEY:-default}") == SECRET
    assert expand("${KEY:+there}") == "there"
    assert expand("$KEY$KEY").names == ("KEY", "KEY")


def test_nesting_without_end_is_refused():
    with pytest.raises(TemplateError, match="deep"):
        expand("${A:-" * (DEEPEST + 2) + "}" * (DEEPEST + 2))


def test_variables_that_make_too_much_text_are_refused():
    grown = Substitution(lambda _: "x" * 1_000_000)
    for _ in range(MOST_CHARACTERS // 1_000_000):
        grown("$A")
    with pytest.raises(TemplateError, match="more text"):
        grown("$A")


@settings(deadline=None)
@given(st.text().filter(lambda text: "$" not in text))
def test_text_without_a_dollar_stays_as_it_is(text: str):
    assert expand(text) == text


@settings(deadline=None)
@given(st.text())
def test_escaped_text_comes_back_as_it_was(text: str):
    assert expand(text.replace("$", "$$")) == text


@settings(deadline=None)
@given(st.text(alphabet="${}:-+?AB\n "))
def test_any_text_is_interpolated_or_is_a_template_error(text: str):
    with contextlib.suppress(TemplateError):
        assert isinstance(expand(text), str)


@settings(deadline=None)
@given(st.lists(st.one_of(st.text(), st.just(SECRET))))
def test_joined_texts_keep_every_literal_and_every_secret_in_order(pieces: Any):
    whole = join(*pieces)
    parts = whole.parts if isinstance(whole, SecretText) else (whole,)
    assert "".join(parts[::2]) == "".join(piece for piece in pieces if isinstance(piece, str))
    assert len(parts[1::2]) == sum(isinstance(piece, SecretText) for piece in pieces)


def test_values_are_interpolated_and_keys_are_not(repository: Repository):
    service = repository.service("labels: {$SET: '$SET'}", variables={"SET": "x"})
    assert service.labels == {"$SET": "x"}


def test_the_callers_variables_come_before_the_dotenv_file(repository: Repository):
    repository.file(".env", "TAG=file\nONLY=file\n")
    service = repository.service("image: app:${TAG}-${ONLY}", variables={"TAG": "caller"})
    assert service.image == "app:caller-file"


def test_the_environment_of_the_process_is_not_read(repository: Repository, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LEAKED", "from the machine")
    assert repository.service("image: app${LEAKED}").image == "app"


def test_a_missing_required_variable_says_how_to_give_it(repository: Repository):
    (problem,) = repository.problems("image: app:${TAG:?which one}")
    assert "compose.yaml:3:12: the required variable TAG is missing: which one" in problem
    assert ".env" in problem
    assert "--set TAG=" in problem
    assert "secrets" in problem


def test_a_variable_that_is_not_set_is_told_in_the_account(repository: Repository):
    loaded = repository.loaded("services: {web: {image: 'app$NOPE'}}")
    (entry,) = [entry for entry in loaded.account if entry.path == "services.web.image"]
    assert entry.note == "NOPE is not set: taken for empty"

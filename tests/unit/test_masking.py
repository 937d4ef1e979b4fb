"""No value of a secret survives, in any form in which programs print it."""

from __future__ import annotations

import base64
import html
import json
import shlex
import urllib.parse

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conductor.domain.masking import MASK, SHORTEST, Masker

VALUES = st.text(min_size=SHORTEST, max_size=40).filter(
    lambda value: len(value.strip()) >= SHORTEST and "*" not in value and value.isprintable()
)
AROUND = st.text(max_size=10)

FORMS = {
    "plain": lambda value: value,
    "json": lambda value: json.dumps(value)[1:-1],
    "json with its own letters": lambda value: json.dumps(value, ensure_ascii=False)[1:-1],
    "json in json": lambda value: json.dumps(json.dumps(value)[1:-1])[1:-1],
    "python": lambda value: repr(value)[1:-1],
    "shell": lambda value: shlex.quote(value).removeprefix("'").removesuffix("'"),
    "url": lambda value: urllib.parse.quote(value, safe=""),
    "url path": urllib.parse.quote,
    "form": urllib.parse.quote_plus,
    "html": html.escape,
    "hex": lambda value: value.encode().hex(),
    "base64": lambda value: base64.b64encode(value.encode()).decode().rstrip("="),
    "base64 for urls": lambda value: base64.urlsafe_b64encode(value.encode()).decode().rstrip("="),
}


@pytest.mark.parametrize("form", FORMS)
@given(value=VALUES, before=AROUND, after=AROUND)
@example(value='it\'s $a "secret"/\\', before="x", after="y")
@example(value="pässwörd & co", before="", after="")
def test_no_form_of_a_value_survives(form: str, value: str, before: str, after: str):
    written = FORMS[form](value)
    assert written not in Masker([value])(f"{before}{written}{after}")


@given(value=VALUES, user=st.text(alphabet="abcdefg", max_size=5), after=AROUND)
def test_a_value_inside_something_longer_is_found_in_its_base64(value: str, user: str, after: str):
    whole = f"{user}:{value}{after}".encode()
    text = base64.b64encode(whole).decode()
    masked = Masker([value])(text)
    assert MASK in masked
    left = sum(len(part) for part in masked.split(MASK))
    assert left <= len(text) - (len(value.encode()) * 8 // 6 - 2)


@given(st.lists(VALUES, min_size=1, max_size=4), st.data())
def test_overlapping_values_leave_no_whole_value(values: list[str], data: st.DataObject):
    text = "".join(data.draw(st.lists(st.sampled_from(values) | AROUND, max_size=8)))
    masked = Masker(values)(text)
    for piece in masked.split(MASK):
        assert not any(value in piece for value in values)


def test_overlapping_occurrences_are_covered_whole():
    assert Masker(["abcdef", "defghi"])("xabcdefghix") == f"x{MASK}x"
    assert Masker(["abab"])("xababab.") == f"x{MASK}."


def test_each_line_of_a_value_of_many_lines_is_masked_for_itself():
    mask = Masker(["first line\r\n  second line\n"])
    assert mask("a first line b") == f"a {MASK} b"
    assert mask("second line") == MASK
    assert mask("first line\\r\\n  second line") == MASK


def test_what_is_short_or_blank_is_left_alone():
    mask = Masker(["1", "yes", "", "      ", "\n\n\n\n"])
    assert mask("1 yes       no\n\n\n\n") == "1 yes       no\n\n\n\n"


def test_text_without_secrets_comes_back_as_it_was():
    text = "GET /orders 200 3ms"
    assert Masker(["s3cr3t-value"])(text) is text


def test_a_masker_does_not_show_its_values():
    assert "s3cr3t" not in repr(Masker(["s3cr3t-value"]))


# Assembled, so that no scanner takes them for real ones.
CREDENTIALS = {
    "github": "ghp_" + "a1B2" * 9,
    "fine-grained": "github_pat_" + "a1B2_" * 9,
    "gitlab": "glpat-" + "a1B2-" * 5,
    "aws": "AKIA" + "A1B2" * 4,
    "google": "AIza" + "a1B2-" * 7,
    "slack": "xoxb-" + "1234-" * 4,
    "stripe": "sk_live_" + "a1B2" * 6,
    "npm": "npm_" + "a1B2" * 9,
    "docker hub": "dckr_pat_" + "a1B2-" * 5,
    "openai": "sk-proj-" + "a1B2-" * 8,
    "jwt": "eyJ" + "hbGciOiJI" * 2 + "." + "eyJzdWIiOiIx" + "." + "c2lnbmF0dXJl",
    "private key": "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabcd\n-----END RSA PRIVATE KEY-----",
    "cut private key": "-----BEGIN PRIVATE KEY-----\nMIIEabcd",
}


@pytest.mark.parametrize("kind", CREDENTIALS)
def test_what_looks_like_a_credential_is_masked_though_nobody_named_it(kind: str):
    assert Masker()(f"using {CREDENTIALS[kind]}") == f"using {MASK}"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("postgres://app:pa55@db/app", "postgres://***@db/app"),
        ("redis://:pa55@redis:6379", "redis://***@redis:6379"),
        ("Authorization: Bearer abcdef123456", "Authorization: Bearer ***"),
        ('{"authorization": "Basic YWxpY2U6cGFzcw=="}', '{"authorization": "Basic ***"}'),
    ],
)
def test_only_the_credential_of_a_longer_text_goes(text: str, masked: str):
    assert Masker()(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "http://backend:3001/orders",
        "git@github.com:acme/shop.git",
        "class sk-circle-fade-dot-animation-long",
        "task-management-service-of-2026",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "12:30:01 user:alice did:something",
    ],
)
def test_what_only_resembles_a_credential_stays(text: str):
    assert Masker()(text) == text


HOSTILE = [
    "eyJ-", "sk-", "sk-a-", "://a:", "a:", "-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "-----EN",
    "authorization: ", " ", "gh", "xoxb-", "\\", "abab",
]  # fmt: skip


@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", HOSTILE)
def test_no_text_makes_masking_take_more_than_its_length(piece: str):
    text = "://" + "-----BEGIN RSA PRIVATE KEY-----" + piece * (1_000_000 // len(piece))
    assert Masker(["ababab", "s3cr3t"])(text)


@pytest.mark.timeout(60)
def test_a_hundred_thousand_lines_are_masked_by_twenty_secrets():
    mask = Masker(f"s3cr3t/value+{number}" for number in range(20))
    lines = [f"2026-11-23T13:00:00Z GET /orders/{number} 200 key=s3cr3t/value+7" for number in range(100_000)]
    assert {mask(line)[-7:] for line in lines} == {f"key={MASK}"}

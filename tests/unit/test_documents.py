import math
import random

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from conductor.documents.document import Mark, Tagged, nearest, read_document, read_documents
from conductor.documents.text import MAX_BYTES
from conductor.errors import ConfigurationError


def data(text: str | bytes):
    return read_document(text, file="a.yml").data


def problems(text: str | bytes):
    with pytest.raises(ConfigurationError) as caught:
        read_document(text, file="a.yml")
    return [(p.line, p.column, p.message) for p in caught.value.problems]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("12:30:45", "12:30:45"),
        ("22:22", "22:22"),
        ("2026-01-01", "2026-01-01"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("=", "="),
        ("True", True),
        ("false", False),
        ("~", None),
        ("", None),
        ("Null", None),
        ("010", 10),
        ("0o17", 15),
        ("0x10", 16),
        ("-7", -7),
        ("+1", 1),
        ("1.10", 1.1),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("-.inf", -math.inf),
        ("123456789012345678901234", 123456789012345678901234),
        ("'1'", "1"),
        ('"true"', "true"),
        ("!!str 12", "12"),
        ("!!int '12'", 12),
        ("!!float 3", 3.0),
        ("! 12", "12"),
    ],
)
def test_scalars_mean_what_yaml_1_2_says(written: str, meant: object):
    value = data(f"a: {written}")["a"]
    assert (value, type(value)) == (meant, type(meant))


def test_keys_are_text_as_they_are_written():
    assert data("on: 1\n8080: 2\ntrue: 3\n1.10: 4") == {"on": 1, "8080": 2, "true": 3, "1.10": 4}


def test_merged_keys_lose_against_own_ones_and_against_earlier_sources():
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc:\n  z: 3\n  <<: [*a, *b]\n"
    assert data(text)["c"] == {"z": 3, "x": 1, "y": 1}


def test_a_merge_key_in_quotes_is_a_key():
    assert data('a: {"<<": {x: 1}}') == {"a": {"<<": {"x": 1}}}


def test_a_merged_value_stands_where_it_was_written():
    document = read_document("a: &a\n  x: 1\nb:\n  <<: *a\n  y: 2\n", file="a.yml")
    assert document.mark(("b", "x")) == Mark(2, 6)
    assert document.mark(("b", "x"), key=True) == Mark(2, 3)
    assert document.mark(("b", "y")) == Mark(5, 6)


def test_what_two_aliases_stand_for_can_be_changed_apart():
    value = data("a: &a {x: [1]}\nb: *a\n")
    value["a"]["x"].append(2)
    assert value["b"] == {"x": [1]}


def test_a_place_that_is_missing_is_shown_at_the_key_above_it():
    document = read_document("tests:\n  env:\n    A: 1\n", file="a.yml")
    assert document.mark(("tests", "env", "B")) == Mark(2, 3)
    assert document.mark(("tests", "env", "A", "deeper")) == Mark(3, 5)
    assert document.mark(("nothing", 3)) == Mark(1, 1)


def test_the_way_a_number_is_written_is_kept():
    document = read_document("mode: 0440\nmodes: [0x1, a]\n", file="a.yml")
    assert (document.written(("mode",)), document.written(("modes", 0))) == ("0440", "0x1")
    assert document.written(("modes",)) is document.written(("none",)) is None


def test_a_problem_shows_the_line_and_a_caret():
    document = read_document("services:\n  web: {imge: x}\n", file="compose.yml")
    problem = document.problem(
        ("services", "web", "imge"), "unknown key", remedy="Did you mean `image`?", key=True
    )
    assert str(problem).splitlines() == [
        "compose.yml:2:9: unknown key",
        "      web: {imge: x}",
        "            ^",
        "    Did you mean `image`?",
    ]


def test_tags_that_the_reader_allows_become_tagged_and_others_are_problems():
    document = read_document("a: !reset null\nb: !override [1]\n", file="a.yml", tags=["!reset", "!override"])
    assert document.data == {"a": Tagged("!reset", None), "b": Tagged("!override", [1])}
    assert document.mark(("b", 0)) == Mark(2, 15)
    assert problems("a: !reset null") == [(1, 4, "the tag `!reset` is not allowed here")]


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, 1, "the key `a` is here twice: it stands on line 1 already"),
        ("a: 1\n'a': 2\n", 2, 1, "the key `a` is here twice: it stands on line 1 already"),
        (
            "a: &a {x: 1}\nb:\n  <<: *a\n  <<: *a\n",
            4,
            3,
            "the key `<<` is here twice: it stands on line 3 already",
        ),
        ("a: &a\n  b: *a\n", 2, 6, "`a` contains itself"),
        ("a: *b\n", 1, 4, "there is no anchor `b` above this line"),
        ("? [a]\n: b\n", 1, 3, "a list or a mapping cannot be a key"),
        ("{~: 1}\n", 1, 2, "a key is missing before the `:`"),
        ("a: {<<: 1}\n", 1, 9, "`<<` takes a mapping or a list of mappings"),
        ("a: 1\n---\nb: 2\n", 3, 1, "a second document begins here"),
        ('a: "x\\0y"\n', 1, 4, "a NUL character cannot stand in a value"),
        ("a: 1\nb: x\x1b[31my\n", 2, 5, "the control character U+001B cannot stand in YAML"),
        ("a: x\0y\n", 1, 5, "a NUL character cannot stand in YAML"),
        ("a:\n\tb: 1\n", 2, 1, "a tab stands where only spaces may"),
        ("a: b: c\n", 1, 5, "a `:` stands where no key can be"),
        ("a: [1, 2\nb: 3\n", 2, 2, "a `,` or the `]` of the list is missing"),
        ("a: @x\n", 1, 4, "a special character (`@`, a backquote or `%`) starts a value"),
        (
            "a: !!python/object:os.system [ls]\n",
            1,
            4,
            "the tag `!!python/object:os.system` is not allowed here",
        ),
        ("a: !!int x\n", 1, 4, "`x` is no int, which its tag says it is"),
        ("%TAG !e! tag:x,1:\n---\na: 1\n", 1, 1, "%TAG lines are not read"),
        ("a: !!timestamp 2026-01-01\n", 1, 4, "the tag `!!timestamp` is not allowed here"),
        (f"a: {'9' * 5000}\n", 1, 4, "a number of 5000 characters; if it is text, quote it"),
        (b"a: 1\nb: caf\xe9\n", 2, 7, "the byte 0xe9 is no UTF-8"),
        ("a: 1".encode("utf-16"), 1, 0, "the file is UTF-16"),
        ("a: 1".encode("utf-32"), 1, 0, "the file is UTF-32"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str | bytes, line: int, column: int, message: str):
    assert problems(text) == [(line, column, message)]


def test_all_problems_of_a_file_come_at_once():
    assert [line for line, _, _ in problems("a: 1\na: 2\nb: !x 1\nc: {d: 1, d: 2}\n")] == [2, 3, 4]


def test_a_byte_order_mark_is_no_part_of_the_text():
    assert data(b"\xef\xbb\xbfa: 1\n") == data("\ufeffa: 1\n") == {"a": 1}


def test_an_empty_file_is_a_document_of_nothing():
    document = read_document("# only a comment\n", file="a.yml")
    assert (document.data, document.mark(("a",))) == (None, Mark(1, 1))


def test_several_documents_are_read_where_they_are_meant():
    documents = read_documents("a: 1\n---\nb: 2\n", file="a.yml")
    assert [d.data for d in documents] == [{"a": 1}, {"b": 2}]
    assert documents[1].mark(("b",)) == Mark(3, 4)


def test_a_line_of_dashes_at_the_end_begins_no_second_document():
    assert data("---\na: 1\n---\n") == {"a": 1}


def test_anchors_end_with_their_document():
    with pytest.raises(ConfigurationError, match="there is no anchor `a`"):
        read_documents("a: &a 1\n---\nb: *a\n", file="a.yml")


def test_text_of_a_repository_cannot_steer_the_terminal_that_shows_it():
    document = read_document('a: "x\u202ey"\n', file="a.yml")
    assert "\u202e" not in str(document.problem(("a",), "wrong"))


def test_a_file_over_the_size_limit_is_refused_without_being_parsed():
    assert problems("a" * (MAX_BYTES + 1)) == [(0, 0, "the file is longer than 1024 kB")]


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(alphabet="abcnoyes:- #.019~é", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(alphabet="abcde", min_size=1), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(plain)
@example({"a": [{"b": None}]})
def test_what_another_writer_wrote_is_read_back(value: object):
    written = yaml.safe_dump(value, allow_unicode=True)
    assert data(written) == value


@given(plain)
def test_every_value_has_a_place_inside_the_file(value: object):
    written = yaml.safe_dump(value)
    document = read_document(written, file="a.yml")
    stack = [((), document.data)]
    while stack:
        path, found = stack.pop()
        assert document.mark(path).line <= written.count("\n") + 1
        below = (
            found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
        )
        stack += [((*path, part), inner) for part, inner in below]


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_no_input_ends_in_anything_but_data_or_a_configuration_error(content: str | bytes):
    try:
        read_documents(content, file="a.yml")
    except ConfigurationError as error:
        said = error.problems
        assert all(problem.file == "a.yml" and problem.message for problem in said)


def test_damage_anywhere_in_a_file_ends_in_data_or_a_configuration_error():
    chance = random.Random(7)  # noqa: S311 -- the same damage every time
    good = "a: &a {x: [1, 'two']}\nb:\n  <<: *a\n  y: |\n    text\n# end\n"
    for _ in range(2000):
        at = chance.randrange(len(good))
        bad = good[:at] + chance.choice("\t:{}[]&*!|>'\"%@`-?#,\n \0") + good[at + chance.randrange(3) :]
        try:
            read_documents(bad, file="a.yml")
        except ConfigurationError as error:
            assert error.problems[0].line > 0  # noqa: PT017 -- either may happen


def test_the_nearest_key_is_found_and_far_ones_are_not():
    keys = ["command", "image", "timeout", "rerun"]
    assert [nearest(word, keys) for word in ("comand", "Image", "time_out", "zzz")] == [
        "command",
        "image",
        "timeout",
        None,
    ]

from typing import Any

import pytest

from conductor.compose.dotenv import parse_dotenv, parse_raw
from conductor.compose.template import Substitution
from conductor.domain.stack import SecretText
from conductor.errors import ConfigurationError

AROUND = {"R": "around", "KEY": SecretText(parts=("", "KEY", ""))}


def parse(text: str):
    return parse_dotenv(text.encode(), file=".env", substitution=Substitution(AROUND.get))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=1 # comment", "1"),
        ("A=a#b", "a#b"),
        ("A='x$R' # c", "x$R"),
        (r'A="a\nb\tc\"d\$e"', 'a\nb\tc"d$e'),
        ("A: yaml", "yaml"),
        ("export A=1", "1"),
        ("  A = 1 ", "1"),
        ("A=", ""),
        ('A="x\ny"', "x\ny"),
        ("A='multi\nline'", "multi\nline"),
        ("A=${R:-q}", "around"),
        ("A=${NOPE:-q}", "q"),
        ('A="${R}"', "around"),
        ("A=a\\nb", "a\\nb"),
        ("A=$$x", "$x"),
        ("A=b=c", "b=c"),
        ('A=x "y" z', 'x "y" z'),
        ("A=x'y", "x'y"),
        ("A=1\r\n", "1"),
        ("\ufeffA=1", "1"),
        ("# comment\n\n   # another\nA=1\n", "1"),
    ],
)
def test_a_line_is_read_as_compose_reads_it(text: str, expected: Any):
    assert parse(text) == {"A": expected}


def test_later_lines_see_earlier_ones():
    assert parse("A=1\nB=$A$A") == {"A": "1", "B": "11"}


def test_what_is_around_comes_before_what_the_file_says():
    assert parse("R=2\nA=$R")["A"] == "around"


def test_a_name_alone_takes_its_value_from_around():
    assert parse("R\nA=1") == {"R": None, "A": "1"}


def test_a_secret_in_a_value_stays_a_name():
    assert parse("URL=db://$KEY@db")["URL"] == SecretText(parts=("db://", "KEY", "@db"))


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("OK=1\nA B=1", 2, "space"),
        ("A!=1", 1, "no name"),
        ('\n\nA="open', 3, "never closed"),
        ("A=${", 1, "never closed"),
    ],
)
def test_a_mistake_is_told_with_its_line(text: str, line: int, said: str):
    with pytest.raises(ConfigurationError, match=said) as raised:
        parse(text)
    assert [problem.line for problem in raised.value.problems] == [line]


def test_what_is_no_text_is_said():
    with pytest.raises(ConfigurationError, match="UTF-8"):
        parse_dotenv(b"\xff\xfe", file=".env", substitution=Substitution(AROUND.get))


def test_doubling_variables_end_before_the_memory_does():
    bomb = "A0=xxxxxxxxxx\n" + "\n".join(f"A{n}=$A{n - 1}$A{n - 1}" for n in range(1, 60))
    with pytest.raises(ConfigurationError, match="more text"):
        parse(bomb)


def test_a_raw_file_is_taken_as_it_stands():
    assert parse_raw(b"# c\nA=$R 'x' # y\nB\n", file="x") == {"A": "$R 'x' # y", "B": None}

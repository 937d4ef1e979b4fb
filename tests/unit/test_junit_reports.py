"""Reading JUnit: real files of many producers, then the misfortunes one by one."""

from __future__ import annotations

import csv
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor.domain.results import CaseStatus, Counts
from conductor.reports import junit, junit_case, xml_tree
from conductor.reports.junit import read_junit

CONTRACTS = os.environ.get("CONDUCTOR_CONTRACTS")
ROWS = (
    list(
        csv.DictReader(
            (Path(CONTRACTS) / "junit/manifest.tsv").read_text("utf-8").splitlines(), delimiter="\t"
        )
    )
    if CONTRACTS
    else []
)
needs_contracts = pytest.mark.skipif(
    not CONTRACTS, reason="CONDUCTOR_CONTRACTS names no folder of real report files"
)


def read(xml: str | bytes, name: str = "junit.xml"):
    return read_junit({name: xml.encode() if isinstance(xml, str) else xml})


def corpus(name: str) -> bytes:
    return (Path(CONTRACTS or "") / "junit/corpus" / name).read_bytes()


@needs_contracts
def test_every_case_of_every_well_formed_file_is_read():
    for row in ROWS:
        if row["parse"] == "ok":
            made = read(corpus(row["file"]))
            assert len(made.cases) == int(row["testcases"]), row["file"]
            assert made.files == 1
            if "no-cases-but-tests" not in row["file"]:
                assert not made.problems, row["file"]


@needs_contracts
def test_failures_and_errors_are_counted_as_the_manifest_counts_their_elements():
    several_results_in_a_case = ("multiresult", "multiple_errors", "no-cases-but-tests")
    for row in ROWS:
        if row["parse"] == "ok" and not any(name in row["file"] for name in several_results_in_a_case):
            counts = read(corpus(row["file"])).counts
            assert (counts.failed, counts.errors) == (int(row["failures"]), int(row["errors"])), row["file"]


@needs_contracts
def test_counts_agree_with_those_that_another_reader_published():
    folder = Path(CONTRACTS or "") / "junit/expected"
    seen = 0
    for path in sorted(folder.glob("*.json")):
        stats = json.loads(path.read_text())["stats"]
        counts = read(corpus(path.name.replace(".results.json", ".xml"))).counts
        theirs = tuple(stats[f"tests_{word}"] for word in ("succ", "fail", "error", "skip"))
        assert (counts.passed, counts.failed, counts.errors, counts.skipped) == theirs, path.name
        seen += 1
    assert seen == 12


@needs_contracts
def test_every_malformed_file_is_a_problem_with_a_reason():
    broken = [row for row in ROWS if row["parse"] != "ok"]
    assert broken
    for row in broken:
        made = read(corpus(row["file"]), row["file"])
        assert [problem.file for problem in made.problems] == [row["file"]]
        assert made.problems[0].why


@needs_contracts
def test_a_file_cut_off_in_the_middle_keeps_the_cases_before_the_cut():
    made = read(corpus(next(row["file"] for row in ROWS if "corrupt-xml" in row["file"])))
    assert [case.name for case in made.cases] == ["test_check_shape_compatibility"]
    assert "read up to there: 1 cases" in made.problems[0].why


def test_a_failure_keeps_message_details_place_and_what_it_printed():
    made = read("""<testsuite name="orders"><testcase name="sends" classname="Orders" file="o.js" line="7" time="0.25">
        <failure message="expected 1" type="AssertionError">at o.js:7</failure><system-out>hello</system-out>
        </testcase></testsuite>""")
    (case,) = made.cases
    assert (case.name, case.classname, case.file, case.line, case.seconds) == (
        "sends",
        "Orders",
        "o.js",
        7,
        0.25,
    )
    assert (case.message, case.details, case.output) == ("expected 1", "at o.js:7", "hello")
    assert case.status is CaseStatus.FAILED


def test_without_a_message_the_first_line_that_says_something_is_the_message():
    made = read("<testsuite><testcase name='a'><failure>\n\n  boom\nat x</failure></testcase></testsuite>")
    assert made.cases[0].message == "boom"


def test_the_worst_of_several_results_is_the_cases_status():
    made = read("<testsuite><testcase name='a'><skipped/><failure/><error/></testcase></testsuite>")
    assert made.counts == Counts(errors=1)


def test_flaky_in_surefires_words_is_passed_and_rerun_is_failed():
    made = read("""<testsuite>
        <testcase name="flaky"><flakyFailure message="first try"><stackTrace>at A</stackTrace></flakyFailure></testcase>
        <testcase name="red"><failure message="no"/><rerunFailure message="again no"/></testcase></testsuite>""")
    flaky, red = made.cases
    assert (flaky.status, flaky.flaky, flaky.message, flaky.details) == (
        CaseStatus.PASSED,
        True,
        "first try",
        "at A",
    )
    assert (red.status, red.flaky, red.message) == (CaseStatus.FAILED, False, "no")


def test_a_status_attribute_counts_where_there_is_no_element():
    made = read(
        "<testsuite><testcase name='a' status='failed'/><testcase name='b' status='disabled'/></testsuite>"
    )
    assert made.counts == Counts(failed=1, skipped=1)


def test_nested_suites_and_cases_beside_them_are_all_read():
    made = read("""<testsuites><testcase name="loose"/><testsuite name="a"><testcase name="1"/>
        <testsuite name="b"><testcase name="2"/></testsuite></testsuite></testsuites>""")
    assert [(case.classname, case.name) for case in made.cases] == [("", "loose"), ("a", "1"), ("a > b", "2")]


def test_a_suite_that_only_counts_is_believed_and_told():
    made = read(
        '<testsuites><testsuite name="x" tests="6" failures="1" errors="0" skipped="2"/></testsuites>'
    )
    assert made.counts == Counts(passed=3, failed=1, skipped=2)
    assert made.problems[0].why == "x counts 6 tests but lists none of them"


PART = '<testsuite name="{0}" timestamp="2026-11-23T10:00:00"><testcase name="{0}1" classname="C" time="1"/></testsuite>'


def test_a_case_that_a_merged_file_repeats_counts_once():
    a, b = PART.format("a"), PART.format("b")
    files = {"a.xml": a, "b.xml": b, "merged.xml": f"<testsuites name='all'>{a}{b}</testsuites>"}
    made = read_junit({name: text.encode() for name, text in files.items()})
    assert made.counts == Counts(passed=2)
    assert made.files == 3


def test_cases_of_one_name_with_another_content_all_count():
    made = read_junit(
        {"a.xml": PART.format("a").encode(), "b.xml": PART.format("a").replace('"1"', '"2"').encode()}
    )
    assert made.counts == Counts(passed=2)


def test_two_equal_cases_in_one_file_count_twice():
    assert read("<testsuite><testcase name='a'/><testcase name='a'/></testsuite>").counts == Counts(passed=2)


BOMB = '<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><testsuite><testcase name="&b;"/></testsuite>'
OUTSIDE = (
    '<!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/passwd">]><testsuite><testcase name="&x;"/></testsuite>'
)
DEEP = "<testsuite>" * 5000 + "</testsuite>" * 5000


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (BOMB.encode(), "declares entities"),
        (OUTSIDE.encode(), "declares entities"),
        (DEEP.encode(), "more than 100 deep"),
        (b"", "is empty"),
        (b"\xef\xbb\xbf \n", "is empty"),
        (b"no xml", "is no well-formed XML"),
        (b"<a><b></a>", "is no well-formed XML"),
        (b"<html><body/></html>", "is no JUnit report: its root element is <html>"),
        (b"\x00\x01\x02\xff" * 100, "is no well-formed XML"),
    ],
)
def test_what_cannot_be_read_is_a_problem(content: bytes, why: str):
    made = read(content)
    assert made.counts == Counts()
    assert why in made.problems[0].why


def test_a_huge_file_is_refused():
    content = b"<testsuite>" + b" " * xml_tree.MAX_BYTES + b"</testsuite>"
    assert read(content).problems[0].why == "is larger than 32 MiB"


def test_a_file_of_too_many_elements_is_read_up_to_there():
    content = (
        b"<testsuite>" + b"<testcase name='a'/>" * 10 + b"<p/>" * xml_tree.MAX_ELEMENTS + b"</testsuite>"
    )
    made = read(content)
    assert made.counts == Counts(passed=10)
    assert "more than 500000 elements" in made.problems[0].why


def test_coverage_beside_the_reports_is_nobodys_mistake():
    assert read("<coverage line-rate='1'/>") == junit.JUnit()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1", "windows-1252", "shift_jis"])
def test_the_declared_encoding_is_used(encoding: str):
    name = "日本" if encoding == "shift_jis" else "café"
    text = f'<?xml version="1.0" encoding="{encoding}"?><testsuite><testcase name="{name}"/></testsuite>'
    assert [case.name for case in read(text.encode(encoding)).cases] == [name]


@pytest.mark.parametrize("encoding", ["klingon", "rot13", "zip", "utf-7"])
def test_an_encoding_that_is_none_does_no_harm(encoding: str):
    read(f'<?xml version="1.0" encoding="{encoding}"?><testsuite><testcase name="a"/></testsuite>')


def test_control_characters_and_escapes_of_terminals_are_taken_out():
    made = read(
        b"\n <?xml version='1.0'?><testsuite><testcase name='a\x07b'>"
        b"<failure message='&#x1b;[31mred&#27;[0m'>\x1b[1mbold\x1b[0m\r\n\xff</failure></testcase></testsuite>"
    )
    (case,) = made.cases
    assert (case.name, case.message, case.details) == ("ab", "red", "bold\n�")
    assert not made.problems


def test_secrets_are_masked_before_texts_are_cut():
    secret = "hunter22hunter22"
    filling = "x" * (junit_case.MESSAGE_LENGTH - 8)
    xml = f"<testsuite><testcase name='a'><failure message='{filling}{secret}'/></testcase></testsuite>"
    made = read_junit({"a.xml": xml.encode()}, mask=lambda text: text.replace(secret, "***"))
    assert "hunter" not in made.cases[0].message


def test_long_texts_are_cut_to_a_readable_length():
    text = "line\n" * 100_000
    made = read(
        f"<testsuite><testcase name='{'n' * 1000}'><error message='{'m' * 9000}'>{text}</error>"
        f"<system-out>{text}end</system-out></testcase></testsuite>"
    )
    (case,) = made.cases
    assert len(case.name) <= junit_case.NAME_LENGTH
    assert len(case.message) <= junit_case.MESSAGE_LENGTH
    assert len(case.details) <= junit_case.DETAILS_LENGTH
    assert len(case.output) <= junit_case.OUTPUT_LENGTH
    assert case.output.endswith("end")


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("1.5", 1.5),
        ("1,234.5", 1234.5),
        ("0,25", 0.25),
        ("-3", 0),
        ("nan", 0),
        ("inf", 0),
        ("", 0),
        ("soon", 0),
        ("1e99", 0),
    ],
)
def test_durations_are_read_leniently(written: str, seconds: float):
    assert read(f"<testsuite><testcase name='a' time='{written}'/></testsuite>").cases[0].seconds == seconds


def test_a_cases_end_is_the_suites_start_and_the_durations_up_to_it():
    made = read("""<testsuite timestamp="2026-11-23T10:00:00"><testcase name="a" time="2"/><testcase name="b" time="3"/>
        <testcase name="c" time="1" timestamp="2026-11-23T12:30:00+02:00"/><testsuite timestamp="nonsense"/></testsuite>""")
    ends = [case.ended_at for case in made.cases]
    assert ends == [
        datetime(2026, 11, 23, 10, 0, 2, tzinfo=UTC),
        datetime(2026, 11, 23, 10, 0, 5, tzinfo=UTC),
        datetime(2026, 11, 23, 10, 30, 1, tzinfo=UTC),
    ]


@given(st.binary(max_size=300))
def test_no_bytes_make_it_fail(content: bytes):
    read(content)


XMLISH = st.lists(
    st.sampled_from([
        "<testsuite>", "</testsuite>", "<testcase name='a' time='9,,9' line='x' timestamp='9999-12-31T23:59:59'>", "</testcase>",
        "<failure>", "</failure>", "<testsuite tests='x' failures='-1' timestamp='0001-01-01T00:00:00+14:00'>", "&#0;", "&#xD800;", "]]>",
        "<!--", "-->", "<![CDATA[", "\x00", "é", "<testcase/>", "<flakyError/>", "<?xml version='1.0' encoding='utf-16'?>",
    ]),
    max_size=25,
)  # fmt: skip


@given(XMLISH)
def test_no_mixture_of_the_right_words_makes_it_fail(parts: list[str]):
    made = read("".join(parts))
    assert made.counts.total >= len(made.cases)

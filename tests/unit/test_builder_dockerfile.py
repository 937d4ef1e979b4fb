"""On which line of a Dockerfile an instruction stands that an engine reports as failed."""

from __future__ import annotations

import pytest

from conductor.building.dockerfile import instructions, line_of

DOCKERFILE = """\
# syntax=docker/dockerfile:1
FROM node:22-alpine AS build

# what it needs
RUN apk add \\
    # a comment in between
    git \\

    make
COPY --chown=node . /app
run <<END
FROM here is text
END
FROM node:22-alpine
RUN yarn   build
"""


def test_each_instruction_is_found_with_its_first_line():
    assert [(one.line, one.text) for one in instructions(DOCKERFILE)] == [
        (2, "FROM node:22-alpine AS build"),
        (5, "RUN apk add git make"),
        (10, "COPY --chown=node . /app"),
        (11, "run <<END"),
        (14, "FROM node:22-alpine"),
        (15, "RUN yarn   build"),
    ]


@pytest.mark.parametrize(
    ("step", "line"),
    [
        ("RUN apk add     git     make", 5),
        ("RUN yarn build", 15),
        ("FROM node:22-alpine", 14),
        ("RUN <<END", 11),
        ("COPY --chown=node", 10),
        ("RUN something else", 0),
    ],
)
def test_a_step_is_found_whatever_the_engine_made_of_its_spaces(step: str, line: int):
    assert line_of(DOCKERFILE, step) == line


def test_the_escape_directive_is_heeded():
    assert [one.text for one in instructions("# escape=`\nFROM a\nRUN x `\n  y\nRUN c:\\\n")] == [
        "FROM a", "RUN x y", "RUN c:\\",
    ]  # fmt: skip


def test_a_file_that_ends_in_the_middle_of_an_instruction_is_read_as_far_as_it_goes():
    assert [one.text for one in instructions("FROM a\nRUN x \\")] == ["FROM a", "RUN x"]

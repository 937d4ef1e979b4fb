"""What deliveries ask for: payloads that GitHub really sent, and what people and strangers may write into them."""

from __future__ import annotations

import copy
import json
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from conductor.adapters.github import GitHubHosting, GitHubSite
from conductor.domain.delivery import (
    CommandGiven,
    Delivery,
    Nothing,
    RerunAsked,
    TagPushed,
    Verb,
    Wish,
    WorkflowEnded,
)
from tests.github.conftest import SECRETS
from tests.github.fake import START
from tests.github.npm import events, payloads

READER = GitHubHosting(GitHubSite())
KNOWN = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
COMMAND = {
    "action": "created",
    "issue": {"number": 12},
    "comment": {"id": 5, "user": {"login": "alice", "type": "User"}},
    "repository": {"full_name": "acme/shop"},
    "sender": {"login": "alice", "type": "User"},
}


def read(event: str, payload: Any) -> Wish:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    delivery = Delivery(id="d", hosting="github", event=event, body=body, received_at=START)
    return READER.read(delivery)


def comment(body: str, **changes: Any) -> Wish:
    payload = copy.deepcopy(COMMAND) | changes
    payload["comment"]["body"] = body  # type: ignore[index]
    return read("issue_comment", payload)


def test_the_signature_is_the_one_of_githubs_documentation():
    hosting = GitHubHosting(GitHubSite(secrets=("It's a Secret to Everybody",)))
    assert hosting.verify(b"Hello, World!", KNOWN)
    assert not hosting.verify(b"Hello, World?", KNOWN)


@pytest.mark.parametrize(
    "signature", ["", "sha256=", KNOWN[:-1], KNOWN.upper(), "sha1=abc", "sha256=ü\udcff"]
)
def test_no_other_signature_is_taken(signature: str):
    assert not GitHubHosting(GitHubSite(secrets=("It's a Secret to Everybody",))).verify(
        b"Hello, World!", signature
    )


def test_two_secrets_are_good_while_one_takes_the_others_place_and_none_takes_nothing():
    signed = "sha256=" + "d" * 64
    assert not GitHubHosting(GitHubSite(secrets=())).verify(b"", signed)
    known = GitHubSite(secrets=(*SECRETS, "It's a Secret to Everybody"))
    assert GitHubHosting(known).verify(b"Hello, World!", KNOWN)


def test_every_payload_that_github_sent_is_understood_or_nothing():
    counted = Counter(
        (event, type(read(event, payload)).__name__) for event in events() for payload in payloads(event)
    )
    asked = {key: number for key, number in counted.items() if key[1] != "Nothing"}
    assert asked == {
        ("push", "TagPushed"): 1,
        ("check_suite", "RerunAsked"): 2,
        ("workflow_run", "WorkflowEnded"): 3,
    }
    assert sum(counted.values()) > 250


def test_a_tag_that_was_pushed_is_read_from_what_github_sent():
    wishes = [(payload, read("push", payload)) for payload in payloads("push")]
    [(payload, found)] = [(payload, wish) for payload, wish in wishes if isinstance(wish, TagPushed)]
    assert found == TagPushed(repository=payload["repository"]["full_name"], tag="simple-tag", commit=payload["head_commit"]["id"],
                              branch="", sender=payload["sender"]["login"])  # fmt: skip


def test_deleting_a_tag_asks_for_nothing():
    told = [read("push", payload) for payload in payloads("push") if payload.get("deleted")]
    assert told
    assert all(isinstance(one, Nothing) and "deleted" in one.why for one in told)


def test_an_annotated_tag_is_taken_by_its_commit_and_one_that_leads_to_none_is_nothing():
    payload = next(
        one for one in payloads("push") if one["ref"].startswith("refs/tags/") and one.get("head_commit")
    )
    annotated = payload | {"after": "b" * 40}
    found = read("push", annotated)
    assert isinstance(found, TagPushed)
    assert found.commit == payload["head_commit"]["id"]
    assert isinstance(read("push", annotated | {"head_commit": None}), Nothing)


@pytest.mark.parametrize(("action", "failed_only"), [("rerequested", False), ("requested_action", True)])
def test_the_buttons_of_our_check_ask_for_the_run_that_it_was_made_for(action: str, failed_only: bool):  # noqa: FBT001
    payload = copy.deepcopy(next(one for one in payloads("check_run") if one["action"] == action))
    assert isinstance(read("check_run", payload), Nothing)
    payload["check_run"]["external_id"] = "shop-k3v9qd/2"
    payload["requested_action"] = {"identifier": "rerun-failed"}
    found = read("check_run", payload)
    assert found == RerunAsked(repository=payload["repository"]["full_name"], run="shop-k3v9qd", sender=payload["sender"]["login"],
                               commit=payload["check_run"]["head_sha"], failed_only=failed_only)  # fmt: skip


@pytest.mark.parametrize("external_id", ["", "shop/x", "../1", "shop-k3v9qd/1 ", "SHOP/1", None, 5])
def test_the_check_of_another_asks_for_nothing(external_id: Any):
    payload = copy.deepcopy(next(one for one in payloads("check_run") if one["action"] == "rerequested"))
    payload["check_run"]["external_id"] = external_id
    assert isinstance(read("check_run", payload), Nothing)


def test_a_workflow_that_ended_is_told():
    [first, *_] = [
        read("workflow_run", one) for one in payloads("workflow_run") if one["action"] == "completed"
    ]
    assert isinstance(first, WorkflowEnded)
    assert first.workflow > 0


@pytest.mark.parametrize(
    ("body", "verb", "keep_for", "failed_only"),
    [
        ("/conductor run", Verb.RUN, None, False),
        ("please\r\n/conductor rerun failed\r\nthanks", Verb.RERUN, None, True),
        ("/conductor keep 24h  ", Verb.KEEP, timedelta(hours=24), False),
        ("/conductor keep 90m", Verb.KEEP, timedelta(minutes=90), False),
        ("```\n/conductor run\n```\n/conductor delete", Verb.DELETE, None, False),
    ],
)
def test_a_command_on_a_line_of_its_own_is_read(
    body: str,
    verb: Verb,
    keep_for: timedelta | None,
    failed_only: bool,  # noqa: FBT001
):
    found = comment(body)
    assert isinstance(found, CommandGiven)
    assert (found.verb, found.keep_for, found.failed_only, found.issue, found.comment) == (
        verb,
        keep_for,
        failed_only,
        12,
        5,
    )
    assert not found.is_pull_request


@pytest.mark.parametrize(
    "body",
    ["run", "please /conductor run", "> /conductor run", "/conductor", "/conductor explode", "/conductor run now", "/conductor keep 0h",
     "```\n/conductor run", "    /conductor run", "/conductor\nrun", "/conductor keep 999999h", "", None],
)  # fmt: skip
def test_what_is_no_command_asks_for_nothing(body: Any):
    assert isinstance(comment(body), Nothing)


@pytest.mark.parametrize(
    "changes",
    [{"action": "edited"}, {"action": "deleted"}, {"sender": {"login": "robot[bot]", "type": "Bot"}},
     {"comment": {"id": 5, "user": {"login": "x", "type": "Bot"}}}, {"repository": {"full_name": "acme/.."}}, {"issue": {"number": "12"}}],
)  # fmt: skip
def test_a_command_that_was_edited_or_comes_from_a_program_or_is_malformed_asks_for_nothing(
    changes: dict[str, Any],
):
    assert isinstance(comment("/conductor run", **changes), Nothing)


def test_a_command_on_a_pull_request_is_told_apart():
    found = comment("/conductor run", issue={"number": 3, "pull_request": {"url": "x"}})
    assert isinstance(found, CommandGiven)
    assert found.is_pull_request


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"5",
        b"{",
        b'"x"',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"ref": 5}',
        b'{"ref": "refs/tags/x"}',
    ],
)
@pytest.mark.parametrize(
    "event", ["push", "check_run", "check_suite", "issue_comment", "workflow_run", "ping", "no such"]
)
def test_a_malformed_payload_asks_for_nothing(event: str, body: bytes):
    assert isinstance(read(event, body), Nothing)

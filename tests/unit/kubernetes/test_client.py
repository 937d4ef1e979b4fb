"""Asking an API server: every refusal in Conductor's words, and tries that are worth it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

import httpx2
import pytest

from conductor.adapters.kubernetes.api.client import AT_ONCE, PAUSES, TURNED_AWAY, Client
from conductor.adapters.kubernetes.api.kinds import CONFIG_MAP, JOB, NAMESPACE, POD
from conductor.adapters.kubernetes.api.problems import ExpiredError, ForbiddenError
from conductor.domain.verdict import Fault, Reason
from conductor.errors import ConductorError, ConflictError, NotFoundError, RunError, UnreachableError

WHO = 'User "system:serviceaccount:c0:conductor"'
POD_FORBIDDEN = (
    f'pods is forbidden: {WHO} cannot create resource "pods" in API group "" in the namespace "shop"'
)
QUOTA = 'pods "web" is forbidden: exceeded quota: quota, requested: pods=1, used: pods=0, limited: pods=0'
SECURITY = 'pods "web" is forbidden: violates PodSecurity "baseline:latest": privileged (container "x" must not set it)'
SCHEMA = "failed to create typed patch object (shop/web; batch/v1, Kind=Job): .spec.nonsense: field not declared in schema"
ENDING = (
    'pods "web" is forbidden: unable to create new content in namespace shop because it is being terminated'
)


class Server:
    """Answers in turn, and remembers what it was asked and how long the client waited."""

    def __init__(self, *answers: httpx2.Response | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[httpx2.Request] = []
        self.waits: list[float] = []

    def client(self) -> Client:
        http = httpx2.AsyncClient(
            base_url="https://cluster.example", transport=httpx2.MockTransport(self._answer)
        )
        return Client(http, address="https://cluster.example", sleep=self._sleep)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


def refusal(code: int, message: str = "no", reason: str = "", **details: object) -> httpx2.Response:
    status = {"kind": "Status", "code": code, "message": message, "reason": reason, "details": details}
    return httpx2.Response(code, json=status)


async def told(server: Server) -> ConductorError:
    with pytest.raises(ConductorError) as caught:
        await server.client().get(POD, "web", "shop")
    return caught.value


@pytest.mark.parametrize(
    ("code", "message", "expected", "reason"),
    [
        (401, "Unauthorized", UnreachableError, None),
        (403, POD_FORBIDDEN, ForbiddenError, Reason.FORBIDDEN),
        (403, QUOTA, RunError, Reason.QUOTA),
        (403, SECURITY, RunError, Reason.CONFIGURATION),
        (403, ENDING, ConflictError, None),
        (404, 'pods "web" not found', NotFoundError, None),
        (409, "the object has been modified", ConflictError, None),
        (410, "too old resource version", ExpiredError, None),
        (
            422,
            'Job.batch "web" is invalid: spec.template: field is immutable',
            RunError,
            Reason.CONFIGURATION,
        ),
        (500, SCHEMA, RunError, Reason.CONFIGURATION),
        (500, "etcdserver: request timed out", UnreachableError, None),
        (429, "too many requests", UnreachableError, None),
    ],
)
async def test_every_refusal_has_its_class_and_a_remedy(
    code: int, message: str, expected: type[ConductorError], reason: Reason | None
):
    error = await told(Server(refusal(code, message)))
    assert type(error) is expected
    assert error.remedy
    assert getattr(error, "reason", None) == reason


async def test_a_missing_right_is_named_as_a_role_would_have_it():
    error = await told(Server(refusal(403, POD_FORBIDDEN)))
    assert error.message == "reading Pod web in shop (missing right: create pods in the core API group)"
    assert (error.fault, error.reason) == (Fault.PLATFORM, Reason.FORBIDDEN)


async def test_a_conflict_names_its_fields():
    answer = refusal(409, "Apply failed with 1 conflict", causes=[{"field": ".spec.replicas"}])
    assert ".spec.replicas" in (await told(Server(answer))).message


async def test_nothing_of_a_request_is_in_an_error():
    server = Server(refusal(422, "Secret is invalid"))
    secret = {
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": "shop"},
        "data": {"TOKEN": "dDBwczNjcmV0"},
    }
    with pytest.raises(RunError) as caught:
        await server.client().create(secret)
    assert "dDBwczNjcmV0" not in str(caught.value)


async def test_an_applied_secret_would_come_back_so_it_is_refused():
    with pytest.raises(ValueError, match="create it"):
        await Server(refusal(500)).client().apply({"kind": "Secret", "metadata": {"name": "s"}})


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
async def test_what_may_pass_is_asked_again(code: int):
    server = Server(refusal(code), refusal(code), httpx2.Response(200, json={"kind": "Pod"}))
    assert await server.client().get(POD, "web") == {"kind": "Pod"}
    assert server.waits == list(PAUSES[:2])


async def test_a_server_that_says_how_long_is_heard():
    busy = httpx2.Response(429, json={"message": "busy"}, headers={"Retry-After": "7"})
    server = Server(busy, httpx2.Response(200, json={}))
    await server.client().get(POD, "web")
    assert server.waits == [7.0]


async def test_a_server_that_turns_away_is_obeyed_for_longer_than_a_failing_one_is_tried():
    busy = [httpx2.Response(429, json={"message": "busy"}, headers={"Retry-After": "1"})] * 30
    server = Server(*busy, httpx2.Response(200, json={"kind": "Pod"}))
    assert await server.client().get(POD, "web") == {"kind": "Pod"}
    assert server.waits == [1.0] * 30


async def test_a_server_that_turns_away_for_ever_is_given_up():
    server = Server(httpx2.Response(429, json={"message": "busy"}, headers={"Retry-After": "10"}))
    assert isinstance(await told(server), UnreachableError)
    assert TURNED_AWAY <= sum(server.waits) < 2 * TURNED_AWAY


async def test_a_crowd_of_requests_takes_turns():
    at_once = most = 0

    async def answer(_: httpx2.Request) -> httpx2.Response:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0)
        at_once -= 1
        return httpx2.Response(200, json={})

    client = Client(
        httpx2.AsyncClient(base_url="https://cluster.example", transport=httpx2.MockTransport(answer))
    )
    await asyncio.gather(*(client.get(POD, f"web-{number}") for number in range(10 * AT_ONCE)))
    assert most == AT_ONCE


async def test_what_never_passes_is_given_up():
    server = Server(refusal(503, "overloaded"))
    assert isinstance(await told(server), UnreachableError)
    assert len(server.asked) == len(PAUSES) + 1


@pytest.mark.parametrize(("code", "message"), [(403, POD_FORBIDDEN), (404, "no"), (422, "no"), (500, SCHEMA)])
async def test_what_will_not_change_is_asked_once(code: int, message: str):
    server = Server(refusal(code, message))
    await told(server)
    assert len(server.asked) == 1


async def test_a_server_that_never_answered_is_given_up_at_once():
    server = Server(httpx2.ConnectError("connection refused"))
    error = await told(server)
    assert (type(error), server.waits) == (UnreachableError, [])
    assert "cluster.example" in error.message


async def test_a_server_that_went_away_is_waited_for():
    server = Server(
        httpx2.Response(200, json={}), httpx2.ConnectError("refused"), httpx2.Response(200, json={})
    )
    client = server.client()
    await client.get(POD, "web")
    await client.get(POD, "web")
    assert server.waits == [PAUSES[0]]


async def test_a_proxys_page_is_no_object_and_no_traceback():
    error = await told(Server(httpx2.Response(404, text="<html>nowhere</html>")))
    assert "<html>nowhere</html>" in error.message


async def test_who_goes_by_another_name_than_was_installed_is_told_so():
    denied = (
        "namespaces \"shop\" is forbidden: ValidatingAdmissionPolicy 'conductor' with binding 'conductor' denied request: "
        "Conductor makes and changes only namespaces with the mark of its instance."
    )
    error = await told(Server(refusal(403, denied)))
    assert isinstance(error, ForbiddenError)
    assert "CONDUCTOR_INSTANCE" in error.remedy


async def test_a_server_that_comes_back_and_knows_no_roles_yet_is_asked_again():
    server = Server(
        httpx2.Response(200, json={}),
        httpx2.ConnectError("refused"),
        refusal(403, POD_FORBIDDEN),
        refusal(401, "Unauthorized"),
        httpx2.Response(200, json={"kind": "Pod"}),
    )
    client = server.client()
    await client.version()
    assert await client.get(POD, "web", "shop") == {"kind": "Pod"}
    assert len(server.waits) == 3


async def test_a_right_that_is_still_missing_after_a_loss_is_a_loss_that_may_be_tried_again():
    server = Server(
        httpx2.Response(200, json={}), httpx2.ConnectError("refused"), refusal(403, POD_FORBIDDEN)
    )
    client = server.client()
    await client.version()
    with pytest.raises(UnreachableError, match="missing right: create pods"):
        await client.get(POD, "web", "shop")
    assert server.waits == list(PAUSES)


async def test_what_the_server_refuses_for_other_reasons_after_a_loss_is_refused():
    server = Server(httpx2.Response(200, json={}), httpx2.ConnectError("refused"), refusal(403, QUOTA))
    client = server.client()
    await client.version()
    with pytest.raises(RunError):
        await client.get(POD, "web", "shop")
    assert len(server.waits) == 1


def page(names: Sequence[str], *, more: str = "", version: str = "7") -> httpx2.Response:
    items = [{"metadata": {"name": name, "namespace": "shop"}} for name in names]
    return httpx2.Response(
        200, json={"metadata": {"resourceVersion": version, "continue": more}, "items": items}
    )


async def test_a_list_is_read_to_its_last_page():
    server = Server(page(["a", "b"], more="next"), page(["c"], version="9"))
    listing = await server.client().list(POD, "shop", labels={"app": "x"}, fields={"type": "Warning"})
    assert [item["metadata"]["name"] for item in listing.items] == ["a", "b", "c"]
    assert listing.version == "9"
    assert server.asked[1].url.params["continue"] == "next"
    assert server.asked[0].url.params["labelSelector"] == "app=x"


async def test_a_list_that_grew_old_between_pages_is_begun_anew_in_one():
    server = Server(page(["a"], more="next"), refusal(410, "expired"), page(["a", "b"]))
    listing = await server.client().list(POD)
    assert len(listing.items) == 2
    assert "limit" not in server.asked[2].url.params


async def test_an_apply_is_a_patch_under_conductors_name():
    server = Server(httpx2.Response(200, json={"kind": "ConfigMap"}))
    await server.client().apply({"kind": "ConfigMap", "metadata": {"name": "c", "namespace": "shop"}})
    (asked,) = server.asked
    assert (asked.method, asked.url.path) == ("PATCH", CONFIG_MAP.path("shop", "c"))
    assert asked.headers["Content-Type"] == "application/apply-patch+yaml"
    assert (asked.url.params["fieldManager"], asked.url.params["force"]) == ("conductor", "true")


async def test_what_is_there_already_is_not_made_again():
    job = {"kind": "Job", "metadata": {"name": "web", "namespace": "shop"}}
    there = refusal(409, 'jobs.batch "web" already exists', "AlreadyExists")
    assert await Server(there).client().create(job) is None
    assert await Server(httpx2.Response(201, json=job)).client().create(job) == job


async def test_what_is_gone_needs_no_deleting():
    assert await Server(refusal(404)).client().delete(NAMESPACE, "shop") is False


async def test_only_the_one_that_was_meant_is_deleted():
    server = Server(refusal(409, "Precondition failed: UID in precondition: 1, UID in object meta: 2"))
    assert (
        await server.client().delete(JOB, "web", "shop", uid="1", grace=0, propagation="Foreground") is False
    )
    sent = json.loads(server.asked[0].content)
    assert (sent["preconditions"], sent["gracePeriodSeconds"]) == ({"uid": "1"}, 0)
    assert sent["propagationPolicy"] == "Foreground"


async def test_a_stream_that_is_refused_says_why():
    with pytest.raises(NotFoundError):
        async with Server(refusal(404)).client().stream("/api/v1/pods", doing="watching pods"):
            pass

"""The distribution API: absence, refusal and limits are three things, and passwords go nowhere else."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from conductor.adapters.registries.distribution import Distribution, sha256
from conductor.adapters.registries.exchange import LONGEST_WAIT, PAUSES, Answer, Exchange, asked_pause
from conductor.adapters.registries.tokens import Tokens
from conductor.errors import RefusedError, UnreachableError
from conductor.ports.registry import Credentials
from tests.registries.conftest import Waits
from tests.registries.fake_distribution import Account, FakeDistribution, Misfortune, busy
from tests.registries.serving import free_port, serving

ALICE = Credentials(server="registry", username="alice", password="correct horse")
PATH = "acme_shop/backend"


@pytest.fixture
async def exchange(waits: Waits) -> AsyncIterator[Exchange]:
    exchange = Exchange(sleep=waits)
    yield exchange
    await exchange.aclose()


@pytest.fixture
async def url(store: FakeDistribution) -> AsyncIterator[str]:
    async with serving(store.app()) as url:
        yield url


def known(store: FakeDistribution, scheme: str) -> None:
    store.scheme = scheme
    store.accounts["alice"] = Account(ALICE.password)


def as_(exchange: Exchange, url: str, login: Credentials | None = ALICE) -> Distribution:
    return Distribution(exchange, api=url, tokens=Tokens(exchange, login))


@pytest.mark.parametrize("scheme", ["", "basic", "bearer"])
async def test_what_is_pushed_is_found_under_its_tag_and_its_digest_and_gone_once_deleted(
    store: FakeDistribution, exchange: Exchange, url: str, scheme: str
):
    known(store, scheme)
    registry = as_(exchange, url)
    await registry.check_login()
    pushed = await registry.push(PATH, "one", layer=gzip.compress(b"layer", mtime=0), config={"os": "linux"})
    assert await registry.digest(PATH, "one") == pushed == await registry.digest(PATH, pushed)
    manifest = await registry.manifest(PATH, "one")
    assert manifest is not None
    layer = await registry.blob(PATH, manifest["layers"][0]["digest"])
    assert gzip.decompress(layer or b"") == b"layer"
    assert await registry.delete(PATH, pushed)
    assert await registry.digest(PATH, "one") is None
    assert await registry.delete(PATH, pushed), "what is gone is no error"


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
async def test_a_wrong_password_is_a_refusal_with_what_to_do_and_no_absence(
    store: FakeDistribution, exchange: Exchange, url: str, scheme: str
):
    known(store, scheme)
    store.put(PATH, "one")
    wrong = Credentials(server="registry", username="alice", password="battery staple")
    with pytest.raises(RefusedError) as refused:
        await as_(exchange, url, wrong).digest(PATH, "one")
    assert "CONDUCTOR_REGISTRY_PASSWORD" in refused.value.remedy
    assert "battery" not in f"{refused.value}{refused.value.remedy}{wrong!r}"


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
async def test_who_may_only_pull_is_told_so_when_pushing(
    store: FakeDistribution, exchange: Exchange, url: str, scheme: str
):
    known(store, scheme)
    store.accounts["alice"].may = lambda path, action: action == "pull"
    store.put(PATH, "one")
    registry = as_(exchange, url)
    assert await registry.digest(PATH, "one")
    assert not await registry.may_push(PATH)
    with pytest.raises(RefusedError, match="pushing to acme_shop/backend"):
        await registry.push(PATH, "two", layer=b"x", config={})


async def test_whoever_may_push_leaves_no_upload_behind_when_only_asking(
    store: FakeDistribution, exchange: Exchange, url: str
):
    assert await as_(exchange, url, None).may_push(PATH)
    assert not store.uploads


async def test_one_token_serves_until_it_is_old(store: FakeDistribution, exchange: Exchange, url: str):
    known(store, "bearer")
    store.put(PATH, "one")
    now = [0.0]
    registry = Distribution(exchange, api=url, tokens=Tokens(exchange, ALICE, now=lambda: now[0]))
    for _ in range(3):
        await registry.digest(PATH, "one")
    assert store.count("GET", "/token") == 1
    now[0] = store.token_seconds + 1
    await registry.digest(PATH, "one")
    assert store.count("GET", "/token") == 2


async def test_a_token_that_the_registry_takes_no_longer_is_fetched_anew(
    store: FakeDistribution, exchange: Exchange, url: str
):
    known(store, "bearer")
    digest = store.put(PATH, "one")
    registry = as_(exchange, url)
    assert await registry.digest(PATH, "one") == digest
    store.tokens.clear()
    assert await registry.digest(PATH, "one") == digest


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
async def test_several_questions_at_once_are_all_answered(
    store: FakeDistribution, exchange: Exchange, url: str, scheme: str
):
    known(store, scheme)
    digest = store.put(PATH, "one")
    registry = as_(exchange, url)
    assert {*await asyncio.gather(*(registry.digest(PATH, "one") for _ in range(8)))} == {digest}


async def test_an_image_that_is_not_there_is_absent_and_so_is_one_of_an_unknown_repository(
    store: FakeDistribution, exchange: Exchange, url: str
):
    store.put(PATH, "one")
    registry = as_(exchange, url, None)
    assert await registry.digest(PATH, "two") is None
    assert await registry.digest("nobody/nothing", "two") is None
    assert [tag async for tag in registry.tags("nobody/nothing")] == []


async def test_a_404_of_something_else_is_no_absence(exchange: Exchange):
    async with serving(Starlette()) as url:
        with pytest.raises(UnreachableError, match="not as a registry does") as caught:
            await as_(exchange, url, None).digest(PATH, "one")
    assert "CONDUCTOR_REGISTRY_URL" in caught.value.remedy


async def test_tags_are_listed_over_all_pages(store: FakeDistribution, exchange: Exchange, url: str):
    store.page = 3
    for number in range(10):
        store.put(PATH, f"t{number}")
    assert [tag async for tag in as_(exchange, url, None).tags(PATH)] == [
        f"t{number}" for number in range(10)
    ]
    assert store.count("GET", "/tags/list") == 4


async def test_a_limit_is_waited_for_as_long_as_the_registry_asks(
    store: FakeDistribution, exchange: Exchange, url: str, waits: Waits
):
    digest = store.put(PATH, "one")
    limited = busy(429, Retry_After="7", RateLimit_Limit="100;w=21600", RateLimit_Remaining="0;w=21600")
    for _ in range(2):
        _misfortune(store, limited)
    assert await as_(exchange, url, None).digest(PATH, "one") == digest
    assert waits == [7.0, 7.0]


async def test_a_limit_that_lasts_is_no_absence_and_tells_when_to_come_back(
    store: FakeDistribution, exchange: Exchange, url: str, waits: Waits
):
    limited = busy(429, Retry_After="3600", RateLimit_Limit="100;w=21600", RateLimit_Remaining="0;w=21600")
    _misfortune(store, limited)
    with pytest.raises(UnreachableError, match=r"0 of 100 pulls left in 6 h, again in 3600 s") as caught:
        await as_(exchange, url, None).digest(PATH, "one")
    assert caught.value.retryable
    assert waits == [], f"more than {LONGEST_WAIT} s are nothing to wait for here"


async def test_a_registry_that_is_busy_for_a_moment_is_asked_again_and_one_that_stays_so_is_unreachable(
    store: FakeDistribution, exchange: Exchange, url: str, waits: Waits
):
    digest = store.put(PATH, "one")
    _misfortune(store, busy(502))
    assert await as_(exchange, url, None).digest(PATH, "one") == digest
    assert waits == [PAUSES[0]]
    for _ in range(len(PAUSES) + 1):
        _misfortune(store, busy(503))
    with pytest.raises(UnreachableError, match="answered 503"):
        await as_(exchange, url, None).digest(PATH, "one")
    assert waits[1:] == list(PAUSES)


async def test_nobody_there_is_unreachable(exchange: Exchange, waits: Waits):
    with pytest.raises(UnreachableError) as caught:
        await as_(exchange, f"http://127.0.0.1:{free_port()}").digest(PATH, "one")
    assert "CONDUCTOR_REGISTRY_URL" in caught.value.remedy
    assert waits == list(PAUSES)


class Elsewhere:
    """A store of blobs on another server, which notes what it is told."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.headers: list[Mapping[str, str]] = []

    async def blob(self, request: Request) -> Response:
        self.headers.append(dict(request.headers))
        return Response(self.content)

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/{digest}", self.blob)])


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
async def test_a_blob_elsewhere_is_fetched_without_credentials(
    store: FakeDistribution, exchange: Exchange, url: str, scheme: str
):
    known(store, scheme)
    digest = sha256(b"blob")
    store.blobs[digest] = b"blob"
    elsewhere = Elsewhere(b"blob")
    async with serving(elsewhere.app()) as store.blobs_elsewhere:
        assert await as_(exchange, url).blob(PATH, digest) == b"blob"
    assert len(elsewhere.headers) == 1
    assert "authorization" not in elsewhere.headers[0]


async def test_a_blob_that_is_not_what_its_digest_says_is_not_taken(
    store: FakeDistribution, exchange: Exchange, url: str
):
    digest = sha256(b"blob")
    store.blobs[digest] = b"something else"
    with pytest.raises(UnreachableError, match="not what its digest says"):
        await as_(exchange, url, None).blob(PATH, digest)


async def test_an_upload_is_not_led_to_another_server(store: FakeDistribution, exchange: Exchange, url: str):
    away = Response(status_code=202, headers={"Location": "http://elsewhere.invalid/upload"})
    _misfortune(store, lambda: away, "POST")
    with pytest.raises(UnreachableError, match=r"leads to elsewhere\.invalid"):
        await as_(exchange, url, None).push(PATH, "one", layer=b"x", config={})


async def test_a_registry_with_tls_names_no_token_server_without():
    refusal = Answer(
        url="https://registry.example.org/v2/",
        status=401,
        headers={"WWW-Authenticate": 'Bearer realm="http://auth.example.org/token",service="x"'},
    )
    exchange = Exchange()
    with pytest.raises(RefusedError, match="without TLS"):
        await Tokens(exchange, ALICE).meet(refusal, "repository:a:pull")
    await exchange.aclose()


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ({"Retry-After": "12"}, 12.0),
        ({"Retry-After": format_datetime(datetime(2026, 11, 23, 12, 0, 30, tzinfo=UTC))}, 30.0),
        ({"Retry-After": format_datetime(datetime(2026, 11, 23, 11, 0, 0, tzinfo=UTC))}, 0.0),
        (
            {
                "X-Retry-After": str(
                    int((datetime(2026, 11, 23, 12, tzinfo=UTC) + timedelta(seconds=9)).timestamp())
                )
            },
            9.0,
        ),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
)
def test_a_pause_is_asked_for_in_seconds_as_a_date_or_as_a_moment(
    told: dict[str, str], seconds: float | None
):
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert asked_pause(Answer(url="", status=429, headers=told), now) == seconds


def _misfortune(store: FakeDistribution, response: Callable[[], Response], method: str = "") -> None:
    store.misfortunes.append(Misfortune("/v2/", response, method))

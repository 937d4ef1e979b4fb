"""One question and its answer: whom to believe, how long to wait, where credentials go."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from conductor.adapters.registries.exchange import Exchange, same_server
from conductor.adapters.registries.plain import PlainRegistry
from conductor.errors import RefusedError, UnreachableError
from tests.registries.conftest import Waits, plain_config
from tests.registries.fake_distribution import FakeDistribution
from tests.registries.serving import serving


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate that nobody knows, with its key."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on this machine: apt-get install openssl")
    file = tmp_path / "server.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=tests"]
    more = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", file, "-out", tmp_path / "only.pem"]
    subprocess.run([*command, *more], check=True, capture_output=True, timeout=60)
    file.write_text(file.read_text() + (tmp_path / "only.pem").read_text())
    return file


@pytest.fixture
async def secure(store: FakeDistribution, certificate: Path) -> AsyncIterator[str]:
    async with serving(store.app(), certificate=certificate) as url:
        yield url


async def test_a_certificate_that_nobody_knows_is_not_believed_and_the_remedy_is_named(
    secure: str, waits: Waits
):
    exchange = Exchange(sleep=waits)
    with pytest.raises(UnreachableError) as caught:
        await exchange.ask("GET", f"{secure}/v2/")
    assert "CONDUCTOR_REGISTRY_CA_FILE" in caught.value.remedy
    await exchange.aclose()


async def test_a_certificate_that_the_settings_name_is_believed(secure: str, certificate: Path):
    for exchange in (Exchange(ca_file=certificate.with_name("only.pem")), Exchange(insecure=True)):
        assert (await exchange.ask("GET", f"{secure}/v2/")).ok
        await exchange.aclose()


def test_a_file_without_certificates_is_named(tmp_path: Path):
    (tmp_path / "ca.pem").write_text("nothing of the kind")
    with pytest.raises(RefusedError, match=r"ca\.pem") as caught:
        Exchange(ca_file=tmp_path / "ca.pem")
    assert "PEM" in caught.value.remedy


async def test_a_server_that_says_nothing_is_given_up(waits: Waits):
    never = asyncio.Event()

    async def silent(request: Request) -> Response:
        await never.wait()
        return Response()

    exchange = Exchange(sleep=waits, silence=0.05)
    async with serving(Starlette(routes=[Route("/", silent)])) as url:
        with pytest.raises(UnreachableError):
            await exchange.ask("GET", url)
        never.set()
    assert len(waits) == 3
    await exchange.aclose()


async def test_an_answer_without_an_end_is_not_read(waits: Waits):
    async def large(request: Request) -> Response:
        return Response(b"x" * 5000)

    exchange = Exchange(sleep=waits, most_bytes=1000)
    async with serving(Starlette(routes=[Route("/", large)])) as url:
        with pytest.raises(RefusedError, match="more than 1000 bytes"):
            await exchange.ask("GET", url)
    await exchange.aclose()


@pytest.mark.parametrize(
    ("to", "trouble"),
    [
        ("http://registry.example.org/blob", "read along"),
        ("https://registry.example.org/blob", "again and again"),
    ],
)
async def test_a_redirect_out_of_tls_or_in_a_circle_is_not_followed(to: str, trouble: str):
    moved = httpx2.MockTransport(lambda request: httpx2.Response(307, headers={"Location": to}))
    exchange = Exchange(transport=moved)
    with pytest.raises(UnreachableError, match=trouble):
        await exchange.follow("https://registry.example.org/blob")
    await exchange.aclose()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://a.example/x", "https://a.example:443/y", True),
        ("https://a.example", "http://a.example", False),
        ("https://a.example", "https://a.example:5000", False),
        ("https://a.example", "https://a.example.evil", False),
        ("https://a.example", "https://user@a.example", True),
    ],
)
def test_a_server_is_scheme_host_and_port(one: str, other: str, same: object):
    assert same_server(one, other) is same


async def test_neither_query_nor_header_nor_body_is_in_an_error(waits: Waits):
    failing = httpx2.MockTransport(lambda request: httpx2.Response(503))
    exchange = Exchange(sleep=waits, transport=failing)
    asking = exchange.ask(
        "POST",
        "https://registry.example.org/token?account=hidden",
        headers={"Authorization": "Basic hidden"},
        params={"secret": "hidden"},
        content=b"hidden",
    )
    with pytest.raises(UnreachableError) as caught:
        await asking
    assert "hidden" not in f"{caught.value!r}{caught.value}{caught.value.remedy}"
    await exchange.aclose()


async def test_what_an_earlier_run_pushed_elsewhere_is_found_after_the_registry_was_changed(
    store: FakeDistribution, waits: Waits
):
    before = FakeDistribution()
    digest = before.put("acme_shop/backend", "one")
    async with serving(before.app()) as old, serving(store.app()) as new:
        earlier = PlainRegistry(plain_config(old), sleep=waits)
        recorded = earlier.reference("acme/shop", "backend", "one")
        await earlier.aclose()
        registry = PlainRegistry(plain_config(new), sleep=waits)
        assert await registry.find(recorded) == digest
        assert await registry.find(registry.reference("acme/shop", "backend", "one")) is None
        await registry.aclose()
    assert all("authorization" not in headers for _, _, headers in before.asked)

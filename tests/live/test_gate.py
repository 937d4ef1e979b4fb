"""The gate over real sockets: a service behind it, visitors in front of it, and some of them mean harm."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import ClientResponse, ClientSession, DummyCookieJar, WSMsgType, WSServerHandshakeError, web
from yarl import URL

from conductor.adapters.gate.admission import host_of
from conductor.adapters.gate.server import GateSettings, opened

TOKEN = "the-token-of-this-stack-and-no-other"
HOST, OTHER = "web-shop-k3v9qd.stacks.example", "api-shop-k3v9qd.stacks.example"
NEIGHBOUR = "web-hostile-222222.stacks.example"
COOKIE = "__Host-conductor-gate"
PATIENCE = 10


@dataclass
class Backend:
    """A service, which remembers what it was told."""

    port: int = 0
    seen: list[web.Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request)
        match request.path:
            case "/slow":
                return await self._slowly(request)
            case "/broken":
                return await self._broken(request)
            case "/socket":
                return await self._socket(request)
            case "/cookies":
                made = web.Response(text="set")
                made.headers.add("Set-Cookie", "a=1; Domain=stacks.example; Path=/")
                made.headers.add("Set-Cookie", f"{COOKIE}=stolen; Path=/; Secure")
                return made
            case "/away":
                return web.Response(status=302, headers={"Location": "http://elsewhere.example/"})
        self.bodies.append(b"".join([piece async for piece in request.content.iter_any()]))
        return web.Response(text="hello", headers={"X-Own": "1", "Connection": "X-Hop", "X-Hop": "no"})

    async def _slowly(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(b"first")
        await self.go_on.wait()
        await answer.write(b"second")
        return answer

    async def _broken(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": "100"})
        await answer.prepare(request)
        await answer.write(b"half")
        assert request.transport is not None
        request.transport.abort()
        return answer

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=["chat"], max_msg_size=0)
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await socket.send_str(f"you said {message.data}")
            elif message.data == b"bye":
                await socket.close(code=4001)
            else:
                await socket.send_bytes(message.data)
        return socket


@dataclass
class Visitor:
    """Asks the gate for a host of the stack, and follows nothing by itself."""

    session: ClientSession
    port: int
    service: Backend

    @asynccontextmanager
    async def get(
        self, target: str = "/", *, method: str = "GET", data: object = None, **headers: str
    ) -> AsyncIterator[ClientResponse]:
        url = URL(f"http://127.0.0.1:{self.port}{target}", encoded=True)
        given = {"Host": HOST} | {name.replace("_", "-"): value for name, value in headers.items()}
        async with asyncio.timeout(PATIENCE):
            async with self.session.request(
                method, url, headers=given, data=data, allow_redirects=False
            ) as answer:
                yield answer

    async def say(self, text: bytes) -> bytes:
        """Send bytes as they are, and return all that comes until the gate closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(text)
            async with asyncio.timeout(PATIENCE):
                return await reader.read()
        finally:
            writer.close()


BEARER = {"Authorization": f"Bearer {TOKEN}"}
VISITED = {"Cookie": f"{COOKIE}={TOKEN}"}


@asynccontextmanager
async def visiting(*, secure: bool = True) -> AsyncIterator[Visitor]:
    service = Backend()
    runner = web.ServerRunner(web.Server(service.answer, access_log=None))  # type: ignore[arg-type]
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    service.port = runner.addresses[0][1]
    settings = GateSettings(
        digest=hashlib.sha256(TOKEN.encode()).hexdigest(),
        routes={HOST: f"127.0.0.1:{service.port}", OTHER: "127.0.0.1:1"},
        secure=secure,
        address="127.0.0.1",
        listen=0,
    )
    try:
        async with opened(settings) as port, ClientSession(cookie_jar=DummyCookieJar()) as session:
            yield Visitor(session, port, service)
    finally:
        service.go_on.set()
        await runner.cleanup()


@pytest.fixture
async def visitor() -> AsyncIterator[Visitor]:
    async with visiting() as made:
        yield made


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Cookie": f"{COOKIE}=wrong"},
        {"Authorization": f"Basic {TOKEN}"},
    ],
    ids=["nothing", "wrong bearer", "wrong cookie", "another scheme"],
)
async def test_who_has_no_token_is_told_how_to_get_one_and_reaches_nothing(
    visitor: Visitor, headers: dict[str, str]
):
    async with visitor.get("/?token=wrong", **headers) as answer:
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert "conductor stacks open" in await answer.text()
    assert visitor.service.seen == []


async def test_a_token_in_the_address_becomes_a_cookie_and_leaves_the_address(visitor: Visitor):
    async with visitor.get(f"/page?a=1&token={TOKEN}&b=%20x") as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/page?a=1&b=%20x")
        cookie = answer.headers["Set-Cookie"]
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
    assert {part.strip() for part in cookie.split(";")} == {
        f"{COOKIE}={TOKEN}", "Path=/", "HttpOnly", "SameSite=Lax", "Secure",
    }  # fmt: skip
    assert visitor.service.seen == []
    async with visitor.get("/page?a=1&b=%20x", Cookie=cookie.split(";")[0]) as answer:
        assert (answer.status, await answer.text()) == (200, "hello")
    assert visitor.service.seen[0].raw_path == "/page?a=1&b=%20x"


async def test_without_https_the_cookie_is_one_that_a_browser_sends():
    async with visiting(secure=False) as visitor:
        async with visitor.get(f"/?token={TOKEN}") as answer:
            assert answer.headers["Set-Cookie"] == f"conductor-gate={TOKEN}; Path=/; HttpOnly; SameSite=Lax"
        async with visitor.get(Cookie=f"conductor-gate={TOKEN}") as answer:
            assert answer.status == 200
        assert visitor.service.seen[0].headers["X-Forwarded-Proto"] == "http"


@pytest.mark.parametrize(
    "target", ["//evil.example/", "/\\evil.example/", "///evil.example", "/\\/evil.example"]
)
async def test_no_redirect_leads_to_another_host(visitor: Visitor, target: str):
    said = f"GET {target}?token={TOKEN} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"
    answer = await visitor.say(said.encode())
    assert b" 303 " in answer
    assert b"Location: /evil.example" in answer


async def test_of_the_token_nothing_is_passed_on(visitor: Visitor):
    async with visitor.get(**BEARER) as answer:
        assert answer.status == 200
    async with visitor.get(
        Cookie=f"own=1; {COOKIE}={TOKEN}; more=2", Authorization="Basic b3duOm9uZQ=="
    ) as a:
        assert a.status == 200
    async with visitor.get("/?token=the-services-own", **VISITED) as answer:
        assert answer.status == 200
    by_bearer, by_cookie, own_parameter = visitor.service.seen
    assert "Authorization" not in by_bearer.headers
    assert by_cookie.headers["Cookie"] == "own=1; more=2"
    assert by_cookie.headers["Authorization"] == "Basic b3duOm9uZQ=="
    assert own_parameter.raw_path == "/?token=the-services-own"
    assert all(TOKEN not in str(seen.headers) + seen.raw_path for seen in visitor.service.seen)


async def test_a_post_with_the_token_in_its_address_is_refused_instead_of_losing_its_body(visitor: Visitor):
    async with visitor.get(f"/?token={TOKEN}", method="POST", data=b"x") as answer:
        assert answer.status == 401
    assert visitor.service.seen == []


async def test_the_service_is_told_who_asked_for_what(visitor: Visitor):
    forged = {"X_Forwarded_Proto": "gopher", "X_Forwarded_Host": "evil.example", "Forwarded": "for=1.2.3.4"}
    async with visitor.get(
        **BEARER, **forged, X_Forwarded_For="192.0.2.9", Connection="X-Mine", X_Mine="1"
    ) as a:
        assert a.headers["X-Own"] == "1"
        assert "X-Hop" not in a.headers
    told = visitor.service.seen[0].headers
    assert told["Host"] == told["X-Forwarded-Host"] == HOST
    assert told["X-Forwarded-For"] == "192.0.2.9, 127.0.0.1"
    assert told["X-Forwarded-Proto"] == "https"
    assert "Forwarded" not in told
    assert "X-Mine" not in told


@pytest.mark.parametrize(
    "host", ["evil.example", NEIGHBOUR, "127.0.0.1", f"{HOST}.evil.example", f"{HOST}:80@evil.example", ""]
)
async def test_a_host_that_is_none_of_the_stacks_leads_nowhere_even_with_the_token(
    visitor: Visitor, host: str
):
    said = f"GET / HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n"
    assert (await visitor.say(said.encode())).split(b" ")[1] in (b"404", b"400")
    assert visitor.service.seen == []


@pytest.mark.parametrize("host", [HOST.upper(), f"{HOST}.", f"{HOST}:8443"])
async def test_a_host_is_the_same_in_upper_case_with_a_dot_and_with_a_port(visitor: Visitor, host: str):
    async with visitor.get(**BEARER, Host=host) as answer:
        assert answer.status == 200


@pytest.mark.parametrize(
    "said",
    [
        "POST / HTTP/1.1\r\nHost: {h}\r\nHost: {h}\r\n{b}Content-Length: 0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: {h}\r\n{b}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: {h}\r\n{b}Content-Length: 0\r\nContent-Length: 30\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: {h}\r\n{b}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: {h}\r\n{b}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "GET http://evil.example/ HTTP/1.1\r\nHost: {h}\r\n{b}\r\n",
        "CONNECT evil.example:80 HTTP/1.1\r\nHost: {h}\r\n{b}\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: {h}\r\n{b}\r\n",
    ],
    ids=[
        "two hosts",
        "two framings",
        "two lengths",
        "chunked not last",
        "space",
        "absolute",
        "connect",
        "asterisk",
    ],
)
async def test_what_two_servers_could_read_in_two_ways_is_not_passed_on(visitor: Visitor, said: str):
    bearer = f"Authorization: Bearer {TOKEN}\r\n"
    smuggled = f"GET /smuggled HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"
    answer = await visitor.say((said.format(h=HOST, b=bearer) + smuggled).encode())
    assert answer.split(b" ")[1] in (b"400", b"404")
    assert visitor.service.seen == []


async def test_what_follows_on_a_connection_is_judged_by_itself(visitor: Visitor):
    first = f"GET / HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    second = f"GET /second HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"
    answer = await visitor.say((first + second).encode())
    assert answer.count(b"HTTP/1.1 200") == answer.count(b"HTTP/1.1 401") == 1
    assert [seen.path for seen in visitor.service.seen] == ["/"]


async def test_a_connection_header_takes_neither_length_nor_host_away(visitor: Visitor):
    async with visitor.get(
        method="POST", data=b"12345", Connection="Content-Length, Host", **BEARER
    ) as answer:
        assert answer.status == 200
    assert visitor.service.bodies == [b"12345"]
    told = visitor.service.seen[0].headers
    assert (told["Host"], told["Content-Length"]) == (HOST, "5")


def test_a_request_that_names_two_hosts_names_none():
    routes = {HOST: "web:80"}
    assert host_of([HOST], routes) == HOST
    assert host_of([HOST, HOST], routes) is None
    assert host_of([], routes) is None


@pytest.mark.parametrize("origin", [f"https://{NEIGHBOUR}", "https://evil.example", "null", "https://[", "x"])
async def test_a_page_of_another_site_has_no_use_of_a_visitors_cookie(visitor: Visitor, origin: str):
    async with visitor.get(method="POST", data=b"x", Origin=origin, **VISITED) as answer:
        assert answer.status == 403
    assert visitor.service.seen == []


async def test_pages_of_the_same_stack_ask_each_others_services(visitor: Visitor):
    async with visitor.get(method="POST", data=b"x", Origin=f"https://{OTHER}", **VISITED) as answer:
        assert answer.status == 200
    async with visitor.get(method="POST", Origin="null", Sec_Fetch_Site="same-origin", **VISITED) as answer:
        assert answer.status == 200


async def test_a_service_sets_no_cookie_for_other_stacks_and_none_of_the_gates(visitor: Visitor):
    async with visitor.get("/cookies", **BEARER) as answer:
        assert answer.headers.getall("Set-Cookie") == ["a=1; Path=/"]


async def test_redirects_of_a_service_are_the_visitors_business(visitor: Visitor):
    async with visitor.get("/away", **BEARER) as answer:
        assert (answer.status, answer.headers["Location"]) == (302, "http://elsewhere.example/")


async def test_an_answer_comes_as_it_is_written(visitor: Visitor):
    async with visitor.get("/slow", **BEARER) as answer:
        assert await answer.content.readany() == b"first"
        visitor.service.go_on.set()
        assert await answer.content.read() == b"second"


async def test_a_body_goes_through_as_it_is_sent(visitor: Visitor):
    async def body() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b"x" * 65536

    async with visitor.get(method="PUT", data=body(), **BEARER) as answer:
        assert answer.status == 200
    assert len(visitor.service.bodies[0]) == 64 * 65536


async def test_a_head_has_no_body_and_the_next_answer_is_its_own(visitor: Visitor):
    async with visitor.get(method="HEAD", **BEARER) as answer:
        assert (answer.status, answer.headers["Content-Length"]) == (200, "5")
    async with visitor.get(**BEARER) as answer:
        assert await answer.text() == "hello"


async def test_an_answer_that_breaks_off_is_seen_to(visitor: Visitor):
    said = f"GET /broken HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    try:
        answer = await visitor.say(said.encode())
    except ConnectionResetError:
        answer = b""
    assert answer.count(b"HTTP/1.1") <= 1


async def test_a_service_that_does_not_answer_is_named(visitor: Visitor):
    async with visitor.get(Host=OTHER, **BEARER) as answer:
        assert answer.status == 502
        assert "does not answer" in await answer.text()


async def test_websockets_go_through_with_their_protocol_and_their_ending(visitor: Visitor):
    url = f"http://127.0.0.1:{visitor.port}/socket"
    async with asyncio.timeout(PATIENCE):
        headers = {"Host": HOST, "Origin": f"https://{HOST}", **VISITED}
        async with visitor.session.ws_connect(
            url, headers=headers, protocols=["chat"], max_msg_size=0
        ) as socket:
            assert socket.protocol == "chat"
            await socket.send_str("hello")
            assert (await socket.receive()).data == "you said hello"
            await socket.send_bytes(b"x" * 5_000_000)
            assert len((await socket.receive()).data) == 5_000_000
            await socket.send_bytes(b"bye")
            assert (await socket.receive()).type is WSMsgType.CLOSE
            assert socket.close_code == 4001
    assert TOKEN not in str(visitor.service.seen[0].headers)


@pytest.mark.parametrize(
    ("headers", "status"), [({}, 401), ({"Origin": f"https://{NEIGHBOUR}", **VISITED}, 403)]
)
async def test_a_websocket_needs_the_token_and_a_page_of_the_stack(
    visitor: Visitor, headers: dict[str, str], status: int
):
    with pytest.raises(WSServerHandshakeError) as refused:
        await visitor.session.ws_connect(
            f"http://127.0.0.1:{visitor.port}/socket", headers={"Host": HOST, **headers}
        )
    assert refused.value.status == status
    assert visitor.service.seen == []


async def test_no_log_holds_a_token(visitor: Visitor, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    async with visitor.get(f"/?token={TOKEN}"):
        pass
    async with visitor.get(f"/x?token={TOKEN}x", Host=OTHER, **BEARER):
        pass
    await visitor.say(f"GET /?token={TOKEN} broken\x01 HTTP/9\r\n\r\n".encode())
    said = "\n".join(record.getMessage() + str(record.exc_info) for record in caplog.records)
    assert "does not answer" in said
    assert TOKEN not in said

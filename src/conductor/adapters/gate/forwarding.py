"""Passing a request on to a service, and its answer back, as they come: nothing is read whole.

Law: what is meant for one hop stays there (RFC 9110, section 7.6.1), and what says who asks is said by the gate.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from aiohttp import (
    ClientError,
    ClientSession,
    ClientTimeout,
    ClientWebSocketResponse,
    DummyCookieJar,
    WSMessage,
    WSMsgType,
    WSServerHandshakeError,
    web,
)
from multidict import CIMultiDict, MultiMapping
from yarl import URL

from conductor.adapters.gate.admission import (
    Lock,
    kept_authorization,
    kept_cookies,
    kept_set_cookie,
)

_HOP = frozenset({
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade", "expect",
})  # fmt: skip
_TOLD = frozenset({"forwarded", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port"})
"""What the gate says itself."""
_CONNECT_SECONDS = 10
_NO_BODY = (204, 304)
_log = logging.getLogger(__name__)


def client() -> ClientSession:
    """Make what asks services: it keeps no cookies, follows nothing, unpacks nothing, and asks no proxy."""
    return ClientSession(
        cookie_jar=DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        timeout=ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
    )


async def forward(
    request: web.BaseRequest, session: ClientSession, lock: Lock, *, host: str, service: str
) -> web.StreamResponse:
    """Pass a request on to `service` (`name:port`); an answer of the gate's own, 502, where that does not answer."""
    headers = request_headers(request, lock, host=host)
    url = URL(f"http://{service}{request.raw_path}", encoded=True)
    try:
        if _is_websocket(request):
            return await _websocket(request, session, url, headers)
        return await _http(request, session, lock, url, headers)
    except WSServerHandshakeError as error:
        return _nobody(service, f"it refused the websocket with {error.status}")
    except (ClientError, TimeoutError) as error:
        return _nobody(service, type(error).__name__)


def request_headers(request: web.BaseRequest, lock: Lock, *, host: str) -> CIMultiDict[str]:
    """Choose what a service is told: nothing of the token, and who asked for what."""
    made: CIMultiDict[str] = CIMultiDict()
    for name, value in _end_to_end(request.headers):
        kept = _kept(lock, name.lower(), value)
        if name.lower() not in _TOLD and kept:
            made.add(name, kept)
    came_from = [*made.popall("X-Forwarded-For", []), request.remote or "unknown"]
    made["X-Forwarded-For"] = ", ".join(came_from)
    made["X-Forwarded-Host"] = host
    made["X-Forwarded-Proto"] = "https" if lock.secure else "http"
    return made


def response_headers(given: MultiMapping[str], lock: Lock) -> CIMultiDict[str]:
    """Choose what of a service's answer a visitor gets."""
    made: CIMultiDict[str] = CIMultiDict()
    for name, value in _end_to_end(given):
        kept = kept_set_cookie(lock, value) if name.lower() == "set-cookie" else value
        if kept:
            made.add(name, kept)
    return made


def _kept(lock: Lock, name: str, value: str) -> str:
    if name == "cookie":
        return kept_cookies(lock, value)
    return kept_authorization(lock, value) if name == "authorization" else value


def _end_to_end(headers: MultiMapping[str]) -> Iterable[tuple[str, str]]:
    """Yield the headers that are not for one hop alone; `Connection` names more of those, but never what frames a message."""
    said = ",".join(headers.getall("Connection", []))
    named = {word.strip().lower() for word in said.split(",")} - {"content-length", "host"}
    for name, value in headers.items():
        if name.lower() not in _HOP | named:
            yield name, value


async def _http(
    request: web.BaseRequest, session: ClientSession, lock: Lock, url: URL, headers: CIMultiDict[str]
) -> web.StreamResponse:
    body = request.content if request.body_exists else None
    asking = session.request(request.method, url, headers=headers, data=body, allow_redirects=False)
    async with asking as found:
        answer = web.StreamResponse(
            status=found.status,
            reason=found.reason,
            headers=response_headers(found.headers, lock),
        )
        await answer.prepare(request)
        try:
            if request.method != "HEAD" and found.status not in _NO_BODY:
                async for piece in found.content.iter_any():
                    await answer.write(piece)
            await answer.write_eof()
        except (ClientError, ConnectionError, TimeoutError):
            _cut(request)
        return answer


def _cut(request: web.BaseRequest) -> None:
    """Let a visitor see that an answer that has begun is not whole: nothing else can follow it on its connection."""
    if request.transport is not None:
        request.transport.abort()


def _is_websocket(request: web.BaseRequest) -> bool:
    words = {word.strip().lower() for word in request.headers.get("Connection", "").split(",")}
    return "upgrade" in words and request.headers.get("Upgrade", "").lower() == "websocket"


async def _websocket(
    request: web.BaseRequest, session: ClientSession, url: URL, headers: CIMultiDict[str]
) -> web.StreamResponse:
    wished = [
        word.strip() for word in headers.popall("Sec-WebSocket-Protocol", []) for word in word.split(",")
    ]
    for name in [name for name in headers if name.lower().startswith("sec-websocket-")]:
        headers.popall(name, None)
    joining = session.ws_connect(url, headers=headers, protocols=wished, max_msg_size=0, autoclose=False)
    async with joining as there:
        chosen = [there.protocol] if there.protocol else []
        here = web.WebSocketResponse(protocols=chosen, max_msg_size=0, autoclose=False, compress=False)
        await here.prepare(request)
        ways = [asyncio.create_task(_carry(here, there)), asyncio.create_task(_carry(there, here))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        await _close_both(here, there)
        return here


_Side = web.WebSocketResponse | ClientWebSocketResponse


async def _carry(source: _Side, target: _Side) -> None:
    """Carry messages until one side closes."""
    while True:
        message: WSMessage = await source.receive()
        if message.type is WSMsgType.TEXT:
            await target.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await target.send_bytes(message.data)
        else:
            return


async def _close_both(here: web.WebSocketResponse, there: ClientWebSocketResponse) -> None:
    """Tell each side with what code the other closed."""
    code = there.close_code or here.close_code or 1000
    told = code if code not in (1005, 1006) else 1000
    await asyncio.gather(here.close(code=told), there.close(code=told), return_exceptions=True)


def _nobody(service: str, why: str) -> web.Response:
    _log.warning("%s does not answer: %s", service, why)
    text = f"{service} does not answer. Is it asleep? `conductor stacks list` says how it stands.\n"
    return web.Response(status=502, text=text, headers={"Cache-Control": "no-store"})

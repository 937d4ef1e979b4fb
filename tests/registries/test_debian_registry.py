"""Debian's docker-registry, for real: open, with a password, with tokens. Skipped where it is not installed."""

from __future__ import annotations

import dataclasses
import gzip
from pathlib import Path

import pytest

from conductor.adapters.registries.distribution import Distribution
from conductor.adapters.registries.exchange import Exchange
from conductor.adapters.registries.plain import PlainRegistry
from conductor.adapters.registries.tokens import Tokens
from conductor.errors import RefusedError
from conductor.ports.registry import Credentials
from tests.registries.conftest import Waits, plain_config
from tests.registries.debian import (
    PASSWORD,
    READER,
    READING,
    USER,
    debian_registry,
    registry_with_tokens,
    with_password,
)

OURS = Credentials(server="registry", username=USER, password=PASSWORD)
WRONG = Credentials(server="registry", username=USER, password="not this one")
READS = Credentials(server="registry", username=READER, password=READING)
KEY = "0123456789abcdef" * 2


def may(user: str, repository: str, action: str) -> bool:
    """The account does everything, the reader pulls, everybody else nothing."""
    return user == USER or (user == READER and action == "pull")


def speaking(exchange: Exchange, url: str, login: Credentials | None) -> Distribution:
    return Distribution(exchange, api=url, tokens=Tokens(exchange, login))


@pytest.mark.parametrize("login", [None, OURS], ids=["open", "password"])
async def test_images_come_are_listed_and_go(tmp_path: Path, login: Credentials | None):
    exchange = Exchange()
    async with debian_registry(tmp_path, auth=with_password(tmp_path) if login else "") as url:
        registry = speaking(exchange, url, login)
        await registry.check_login()
        assert await registry.digest("acme_shop/backend", KEY) is None
        digests = [
            await registry.push(
                "acme_shop/backend", f"t{number}", layer=gzip.compress(b"%d" % number), config={"os": "linux"}
            )
            for number in range(3)
        ]
        assert [tag async for tag in registry.tags("acme_shop/backend")] == ["t0", "t1", "t2"]
        assert [await registry.digest("acme_shop/backend", f"t{number}") for number in range(3)] == digests
        manifest = await registry.manifest("acme_shop/backend", "t2") or {}
        layer = await registry.blob("acme_shop/backend", manifest["layers"][0]["digest"])
        assert gzip.decompress(layer or b"") == b"2"
        assert await registry.delete("acme_shop/backend", digests[0])
        assert await registry.digest("acme_shop/backend", "t0") is None
    await exchange.aclose()


async def test_a_wrong_password_is_a_refusal(tmp_path: Path):
    exchange = Exchange()
    async with debian_registry(tmp_path, auth=with_password(tmp_path)) as url:
        for login in (WRONG, None):
            with pytest.raises(RefusedError, match="answered 401"):
                await speaking(exchange, url, login).digest("acme_shop/backend", KEY)
    await exchange.aclose()


async def test_tokens_are_fetched_for_what_is_done_and_a_reader_only_reads(tmp_path: Path):
    exchange = Exchange()
    async with registry_with_tokens(tmp_path, may) as (url, server):
        ours, reader = speaking(exchange, url, OURS), speaking(exchange, url, READS)
        digest = await ours.push("acme_shop/backend", KEY, layer=b"layer", config={})
        assert await reader.digest("acme_shop/backend", KEY) == digest
        assert not await reader.may_push("acme_shop/backend")
        with pytest.raises(RefusedError):
            await reader.push("acme_shop/backend", "x", layer=b"other", config={})
        with pytest.raises(RefusedError):
            await reader.delete("acme_shop/backend", digest)
        with pytest.raises(RefusedError):
            await speaking(exchange, url, None).digest("acme_shop/backend", KEY)
        assert await ours.delete("acme_shop/backend", digest)
        assert {scope.rpartition(":")[2] for scope in server.asked} == {"pull", "pull,push", "delete"}
    await exchange.aclose()


async def test_doctor_finds_nothing_to_mend_and_leaves_nothing(tmp_path: Path, waits: Waits):
    async with registry_with_tokens(tmp_path, may) as (url, _):
        config = dataclasses.replace(plain_config(url), push=OURS, pull=READS)
        registry = PlainRegistry(config, sleep=waits)
        lines = await registry.diagnose()
        assert [line.subject for line in lines if not line.ok] == []
        assert len(lines) == 4
        exchange = Exchange()
        left = speaking(exchange, url, OURS).tags("conductor/doctor")
        assert [tag async for tag in left] == []
        await exchange.aclose()
        await registry.aclose()

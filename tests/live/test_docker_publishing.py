"""Images of the engine of this machine, pushed to Debian's registry."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from conductor.adapters.docker.builder import DockerBuilder
from conductor.adapters.docker.connection.client import Connection
from conductor.adapters.docker.publishing import PublishingBuilder
from conductor.adapters.registries.plain import PlainRegistry
from conductor.building.context import key_of
from conductor.domain.stack import Build
from conductor.errors import RefusedError
from conductor.ports.builder import BuildOrder
from conductor.ports.registry import Credentials
from tests.engines import busybox, engine_state  # noqa: F401 -- fixtures
from tests.orders import an_order
from tests.registries.conftest import plain_config
from tests.registries.debian import PASSWORD, USER, debian_registry, with_password

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]


class Shop:
    """A builder whose images go to a registry that asks for a password."""

    def __init__(self, connection: Connection, url: str, checkout: Path, *, password: str = PASSWORD) -> None:
        host = url.partition("://")[2]
        login = Credentials(server=host, username=USER, password=password)
        self.registry = PlainRegistry(plain_config(url, push=login))
        self.connection = connection
        self.checkout = checkout
        checkout.mkdir(exist_ok=True)
        self.builder = PublishingBuilder(DockerBuilder(connection), connection, self.registry, insecure=True)
        self.lines: list[str] = []

    async def order(self, image: str) -> BuildOrder:
        build = Build(dockerfile_inline=f"FROM {image}\nLABEL session={uuid4().hex}\n")
        return an_order(key_of(self.checkout, build), checkout=self.checkout, build=build)

    async def keep(self, line: str) -> None:
        self.lines.append(line)

    async def forget(self, order: BuildOrder) -> None:
        """Remove the image from the engine, under all its names."""
        found = await DockerBuilder(self.connection).find(order)
        docker = await self.connection.client()
        assert found is not None
        await docker.images.delete(found.digest, force=True)


@pytest.fixture
async def connection(engine_state: Path) -> AsyncIterator[Connection]:  # noqa: F811
    made = Connection(state_folder=engine_state)
    yield made
    await made.aclose()


async def test_what_was_built_is_in_the_registry_under_its_key_and_pushed_once(
    tmp_path: Path,
    connection: Connection,
    busybox: str,  # noqa: F811
):
    async with debian_registry(tmp_path, auth=with_password(tmp_path)) as url:
        shop = Shop(connection, url, tmp_path / "checkout")
        order = await shop.order(busybox)
        built = await shop.builder.build(order, on_line=shop.keep)
        again = await shop.builder.find(order)
        digest = await shop.registry.find(shop.registry.reference("acme/shop", "app", order.key))
        await shop.forget(order)
        await shop.registry.aclose()
    assert again is not None
    assert built.published == again.published
    assert built.published.endswith(f"/acme_shop/app:{order.key}@{digest}")
    assert [line for line in shop.lines if line.startswith("pushing ")] == [
        f"pushing {built.published.partition('@')[0]}"
    ]


async def test_what_the_registry_has_lost_is_pushed_again(
    tmp_path: Path,
    connection: Connection,
    busybox: str,  # noqa: F811
):
    order = None
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        async with debian_registry(folder, auth=with_password(folder)) as url:
            shop = Shop(connection, url, tmp_path / "checkout")
            order = order or await shop.order(busybox)
            if name == "first":
                await shop.builder.build(order, on_line=shop.keep)
            else:
                found = await shop.builder.find(order)
                assert found is not None
                assert await shop.registry.find(found.published.partition("@")[0])
            await shop.registry.aclose()
    assert order is not None
    await shop.forget(order)


async def test_a_wrong_password_is_told_and_no_error_holds_it(
    tmp_path: Path,
    connection: Connection,
    busybox: str,  # noqa: F811
):
    async with debian_registry(tmp_path, auth=with_password(tmp_path)) as url:
        shop = Shop(connection, url, tmp_path / "checkout", password="open sesame")
        order = await shop.order(busybox)
        with pytest.raises(RefusedError) as caught:
            await shop.builder.build(order, on_line=shop.keep)
        await shop.forget(order)
        await shop.registry.aclose()
    assert "open sesame" not in str(caught.value) + "".join(shop.lines)

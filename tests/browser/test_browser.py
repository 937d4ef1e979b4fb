"""Pages in a real browser: a run from the queue to its verdict, a red one, a lost connection, a telephone; and no complaint of any."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.browser.stage import BOUND_MS, Watched, chromium, queued, watched, written
from tests.surfaces.api_stage import SHOP

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(chromium() is None, reason="no Chromium here: apt-get install chromium"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Watched]:
    async with watched(tmp_path_factory.mktemp("browser")) as made:
        yield made
    assert made.complaints == []


async def test_a_run_is_seen_from_the_queue_to_its_verdict_without_loading_the_page_again(stage: Watched):
    run = await queued(stage, "green")
    page = await stage.page()
    await page.goto(f"/runs/{run.id}")
    await expect(page.locator("h1 .verdict")).to_have_text("queued")
    await expect(page.get_by_text("Number 1 in the")).to_be_visible()
    await page.evaluate("window.untouched = true")
    await stage.api.server.until_quiet()
    await expect(page.locator("h1 .verdict")).to_have_text("passed", timeout=BOUND_MS)
    await expect(page.locator(".stage.is-done", has_text="tests")).to_be_visible()
    await expect(page.get_by_role("button", name="Extend")).to_be_visible()
    assert await page.evaluate("window.untouched")
    await page.context.close()


async def test_a_cut_connection_loses_no_line_and_repeats_none_among_a_hundred_thousand(stage: Watched):
    run = await queued(stage, "long")
    await written(stage, run, 0, 60_000)
    page = await stage.page()
    await page.goto(f"/runs/{run.id}")
    await expect(page.locator("#log-count")).to_contain_text("lines")
    before = stage.wire.opened
    stage.wire.cut()
    await written(stage, run, 60_000, 100_000)
    await expect(page.locator("#log-count")).to_contain_text("100,000 lines", timeout=BOUND_MS)
    assert stage.wire.opened > before
    assert await page.locator("#log li").count() < 120, "only what is in sight is in the page"
    for number in ("000000", "059999", "060000", "099999"):
        await page.keyboard.press("/")
        await page.locator("#log-find").fill(f"line {number}")
        await expect(page.locator("#log-count")).to_contain_text("1 match")
        await expect(page.locator("#log li.here")).to_be_in_viewport()
        await page.keyboard.press("Escape")
    await asyncio.wait_for(stage.api.server.until_quiet(), 60)
    await page.context.close()


async def test_every_page_fits_a_telephone(stage: Watched):
    environment = await stage.api.an_environment()
    runs = [one.run.id for one in await stage.api.server.runs()]
    page = await stage.page(width=360, height=740)
    paths = [
        "/runs",
        "/stacks",
        "/environments",
        "/queue",
        "/repositories",
        f"/repositories/{SHOP}",
        "/server",
    ]
    for path in [*paths, f"/environments/{environment}", *(f"/runs/{one}" for one in runs), "/sign-in"]:
        await page.goto(path)
        wide = await page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 360, f"{path} is {wide} px wide"
    await page.context.close()

"""A red run in a real browser: from the list to the line of its failure."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.stage import chromium, queued, watched, written

pytestmark = pytest.mark.skipif(chromium() is None, reason="no Chromium here: apt-get install chromium")


async def test_a_red_run_leads_to_the_line_of_its_failure(tmp_path: Path):
    async with watched(tmp_path, fail="tests:fails") as stage:
        run = await queued(stage, "red")
        await written(stage, run, 0, 3000)
        await stage.api.server.until_quiet()
        page = await stage.page()
        await page.goto("/runs?state=failed")
        await page.keyboard.press("j")
        await page.keyboard.press("Enter")
        await expect(page.locator("h1 .verdict")).to_have_text("failed")
        await page.locator("#log").scroll_into_view_if_needed()
        await page.locator("#log-follow").set_checked(True)
        await expect(page.locator("#log li", has_text="line 002999")).to_be_in_viewport()
        await page.get_by_role("button", name="In the log").click()
        await expect(page.locator("#log li.here")).to_be_in_viewport()
        await expect(page.locator("#log li.here")).to_contain_text("1 failed")
        assert stage.complaints == []

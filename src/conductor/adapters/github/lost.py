"""Deliveries that GitHub could not bring here. It keeps them for some days, and tells only the App itself of them.

Source: docs.github.com, "Handling failed webhook deliveries", "List deliveries for an app webhook".
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from conductor.adapters.github.api import Api
from conductor.adapters.github.payloads import TRIGGERS, read
from conductor.domain.delivery import Delivery, Nothing

MOST = 500
"""So many are fetched in one look, the latest first; the tags themselves are looked at too."""


async def find_lost(api: Api, *, since: datetime) -> Sequence[Delivery]:
    """Return those since then of which no attempt arrived, first come first; only such as ask for something."""
    found = [await _fetched(api, one) for one in await _failed(api, since)]
    return [one for one in found if one and not isinstance(read(one), Nothing)]


async def _failed(api: Api, since: datetime) -> list[Mapping[str, Any]]:
    """Return the first attempt of each that never arrived. A redelivery has the same guid."""
    arrived: set[str] = set()
    failed: dict[str, Mapping[str, Any]] = {}
    async for page in api.all_as(None, "/app/hook/deliveries"):
        late = [one for one in page if datetime.fromisoformat(one["delivered_at"]) >= since]
        for one in late:
            guid = str(one["guid"])
            if 200 <= int(one["status_code"]) < 300:  # noqa: PLR2004 -- "it was taken", in HTTP
                arrived.add(guid)
            elif one["event"] in TRIGGERS:
                failed[guid] = one
        if len(late) < len(page):
            break
    lost = [one for guid, one in failed.items() if guid not in arrived]
    return list(reversed(lost[:MOST]))


async def _fetched(api: Api, one: Mapping[str, Any]) -> Delivery | None:
    told = await api.as_app(f"/app/hook/deliveries/{int(one['id'])}")
    payload = (told.get("request") or {}).get("payload")
    if payload is None:
        return None
    return Delivery(
        id=str(told["guid"]),
        hosting="github",
        event=str(told["event"]),
        body=json.dumps(payload).encode(),
        received_at=datetime.fromisoformat(str(told["delivered_at"])),
    )

"""What the server itself knows: repositories, deliveries, who did what, its settings."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import SecretStr
from pydantic_core import to_jsonable_python

from conductor.domain.access import Deed
from conductor.domain.delivery import DeliveryStatus
from conductor.domain.masking import Masker
from conductor.errors import NotFoundError
from conductor.ports.store import RepositoryRow
from conductor.settings import PREFIX
from conductor.web.api.runs import Cursor, Limit
from conductor.web.api.schemas import DeliveryView, Page, Repository, Setting
from conductor.web.cursors import number_cursor, number_of
from conductor.web.site import Caller, Operator, Reader

router = APIRouter(tags=["server"])
_mask = Masker()


@router.get("/repositories", operation_id="listRepositories")
async def list_repositories(caller: Reader) -> Page[Repository]:
    """List the repositories that have runs, by name."""
    found = await caller.site.world.store.repositories()
    seen = [one for one in found if caller.token.reaches(one.name)]
    return Page(items=[await _repository(caller, one) for one in seen])


@router.get("/repositories/{name:path}", operation_id="getRepository")
async def get_repository(
    name: Annotated[str, Path(max_length=200, examples=["acme/shop"])], caller: Reader
) -> Repository:
    """Show one repository, with its latest run."""
    for one in await caller.site.world.store.repositories():
        if one.name.lower() == name.lower() and caller.token.reaches(one.name):
            return await _repository(caller, one)
    raise NotFoundError(f"there is no repository {name!r} with runs", remedy="`repositories` lists them.")


@router.get("/deliveries", operation_id="listDeliveries")
async def list_deliveries(
    caller: Operator, status: DeliveryStatus | None = None, limit: Limit = 50
) -> Page[DeliveryView]:
    """List the latest deliveries, without their bodies."""
    found = await caller.site.service.inbox.deliveries(limit=limit, status=status)
    return Page(items=[DeliveryView.of(one) for one in found])


@router.get("/deliveries/{delivery}", operation_id="getDelivery")
async def get_delivery(delivery: Annotated[str, Path(max_length=200)], caller: Operator) -> DeliveryView:
    """Show what became of one delivery."""
    found = await caller.site.service.inbox.find(delivery)
    if found is None:
        raise NotFoundError(f"there is no delivery {delivery!r}", remedy="`deliveries` lists the latest.")
    return DeliveryView.of(found)


@router.get("/audit", operation_id="listAudit")
async def audit(caller: Operator, limit: Limit = 100, cursor: Cursor = None) -> Page[Deed]:
    """List who did what, latest first."""
    found = await caller.site.service.access.deeds(before=number_of(cursor), limit=limit + 1)
    shown = list(found[:limit])
    return Page(items=shown, next=number_cursor(shown[-1].number) if len(found) > limit else None)


@router.get("/settings", operation_id="listSettings")
async def settings(
    caller: Operator, search: Annotated[str | None, Query(max_length=100)] = None
) -> Page[Setting]:
    """List the settings as this process read them. Values of secrets are never told."""
    found = caller.site.settings
    if found is None:
        return Page(items=[])
    shown = [
        _setting(name, getattr(found, name), field.description or "")
        for name, field in type(found).model_fields.items()
    ]
    return Page(items=[one for one in shown if (search or "").lower() in one.name.lower()])


def _setting(name: str, value: object, description: str) -> Setting:
    is_secret = isinstance(value, SecretStr)
    plain = to_jsonable_python(value, fallback=str) if not is_secret else None
    return Setting(
        name=f"{PREFIX}{name.upper()}",
        value=_mask(plain) if isinstance(plain, str) else plain,
        is_set=value not in (None, "", (), {}),
        is_secret=is_secret,
        description=description,
    )


async def _repository(caller: Caller, one: RepositoryRow) -> Repository:
    latest = await caller.site.world.store.list_runs(repository=one.name, limit=1)
    return Repository(
        name=one.name,
        runs=one.runs,
        last_requested_at=one.last_requested_at,
        latest=latest[0] if latest else None,
    )

"""The API is as it is described: requests are made of its description, right ones and wrong ones, and every answer is held against it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.checks import ignored_auth, negative_data_rejection

from tests.surfaces.api_stage import API, api

TAKEN = {"method", "url", "params", "headers", "json", "content", "data"}
UNASKED = {f"{API}/queue/drain", f"{API}/tokens/{{token}}"}
"""What would lock out the rest."""


async def test_it_is_openapi_3_1_with_ids_examples_and_problems_for_every_route(tmp_path: Path):
    async with api(tmp_path) as asked:
        told = (await asked.ask("GET", "/openapi.json", who=None)).json()
        assert told["openapi"].startswith("3.1")
        operations = [one for methods in told["paths"].values() for one in methods.values()]
        ids = [one["operationId"] for one in operations]
        assert len(set(ids)) == len(ids)
        for one in operations:
            assert one["summary"]
            assert {"401", "404", "500"} <= one["responses"].keys()
        secured = {
            path for path, methods in told["paths"].items() for one in methods.values() if one["security"]
        }
        assert secured == {path for path in told["paths"] if path.startswith(API) or path == "/metrics"}
        for name in ("AskForRun", "MakeToken"):
            assert told["components"]["schemas"][name]["examples"]


EXAMPLES = 8
"""Requests of each kind for each route."""


@pytest.mark.filterwarnings("ignore:Do not use the `random` module")  # schemathesis does
async def test_no_request_made_of_the_description_is_answered_otherwise_than_it_says(tmp_path: Path):
    async with api(tmp_path, streams_end=True) as asked:
        run = await asked.a_run()
        described = (await asked.ask("GET", "/openapi.json", who=None)).json()
        for methods in described["paths"].values():
            for one in methods.values():
                del one["security"]  # who is let in has tests of its own
        schema = schemathesis.openapi.from_dict(described)
        loop = asyncio.get_running_loop()

        def send(case: Case) -> httpx2.Response:
            is_right = case_mode(case) is GenerationMode.POSITIVE
            if is_right and case.query:
                case.query.pop("cursor", None)  # opaque: nobody but the server makes one
            for name in {"run", "stack"} & (case.path_parameters or {}).keys():
                if is_right and len(str(case.path_parameters[name])) % 2:
                    case.path_parameters[name] = run.id  # else nothing but 404 would be met
            given = case.as_transport_kwargs(base_url="http://conductor.test")
            given = {name: value for name, value in given.items() if name in TAKEN and value is not None}
            given["headers"] = {**given["headers"], "Authorization": f"Bearer {asked.tokens['admin']}"}
            given["headers"] = {name: str(value) for name, value in given["headers"].items()}
            if isinstance(given.get("data"), bytes | str):
                given["content"] = given.pop("data")
            asking = asked.http.request(**given)
            return asyncio.run_coroutine_threadsafe(asyncio.wait_for(asking, 30), loop).result(60)

        operations = [found.ok() for found in schema.get_all_operations()]
        wrong: list[BaseException] = []
        for operation in operations:
            if operation.path not in UNASKED:
                try:
                    await asyncio.to_thread(examine, operation, send)
                except BaseExceptionGroup as error:
                    wrong.append(error)
        if wrong:
            raise BaseExceptionGroup(f"{len(wrong)} of {len(operations)} routes", wrong)


def case_mode(case: Case) -> GenerationMode:
    return case.meta.generation.mode if case.meta else GenerationMode.POSITIVE


NOT_HERE = {
    GenerationMode.POSITIVE: [ignored_auth],
    GenerationMode.NEGATIVE: [ignored_auth, negative_data_rejection],
}


def examine(operation: Any, send: Callable[[Case], httpx2.Response]) -> None:
    """Make requests for one route, right ones and wrong ones. Query parameters that nobody knows are passed over, as on the web."""
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

        @settings(
            max_examples=EXAMPLES,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate,),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Case) -> None:
            case.validate_response(send(case), excluded_checks=NOT_HERE[case_mode(case)])

        try:
            ask()
        except Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE  # there is nothing to get wrong

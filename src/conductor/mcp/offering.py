"""A tool as the library wants it, made of a function of ours: its schema, its annotations, its answer in both forms, its errors."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from mcp.server.mcpserver import Context, MCPServer
from mcp_types import CallToolResult, TextContent, ToolAnnotations

from conductor.errors import ConductorError
from conductor.mcp import refusals
from conductor.mcp.fitting import Answer
from conductor.mcp.visit import Visit

Work = Callable[..., Awaitable[Answer]]
Visiting = Callable[[Any], Visit]
"""Tells who asks, by the context of a request."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """A tool: what does it, how it is called by people, and what a client may know of it before it calls."""

    work: Work
    title: str
    called: str = ""
    """Its name, where that is not the function's."""
    reads: bool = False
    destroys: bool = False
    repeatable: bool = False
    """The same call again changes nothing more."""

    @property
    def name(self) -> str:
        """What models call it."""
        return self.called or self.work.__name__

    @property
    def annotations(self) -> ToolAnnotations:
        """Hints for clients: what only reads needs no leave."""
        return ToolAnnotations(
            title=self.title,
            read_only_hint=self.reads,
            destructive_hint=self.destroys,
            idempotent_hint=self.reads or self.repeatable,
            open_world_hint=False,
        )


def offer(server: MCPServer[Any], tool: Offer, visiting: Visiting) -> None:
    """Have a server offer it."""
    description = inspect.cleandoc(tool.work.__doc__ or "")
    server.add_tool(
        _answering(tool, visiting),
        name=tool.name,
        title=tool.title,
        description=description,
        annotations=tool.annotations,
        structured_output=True,
    )


def _answering(tool: Offer, visiting: Visiting) -> Callable[..., Awaitable[CallToolResult]]:
    """Make what the library calls: the first parameter, a visit, is worked out of the context of the request."""
    work = tool.work
    signature = inspect.signature(work, eval_str=True)
    asked = list(signature.parameters.values())[1:]

    async def answer(context: Context, **given: Any) -> CallToolResult:
        visit = visiting(context)
        try:
            made = await work(visit, **given)
        except ConductorError as error:
            visit.world.news.calls[tool.name, "refused"] += 1
            return refused(error)
        visit.world.news.calls[tool.name, "answered"] += 1
        return CallToolResult(
            content=[TextContent(type="text", text=made.in_words())],
            structured_content=made.model_dump(mode="json"),
        )

    result = Annotated[CallToolResult, signature.return_annotation]
    of_the_request = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=Context)
    asked = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in asked]
    answer.__name__ = work.__name__
    answer.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [*asked, of_the_request], return_annotation=result
    )
    answer.__annotations__ = {"context": Context, **_annotations(asked), "return": result}
    return answer


def refused(error: ConductorError) -> CallToolResult:
    """Answer an error of ours: one that the model reads, and can mend."""
    return CallToolResult(content=[TextContent(type="text", text=refusals.in_words(error))], is_error=True)


def _annotations(parameters: list[inspect.Parameter]) -> Mapping[str, Any]:
    return {one.name: one.annotation for one in parameters}

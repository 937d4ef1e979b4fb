"""What tools are asked with, each kind described once for models."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

_Word = StringConstraints(min_length=1, max_length=300, pattern=r"^[^\x00-\x1f\x7f]+$")

Repository = Annotated[
    str,
    _Word,
    Field(
        description="`owner/name` as the server knows it; at a desk without a server a folder or an address that git understands.",
        examples=["acme/shop"],
    ),
]
RunName = Annotated[
    str, _Word, Field(description="The run's id, as `start_run` answered it.", examples=["shop-k3v9qd"])
]
EnvironmentName = Annotated[
    str,
    _Word,
    Field(
        description="The environment's id, as `request_environment` answered it.",
        examples=["shop-env-k3v9qd"],
    ),
]
Number = Annotated[int, Field(ge=1, description="The issue's number.", examples=[12])]
Offset = Annotated[int, Field(ge=0, description="Where to go on: `next` of the answer before.")]
Hours = Annotated[float, Field(gt=0, le=168, description="For how many hours.")]
When = Annotated[
    datetime | None,
    Field(description="A time with its zone, as in the answers: 2026-11-24T10:00:00Z."),
]
Suffix = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$"),
    Field(description="Which secrets: `qa` gives NAME_QA. The repository's file says which are allowed."),
]

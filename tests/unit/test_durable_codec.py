"""What is recorded comes back as it was: every value of the domain, every error."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import conductor.domain
from conductor import errors
from conductor.domain.delivery import Delivery
from conductor.domain.event import Event, Kind
from conductor.domain.stack import BindMount, SecretText, Service, TmpfsMount, VolumeMount
from conductor.durable.codec import JsonSerializer, Signature, decode, decode_error, encode, encode_error
from conductor.errors import ConductorError, ConfigurationError, Problem, RunError, StateError

st.register_type_strategy(datetime, st.datetimes(timezones=st.just(UTC)))
st.register_type_strategy(float, st.floats(allow_nan=False))
st.register_type_strategy(timedelta, st.timedeltas(timedelta(days=-999), timedelta(days=99999)))

JSON = JsonSerializer()
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)


def through_a_file(data: Any) -> Any:
    return JSON.deserialize(JSON.serialize(data))


def domain_values() -> Iterator[type]:
    for module in iter_modules(conductor.domain.__path__, "conductor.domain."):
        for name, value in inspect.getmembers(import_module(module.name), inspect.isclass):
            own = is_dataclass(value) and value.__module__ == module.name and not name.startswith("_")
            if own and value is not Delivery:  # its body is bytes as they came: no step takes or gives one
                yield value


@pytest.mark.parametrize("cls", list(domain_values()), ids=lambda cls: f"{cls.__module__}.{cls.__name__}")
def test_every_value_of_the_domain_comes_back_as_it_was(cls: type):
    strategies: dict[str, Any] = {
        one.name: ... for one in fields(cls) if one.init
    }  # inferred from the annotations, also where optional
    strategies |= {"data": st.dictionaries(st.text(), PLAIN, max_size=2)} if cls is Event else {}

    @settings(
        max_examples=10,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.builds(cls, **strategies))
    def holds(value: object) -> None:
        back = decode(through_a_file(encode(value, cls)), cls)
        assert back == value
        assert type(back) is cls

    holds()


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        (None, None),
        (None, str | None),
        ("", str | None),
        ("null", str | None),
        ((), tuple[str, ...] | None),
        (None, tuple[str, ...] | None),
        ("echo hi", str | tuple[str, ...]),
        (("echo", "hi"), str | tuple[str, ...]),
        (("", ""), tuple[str, str]),
        (0, float | None),
        (1, int | float),
        (1.5, int | float),
        (True, bool | str),
        ("true", bool | str),
        ("12", int | str),
        (12, int | str),
        (SecretText(parts=("a", "B", "")), str | SecretText),
        ("plain", str | SecretText),
        ({"A": "", "B": SecretText(parts=("",))}, dict[str, str | SecretText]),
        (VolumeMount(volume=None, target="/data"), VolumeMount | BindMount | TmpfsMount),
        (BindMount(source="a", target="/a"), VolumeMount | BindMount | TmpfsMount),
        (TmpfsMount(target="/a"), VolumeMount | BindMount | TmpfsMount),
        (Path("/srv/a b"), Path),
        (timedelta(microseconds=1), timedelta),
        (timedelta(days=-1, seconds=3), timedelta),
        (datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC), datetime),
        (Kind.STEP_ENDED, Kind),
        ([{"a": 1}], list[dict[str, int]]),
        ({"any": [1, None, "x"]}, Any),
        ("\x00 \U0001f600 é", str),
        ("lone \ud800", str),
    ],
)
def test_values_that_look_alike_stay_apart(value: object, annotation: Any):
    back = decode(through_a_file(encode(value, annotation)), annotation)
    assert back == value
    assert type(back) is type(value) or (value == 0 and annotation == float | None)


def test_a_service_keeps_none_apart_from_empty():
    service = Service(name="web", command=(), entrypoint=None, environment={"EMPTY": ""})
    back = decode(through_a_file(encode(service, Service)), Service)
    assert (back.command, back.entrypoint, back.environment) == ((), None, {"EMPTY": ""})


def test_any_kind_of_mapping_is_recorded():
    value = Service(name="web", environment=MappingProxyType({"A": SecretText(parts=("", "KEY", ""))}))
    assert decode(through_a_file(encode(value, Service)), Service) == replace(
        value, environment=dict(value.environment)
    )


def test_what_does_not_fit_the_annotation_is_refused_before_it_is_recorded():
    with pytest.raises(TypeError, match="cannot be recorded"):
        encode(object(), Service)


def test_what_another_version_recorded_is_told_as_such():
    with pytest.raises(StateError) as caught:
        decode({"name": 3, "colour": "red"}, Service)
    assert caught.value.remedy


def error_classes() -> list[type[ConductorError]]:
    return [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, ConductorError)]


@pytest.mark.parametrize("cls", error_classes(), ids=lambda cls: cls.__name__)
def test_every_error_comes_back_as_its_class_with_its_attributes(cls: type[ConductorError]):
    given_texts = {"reason": "OOMKilled", "fault": "platform", "subject": "web"}
    takes = list(inspect.signature(cls).parameters)
    problem = Problem(file="a.yml", line=3, column=2, message="no", remedy="yes", source=" x: 1")
    first = [problem] if "problems" in takes else "what happened"
    error = cls(
        first, remedy="do this", **{name: text for name, text in given_texts.items() if name in takes}
    )  # type: ignore[arg-type]
    back = decode_error(through_a_file(encode_error(error)))
    assert type(back) is cls
    assert vars(back) == vars(error)
    assert str(back) == str(error)
    assert (back.code, back.exit_code, back.retryable) == (error.code, error.exit_code, error.retryable)


def test_texts_of_errors_pass_the_mask_wherever_they_stand():
    error = ConfigurationError(
        [Problem(file="a", message="key hunter2", source="k: hunter2")], remedy="not hunter2"
    )
    recorded = json.dumps(encode_error(error, lambda text: text.replace("hunter2", "***")))
    assert "hunter2" not in recorded
    assert isinstance(decode_error(json.loads(recorded)), ConfigurationError)


def test_an_error_of_a_class_that_is_gone_keeps_its_words():
    data = encode_error(RunError("it broke", reason="Error", fault="platform", remedy="mend it")) | {
        "class": "Gone"
    }
    back = decode_error(data)
    assert (type(back), back.message, back.remedy) == (ConductorError, "it broke", "mend it")


async def takes_three(run: str, names: tuple[str, ...], more: int = 3) -> None: ...


def test_arguments_go_by_position_and_those_left_out_keep_their_defaults():
    signature = Signature.of(takes_three)
    assert signature.decode_arguments(through_a_file(signature.encode_arguments(["r", ("a",)]))) == [
        "r",
        ("a",),
    ]


def test_too_many_arguments_are_refused():
    with pytest.raises(TypeError, match="4 arguments given, 3 taken"):
        Signature.of(takes_three).encode_arguments(["r", (), 1, 2])


def test_a_function_without_annotations_cannot_be_recorded():
    async def bare(run, name): ...  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202

    with pytest.raises(TypeError, match="needs annotations to be recorded: run, name, return"):
        Signature.of(bare)


def test_nothing_but_json_is_written_and_an_exception_of_the_machinery_says_its_name():
    assert json.loads(JSON.serialize({"a": [1]})) == {"a": [1]}
    with pytest.raises(TypeError):
        JSON.serialize({"a": object()})
    back = through_a_file(LookupError("x"))
    assert isinstance(back, StateError)
    assert "LookupError: x" in back.message

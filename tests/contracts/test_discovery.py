"""Every dialect that is found in its folder can be opened and is one."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator

import pytest

from harpoon_cli.client import control, inference
from harpoon_cli.client.control import ControlOptions, open_control
from harpoon_cli.client.inference import InferenceOptions, open_inference
from harpoon_cli.client.service import ControlPlane, DataPlane, Features
from harpoon_cli.client.transport import Endpoint, Transport
from harpoon_cli.domain import (
    CompletionRequest,
    LeaseId,
    LeaseRequest,
    PoolId,
    Prompt,
    Reference,
    Requirements,
)
from harpoon_cli.errors import ConfigurationFault, PlatformError
from tests.contracts.meeting import meeting
from tests.servers import always, answer, run, stream

REQUEST = LeaseRequest(Reference("r"), "k", PoolId("p"), Requirements(1, 1.0), 60, {"reference": "r"})
QUESTION = CompletionRequest(Prompt("hello"), "model", None, None)


def transport() -> Transport:
    return Transport(Endpoint("http://127.0.0.1:1"))


def test_the_dialects_are_found_by_their_files() -> None:
    assert {"seed_v1", "static"} <= set(control.names())
    assert {"seed_v1", "openai"} <= set(inference.names())


@pytest.mark.parametrize("name", ["", "seed", "__init__", "..retry", "../retry", "os"])
def test_a_dialect_that_is_not_there_is_a_fault_of_the_settings(name: str) -> None:
    with pytest.raises(ConfigurationFault, match="there is no control plane") as caught:
        open_control(name, transport(), ControlOptions(Features()))
    assert caught.value.hint == "platform.control is one of: " + ", ".join(control.names())
    with pytest.raises(ConfigurationFault, match="there is no data plane"):
        open_inference(name, transport(), InferenceOptions())


def methods_of(protocol: type) -> list[str]:
    return [name for name, _ in inspect.getmembers(protocol, inspect.isfunction) if not name.startswith("_")]


@pytest.mark.parametrize("name", control.names())
def test_a_control_plane_has_every_method_with_the_promised_parameters(name: str) -> None:
    plane = open_control(name, transport(), ControlOptions(Features(), pool_id="p"))
    assert isinstance(plane.features, Features)
    for method in methods_of(ControlPlane):
        promised = inspect.signature(getattr(ControlPlane, method))
        assert list(inspect.signature(getattr(type(plane), method)).parameters) == list(promised.parameters)
        assert inspect.iscoroutinefunction(getattr(plane, method))


@pytest.mark.parametrize("name", inference.names())
def test_a_data_plane_has_every_method_with_the_promised_parameters(name: str) -> None:
    plane = open_inference(name, transport(), InferenceOptions())
    for method in methods_of(DataPlane):
        promised = inspect.signature(getattr(DataPlane, method))
        assert list(inspect.signature(getattr(type(plane), method)).parameters) == list(promised.parameters)
    assert isinstance(plane.stream(QUESTION), AsyncIterator)


HOSTILE = [
    answer(200, b"<html>"),
    answer(200),
    answer(200, []),
    answer(200, {}),
    answer(200, {"error": "no"}),
    answer(200, {"pools": [{}], "allocations": [{"id": []}], "text": 1, "choices": [{}], "data": [1]}),
    answer(302, b"", {"Location": "http://127.0.0.1:1/"}),
    answer(401),
    answer(500, {"error": {"message": "no"}}),
    stream(b"data: {}\n\n"),
    b"SSH-2.0\r\n\r\n",
]


@pytest.mark.parametrize("raw", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("name", control.names())
def test_a_control_plane_fails_with_our_errors_only(name: str, raw: bytes) -> None:
    async def ask() -> None:
        async with meeting(always(raw)) as met:
            plane = met.control(name, lists=True, metadata=True)
            calls = (
                plane.pools(),
                plane.allocate(REQUEST, deadline_s=10),
                plane.lease(LeaseId("x")),
                plane.leases(),
                plane.renew(LeaseId("x"), 60),
                plane.release(LeaseId("x")),
                plane.health(),
            )
            for call in calls:
                try:
                    await call
                except PlatformError:
                    continue

    run(ask())


@pytest.mark.parametrize("raw", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("name", inference.names())
def test_a_data_plane_fails_with_our_errors_only(name: str, raw: bytes) -> None:
    async def ask() -> None:
        async with meeting(always(raw)) as met:
            plane = met.inference(name)
            with pytest.raises(PlatformError):
                await plane.complete(QUESTION)
            with pytest.raises(PlatformError):
                async for _ in plane.stream(QUESTION):
                    pass
            with pytest.raises(PlatformError):
                await plane.models()

    run(ask())

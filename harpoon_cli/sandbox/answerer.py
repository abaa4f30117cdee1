"""What the sandbox needs in order to answer prompts: a data plane that is ready, and what is behind it."""

from __future__ import annotations

from typing import Protocol

from harpoon_cli.client.service import DataPlane
from harpoon_cli.sandbox.simulator import NAME, Simulator
from harpoon_cli.values import Struct


class Answerer(Protocol):
    """engine is "simulated" or "llama.cpp"; model_name is the model that really answers."""

    @property
    def engine(self) -> str: ...

    @property
    def model_name(self) -> str: ...

    async def open(self) -> DataPlane:
        """The data plane, started where it was not. Every `HarpoonError` says why there is none."""

    async def close(self) -> None:
        """Let go of connections; the engine itself stays for the next command."""


class SimulatedAnswerer(Struct, frozen=True):
    """Answers by the simulator, for want of a model."""

    simulator: Simulator
    engine: str = "simulated"
    model_name: str = NAME

    async def open(self) -> DataPlane:
        return self.simulator

    async def close(self) -> None:
        return None

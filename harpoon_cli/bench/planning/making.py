"""Makes the shots of one part of a plan in whatever process fires them; a value that can be sent there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from harpoon_cli.bench.planning.plan import Plan, Shard, shots
from harpoon_cli.bench.recording.sample import Shot
from harpoon_cli.values import Struct

if TYPE_CHECKING:
    from harpoon_cli.routing.decision import Candidate, Policy
    from harpoon_cli.routing.weights import Weights

MADE_AHEAD = 1_000
"""So many shots whose models are chosen by routing are made before the run: a choice takes its time."""


class TokenCount(Struct, frozen=True):
    """Counts the tokens of a text by a tokenizer file; the errors are those of `tokens.counter`."""

    path: Path

    def __call__(self, text: str) -> int:
        return _counter(self.path)(text)


class Route(Struct, frozen=True):
    """Names the model for a prompt, as its server calls it, by the routing engine.

    served: the server's name of each candidate; weights: the file of the operator's own, None for those
    that come with harpoon. `NothingFits` where no model can take the prompt.
    """

    candidates: tuple[Candidate, ...]
    policy: Policy
    served: Mapping[str, str]
    weights: bytes | None = None

    def __call__(self, text: str) -> str:
        # Most runs are of one model, and need no routing.
        from harpoon_cli.domain import Prompt
        from harpoon_cli.routing.engine import decide

        weights = None if self.weights is None else _weights(self.weights)
        return self.served[decide(Prompt(text), self.candidates, self.policy, weights).model]


class Making(Struct, frozen=True):
    """One part of a plan. Called, it reads the plan's files and gives the shots; see `plan.shots`."""

    plan: Plan
    shard: Shard
    route: Route | None = None
    count: TokenCount | None = None

    def __call__(self) -> Iterator[Shot]:
        count: Callable[[str], int] | None = _counter(self.count.path) if self.count else None
        found = shots(self.plan, self.shard, route=self.route, count=count)
        return found if self.route is None else chain(list(islice(found, MADE_AHEAD)), found)


@lru_cache(maxsize=1)
def _weights(content: bytes) -> Weights:
    from harpoon_cli.routing.weights_file import load_own

    return load_own(content, "the file of routing weights")


@lru_cache(maxsize=1)
def _counter(path: Path) -> Callable[[str], int]:
    from harpoon_cli.bench.asking.tokens import counter

    return counter(path)

"""What the shared values decide by themselves."""

from __future__ import annotations

import pytest
from rich.pretty import pretty_repr

from harpoon_cli.client.connection import Endpoint
from harpoon_cli.domain import Pool, PoolId, Requirements, Secret


@pytest.mark.parametrize(
    "status", [None, "active", "available", "ACTIVE", "Healthy", "degraded", "no one knows"]
)
def test_a_pool_is_in_service_unless_its_status_is_known_to_be_bad(status: str | None) -> None:
    pool = Pool(PoolId("p"), "p", "L4", status=status)
    assert pool.obstacles(Requirements(vram_mb=1, tflops=1)) == ()
    assert not pool.out_of_service


@pytest.mark.parametrize("status", ["maintenance", "OFFLINE", "Draining", "error", " failed "])
def test_a_pool_whose_status_is_bad_holds_nothing_now(status: str) -> None:
    pool = Pool(PoolId("p"), "p", "L4", status=status)
    assert pool.obstacles(Requirements(vram_mb=1, tflops=1)) == (f"pool is {status}",)
    assert pool.obstacles(Requirements(vram_mb=1, tflops=1), now=False) == ()


def test_no_way_to_print_a_value_shows_the_secret_in_it() -> None:
    endpoint = Endpoint("https://a.example", Secret("canary"))
    for told in (repr(endpoint), str(endpoint), f"{endpoint}", pretty_repr(endpoint)):
        assert "canary" not in told
        assert "***" in told

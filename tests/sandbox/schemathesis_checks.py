"""Loaded by schemathesis in `test_sandbox_contract`: the one thing that its own checks cannot know."""

from __future__ import annotations

from typing import Any

import schemathesis

REASONS = {"idempotency_key_reused", "exceeds_card"}
"""Why a request that keeps to the contract may be 422 all the same: no schema can say either."""


@schemathesis.check
def valid_data_is_unprocessable_only_for_a_reason(
    _context: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case[Any]
) -> None:
    if response.status_code != 422 or case.meta is None or not case.meta.generation.mode.is_positive:
        return
    assert response.json()["code"] in REASONS, response.text

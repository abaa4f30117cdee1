"""What leases cost: ceilings that hold, receipts that add up, and the ledger that says the same later."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.cli.rig import Operator
from tests.leases.watched import ended, watched
from tests.test_generated import assert_valid

GEMMA = ("-m", "gemma-270m")


def written(harpoon: Operator, statement: str) -> None:
    """Change the ledger behind harpoon's back."""
    with closing(sqlite3.connect(harpoon.home / ".local/state/harpoon/ledger.db")) as ledger:
        ledger.execute(statement)
        ledger.commit()


def amount(told: Any) -> Decimal:
    return Decimal(told["cost"]["amount"])


def ended_in(document: Any) -> list[Any]:
    """Every lease that an envelope's receipt, or its data, says is over."""
    receipt = document["receipt"] or {"ended": [], "released": False}
    data = document["data"] or {}
    return [*([receipt] if receipt["released"] else []), *receipt["ended"], *data.get("released", [])]


def test_the_receipts_of_a_day_add_up_to_its_cost_to_the_last_digit(live: Operator) -> None:
    documents = [live("infer", "Hi", "-o", "json").json]
    live("allocate", *GEMMA)
    live("infer", "Hi", "--keep")
    documents.append(live("release", "--all", "-o", "json").json)
    live("allocate", *GEMMA)
    written(live, "UPDATE leases SET kept = 0, holder = 'gone' WHERE state = 'held'")
    documents.append(live("infer", "Hi", "-o", "json").json)
    told = [one for document in documents for one in ended_in(document)]
    ran = live("leases", "--cost", "--since", "1d", "-o", "json")
    assert_valid(ran.out)
    data = ran.data
    assert {one["lease_id"] for one in told} == {row["lease_id"] for row in data["leases"]}
    assert len(told) == len(data["leases"]) == 5
    [total] = data["total"]
    assert sum(map(amount, told)) == sum(map(amount, data["leases"])) == Decimal(total["amount"]) > 0
    assert (total["currency"], total["origin"]) == ("USD", "estimated")
    by_id = {row["lease_id"]: row for row in data["leases"]}
    for one in told:
        row = by_id[one["lease_id"]]
        assert (one["seconds_held"], one["idle_share"]) == (row["seconds_held"], row["idle_share"])


def test_every_receipt_has_seconds_price_cost_and_idle_share(live: Operator) -> None:
    for line in (("infer", "Hi"), ("allocate", *GEMMA), ("infer", "Hi", "--keep")):
        receipt = live(*line, "-o", "json").json["receipt"]
        assert receipt["seconds_held"] > 0
        assert receipt["price"]["origin"] == "quoted"
        assert receipt["cost"]["origin"] == "estimated"
        assert 0 <= receipt["idle_share"] <= 1
        expected = Decimal(receipt["price"]["per_hour"]) * Decimal(str(receipt["seconds_held"])) / 3600
        assert abs(amount(receipt) - expected) < Decimal("1e-12")
    released = live("release", "--all", "-o", "json").data["released"]
    assert [one["idle_share"] == 1.0 for one in released] == [True, False]


def test_a_person_reads_the_same_in_words(live: Operator) -> None:
    labels = [line.split(":")[0] for line in live("allocate", *GEMMA).err.splitlines()]
    assert labels[-4:] == ["held", "idle", "cost", "released"]
    header, row = live("release", "--all").out.splitlines()
    assert header.split("\t") == ["lease", "pool", "held", "price", "cost", "idle"]
    assert row.endswith(" estimated\t100 %")
    shown = live("leases", "--cost").out.splitlines()
    columns = ["lease", "pool", "asked_at", "state", "held", "price", "cost", "idle", "trouble"]
    assert shown[0].split("\t") == columns
    assert shown[1].split("\t")[3] == "ended"
    table = live("leases", "--cost", "-o", "table").out.splitlines()
    assert table[-1].startswith("total: $0.")


def test_the_costs_are_one_table_of_rows_for_a_pipe(live: Operator) -> None:
    live("infer", "Hi")
    live("infer", "Hi")
    rows = "(SELECT reference FROM leases ORDER BY intended_at DESC LIMIT 1)"
    written(live, f"UPDATE leases SET state = 'unsure', lease_id = NULL WHERE reference IN {rows}")
    lines = live("leases", "--cost", "-o", "tsv").out.split("\n")
    assert [len(line.split("\t")) for line in lines] == [9, 9, 9, 1]
    assert lines[-1] == ""
    assert live("leases", "--cost", "-o", "json").data["platform_lists"] is None


def test_a_prompt_on_a_held_lease_is_told_with_what_the_lease_came_to_by_then(live: Operator) -> None:
    lease = live("allocate", *GEMMA, "-q").out.strip()
    ran = live("infer", "Hi", "--lease", lease, "-o", "json")
    receipt = ran.json["receipt"]
    assert receipt["seconds_held"] > 0
    assert 0 < receipt["idle_share"] < 1
    assert (receipt["released"], receipt["kept"]) == (False, True)
    expected = Decimal(receipt["price"]["per_hour"]) * Decimal(str(receipt["seconds_held"])) / 3600
    assert abs(amount(receipt) - expected) < Decimal("1e-12")
    assert ran.data["cost"] is None, "the cost of the lease is not that of this prompt"
    labels = [line.split(":")[0] for line in live("infer", "Hi", "--lease", lease).err.splitlines()]
    assert labels[-4:] == ["held", "idle", "cost", "released"]
    written(live, "DELETE FROM leases")
    receipt = live("infer", "Hi", "--lease", lease, "-o", "json").json["receipt"]
    assert receipt["seconds_held"] > 0
    assert amount(receipt) > 0


def test_a_prompt_that_fails_on_a_held_lease_is_told_with_its_receipt_too(live: Operator) -> None:
    lease = live("allocate", *GEMMA, "-q").out.strip()
    live.environ["HARPOON_PLATFORM__PATHS__INFERENCE"] = "/nowhere"
    ran = live("infer", "Hi", "--lease", lease, "-o", "json")
    assert ran.status > 0
    assert ran.json["receipt"]["seconds_held"] > 0


def test_what_a_person_s_word_closed_stays_among_the_costs_as_the_most_it_can_have_cost(
    live: Operator,
) -> None:
    live("infer", "Hi")
    live("infer", "Hi")
    written(live, "UPDATE leases SET state = 'unsure', lease_id = NULL, released_at = NULL WHERE rowid = 1")
    written(live, "UPDATE leases SET state = 'held', released_at = NULL WHERE rowid = 2")
    names = [row["reference"] for row in live("leases", "--ours", "-o", "json").data["leases"]]
    closed = live("release", *names, "--confirmed-gone", "-o", "json").data["released"]
    assert [one["believed_gone"] for one in closed] == [True, True]
    ran = live("leases", "--cost", "--since", "1d", "-o", "json")
    assert_valid(ran.out)
    assert [row["cost"] for row in ran.data["leases"]] == [one["cost"] for one in closed]
    assert [row["lease_id"] is None for row in ran.data["leases"]] == [True, False]
    [total] = ran.data["total"]
    assert sum(map(amount, closed)) == Decimal(total["amount"]) > 0
    assert any("2 of them ended by a person's word" in note for note in ran.json["notes"])
    assert "\tbelieved gone\t" in live("leases", "--cost").out


def test_a_word_about_an_old_request_costs_no_more_than_its_time(live: Operator) -> None:
    live("infer", "Hi")
    state = "state = 'unsure', lease_id = NULL, released_at = NULL, intended_at = '2026-01-01T00:00:00+00:00'"
    written(live, f"UPDATE leases SET {state}")
    [row] = live("leases", "--cost", "-o", "json").data["cost_unknown"]
    [closed] = live("release", row["reference"], "--confirmed-gone", "-o", "json").data["released"]
    assert closed["seconds_held"] == 900


def test_what_is_long_over_is_forgotten_and_that_is_told(live: Operator) -> None:
    for _ in range(3):
        live("infer", "Hi")
    old = "intended_at = '2024-01-01T00:00:00.000000+00:00', released_at = '2024-01-01T01:00:00.000000+00:00'"
    written(live, f"UPDATE leases SET {old} WHERE rowid < 3")
    written(live, "UPDATE leases SET state = 'unsure', lease_id = NULL, released_at = NULL WHERE rowid = 2")
    live("infer", "Hi")
    ran = live("leases", "--cost", "-o", "json")
    asked = [row["asked_at"][:4] for row in (*ran.data["leases"], *ran.data["cost_unknown"])]
    assert asked.count("2024") <= 1, "only what was never settled is still there"
    assert len(ran.data["leases"]) == 2
    assert any(
        "may be left out: the ledger keeps what is over for 400 days" in one for one in ran.json["notes"]
    )
    lately = live("leases", "--cost", "--since", "7d", "-o", "json")
    assert not any("left out" in note for note in lately.json["notes"])


def test_work_on_a_held_lease_is_not_idle(live: Operator) -> None:
    lease = live("allocate", *GEMMA, "-q").out.strip()
    live("infer", "Hi", "--lease", lease)
    live("infer", "Hi again", "--lease", lease)
    [released] = live("release", lease, "-o", "json").data["released"]
    assert 0 < released["idle_share"] < 1


def test_a_lease_that_an_earlier_command_left_open_is_on_the_receipt_of_the_one_that_ends_it(
    live: Operator,
) -> None:
    lease = live("allocate", *GEMMA, "-q").out.strip()
    written(live, "UPDATE leases SET kept = 0, holder = 'gone'")
    ran = live("infer", "Hi", "-o", "json")
    assert_valid(ran.out)
    [left] = ran.json["receipt"]["ended"]
    assert (left["lease_id"], left["released"], left["idle_share"]) == (lease, True, 1.0)
    other = live("allocate", *GEMMA, "-q").out.strip()
    written(live, "UPDATE leases SET kept = 0, holder = 'gone'")
    ran = live("allocate", *GEMMA, "--dry-run")
    assert "also ended" not in ran.err
    ran = live("allocate", *GEMMA)
    assert f"also ended: {other} in pool pool: held " in " ".join(ran.err.split())


def test_only_leases_since_the_moment_are_counted(live: Operator) -> None:
    live("infer", "Hi")
    first = live("leases", "--cost", "-o", "json").data["leases"][0]["asked_at"]
    after = (datetime.fromisoformat(first) + timedelta(microseconds=1)).astimezone(UTC).isoformat()
    live("infer", "Hi")
    for since, count in (
        (first, 2),
        (after, 1),
        ("2001-01-01", 2),
        ("7d", 2),
        ("1h30m", 2),
        ("2099-01-01", 0),
    ):
        data = live("leases", "--cost", "--since", since, "-o", "json").data
        assert len(data["leases"]) == count, since
        assert bool(data["total"]) is (count > 0)


@pytest.mark.parametrize("since", ["yesterday", "2026", "20261101", "", "9999999d", "0001-01-01T00:00+14:00"])
def test_a_moment_that_is_none_is_refused(live: Operator, since: str) -> None:
    ran = live("leases", "--cost", "--since", since)
    assert (ran.status, "write 2026-11-01, 7d or 12h" in ran.err) == (2, True)


def test_a_moment_without_costs_is_refused(live: Operator) -> None:
    assert live("leases", "--since", "7d").status == 2


def test_a_cost_that_is_not_known_is_not_nothing(live: Operator) -> None:
    live("infer", "Hi")
    known = live("leases", "--cost", "-o", "json").data["total"]
    live("infer", "Hi")
    live("infer", "Hi")
    rows = "(SELECT reference FROM leases ORDER BY intended_at DESC LIMIT 1)"
    written(live, f"UPDATE leases SET state = 'unsure', lease_id = NULL WHERE reference IN {rows}")
    written(live, "UPDATE leases SET price = NULL WHERE rowid = 2")
    ran = live("leases", "--cost", "-o", "json")
    assert [row["state"] for row in ran.data["cost_unknown"]] == ["released", "unsure"]
    assert [row["cost"] for row in ran.data["cost_unknown"]] == [None, None]
    assert ran.data["total"] == known
    assert any("lacks 2 whose cost is not known" in note for note in ran.json["notes"])
    assert "its price is not known" in live("leases", "--cost").out


def test_currencies_are_not_mixed(live: Operator) -> None:
    live("infer", "Hi")
    live("infer", "Hi")
    written(live, """UPDATE leases SET price = '["1.50", "EUR", "quoted"]' WHERE rowid = 2""")
    data = live("leases", "--cost", "-o", "json").data
    assert [total["currency"] for total in data["total"]] == ["USD", "EUR"]
    assert [total["amount"] for total in data["total"]] == [row["cost"]["amount"] for row in data["leases"]]


def test_what_the_total_leaves_out_is_told(live: Operator) -> None:
    live("infer", "Hi")
    live("infer", "Hi")
    live("allocate", *GEMMA)
    written(live, "UPDATE leases SET request = '{' WHERE rowid = 1")
    written(live, "UPDATE leases SET endpoint = 'https://elsewhere.test' WHERE rowid = 2")
    notes = live("leases", "--cost", "-o", "json").json["notes"]
    assert [note for note in notes if "1 of them is not over" in note]
    assert [note for note in notes if "https://elsewhere.test are not counted" in note]
    assert [note for note in notes if "is not whole" in note and "mv " in note]


def test_costs_need_no_platform_that_answers(live: Operator) -> None:
    live("infer", "Hi")
    live.environ["HARPOON_PLATFORM__PATHS__ALLOCATE"] = "/nowhere"
    ran = live("leases", "--cost", "-o", "json")
    assert (ran.status, len(ran.data["leases"])) == (0, 1)


def test_a_ceiling_shortens_the_time_that_nobody_asked_for(live: Operator) -> None:
    for line in (("allocate", *GEMMA), ("allocate", *GEMMA, "--dry-run")):
        ran = live(*line, "--max-cost", "0.01", "-o", "json")
        assert (ran.status, ran.data["ttl_s"]) == (0, 92)
        assert Decimal(ran.data["worst_case_cost"]["amount"]) <= Decimal("0.01")
        assert "the lease is for 92 s, not 900 s: the ceiling of $0.01 pays for no more" in ran.json["notes"]
    [row] = live("leases", "-o", "json").data["leases"]
    left = datetime.fromisoformat(row["expires_at"]) - datetime.fromisoformat(row["asked_at"])
    assert left.total_seconds() == pytest.approx(92, abs=2)


def test_a_receipt_says_that_nothing_but_a_release_ends_a_lease_where_that_is_so(live: Operator) -> None:
    live.environ["HARPOON_PLATFORM__TTL"] = "false"
    ran = live("allocate", *GEMMA)
    assert "released: no, kept as asked; the platform does not end it, only harpoon\n" in ran.err
    assert "warning: this platform ends no lease by itself: only harpoon ends lease " in ran.err
    assert live("infer", "Hi", "-o", "json").json["receipt"]["only_a_release_ends_it"] is True


def test_a_ceiling_without_a_price_is_refused_before_anything_is_leased(live: Operator) -> None:
    live.configure('[platform.names]\nprice_per_hour = "none"\npricing_hourly = "none"\n')
    ran = live("allocate", "--vram", "100MB", "--max-cost", "1")
    assert ran.status == 10, ran.err
    assert "names no price" in ran.err
    assert live("leases", "-q").out == ""


def test_a_running_inference_is_ended_before_it_costs_more_than_allowed(tmp_path: Path) -> None:
    with watched(tmp_path, held="stream") as place:
        process = place.harpoon("infer", "--model", "gemma-2b", "--max-cost", "0.0005", "-o", "json", "Why?")
        place.application.wait_for("stream")
        status, out, err = ended(process)
        assert status == 10, err
        assert place.live() == []
        document = json.loads(out)
        [error] = document["errors"]
        assert (error["code"], document["data"]) == ("cost_ceiling", None)
        receipt = document["receipt"]
        assert receipt["released"]
        assert amount(receipt) <= Decimal("0.0005")
        assert receipt["idle_share"] < 1

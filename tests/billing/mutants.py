"""
Seeded mistakes of the ledger: each must make a test fail. `python -m tests.billing.mutants` prints the score.
With `2/5` it tries the second fifth of them.

A mutant is one replacement in one file. Nothing is written: a forked process swaps the code of the
functions, and runs the tests that run them, the quickest first, until one fails.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType
from typing import TYPE_CHECKING

import pytest
from _pytest.runner import runtestprotocol

from tests.billing.survey import survey

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import ModuleType

TESTS = (
    "expiry",
    "credit",
    "ledger",
    "once",
    "rules",
    "guards",
    "invariants",
    "differences",
    "hours",
    "repayments",
    "settling",
    "histories",
)
# Threads can't see a database in memory of a forked process; one part of the histories is enough.
CHOSEN = "not thousand and not thread and not race and not long and not (model and not 0)"
MOST_SECONDS = 600


@dataclass(frozen=True)
class Mutant:
    """In `billing/<file>.py` the text `old`, the `nth` of its kind, becomes `new`."""

    file: str
    old: str
    new: str
    nth: int = 0

    @property
    def name(self) -> str:
        return f"{self.file}: {self.old.strip()[:60]} -> {self.new.strip()[:40]}"

    def applied(self, source: str) -> str:
        """
        Return the changed source.

        :raises ValueError: if the text isn't there (any more)
        """
        parts = source.split(self.old)
        if len(parts) <= self.nth + 1:
            raise ValueError(f"no longer in the source: {self.name}")
        before = self.old.join(parts[: self.nth + 1])
        return before + self.new + self.old.join(parts[self.nth + 1 :])


HOLDS, LEDGER, RESERVATIONS = "services/holds", "ledger", "services/reservations"
UNDER, REPAYMENTS = "services/undercharges", "services/repayments"
UNUSED, SETTLING = "services/unused", "services/settling"
PAYMENTS, REFUNDS, RULES, LOTS = "services/payments", "services/refunds", "rules", "lots"
MUTANTS = (
    Mutant(LEDGER, "if delta < 0}", "if delta < -(10**9)}"),
    Mutant(LEDGER, "if delta < 0}", "if delta < -(10**9)}", nth=1),
    Mutant(LEDGER, "if only_without_debt:", "if False:"),
    Mutant(LEDGER, 'seq=F("seq") + 1', 'seq=F("seq") + 2'),
    Mutant(LEDGER, "paid = min(seconds, wallet.debt_seconds)", "paid = 0"),
    Mutant(LEDGER, "paid = min(seconds, wallet.debt_seconds)", "paid = wallet.debt_seconds"),
    Mutant(LEDGER, "if seconds <= 0:", "if seconds < 0:"),
    Mutant(LEDGER, "free=-seconds, released=seconds)", "free=-seconds)"),
    Mutant(
        LEDGER,
        "    pay_debt(wallet=wallet, freed=line",
        "    0 and pay_debt(wallet=wallet, freed=line",
    ),
    Mutant(LEDGER, "if only_open:", "if False:"),
    Mutant(LEDGER, "return block() if first is None else first", "return block()"),
    Mutant(
        LEDGER, "= wallet.seq, wallet.available_seconds", "= wallet.seq, wallet.reserved_seconds"
    ),
    Mutant(LEDGER, "seal(line, before=before)", 'seal(line, before="")'),
    Mutant(
        LEDGER, "last = line.seal = seal(line, before=last)", "line.seal = seal(line, before=last)"
    ),
    Mutant("chain", "    return str(value) if", "    return None if"),
    Mutant(LEDGER, "    count_use([line])", "    pass"),
    Mutant(LEDGER, "    count_use(lines)", "    pass"),
    Mutant("hours", "if not used:", "if True:"),
    Mutant(HOLDS, "if not seconds:", "if False:"),
    Mutant(HOLDS, "raise HoldResolved\n        return", "pass\n        return"),
    Mutant(HOLDS, "            post(line)\n", "            pass\n"),
    Mutant(HOLDS, "free = min(used - held, row.reservation.free_seconds)", "free = 0"),
    Mutant(HOLDS, "available = min(used - held - free, wallet.available_seconds)", "available = 0"),
    Mutant(HOLDS, "held = min(used, row.seconds) if", "held = row.seconds if"),
    Mutant(HOLDS, "row.seconds) if row.status == CallHold.Status.HELD else 0", "row.seconds)"),
    Mutant(HOLDS, "free=row.seconds - posted", "free=row.seconds"),
    Mutant(HOLDS, "spare = min(spare, wallet.debt_seconds)", "spare = 0"),
    Mutant(HOLDS, "spare = min(spare, wallet.debt_seconds)", "pass"),
    Mutant(HOLDS, "    close_when_empty(row.reservation_id, now=now)", "    pass"),
    Mutant(HOLDS, "row.status == CallHold.Status.HELD else False", "True else False"),
    Mutant(
        HOLDS,
        "    if row.call_id is None:\n        return None",
        "    if True:\n        return None",
    ),
    Mutant(HOLDS, "if wallet is None or wallet[0]:", "if False:"),
    Mutant(HOLDS, "expires_at__lte=now", "expires_at__gte=now"),
    Mutant(HOLDS, 'raise KeyReused("The attempt belongs to another launch.")', "pass"),
    Mutant(HOLDS, 'raise KeyReused("The attempt was billed for another call.")', "pass"),
    Mutant(HOLDS, "if taken.free:", "if False:"),
    Mutant(SETTLING, " if row.status == _Status.HELD", ""),
    Mutant(SETTLING, "if ended.was_placed:", "if True:"),
    Mutant(SETTLING, "is_machine=ended.is_machine", "is_machine=False"),
    Mutant(SETTLING, "used > row.seconds or", ""),
    Mutant(SETTLING, "row.reservation.status != Reservation.Status.OPEN:", "False:"),
    Mutant(SETTLING, "if wallet.debt_seconds:", "if False:"),
    Mutant(SETTLING, "if one.charge.billed_seconds]", "]"),
    Mutant(SETTLING, "if resolved != len(self._settled):", "if False:"),
    Mutant(SETTLING, 'deltas["held"] -= one', 'deltas["held"] += one'),
    Mutant(SETTLING, 'deltas["posted"] += posted', 'deltas["posted"] += one.hold.seconds'),
    Mutant(SETTLING, 'deltas["charged"] += posted', 'deltas["charged"] += 0'),
    Mutant(SETTLING, "+= one.charge.client_cost_micros", "+= posted"),
    Mutant(SETTLING, 'deltas["free"] += one.hold.seconds - posted', 'deltas["free"] += posted'),
    Mutant(SETTLING, "only_open=True, ", ""),
    Mutant(SETTLING, "_Status.POSTED if was_placed else _Status.VOIDED", "_Status.POSTED"),
    Mutant(SETTLING, "_Status.POSTED if was_placed else _Status.VOIDED", "_Status.VOIDED"),
    Mutant(SETTLING, "one.ended.call_id if was_placed else None", "one.ended.call_id"),
    Mutant(SETTLING, '"posted_seconds": one.charge.billed_seconds', '"posted_seconds": 0'),
    Mutant(SETTLING, "amount_micros=one.charge.client_cost_micros", "amount_micros=0"),
    Mutant(LEDGER, "if told is not None or wallet.debt_seconds or", "if"),
    Mutant(
        LEDGER,
        "for seq, line in enumerate(lines, wallet.seq + 1)",
        "for seq, line in enumerate(lines, wallet.seq)",
    ),
    Mutant(LEDGER, '{"seq": wallet.seq + len(lines)}', '{"seq": wallet.seq + 1}'),
    Mutant(LEDGER, '{"id": wallet.pk, "seq": wallet.seq},', '{"id": wallet.pk},'),
    Mutant(LEDGER, '        least={"reserved_seconds": used},\n', ""),
    Mutant(LEDGER, 'add={"reserved_seconds": -used, ', "add={"),
    Mutant(LEDGER, ', "consumed_seconds": used}', "}"),
    Mutant(LEDGER, "    for line in lines:\n        lots.follow(line, wallet)", "    pass"),
    Mutant(RESERVATIONS, "reservation.status != Reservation.Status.OPEN:", "False:"),
    Mutant(RESERVATIONS, "seconds=reservation.free_seconds", "seconds=0"),
    Mutant(RESERVATIONS, "free_seconds=0, held_seconds=0", "free_seconds=0"),
    Mutant(RESERVATIONS, "if line and line.seconds != seconds:", "if False:"),
    Mutant(RESERVATIONS, "if mine and (mine.client_id", "if False and (mine.client_id"),
    Mutant(PAYMENTS, "    pay_debt(wallet=wallet", "    0 and pay_debt(wallet=wallet"),
    Mutant(PAYMENTS, "if _facts(found) != _facts(sale)", "if False"),
    Mutant(
        PAYMENTS, "Status.PAID, Status.REFUNDED, ended_at", "Status.PAID, Status.PAID, ended_at"
    ),
    Mutant(
        PAYMENTS, "Status.PENDING, Status.PAID, paid_at", "Status.PENDING, Status.PENDING, paid_at"
    ),
    Mutant(PAYMENTS, "available_delta=-payment.seconds", "available_delta=payment.seconds"),
    Mutant(PAYMENTS, "if Payment.objects.filter(pk=payment.pk, repaid_seconds__gt=0)", "if ()"),
    Mutant(PAYMENTS, "left.unused_seconds < payment.seconds", "False"),
    Mutant(REPAYMENTS, "if seconds > left.unused_seconds:", "if False:"),
    Mutant(UNUSED, "max(0, min(payment.seconds - payment.repaid_seconds, unused))", "unused"),
    Mutant(UNUSED, "if lot.expires_at > now else 0", ""),
    Mutant(UNUSED, "return whole - paid.repaid_micros", "return whole"),
    Mutant(UNUSED, "part_seconds=paid.repaid_seconds + seconds", "part_seconds=seconds"),
    Mutant(UNUSED, "    if not wallet.expiring_seconds:", "    if True:"),
    Mutant(REPAYMENTS, "if left.payment.status != Status.PAID:", "if False:"),
    Mutant(REPAYMENTS, "== paid.seconds", "== 0"),
    Mutant(
        REPAYMENTS, 'repaid_micros=F("repaid_micros") + row', 'repaid_micros=F("seconds") - row'
    ),
    Mutant(RULES, "if is_half else int(2 * rest > whole_seconds)", "if is_half else 0"),
    Mutant(RULES, "(micros % 2 if is_half", "(1 if is_half"),
    Mutant(LOTS, "if line.type == Type.REVERSE:", "if False:"),
    Mutant(REFUNDS, "if not 0 < given <= left.seconds:", "if not 0 < given:"),
    Mutant(REFUNDS, "seconds - sum(row.seconds for row in refunds)", "seconds"),
    Mutant(REFUNDS, "    pay_debt(wallet=wallet", "    0 and pay_debt(wallet=wallet"),
    Mutant(REFUNDS, "or row.reservation.bills_voicemail", ""),
    Mutant(REFUNDS, "if is_more or self.seconds", "if self.seconds"),
    Mutant(UNDER, "if missing <= 0:", "if missing == 0:"),
    Mutant(UNDER, "free = min(missing, reservation.free_seconds)", "free = 0"),
    Mutant(UNDER, "min(missing - free, wallet.available_seconds)", "0"),
    Mutant(UNDER, "lines[0].pk if lines else None", "None"),
    Mutant(UNDER, ") - sum(one.amount_micros for one in lines)", ")"),
    Mutant(UNDER, "if line.reserved_delta:", "if False:"),
    Mutant("services/wallets", "if not reason.strip():", "if False:"),
    Mutant("services/wallets", "!= said:", "!= said and False:"),
    Mutant("services/approvals", "if row.asked_by_id == actor.pk:", "if False:"),
    Mutant("services/approvals", "if row.status != Status.WAITING:", "if False:"),
    Mutant(LEDGER, "available_seconds__gt=0, expires_at__lte=now", "available_seconds__gt=0"),
    Mutant(LEDGER, "if wallet.expiring_seconds:\n", "if False:\n"),
    Mutant(LEDGER, "if wallet.expiring_seconds and", "if False and"),
    Mutant(LEDGER, "        lots.mark_expired(lot, line)", "        pass"),
    Mutant(LOTS, "_count(line, -spent)", "pass"),
    Mutant(
        LOTS,
        'return lots.order_by("expires_at", "pk")',
        'return lots.order_by("-expires_at", "pk")',
    ),
    Mutant(
        LOTS, 'order_by("-lot__expires_at", "-lot__pk")', 'order_by("lot__expires_at", "lot__pk")'
    ),
    Mutant(LOTS, '"seconds", line.seconds - lasting', '"seconds", line.seconds'),
    Mutant(LOTS, "        wanted -= seconds", "        pass"),
    Mutant(PAYMENTS, "if _has_expired(payment, now):", "if False:"),
    Mutant(PAYMENTS, "    lots.open_lot(payment, line)", "    pass"),
    Mutant(RULES, "_round_up(duration_ms, 1000) // 1000", "duration_ms // 1000"),
    Mutant(RULES, "return -(-seconds * terms", "return (seconds * terms"),
    Mutant(RULES, "return most if most >= least_hold(terms=terms) else 0", "return most"),
    Mutant(RULES, "min(wanted_seconds, free_seconds //", "min(wanted_seconds, 0 + free_seconds //"),
)
EQUIVALENT = MUTANTS[-1:]  # the control: it changes nothing, so it must survive


def module_of(mutant: Mutant) -> ModuleType:
    """Return the module that the mutant is about."""
    return importlib.import_module("billing." + mutant.file.replace("/", "."))


def source_of(mutant: Mutant) -> str:
    """Return the source of the module that the mutant is about."""
    return Path(str(module_of(mutant).__file__)).read_text()


def infect(mutant: Mutant) -> None:
    """Swap the code of the module's functions and methods, wherever they were imported to."""
    for mine, other in _changed(mutant):
        mine.__code__ = other.__code__


def changed_functions(mutant: Mutant) -> set[tuple[str, str]]:
    """Return the file and name of each function that the mutant makes another."""
    return {
        (mine.__code__.co_filename, mine.__code__.co_qualname) for mine, _other in _changed(mutant)
    }


def _changed(mutant: Mutant) -> list[tuple[FunctionType, FunctionType]]:
    module = module_of(mutant)
    changed = dict(vars(module))
    exec(compile(mutant.applied(source_of(mutant)), str(module.__file__), "exec"), changed)
    pairs = _pairs(vars(module), changed)
    return [(mine, other) for mine, other in pairs if _differ(mine.__code__, other.__code__)]


def _pairs(
    kept: Mapping[str, object], changed: Mapping[str, object]
) -> Iterator[tuple[FunctionType, FunctionType]]:
    for name, mine in kept.items():
        other = changed[name]
        if isinstance(mine, FunctionType) and isinstance(other, FunctionType):
            yield mine, other
        elif isinstance(mine, type) and isinstance(other, type) and mine is not other:
            yield from _pairs(vars(mine), vars(other))


def _differ(mine: CodeType, other: CodeType) -> bool:
    """Tell whether two functions do something else; on which lines they stand doesn't matter."""
    if (mine.co_code, mine.co_names) != (other.co_code, other.co_names):
        return True
    if len(mine.co_consts) != len(other.co_consts):
        return True
    pairs = zip(mine.co_consts, other.co_consts, strict=True)
    return any(
        _differ(one, two) if isinstance(one, CodeType) and isinstance(two, CodeType) else one != two
        for one, two in pairs
    )


class Trial:
    """Sets the tests up once, and runs for each mutant those that meet it, in a process of its own."""

    def __init__(self, mutants: Sequence[Mutant]) -> None:
        self.mutants = mutants
        self.survivors: list[Mutant] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        first, second, *_ = items = session.items
        runtestprotocol(first, log=False, nextitem=second)  # makes the database
        ran = sorted(zip(survey(items[1:]), items[1:], strict=True), key=lambda one: one[0].seconds)
        for test, item in ran:
            if test.failed:
                print(f"fails without any mistake: {item.nodeid}", flush=True)
        for mutant in self.mutants:
            functions = changed_functions(mutant)
            meets = [item for test, item in ran if functions & test.functions]
            lives = self._survives(mutant, meets)
            self.survivors += [mutant] * lives
            print("survives" if lives else "killed  ", mutant.name, flush=True)
        return True

    def _survives(self, mutant: Mutant, items: list[pytest.Item]) -> bool:
        child = os.fork()
        if not child:
            signal.alarm(MOST_SECONDS)  # one that never ends is found too
            os._exit(self._fails(mutant, items))
        return os.waitpid(child, 0)[1] == 0

    def _fails(self, mutant: Mutant, items: list[pytest.Item]) -> int:
        infect(mutant)
        for item in items[:1]:  # another than the one that the first test left the fixtures to
            item.session._setupstate.teardown_exact(item)
        for item, following in zip(items, [*items[1:], None], strict=True):
            reports = runtestprotocol(item, log=False, nextitem=following or item)
            if any(report.failed for report in reports):
                print(f"         by {item.nodeid}", flush=True)
                return 1
        return 0


def run(part: str = "1/1") -> None:
    """Try a part of the mutants, print what became of each and the score."""
    number, parts = (int(word) for word in part.split("/"))
    trial = Trial(MUTANTS[number - 1 :: parts])
    files = [f"tests/billing/test_{name}.py" for name in TESTS]
    pytest.main(["-q", "-n", "0", "-p", "no:cacheprovider", "-s", "-k", CHOSEN, *files], [trial])
    tried = set(trial.mutants)
    mistakes, survivors = tried - set(EQUIVALENT), set(trial.survivors)
    print(f"ledger mutants: {len(mistakes - survivors)} of {len(mistakes)} killed")
    for control in tried & set(EQUIVALENT):
        print(
            "the control", "survives" if control in survivors else "is killed: a test fails anyway"
        )


if __name__ == "__main__":
    run(*sys.argv[1:2])

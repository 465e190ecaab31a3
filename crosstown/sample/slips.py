"""How records come to say a thing twice: corrections, flip-flops, late entries, withdrawals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from crosstown.sample.clock import DAY, HOUR, MINUTE
from crosstown.sample.dice import Dice
from crosstown.sample.record import Act


def said_otherwise(dice: Dice, acts: Sequence[Act]) -> Sequence[Act]:
    """The acts, one record in twelve with a slip; only for systems that say when they wrote."""
    roll = dice.roll()
    if roll > 0.085:
        return acts
    at = dice.below(len(acts))
    one, said = acts[at], acts[at].at + 20 * HOUR
    if roll < 0.03:  # the time was wrong, and is put right
        right = replace(
            one, at=one.at - 7 * MINUTE, again=True, said=said + dice.between(0, 9 * DAY)
        )
        return [*acts[: at + 1], right, *acts[at + 1 :]]
    if roll < 0.04:  # 10:00, no 10:05, no 10:00 after all: three sayings
        moved = replace(one, at=one.at + 5 * MINUTE, again=True, said=said + DAY)
        back = replace(one, again=True, said=said + 2 * DAY)
        return [*acts[:at], replace(one, said=said), moved, back, *acts[at + 1 :]]
    if roll < 0.055:  # entered in the wrong record, and taken back
        gone = replace(acts[-1], again=True, void=True, said=acts[-1].at + DAY)
        return [*acts, gone]
    late = replace(one, said=one.at + dice.between(3 * DAY, 25 * DAY))
    return [*acts[:at], late, *acts[at + 1 :]]

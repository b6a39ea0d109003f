"""What the manager of the contact centre can do about a queue that is coming: the candidates that forks try."""

from __future__ import annotations

from collections.abc import Sequence

from gemel.facts import Time
from gemel.packs.service.actions import Action, called_in
from gemel.packs.service.advise import Felt, View
from gemel.packs.service.centre.network import CLASSES, SITES, promised
from gemel.packs.service.means import Acts, Here, Look, Means
from gemel.packs.service.remedy import Remedy


def candidates(
    usual: Felt, now: Time, done: Sequence[Action], *, most: int = 3, trouble_from: float = 1.0
) -> list[Acts]:
    """Return what may help the sites where promises will be broken: people from the other, stand-by, call-backs, overflow."""
    found: list[Acts] = []
    for site in SITES:
        if trouble(usual, site) >= trouble_from:
            found += _for(site, now, done, most - called_in(done, now).get(site, 0))
    return found


def trouble(usual: Felt, site: str) -> float:
    """Return how many promises are expected to be broken at a site."""
    here = [k for k, name in enumerate(usual.classes) if name.endswith(f".{site}")]
    return float(usual.breaches[:, here].sum(1).mean())


def _for(site: str, now: Time, standing: Sequence[Action], left: int) -> list[Acts]:
    other = next(s for s in SITES if s != site)
    back = Action("call back", f"way.{site}>later.{site}", 0.35, now)
    move = [Action("move", f"agents.{other}>agents.{site}", float(n), now) for n in (1, 3)]
    add = [Action("add", f"agents.{site}", float(n), now, 5400.0) for n in (1, 3) if n <= left]
    away = [Action("reroute", f"way.{site}>call.{other}", 0.35, now, 1800.0)]
    singles = [*move, *add, *away, back]
    new = [a for a in singles if not any(b.kind == a.kind and b.target == a.target and b.until > now for b in standing)]
    pairs = [(back, a) for a in new if back in new and a.kind in ("move", "add") and a.amount > 1]
    return [*((action,) for action in new), *pairs]


def options(view: View, usual: Felt, here: Here) -> list[Acts]:
    """Return the candidates as a look asks for them."""
    return candidates(usual, here.now, here.done)


GIFT = Remedy(15.0, 60.0, (760, 1000), (850, 1000))
"""A voucher to who was let down. Margin and counts are made up, as the centre is: a service puts its own in their place."""

MEANS = Means(
    (Look("queue", options),), promised, remedies={f"{name}.{site}": GIFT for site in SITES for name in CLASSES}
)  # fmt: skip

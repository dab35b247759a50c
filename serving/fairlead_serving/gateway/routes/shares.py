"""Which part of all users each version gets when a header decides.  Pure.

Envoy turns the header into a number and walks along the shares of a route, so whoever lies at one
place stays there.  Laid side by side, the shares of later versions would move when an earlier one
grows, and with them their users.  So every candidate has a home, an equal part of all users, and
fills it from its own end; the last version of the route has what is left in all homes.

A user of a candidate stays with it while its share does not shrink, whatever the others do: always
with one or two candidates, and with more as long as each fits into its home (the whole divided by
the number of candidates).  What does not fit takes room from the far ends of the other homes and
may have to move when those fill.
"""

import itertools
from collections.abc import Sequence

from fairlead_serving.gateway.routes.route import TOTAL_WEIGHT


def lay_out(weights: Sequence[int]) -> list[tuple[int, int]]:
    """Lay out pieces as (position of the version, percent), from the percents of all versions.

    The weights sum to 100; the last one fills the gaps.
    """
    shares, filler = weights[:-1], len(weights) - 1
    homes = [_home(number, len(shares)) for number in range(len(shares))]
    owners = [filler] * TOTAL_WEIGHT
    for number, share in enumerate(shares):
        for place in homes[number][:share]:
            owners[place] = number
    for number, share in enumerate(shares):
        others = homes[number + 1 :] + homes[:number]
        spare = [place for home in others for place in reversed(home) if owners[place] == filler]
        for place in spare[: max(0, share - len(homes[number]))]:
            owners[place] = number
    return [(owner, len(list(piece))) for owner, piece in itertools.groupby(owners)]


def _home(number: int, count: int) -> list[int]:
    """List the places of one candidate, first to fill first; neighbors fill toward each other."""
    places = list(range(TOTAL_WEIGHT * number // count, TOTAL_WEIGHT * (number + 1) // count))
    return places if number % 2 == 0 else places[::-1]

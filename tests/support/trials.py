"""What clients did in a trial of 1.1.0 and 1.2.0 against 1.0.0."""

from support.world import World


def count(world: World, *, total: int = 0, **bad: int) -> None:
    """So many answers of each version since the trial began, and so many failed ones."""
    counts = {}
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        counts[f"{version}-total"] = float(total)
        counts[f"{version}-bad"] = float(bad.get(f"v{version.replace('.', '')}", 0))
    world.prometheus.counts = counts

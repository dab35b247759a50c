"""The cluster with Fairlead on it, once for all end-to-end tests, and the story told on it once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.choose import choose
from e2e.story.installation import Installation, alone, install
from e2e.story.narrator import Narrator
from e2e.story.tell import Told, open_world, tell


@pytest.fixture(scope="session")
def say() -> Narrator:
    return Narrator()


@pytest.fixture(scope="session")
def installed(say: Narrator) -> Iterator[Installation]:
    """Cluster, images and chart.  A cluster that was up before stays up."""
    cluster = choose()
    was_up = all(part.running for part in cluster.status())
    with alone():
        yield install(say)
        if not was_up:
            cluster.down(say)


@pytest.fixture(scope="session")
def told(installed: Installation, say: Narrator, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Tell the story to its end, and leave everything running."""
    folder: Path = tmp_path_factory.mktemp("story")
    return tell(open_world(installed, say, folder), installed)

"""The search stage; tests/integration/training runs it, against a real database."""

import subprocess
import sys


def test_a_search_worker_starts_without_mlflow() -> None:
    """It has no use for it, and importing it takes seconds in each worker."""
    imports = "import fairlead_training.worker, sys; print('mlflow' in sys.modules)"

    answer = subprocess.run([sys.executable, "-c", imports], capture_output=True, check=True)

    assert answer.stdout.split() == [b"False"]

"""Files that a Go module carries, such as the CRDs of another project."""

import json
import subprocess
from pathlib import Path

from images.commands import BuildError


def module_folder(module: str, version: str) -> Path:
    """Return the folder of the module in Go's cache; download it when it is not there yet.

    Raises:
        BuildError: Go is missing, or the module proxy does not have it; says which.
    """
    command = ["go", "mod", "download", "-json", f"{module}@{version}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    except FileNotFoundError as error:
        raise BuildError("go: command not found") from error
    answer = json.loads(done.stdout or "{}")
    if "Dir" not in answer:
        raise BuildError(f"{module}@{version}: {answer.get('Error') or done.stderr}")
    return Path(answer["Dir"])

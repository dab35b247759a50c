"""What the operator costs with ten Models at rest: memory, and writes to the API server.

All ten are served, each by a version of its own that was registered by hand.
"""

import json
import re
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench import registry
from bench.installed import NAMESPACE, STABLE, Place, model_names
from bench.result import Goal, Result
from cluster.api import Cluster
from e2e.story import installation
from e2e.story.errors import expect

NAME = "operator-memory"
MODELS = 10
GOAL_MEBIBYTES = 100.0

_SETTLING = 20.0  # seconds: the last rollouts look after their routes, the kubelet measures anew
_AT_REST = 30.0
_LOOKS = 3
_MIB = 1024 * 1024
_SYSTEM = f"--namespace={installation.NAMESPACE}"
_SELECTOR = "--selector=app.kubernetes.io/component=operator"
# What the operator writes in the course of its work, Events included.  Leases are counted apart;
# what kubelets, the scheduler and controllers write for themselves is not ours.
_OURS = frozenset({
    "models", "trainingruns", "rollouts", "deployments", "jobs", "services", "configmaps",
    "serviceaccounts", "secrets", "rolebindings", "poddisruptionbudgets", "events",
})  # fmt: skip
_WRITES = frozenset({"POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION"})
_SAMPLE = re.compile(r"^apiserver_request_total\{(?P<labels>.*)\} (?P<value>\S+)$")
_LABEL = re.compile(r'(\w+)="([^"]*)"')

Writes = Counter[tuple[str, str]]  # verb and resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """One look at the operator's container, in MiB."""

    resident: float  # of the process: its own pages and those of its files
    working_set: float  # of the container, as the kubelet measures and limits it


def run(place: Place) -> Result:
    """Have ten Models, wait until nothing moves, and look.

    Raises:
        StoryError: they do not come to be served.
    """
    names = model_names(MODELS)
    empty = measure(place.cluster)
    place.say(f"operator without our Models: {empty.resident:g} MiB resident")
    registry.register(place.mlflow_url, [(f"{NAMESPACE}.{name}", STABLE) for name in names])
    place.serve(names)
    place.say(f"{MODELS} Models are served; settling for {_SETTLING:.0f} s")
    time.sleep(_SETTLING)
    before, renewals = count_writes(place.cluster), _lease_version(place.cluster)
    expect(before.total() > MODELS, "the API server to have counted our writes", before)
    begin, looks = time.monotonic(), []
    for number in range(1, _LOOKS + 1):
        time.sleep(max(0.0, begin + _AT_REST * number / _LOOKS - time.monotonic()))
        looks.append(measure(place.cluster))
        place.say(f"look {number}/{_LOOKS}: {looks[-1].resident:g} MiB resident")
    seconds = time.monotonic() - begin
    after = count_writes(place.cluster)
    moved = renewals != _lease_version(place.cluster)
    expect(moved, "the operator to have renewed its Lease meanwhile", renewals)
    place.remove(names)
    return to_result(empty, looks, after - before, seconds)


def measure(cluster: Cluster) -> Memory:
    """Look at the operator's pod from inside and from its kubelet."""
    found = cluster.kubectl("get", "pods", _SYSTEM, _SELECTOR, "--output=json")
    (pod,) = json.loads(found.stdout)["items"]
    name, node = pod["metadata"]["name"], pod["spec"]["nodeName"]
    stats = cluster.kubectl("get", f"--raw=/api/v1/nodes/{node}/proxy/stats/summary")
    working_set = next(
        container["memory"]["workingSetBytes"]
        for known in json.loads(stats.stdout)["pods"]
        if known["podRef"]["name"] == name
        for container in known["containers"]
    )
    # After the kubelet's number, which would have this command in it.
    status = cluster.kubectl(
        "exec", name, _SYSTEM, "--", "python", "-c", "print(open('/proc/1/status').read())"
    )
    return Memory(resident=parse_resident(status.stdout), working_set=round(working_set / _MIB, 1))


def count_writes(cluster: Cluster) -> Writes:
    """All writes the API server has seen of the kinds the operator writes, by whomever."""
    return parse_writes(cluster.kubectl("get", "--raw=/metrics").stdout)


def parse_resident(status: str) -> float:
    """MiB from /proc/PID/status.  Pure."""
    return round(int(status.partition("VmRSS:")[2].split()[0]) / 1024, 1)


def parse_writes(metrics: str) -> Writes:
    """Sum the API server's own counters.  Pure."""
    writes: Writes = Counter()
    for line in metrics.splitlines():
        sample = _SAMPLE.match(line)
        if sample is None:
            continue
        labels = dict(_LABEL.findall(sample["labels"]))
        if labels["verb"] in _WRITES and labels["resource"] in _OURS:
            writes[labels["verb"], labels["resource"]] += int(float(sample["value"]))
    return writes


def to_result(empty: Memory, looks: list[Memory], writes: Writes, seconds: float) -> Result:
    """Sum up; of several looks the largest counts.  Pure."""
    resident = max(look.resident for look in looks)
    working_set = max(look.working_set for look in looks)
    total = sum(writes.values())
    return Result(
        name=NAME,
        headers=("Operator", "before", f"{MODELS} Models, all served, at rest"),
        rows=(
            ("resident memory of the process, MiB", f"{empty.resident:.1f}", f"{resident:.1f}"),
            ("working set of the container, MiB", f"{empty.working_set:.1f}", f"{working_set:.1f}"),
            (f"API writes in {seconds:.0f} s, but for its Lease", "", str(total)),
        ),
        goals=(
            Goal(
                wanted=f"resident memory below {GOAL_MEBIBYTES:g} MiB",
                is_met=resident < GOAL_MEBIBYTES,
            ),
            Goal(wanted="no API write at rest", is_met=total == 0),
        ),
        numbers={
            "models": MODELS,
            "before_mebibytes": _to_json(empty),
            "at_rest_mebibytes": [_to_json(look) for look in looks],
            "seconds_at_rest": seconds,
            "writes": {f"{verb} {resource}": count for (verb, resource), count in writes.items()},
        },
    )


def _to_json(memory: Memory) -> Mapping[str, Any]:
    return {"resident": memory.resident, "working_set": memory.working_set}


def _lease_version(cluster: Cluster) -> str:
    lease = cluster.kubectl("get", "lease", "fairlead-operator", _SYSTEM, "--output=json")
    return str(json.loads(lease.stdout)["metadata"]["resourceVersion"])

"""Who may write to MLflow, or label a pod as ours, moves no version: the cluster knows them."""

import json
from datetime import timedelta
from typing import Any, Final

import pytest

from fairlead_operator.api.model import ModelStatus
from support.trainer_words import registered
from support.world import NAMESPACE, World, made_by, model_manifest, pod

MINUTE: Final = timedelta(minutes=1)
NAME: Final = f"{NAMESPACE}.nsw-price"
CANARY: Final = {"steps": [{"weight": 20, "hold": "5m"}]}
TRAINING: Final = "nsw-price-training-1"
OURS, FORGED = (f"sha256:{letter * 64}" for letter in "0f")


def change(world: World, **spec: Any) -> None:
    meta = {"namespace": NAMESPACE, "name": "nsw-price"}
    world.kube.put({"kind": "Model", "metadata": meta, "spec": spec})


def by_hand(world: World, name: str, version: str, **spec: Any) -> None:
    """Create a Rollout as a person does."""
    meta = {"namespace": NAMESPACE, "name": name}
    body = {"model": "nsw-price", "version": version, **spec}
    world.kube.put({"kind": "Rollout", "metadata": meta, "spec": body})


def rollout(world: World, name: str) -> dict[str, Any]:
    status: dict[str, Any] = world.kube.objects["Rollout", NAMESPACE, name]["status"]
    return status


def served(world: World, version: str) -> dict[str, str]:
    """Return what the server of a version was told."""
    name = f"nsw-price-{version.replace('.', '-')}"
    deployment = world.kube.objects["Deployment", NAMESPACE, name]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return {entry["name"]: entry.get("value", "") for entry in container["env"]}


def known(world: World) -> dict[str, str]:
    versions = ModelStatus.model_validate(world.model()["status"]).versions
    return {one.version: one.digest for one in versions}


def said(world: World) -> tuple[str, str]:
    conditions = {entry["type"]: entry for entry in world.model()["status"]["conditions"]}
    return conditions["UpToDate"]["reason"], conditions["UpToDate"]["message"]


async def serving(**spec: Any) -> World:
    """Return a Model that pinned 1.0.0, registered by hand, and serves it; 1.1.0 is there too."""
    world = World()
    world.prometheus.healthy()
    world.registry.register(NAME, "1.0.0", digest=OURS)
    world.registry.register(NAME, "1.1.0", digest="sha256:1")
    world.kube.put(model_manifest(version="1.0.0", rollout=CANARY, **spec))
    await world.run()
    assert world.weights() == {"1.0.0": 100}
    return world


@pytest.mark.parametrize("owner", ["nobody", "another Job", "the Job, not as its controller"])
async def test_a_forged_pod_with_the_labels_of_a_trainer_is_not_heard(owner: str) -> None:
    """Its version passed the gate, with its own digest."""
    world = World()
    world.kube.put(model_manifest())
    await world.run()
    world.end_job(TRAINING, "search", result={"outcome": "Succeeded", "stage": "search"})
    await world.run()
    world.registry.register(NAME, "6.6.6", digest=FORGED)
    job = world.kube.objects["Job", NAMESPACE, f"{TRAINING}-finish"]
    word = json.dumps(registered(world.registry.versions[NAME, "6.6.6"]))
    forged = pod(
        "forged",
        labels=job["spec"]["template"]["metadata"]["labels"],
        ended={"exitCode": 0, "message": word, "finishedAt": "2099-01-01T00:00:00Z"},
    )
    references = {
        "nobody": [],
        "another Job": [made_by(job) | {"uid": "another"}],
        "the Job, not as its controller": [made_by(job) | {"controller": False}],
    }
    forged["metadata"]["ownerReferences"] = references[owner]
    world.kube.put(forged)

    await world.run()
    world.registry.register(NAME, "1.0.0", digest=OURS)
    world.end_job(TRAINING, "finish", result=registered(world.registry.versions[NAME, "1.0.0"]))
    await world.run()

    trained = world.kube.objects["TrainingRun", NAMESPACE, TRAINING]["status"]["trained"]
    assert (trained["version"], trained["digest"]) == ("1.0.0", OURS)
    assert world.weights() == {"1.0.0": 100}
    assert known(world) == {"1.0.0": OURS}


async def test_what_was_trained_is_served_though_its_version_is_registered_again() -> None:
    """The newest registration of the version was served."""
    world = World()
    world.prometheus.healthy()
    world.registry.forge(NAME, "1.0.0", digest=FORGED)
    world.kube.put(model_manifest())
    await world.train(TRAINING, "1.0.0")
    number = world.registry.versions[NAME, "1.0.0"].registry_version

    environment = served(world, "1.0.0")

    assert world.weights() == {"1.0.0": 100}
    assert (environment["FAIRLEAD_REGISTRY_VERSION"], environment["FAIRLEAD_DIGEST"]) == (
        number,
        "sha256:0",
    )
    assert world.model()["status"]["stable"]["registryVersion"] == number


async def test_a_way_back_leads_to_what_was_in_charge_whatever_is_registered_by_now() -> None:
    """`rollback --to 1.0.0` went to the forged one."""
    world = await serving()
    change(world, version="1.1.0")
    await world.pass_time(15 * MINUTE)
    assert world.weights() == {"1.1.0": 100}
    world.registry.forge(NAME, "1.0.0", digest=FORGED)
    change(world, version=None)

    by_hand(world, "back", "1.0.0", trigger="rollback")
    await world.pass_time(15 * MINUTE)

    assert rollout(world, "back")["candidate"]["digest"] == OURS
    assert world.model()["status"]["stable"]["digest"] == OURS
    assert world.weights() == {"1.0.0": 100}


async def test_a_version_that_is_registered_twice_is_refused_and_both_are_named() -> None:
    world = await serving()
    number = world.registry.forge(NAME, "1.1.0", digest=FORGED)

    change(world, version="1.1.0")
    await world.run()

    name = world.model()["status"]["rollout"]
    status = rollout(world, name)
    assert (status["phase"], status["reason"]) == ("RolledBack", "VersionAmbiguous")
    for words in ("registry version 2 with digest sha256:1",
                  f"registry version {number} with digest {FORGED}"):  # fmt: skip
        assert words in status["message"]
        assert words in said(world)[1]
    assert said(world)[0] == "VersionBlocked"
    assert world.weights() == {"1.0.0": 100}
    assert ("Deployment", NAMESPACE, "nsw-price-1-1-0") not in world.kube.objects


async def test_which_of_two_it_is_the_spec_can_say() -> None:
    world = await serving()
    number = world.registry.forge(NAME, "1.1.0", digest=OURS.replace("0", "b"))
    world.registrations.take(await world.registry.registrations())
    change(world, version="1.1.0")
    await world.run()

    change(world, versionDigest=OURS.replace("0", "b"))
    await world.pass_time(MINUTE)

    environment = served(world, "1.1.0")
    assert environment["FAIRLEAD_REGISTRY_VERSION"] == number
    assert world.weights() == {"1.0.0": 80, "1.1.0": 20}
    assert world.model()["status"]["blocked"] == []


async def test_one_of_two_that_is_deleted_leaves_the_other() -> None:
    world = await serving()
    world.registry.forge(NAME, "1.1.0", digest=FORGED)
    world.registrations.take(await world.registry.registrations())
    change(world, version="1.1.0")
    await world.run()

    world.registry.forged.clear()
    world.registrations.take(await world.registry.registrations())
    change(world, serving={"requestTimeout": "12s"})  # so that it is looked at now
    await world.pass_time(MINUTE)

    assert world.weights() == {"1.0.0": 80, "1.1.0": 20}


async def back_at_the_first() -> World:
    """1.1.0 was in charge, 1.0.0 is again, and MLflow has another artifact for 1.1.0 by now."""
    world = await serving()
    for version in ("1.1.0", "1.0.0"):
        change(world, version=version)
        await world.pass_time(15 * MINUTE)
        assert world.weights() == {version: 100}
    world.registry.register(NAME, "1.1.0", digest=FORGED)
    return world


async def test_an_exchanged_version_is_refused_before_it_has_traffic() -> None:
    world = await back_at_the_first()

    change(world, version="1.1.0")
    await world.pass_time(15 * MINUTE)

    status = rollout(world, world.model()["status"]["rollout"])
    assert (status["phase"], status["reason"]) == ("RolledBack", "VersionChanged")
    assert "its digest has been sha256:1" in status["message"]
    assert FORGED in status["message"]
    assert FORGED in said(world)[1]
    assert status.get("liveSince") is None
    assert world.weights() == {"1.0.0": 100}
    assert known(world) == {"1.0.0": OURS, "1.1.0": "sha256:1"}


async def test_neither_a_list_nor_a_restart_brings_an_exchanged_version_in() -> None:
    world = await back_at_the_first()
    change(world, version="1.1.0")
    await world.run()

    world.registrations.take(await world.registry.registrations())
    world.restart_operator()
    await world.pass_time(15 * MINUTE)

    assert world.weights() == {"1.0.0": 100}
    tried = [key for key, item in world.kube.objects.items()
             if key[0] == "Rollout" and item["spec"]["version"] == "1.1.0"]  # fmt: skip
    assert len(tried) == 2, "once in charge, once refused"


async def test_what_is_in_charge_is_not_exchanged_under_its_name() -> None:
    world = await serving()
    world.registry.forge(NAME, "1.0.0", digest=FORGED)

    change(world, versionDigest=FORGED)
    await world.pass_time(15 * MINUTE)

    reason, message = said(world)
    assert reason == "VersionChanged"
    assert f"in charge with digest {OURS}" in message
    assert FORGED in message
    assert world.weights() == {"1.0.0": 100}
    assert served(world, "1.0.0")["FAIRLEAD_DIGEST"] == OURS
    assert [reason for reason, _ in world.events()].count("VersionChanged") == 1


async def test_another_digest_in_the_spec_takes_a_rollout_of_that_version_back() -> None:
    world = await serving()
    other = OURS.replace("0", "b")
    change(world, version="1.1.0")
    await world.run()
    before = world.weights()
    world.registry.forge(NAME, "1.1.0", digest=other)
    world.registrations.take(await world.registry.registrations())

    change(world, versionDigest=other)
    await world.pass_time(MINUTE)

    assert before == {"1.0.0": 80, "1.1.0": 20}
    assert "VersionChanged" in {reason for reason, _ in world.events()}
    assert served(world, "1.1.0")["FAIRLEAD_DIGEST"] == other
    assert world.weights() == {"1.0.0": 80, "1.1.0": 20}


TRIAL: Final = {
    "strategy": "abTest",
    "abTest": {"goal": {"metric": "success-rate"}, "weight": 20, "maxDuration": "1h"},
}


async def test_an_alternative_of_two_registrations_is_the_one_that_the_spec_names() -> None:
    world = await serving()
    world.registry.register(NAME, "1.2.0", digest="sha256:2")
    world.registry.forge(NAME, "1.2.0", digest=FORGED)
    digests = [{"version": "1.2.0", "digest": FORGED}]

    change(
        world,
        version="1.1.0",
        rollout=TRIAL,
        alternatives=["1.2.0"],
        alternativeDigests=digests,
    )
    await world.pass_time(MINUTE)

    assert world.weights() == {"1.0.0": 60, "1.1.0": 20, "1.2.0": 20}
    assert served(world, "1.2.0")["FAIRLEAD_DIGEST"] == FORGED


async def test_an_alternative_of_two_registrations_that_nobody_names_gets_no_traffic() -> None:
    world = await serving()
    world.registry.register(NAME, "1.2.0", digest="sha256:2")
    world.registry.forge(NAME, "1.2.0", digest=FORGED)

    change(world, version="1.1.0", rollout=TRIAL, alternatives=["1.2.0"])
    await world.pass_time(15 * MINUTE)

    assert world.weights() == {"1.0.0": 100}
    messages = [event["message"] for event in world.kube.objects.values()
                if event["kind"] == "Event"]  # fmt: skip
    assert any("say by alternativeDigests" in message for message in messages)


async def test_an_alternative_of_which_the_spec_names_another_artifact_leaves_the_trial() -> None:
    world = await serving()
    world.registry.register(NAME, "1.2.0", digest="sha256:2")
    change(world, version="1.1.0", rollout=TRIAL, alternatives=["1.2.0"])
    await world.pass_time(MINUTE)
    assert world.weights()["1.2.0"] == 20
    world.registry.forge(NAME, "1.2.0", digest=FORGED)

    change(world, alternativeDigests=[{"version": "1.2.0", "digest": FORGED}])
    await world.pass_time(MINUTE)

    told = [message for reason, message in world.events() if reason == "VersionChanged"]
    assert "spec.alternativeDigests asks for" in told[0]
    assert world.weights() == {"1.0.0": 80, "1.1.0": 20, "1.2.0": 0}


async def test_a_version_without_a_tag_for_its_digest_is_served_by_the_one_in_the_spec() -> None:
    world = World()
    world.prometheus.healthy()
    world.registry.register(NAME, "1.0.0", digest="")
    world.kube.put(model_manifest(version="1.0.0", versionDigest=OURS))
    await world.run()

    assert world.weights() == {"1.0.0": 100}
    assert world.model()["status"]["stable"]["digest"] == OURS


async def test_what_was_seen_at_its_first_use_is_kept() -> None:
    world = await serving()
    assert known(world) == {"1.0.0": OURS}

    change(world, version="1.1.0")
    await world.pass_time(15 * MINUTE)

    assert known(world) == {"1.0.0": OURS, "1.1.0": "sha256:1"}


async def test_a_model_of_an_earlier_release_goes_on_and_knows_its_versions() -> None:
    """Its status had no field for them."""
    world = await serving()
    change(world, version="1.1.0")
    await world.run()
    assert world.weights() == {"1.0.0": 80, "1.1.0": 20}
    del world.model()["status"]["versions"]
    world.registry.forge(NAME, "1.0.0", digest=FORGED)
    world.registry.forge(NAME, "1.1.0", digest=FORGED)

    world.restart_operator()
    await world.pass_time(15 * MINUTE)

    assert world.weights() == {"1.1.0": 100}
    assert known(world) == {"1.0.0": OURS, "1.1.0": "sha256:1"}


async def test_an_applied_again_model_takes_up_the_artifact_that_was_in_charge() -> None:
    world = await serving()
    await world.kube.delete("Model", NAMESPACE, "nsw-price")
    await world.run()
    world.kube.objects = {}
    world.deliver()
    world.restart_operator()
    world.registry.forge(NAME, "1.0.0", digest=FORGED)

    world.kube.put(model_manifest())
    await world.pass_time(MINUTE)

    assert world.model()["status"]["stable"]["digest"] == OURS
    assert served(world, "1.0.0")["FAIRLEAD_DIGEST"] == OURS
    assert world.weights() == {"1.0.0": 100}


async def test_the_next_training_is_told_of_a_number_that_mlflow_has_lost() -> None:
    """It gave the number a second time, to another artifact."""
    world = await serving()
    change(world, version="1.1.0")
    await world.pass_time(15 * MINUTE)
    del world.registry.versions[NAME, "1.1.0"]
    meta = {"namespace": NAMESPACE, "name": "nsw-price",
            "annotations": {"fairlead.dev/retrain": "Ada: more rows"}}  # fmt: skip

    world.kube.put({"kind": "Model", "metadata": meta})
    await world.run()

    runs = [item for key, item in world.kube.objects.items() if key[0] == "TrainingRun"]
    assert [json.loads(run["status"]["config"])["after"] for run in runs] == ["1.1.0"]

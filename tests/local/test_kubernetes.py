"""deploy/kubernetes: what it runs is what compose runs, under Kubernetes' restricted profile."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from local.compose_check import load
from local.servers import ROOT
from tests.local.test_compose import filled
from transport import __version__

FOLDER = ROOT / "deploy" / "kubernetes"
Resource = dict[str, Any]
# Every kind that we use, by its API.
KINDS = {
    "Namespace": "v1",
    "Service": "v1",
    "Deployment": "apps/v1",
    "Job": "batch/v1",
    "PodDisruptionBudget": "policy/v1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "ServiceMonitor": "monitoring.coreos.com/v1",
}
PROCESSES = ("web", "worker", "worker-slow", "beat", "migrate")
# What the documents tell to put into the secret, and the configuration beside it.
SECRET = {
    "SECRET_KEY", "ENCRYPTION_KEYS", "BIGCOMMERCE_CLIENT_ID", "BIGCOMMERCE_CLIENT_SECRET",
    "DATABASE_URL", "REDIS_URL",
}  # fmt: skip


def kustomization() -> Resource:
    found: Resource = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    return found


def resources() -> Iterator[Resource]:
    for name in kustomization()["resources"]:
        yield from yaml.safe_load_all((FOLDER / name).read_text())


def one(kind: str, name: str) -> Resource:
    (found,) = (
        each for each in resources() if (each["kind"], each["metadata"]["name"]) == (kind, name)
    )
    return found


def workload(name: str) -> Resource:
    return one("Job" if name == "migrate" else "Deployment", name)


def pod(name: str) -> Resource:
    found: Resource = workload(name)["spec"]["template"]
    return found


def container(name: str) -> Resource:
    (found,) = pod(name)["spec"]["containers"]
    return dict(found)


def test_every_file_is_a_resource_and_of_a_known_kind() -> None:
    listed = {*kustomization()["resources"], "kustomization.yaml"}
    assert {path.name for path in FOLDER.iterdir()} == listed
    assert {each["kind"]: each["apiVersion"] for each in resources()} == KINDS
    names = [(each["kind"], each["metadata"]["name"]) for each in resources()]
    assert len(names) == len({*names})


@pytest.mark.parametrize("name", PROCESSES)
def test_a_pod_runs_the_command_of_compose_with_its_memory(name: str) -> None:
    compose, ours = load()[name], container(name)
    words = filled(compose["command"])
    numbers = {"4": "2"}  # concurrency, which the test of compose makes smaller
    command = [numbers.get(word, word) for word in ours["args"]]
    assert [compose["command"][0], *words[1:]] == command
    assert ours["resources"]["limits"]["memory"].removesuffix("i").lower() == compose["mem_limit"]
    assert ours["image"] == "sequra-bigcommerce"
    assert pod(name)["spec"]["terminationGracePeriodSeconds"] == 60


@pytest.mark.parametrize("name", PROCESSES)
def test_a_pod_keeps_to_the_restricted_profile(name: str) -> None:
    assert one("Namespace", "sequra-bc")["metadata"]["labels"] == {
        "pod-security.kubernetes.io/enforce": "restricted"
    }
    assert pod(name)["spec"]["securityContext"] == {
        "runAsNonRoot": True, "runAsUser": 10001, "runAsGroup": 10001,
        "seccompProfile": {"type": "RuntimeDefault"},
    }  # fmt: skip
    assert container(name)["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert pod(name)["spec"]["automountServiceAccountToken"] is False
    assert {*container(name)["resources"]} == {"requests", "limits"}
    assert container(name)["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108 (in the container)
    (volume,) = pod(name)["spec"]["volumes"]
    assert volume["emptyDir"]["sizeLimit"]


@pytest.mark.parametrize("name", PROCESSES)
def test_labels_find_their_pods_and_the_environment_is_whole(name: str) -> None:
    assert pod(name)["metadata"]["labels"] == {"component": name}
    if name != "migrate":
        selector = workload(name)["spec"]["selector"]
        assert selector == {"matchLabels": {"component": name}}
    assert container(name)["envFrom"] == [
        {"configMapRef": {"name": "sequra-bc"}}, {"secretRef": {"name": "sequra-bc"}},
    ]  # fmt: skip


def test_probes_ask_the_process_and_no_server_behind_it() -> None:
    web = container("web")
    paths = {name: web[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert paths == {
        "startup": {"path": "/health/live", "port": "http"},
        "liveness": {"path": "/health/live", "port": "http"},
        "readiness": {"path": "/health/ready", "port": "http"},
    }
    for name in ("worker", "worker-slow", "beat"):
        test = container(name)["livenessProbe"]["exec"]["command"]
        assert test == load()[name]["healthcheck"]["test"][1:]


def test_web_is_there_during_updates_and_while_nodes_are_drained() -> None:
    spec = one("Deployment", "web")["spec"]
    assert (spec["replicas"], spec["strategy"]["rollingUpdate"]["maxUnavailable"]) == (2, 0)
    budget = one("PodDisruptionBudget", "web")["spec"]
    assert budget == {"minAvailable": 1, "selector": {"matchLabels": {"component": "web"}}}
    service = one("Service", "web")
    assert service["spec"]["selector"] == {"component": "web"}
    (port,) = service["spec"]["ports"]
    assert port["targetPort"] in {each["name"] for each in container("web")["ports"]}


def test_only_web_can_be_reached_and_prometheus_finds_it() -> None:
    deny = one("NetworkPolicy", "default-deny")["spec"]
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress"]}
    web = one("NetworkPolicy", "web")["spec"]
    assert web["podSelector"] == {"matchLabels": {"component": "web"}}
    (rule,) = web["ingress"]
    assert len(rule["from"]) == 2
    assert rule["ports"] == [{"port": "http", "protocol": "TCP"}]
    monitor = one("ServiceMonitor", "web")["spec"]
    labels = one("Service", "web")["metadata"]["labels"]
    assert monitor["selector"] == {"matchLabels": labels}
    (endpoint,) = monitor["endpoints"]
    assert (endpoint["port"], endpoint["path"]) == ("http", "/metrics")


def test_the_image_is_of_this_version() -> None:
    (image,) = kustomization()["images"]
    assert image["newTag"] == __version__


def test_the_documents_name_what_has_to_be_given() -> None:
    text = (ROOT / "docs" / "install.md").read_text().partition("\n## Kubernetes\n")[2]
    step = text.partition("make the secret")[2].partition("\n3. ")[0]
    assert set(re.findall(r"`([A-Z_]+)`", step)) == SECRET
    (generated,) = kustomization()["configMapGenerator"]
    given = {line.partition("=")[0] for line in generated["literals"]}
    required = set(re.findall(r"^# .*Required\.[^\n]*\n(?:#[^\n]*\n)*([A-Z_]+)=$",
                              (ROOT / ".env.example").read_text(), re.MULTILINE))  # fmt: skip
    assert required - {"POSTGRES_PASSWORD", "REDIS_PASSWORD"} <= SECRET | given
    assert "APP_URL" in given


@pytest.mark.slow
def test_kustomize_builds_it() -> None:
    program = shutil.which("kubectl")
    if program is None:
        pytest.skip("no kubectl: what it would build is checked by the other tests")
    command = [program, "kustomize", str(FOLDER)]
    built = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = list(yaml.safe_load_all(built))
    (image,) = kustomization()["images"]
    tag = f"{image['newName']}:{image['newTag']}"
    pods = [
        each["spec"]["template"]["spec"] for each in found if "template" in each.get("spec", {})
    ]
    assert [one["containers"][0]["image"] for one in pods] == [tag] * len(PROCESSES)
    (config,) = (each["metadata"]["name"] for each in found if each["kind"] == "ConfigMap")
    names = {one["containers"][0]["envFrom"][0]["configMapRef"]["name"] for one in pods}
    assert names == {config}

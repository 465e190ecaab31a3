"""Makes `programs.yaml`: one workload a program, all of one form. `python deploy/kubernetes/programs.py`.

Each program is one process with a home of its own. `cases` keeps a store and takes as many pods as there
are shards; `gateway` and `webhooks` keep keys; all others may lose their home. Of several pods each has
its slot, for two of one slot would fence each other.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import yaml

MADE: Final = Path(__file__).with_name("programs.yaml")
IMAGE: Final = "crosstown:0.1.0"
HOME: Final = "/var/lib/crosstown"
GIVEN: Final = "/run/crosstown"
METRICS: Final = 9400
MODULES: Final = {
    "registry": "crosstown.registry.server", "intake": "streams.intake", "cases": "streams.cases",
    "casebook": "streams.casebook", "watch": "streams.watch", "feeds": "streams.feeds",
    "reciprocity": "streams.reciprocity", "eraser": "streams.eraser", "gateway": "streams.gateway",
    "webhooks": "streams.webhooks", "lookout": "streams.lookout",
}  # fmt: skip
KEEPS: Final = {"cases": "20Gi", "gateway": "1Gi", "webhooks": "1Gi"}
"""Programs whose home outlives their pod, and how large it is."""
PODS: Final = {"intake": 2, "cases": 2}
PORTS: Final = {"registry": 8081, "gateway": 8443}
MEMORY: Final = {"cases": ("1Gi", "2560Mi"), "feeds": ("512Mi", "2Gi")}
"""What is asked for and what is allowed; `feeds` holds all that agreements cover (docs/sizing.md)."""
CPU: Final = {"cases": "500m", "intake": "500m"}
SETTINGS: Final = {
    "registry": {"CROSSTOWN_REGISTRY_LISTEN": "0.0.0.0:8081"},
    "gateway": {"CROSSTOWN_GATEWAY": "0.0.0.0:8443"},
}


def labels(name: str) -> dict[str, str]:
    """How a program's pods are told from others."""
    return {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "crosstown"}


def probe(path: str, **more: int) -> dict[str, Any]:
    """A question that the program answers with 200 or 503."""
    return {"httpGet": {"path": path, "port": "metrics"}, "timeoutSeconds": 5, **more}


def environment(name: str) -> list[dict[str, Any]]:
    """What is said to this program alone; all else is in the config map and the secret."""
    own = dict(SETTINGS.get(name, {}))
    if name in PORTS:
        own |= {f"CROSSTOWN_{name.upper()}_{what}": f"{GIVEN}/{name}/tls.{ending}"
                for what, ending in (("CERT", "crt"), ("KEY", "key"))}  # fmt: skip
    said: list[dict[str, Any]] = [{"name": key, "value": value} for key, value in own.items()]
    if name in PODS:
        index = "metadata.labels['apps.kubernetes.io/pod-index']"
        said.append({"name": "CROSSTOWN_SLOT", "valueFrom": {"fieldRef": {"fieldPath": index}}})
    return said


def container(name: str) -> dict[str, Any]:
    """The program, its probes and what it may use."""
    ports = [{"name": "metrics", "containerPort": METRICS}]
    mounts = [
        {"name": "home", "mountPath": HOME}, {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108
        {"name": "ca", "mountPath": f"{GIVEN}/ca.pem", "subPath": "ca.pem", "readOnly": True},
    ]  # fmt: skip
    if name in PORTS:
        ports.append({"name": "https", "containerPort": PORTS[name]})
        mounts.append({"name": "tls", "mountPath": f"{GIVEN}/{name}", "readOnly": True})
    least, most = MEMORY.get(name, ("128Mi", "512Mi"))
    return {
        "name": name, "image": IMAGE, "command": ["python", "-m", MODULES[name]],
        "envFrom": [{"configMapRef": {"name": "crosstown"}}, {"secretRef": {"name": "crosstown"}}],
        "env": environment(name), "ports": ports, "volumeMounts": mounts,
        "startupProbe": probe("/startupz", periodSeconds=5, failureThreshold=120),
        "livenessProbe": probe("/livez", periodSeconds=15, failureThreshold=4),
        "readinessProbe": probe("/readyz", periodSeconds=10, failureThreshold=2),
        "resources": {"requests": {"cpu": CPU.get(name, "100m"), "memory": least},
                      "limits": {"memory": most}},
        "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                            "capabilities": {"drop": ["ALL"]}},
    }  # fmt: skip


def pod(name: str) -> dict[str, Any]:
    """A program's pod."""
    volumes: list[dict[str, Any]] = [
        {"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}},
        {"name": "ca", "configMap": {"name": "crosstown-ca"}},
    ]
    if name not in KEEPS:
        volumes.append({"name": "home", "emptyDir": {"sizeLimit": "1Gi"}})
    if name in PORTS:
        volumes.append({"name": "tls", "secret": {"secretName": f"{name}-tls", "defaultMode": 288}})
    apart = {"labelSelector": {"matchLabels": labels(name)}, "topologyKey": "kubernetes.io/hostname",
             "maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway"}  # fmt: skip
    return {
        "metadata": {"labels": labels(name)},
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "runAsGroup": 1000,
                                "fsGroup": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
            "terminationGracePeriodSeconds": 30, "topologySpreadConstraints": [apart],
            "containers": [container(name)], "volumes": volumes,
        },
    }  # fmt: skip


def workload(name: str) -> dict[str, Any]:
    """A program's pods: a StatefulSet where a home is kept or pods are numbered, else a Deployment."""
    spec: dict[str, Any] = {
        "replicas": PODS.get(name, 1), "selector": {"matchLabels": labels(name)},
        "template": pod(name),
    }  # fmt: skip
    about = {"name": name, "labels": labels(name)}
    if name not in KEEPS and name not in PODS:
        spec["strategy"] = {"type": "Recreate"}  # the old one first: it has the same slot
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": about, "spec": spec}
    spec["serviceName"] = name
    if name in KEEPS:
        size = {"requests": {"storage": KEEPS[name]}}
        spec["volumeClaimTemplates"] = [
            {"metadata": {"name": "home"},
             "spec": {"accessModes": ["ReadWriteOnce"], "resources": size}}
        ]  # fmt: skip
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": about, "spec": spec}


def service(name: str) -> dict[str, Any]:
    """Where a program is reached: its figures, and what it serves."""
    ports = [{"name": "metrics", "port": METRICS, "targetPort": "metrics"}]
    if name in PORTS:
        ports.append({"name": "https", "port": PORTS[name], "targetPort": "https"})
    spec = {"selector": labels(name), "ports": ports}
    if name in PODS:
        spec["clusterIP"] = "None"
    about = {"name": name, "labels": labels(name)}
    return {"apiVersion": "v1", "kind": "Service", "metadata": about, "spec": spec}


def budget(name: str) -> dict[str, Any]:
    """How many of its pods an upgrade of the machines may take away at once."""
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
            "metadata": {"name": name, "labels": labels(name)},
            "spec": {"maxUnavailable": 1, "selector": {"matchLabels": labels(name)}}}  # fmt: skip


def manifests() -> list[dict[str, Any]]:
    """All of it."""
    return [make(name) for name in MODULES for make in (workload, service, budget)]


def text() -> str:
    """The file as it must be."""
    head = "# Made by programs.py; change that.\n"
    return head + yaml.safe_dump_all(manifests(), sort_keys=False, width=100)


if __name__ == "__main__":
    sys.exit(MADE.write_text(text(), "utf-8") == 0)

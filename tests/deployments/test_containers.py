"""The container files: versions, secrets, ports, order of start, and what a GPU needs in the work pools.

`tests/containers` executes them.
"""

import importlib
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from uuid import uuid4

import pytest
import yaml

from deployments import logs
from deployments.settings import SERVER_SETTINGS, WORKER_SETTINGS
from tests.containers.compose import compose, merge

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "docker" / "Dockerfile"
COMPOSE, STORE = (ROOT / "docker" / name for name in ("compose.yaml", "compose.store.yaml"))
TEMPLATES = {kind: ROOT / "deployments" / f"gpu-{kind}.json" for kind in ("docker", "kubernetes")}
PLACEHOLDER = re.compile(r"{{\s*([\w.]+)\s*}}")
INTERPOLATED = re.compile(r"\$\{([^}]+)\}")
SECRETS = {"POSTGRES_PASSWORD", "PREFECT_AUTH_STRING", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
EXAMPLE = ROOT / "docker" / ".env.example"


def raw(*paths):
    """Return the services of compose files, merged as compose does, their variables not replaced."""
    merged = {}
    for path in paths:
        merged = merge(merged, yaml.safe_load(path.read_text()))
    return merged["services"]


@pytest.fixture(scope="module")
def services():
    return raw(COMPOSE, STORE)


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(params=TEMPLATES)
def template(request):
    return json.loads(TEMPLATES[request.param].read_text())


def pinned(name):
    constraints = ROOT / "constraints.txt"
    return re.search(rf"^{re.escape(name)}==([^\s;]+)", constraints.read_text(), re.MULTILINE)[1]


def stages():
    """Return the lines of every stage of the Dockerfile by name, continued lines joined."""
    text = DOCKERFILE.read_text().replace("\\\n", " ")
    found = re.split(r"^FROM +\S+ +AS +(\S+)\n", text, flags=re.MULTILINE)
    return dict(zip(found[1::2], (body.splitlines() for body in found[2::2]), strict=True))


def strings(node):
    if isinstance(node, dict):
        node = [*node.keys(), *node.values()]
    if isinstance(node, list):
        return [text for item in node for text in strings(item)]
    return [node] if isinstance(node, str) else []


def test_dockerfile_passes_hadolint():
    # The folder of this Python first: its environment need not be activated.
    hadolint = shutil.which("hadolint", path=Path(sys.executable).parent) or shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not installed (extra `dev`)")
    result = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_python_of_the_images_is_supported(project):
    version = re.search(r"^FROM python:(\d+\.\d+)-slim-bookworm AS", DOCKERFILE.read_text(), re.MULTILINE)[1]
    assert f">={version}" in project["requires-python"]


def test_server_runs_from_the_locked_environment(services, project):
    assert services["prefect-server"]["image"] == services["worker-cpu"]["image"]
    assert f"prefect=={pinned('prefect')}" in project["optional-dependencies"]["service"]


@pytest.mark.parametrize(("target", "training"), [("cpu", "train"), ("gpu", "train-gpu")])
def test_dependencies_come_from_the_project_files_before_any_code(target, training, project):
    found = stages()
    install = next(line for line in found[f"dependencies-{target}"] if "uv pip install" in line)
    extras = re.findall(r"--extra (\S+)", install)
    assert extras == [training, "service", *(["containers"] if target == "cpu" else [])]
    assert set(extras) <= set(project["optional-dependencies"])
    assert "--constraints constraints.txt" in install
    copied = [line for line in found["dependencies"] if line.startswith("COPY")]
    assert copied == ["COPY pyproject.toml constraints.txt ./"]
    order = [line.split()[1] for line in found[target] if line.startswith("COPY")]
    assert order == [f"--from=dependencies-{target}", "--from=code"]


def test_modules_named_in_the_dockerfile_exist():
    imported = re.findall(r"from (inclinet[\w.]*) import (\w+)", DOCKERFILE.read_text())
    assert imported
    for module, name in imported:
        assert hasattr(importlib.import_module(module), name)


def test_every_package_of_the_project_reaches_the_image():
    found = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]
    packages = {pattern.removesuffix("*") for pattern in found["include"]}
    copied = {word for line in stages()["code"] if line.startswith("COPY") for word in line.split()[1:-1]}
    assert copied == packages | {"prefect.yaml", "pyproject.toml", "constraints.txt", "README.md", "LICENSE"}
    admitted = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    assert admitted == copied


@pytest.mark.parametrize("target", ["cpu", "gpu"])
def test_worker_serves_its_own_pool_as_an_ordinary_user(target):
    lines = stages()[target]
    user = [line.split()[1] for line in lines if line.startswith("USER")]
    assert user and user[-1] not in {"0", "root"}
    command = " ".join(json.loads(next(line for line in lines if line.startswith("CMD"))[len("CMD") :]))
    assert f"prefect worker start --pool {target} --type process" in command
    # The HEALTHCHECK asks the server that this option starts.
    assert "--with-healthcheck" in command
    assert ("--limit $(python -c 'from inclinet.networks.devices import runs_at_once;" in command) == (target == "gpu")


def test_workers_are_built_from_the_dockerfile(services):
    for name in ("setup", "worker-cpu", "worker-gpu"):
        build = services[name]["build"]
        assert (COMPOSE.parent / build["context"] / build["dockerfile"]).resolve() == DOCKERFILE
        assert build["target"] in stages()
        assert services[name]["image"].startswith(f"inclinet-{build['target']}:")


def test_images_carry_the_project_version(services, project):
    images = {service["image"] for service in services.values() if "build" in service}
    assert images == {f"inclinet-{target}:{project['version']}" for target in ("cpu", "gpu")}


def test_secrets_come_only_from_the_environment(services):
    named = {}
    for text in strings(services):
        for expression in INTERPOLATED.findall(text):
            name = re.match(r"\w+", expression)[0]
            named.setdefault(name, set()).add(expression[len(name) :])
    assert named.keys() >= SECRETS
    for name in SECRETS:
        assert all(rest.startswith(":?") and len(rest) > 2 for rest in named[name]), name
    for service in services.values():
        for key, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|ACCESS_KEY|AUTH_STRING", key):
                assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), key


@pytest.mark.parametrize("missing", ["PREFECT_AUTH_STRING", "POSTGRES_PASSWORD"])
def test_nothing_starts_without_passwords(missing):
    settings = dict.fromkeys(SECRETS - {missing}, "a:b")
    with pytest.raises(SystemExit, match=f"{missing}: set it in docker/.env"):
        compose([COMPOSE], settings)


def test_a_store_elsewhere_needs_no_key():
    """The AWS chain finds a role of the machine."""
    settings = {"PREFECT_AUTH_STRING": "a:b", "POSTGRES_PASSWORD": "c"}
    worker = compose([COMPOSE], settings)["worker-cpu"]["environment"]
    assert not any(name.startswith("AWS_") and "KEY" in name for name in worker)
    assert "AWS_ENDPOINT_URL" not in worker
    with pytest.raises(SystemExit, match="AWS_ACCESS_KEY_ID"):
        compose([COMPOSE, STORE], settings)


@pytest.mark.parametrize("path", [COMPOSE, STORE], ids=lambda path: path.name)
def test_compose_files_follow_the_compose_specification(path):
    checker = shutil.which("check-jsonschema", path=Path(sys.executable).parent) or shutil.which("check-jsonschema")
    if checker is None:
        pytest.skip("check-jsonschema is not installed (extra `dev`)")
    done = subprocess.run(
        [checker, "--builtin-schema", "vendor.compose-spec", path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_example_settings_hold_every_variable_and_no_secret(services):
    lines = EXAMPLE.read_text().splitlines()
    settings = dict(line.lstrip("# ").split("=", 1) for line in lines if re.match(r"(# )?[A-Z0-9_]+=", line))
    used = {re.match(r"\w+", name)[0] for text in strings(services) for name in INTERPOLATED.findall(text)}
    passed = {
        name
        for service in raw(COMPOSE).values()
        for name, value in service.get("environment", {}).items()
        if value is None
    }
    assert settings.keys() == used | passed
    assert all(settings[name] == "" for name in SECRETS | passed)
    defaults = dict(
        name.split(":-") for text in strings(services) for name in INTERPOLATED.findall(text) if ":-" in name
    )
    assert {name: value for name, value in settings.items() if name not in SECRETS | passed} == defaults


def test_ports_are_bound_only_to_this_machine(services):
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert all(str(port).startswith("127.0.0.1:") for port in ports)


def test_images_are_pinned_by_tag(services):
    for service in services.values():
        image = re.sub(r"\$\{\w+:-([^}]+)\}", r"\1", service["image"])
        assert re.fullmatch(r"[\w./-]+:[\w.-]*\d[\w.-]*", image), image


def test_services_wait_for_what_they_need(services):
    for service in services.values():
        for needed, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "test" in services[needed]["healthcheck"]
            else:
                assert how["condition"] == "service_completed_successfully"
                assert services[needed]["restart"] == "no"
    assert services["prefect-server"]["depends_on"].keys() == {"postgres"}
    assert services["setup"]["depends_on"].keys() == {"prefect-server", "object-store"}
    for name in ("worker-cpu", "worker-gpu"):
        assert services[name]["depends_on"].keys() == {"prefect-server", "object-store", "setup"}


def test_state_is_in_named_volumes(services):
    declared = {name for path in (COMPOSE, STORE) for name in yaml.safe_load(path.read_text())["volumes"]}
    mounted = {
        volume.split(":")[0]
        for service in services.values()
        for volume in service.get("volumes", [])
        if re.match(r"[a-z]", volume)
    }
    assert mounted == declared
    assert {"postgres", "object-store", "cache"} <= mounted


def test_the_cache_holds_a_subsample_of_production(services):
    """50 stored batches of 885 MB."""
    for name in ("worker-cpu", "worker-gpu"):
        environment = services[name]["environment"]
        assert int(environment["INCLINET_CACHE_GB"].removeprefix("${INCLINET_CACHE_GB:-").rstrip("}")) > 50 * 0.885
        assert f"cache:{environment['INCLINET_CACHE']}" in services[name]["volumes"]
        # Created with the user as its owner, so that the volume belongs to it.
        assert f" {environment['INCLINET_CACHE']} " in DOCKERFILE.read_text()


def test_services_restart_by_themselves(services):
    assert {name for name, service in services.items() if service["restart"] != "unless-stopped"} == {"setup"}


def test_workers_know_the_server_and_the_store(services):
    for name in ("setup", "worker-cpu", "worker-gpu"):
        environment = services[name]["environment"]
        assert environment["PREFECT_API_URL"] == "http://prefect-server:4200/api"
        assert environment["INCLINET_STORE"] == "${INCLINET_STORE:-s3://inclinet}"
        assert environment["AWS_ENDPOINT_URL"] == "http://object-store:9000"
        assert f"WORKDIR {environment['INCLINET_HOME']}" in stages()["runtime"]
        assert environment.items() >= WORKER_SETTINGS.items()


def test_the_server_has_the_settings_of_make_up(services):
    assert services["prefect-server"]["environment"].items() >= SERVER_SETTINGS.items()


def test_workers_have_the_settings_of_the_runs(services):
    """Those of the runs themselves are in prefect.yaml."""
    runs = yaml.safe_load((ROOT / "prefect.yaml").read_text())["definitions"]["environment"]
    for name in ("worker-cpu", "worker-gpu"):
        assert services[name]["environment"].items() >= runs.items()


def test_logs_are_limited_as_those_of_make_up(services):
    for name, service in services.items():
        assert service["logging"]["driver"] == "json-file", name  # the options are this driver's
        options = service["logging"]["options"]
        assert int(options["max-size"].removesuffix("m")) * 2**20 == logs._LARGEST
        assert int(options["max-file"]) == 1 + logs._KEPT


def test_gpu_worker_reserves_a_gpu_and_is_started_on_demand(services):
    worker = services["worker-gpu"]
    assert worker["profiles"] == ["gpu"]
    (device,) = worker["deploy"]["resources"]["reservations"]["devices"]
    assert device["driver"] == "nvidia"
    assert device["capabilities"] == ["gpu"]


def test_template_variables_exist_and_are_used(template):
    used = {name for text in strings(template["job_configuration"]) for name in PLACEHOLDER.findall(text)}
    assert used == template["variables"]["properties"].keys()


def test_template_runs_the_gpu_image(template, project):
    assert template["job_configuration"].keys() >= {"command", "env", "labels", "name"}
    properties = template["variables"]["properties"]
    assert properties["image"]["default"] == f"inclinet-gpu:{project['version']}"
    assert properties["env"]["default"].keys() >= {"INCLINET_STORE", "AWS_DEFAULT_REGION"}


def test_server_accepts_the_template(template):
    schema_tools = pytest.importorskip("prefect.utilities.schema_tools", reason="Prefect is not installed")
    schema_tools.is_valid_schema(template["variables"])
    defaults = {
        name: value["default"]
        for name, value in template["variables"]["properties"].items()
        if value.get("default") is not None
    }
    assert schema_tools.validate(defaults, template["variables"], raise_on_error=True) == []


def test_docker_containers_ask_for_a_gpu():
    template = json.loads(TEMPLATES["docker"].read_text())
    assert template["job_configuration"]["container_create_kwargs"] == "{{ container_create_kwargs }}"
    kwargs = template["variables"]["properties"]["container_create_kwargs"]["default"]
    (request,) = kwargs["device_requests"]
    assert request == {"driver": "nvidia", "count": -1, "capabilities": [["gpu"]]}
    # Runs agree on who takes which GPU by files in a folder that they share.
    assert template["variables"]["properties"]["volumes"]["default"] == ["inclinet-locks:/var/lock/inclinet"]
    assert "/var/lock/inclinet" in (ROOT / "docker" / "Dockerfile").read_text()
    docker = pytest.importorskip("docker", reason="docker-py is not installed")
    host = docker.types.HostConfig(version="1.44", **kwargs)
    assert host["DeviceRequests"][0]["Capabilities"] == [["gpu"]]
    assert host["ShmSize"] >= 2**30


@pytest.fixture
def job():
    """The Kubernetes job of a run, as the worker of the tested version makes it from the template."""
    worker = pytest.importorskip("prefect_kubernetes.worker", reason="needs the extra `containers`")
    from prefect.client.schemas.objects import FlowRun
    from prefect.utilities.templating import apply_values

    def make(**values):
        template = json.loads(TEMPLATES["kubernetes"].read_text())
        properties = template["variables"]["properties"]
        defaults = {name: one["default"] for name, one in properties.items() if one.get("default") is not None}
        resolved = apply_values(template["job_configuration"], defaults | values, remove_notset=True)
        configuration = worker.KubernetesWorkerJobConfiguration(**resolved)
        configuration.prepare_for_flow_run(FlowRun(flow_id=uuid4(), name="network-g"))
        return configuration.job_manifest

    return make


def misplaced(value, kind, path="job"):
    """Yield what the Kubernetes API does not know at its place, or has another type for."""
    models = importlib.import_module("kubernetes_asyncio.client.models")
    if inner := re.fullmatch(r"list\[(.+)\]", kind):
        if not isinstance(value, list):
            yield f"{path} is no list"
            return
        for number, item in enumerate(value):
            yield from misplaced(item, inner[1], f"{path}[{number}]")
    elif model := getattr(models, kind, None):
        names = {name: attribute for attribute, name in model.attribute_map.items()}
        for key, item in value.items():
            if key in names:
                yield from misplaced(item, model.openapi_types[names[key]], f"{path}.{key}")
            else:
                yield f"{path}.{key} is unknown to {kind}"
    elif not isinstance(value, {"str": str, "int": int, "bool": bool}.get(kind, object)):
        yield f"{path} is no {kind}"


def test_kubernetes_accepts_the_job_in_strict_validation(job):
    made = job(
        node_selector={"nvidia.com/gpu.product": "H100"},
        image_pull_secrets=[{"name": "registry"}],
        cpu_limit="8",
        service_account_name="inclinet",
    )
    assert list(misplaced(made, "V1Job")) == []
    assert list(misplaced({"spec": {"template": {"spec": {"parallelism": 1}}}}, "V1Job"))
    pod = made["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"nvidia.com/gpu.product": "H100"}
    assert pod["imagePullSecrets"] == [{"name": "registry"}]


def test_kubernetes_jobs_ask_for_a_gpu_memory_and_disk(job):
    made = job()
    assert (made["spec"]["completions"], made["spec"]["parallelism"]) == (1, 1)
    pod = made["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
    for kind in ("requests", "limits"):
        assert container["resources"][kind].keys() >= {"memory", "ephemeral-storage"}
    disk = int(container["resources"]["requests"]["ephemeral-storage"].removesuffix("Gi"))
    cache = next(int(one["value"]) for one in container["env"] if one["name"] == "INCLINET_CACHE_GB")
    assert 44 < cache < disk
    assert {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"} in pod["tolerations"]
    assert container["envFrom"] == [{"secretRef": {"name": "inclinet-store"}}]


def test_the_tested_versions_of_the_pools_are_pinned(project):
    for name in ("prefect-docker", "prefect-kubernetes"):
        assert f"{name}=={pinned(name)}" in project["optional-dependencies"]["containers"]
        assert pinned(name) in (ROOT / "docker" / "README.md").read_text()

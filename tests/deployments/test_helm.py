"""The values for Prefect's Helm charts.

The charts are in no package registry, so their own schemas cannot be used here. The schemas below state what is used of
the documented values of prefect-server and prefect-worker (after 2025.3.7033449), and refuse anything else.
"""

import re

import jsonschema
import pytest
import yaml

from deployments.settings import POOLS, SERVER_SETTINGS, WORKER_SETTINGS
from tests.conftest import ROOT

TEXT, YES, NUMBER = {"type": "string"}, {"type": "boolean"}, {"type": "integer"}


def of(**properties):
    """Return the schema of a mapping that may have these members and no others."""
    return {"type": "object", "properties": properties, "additionalProperties": False}


def each(item):
    return {"type": "array", "items": item}


QUANTITIES = of(cpu=TEXT, memory=TEXT)
RESOURCES = of(requests=QUANTITIES, limits=QUANTITIES)
IMAGE = of(repository=TEXT, prefectTag=TEXT, pullSecrets=each(TEXT))
AUTH = of(enabled=YES, existingSecret=TEXT)
POD = of(runAsUser=NUMBER, runAsNonRoot=YES, fsGroup=NUMBER)
CONTAINER = of(runAsUser=NUMBER, readOnlyRootFilesystem=YES)
VARIABLES = each(of(name=TEXT, value=TEXT) | {"required": ["name", "value"]})
NAMED = {"type": "object", "required": ["name"]}

SERVER = of(
    **{"global": of(prefect=of(image=IMAGE, env=VARIABLES))},
    server=of(
        basicAuth=AUTH,
        uiConfig=of(prefectUiApiUrl=TEXT),
        podSecurityContext=POD,
        containerSecurityContext=CONTAINER,
        resources=RESOURCES,
        readinessProbe=of(enabled=YES),
        livenessProbe=of(enabled=YES),
    ),
    postgresql=of(enabled=YES),
    secret=of(create=YES, name=TEXT),
    ingress=of(enabled=YES, className=TEXT, host=of(hostname=TEXT), tls=YES),
)
WORKER = of(
    fullnameOverride=TEXT,
    worker=of(
        image=IMAGE,
        config=of(workPool=TEXT, type=TEXT, queryInterval=NUMBER, http2=YES),
        apiConfig={"const": "selfHostedServer"},
        selfHostedServerApiConfig=of(apiUrl=TEXT, basicAuth=AUTH),
        extraEnvVars=VARIABLES,
        extraEnvVarsSecret=TEXT,
        podSecurityContext=POD,
        containerSecurityContext=CONTAINER,
        resources=RESOURCES,
        extraVolumes=each(NAMED),
        extraVolumeMounts=each(NAMED),
    ),
)


def values(name):
    return yaml.safe_load((ROOT / "deployments" / f"helm-{name}.yaml").read_text())


@pytest.mark.parametrize(("name", "schema"), [("server", SERVER), ("worker-cpu", WORKER), ("worker-gpu", WORKER)])
def test_the_values_are_those_that_the_charts_document(name, schema):
    jsonschema.validate(values(name), schema)


def test_the_server_has_the_settings_of_make_up():
    given = {one["name"]: one["value"] for one in values("server")["global"]["prefect"]["env"]}
    assert given.items() >= SERVER_SETTINGS.items()


def test_the_server_asks_for_the_auth_string_that_the_workers_have():
    servers = values("server")["server"]["basicAuth"]
    assert servers["enabled"]
    page = (ROOT / "docs" / "operations.md").read_text()
    assert f"create secret generic {servers['existingSecret']} --from-literal=auth-string=" in page
    for pool in POOLS:
        worker = values(f"worker-{pool}")["worker"]
        assert worker["selfHostedServerApiConfig"]["basicAuth"] == servers
        assert worker["config"]["workPool"] == pool


def test_the_image_has_what_the_charts_start():
    """The scenario of `tests/containers` executes it."""
    dockerfile = (ROOT / "docker" / "Dockerfile").read_text()
    assert re.search(r"^RUN apt-get .* install .* tini ", dockerfile, re.MULTILINE)
    assert " > /opt/prefect/entrypoint.sh" in dockerfile


def test_jobs_read_the_auth_string_from_the_secret():
    given = {one["name"]: one["value"] for one in values("worker-gpu")["worker"]["extraEnvVars"]}
    prefix = "PREFECT_INTEGRATIONS_KUBERNETES_WORKER_API_AUTH_STRING_SECRET"
    assert (given[f"{prefix}_NAME"], given[f"{prefix}_KEY"]) == ("inclinet-auth", "auth-string")


@pytest.mark.parametrize("pool", POOLS)
def test_workers_have_the_settings_of_the_service(pool):
    worker = values(f"worker-{pool}")["worker"]
    given = {one["name"]: one["value"] for one in worker["extraEnvVars"]}
    given["PREFECT_WORKER_QUERY_SECONDS"] = str(worker["config"]["queryInterval"])
    assert given.items() >= WORKER_SETTINGS.items()
    assert worker["image"]["repository"] == "inclinet-cpu"

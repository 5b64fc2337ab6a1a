"""The figures of the server for Prometheus, and the page of them for Grafana."""

import json
import re
import sys

import httpx
import pytest
import yaml

pytest.importorskip("psutil", reason="needs the extra `service`")
pytest.importorskip("prefect", reason="needs the extra `service`")

from tests.conftest import ROOT

WORDS = {"by", "increase", "or", "rate", "sum", "time", "vector"}  # of Prometheus's language
PROMETHEUS = {"up"}  # what it knows itself of whatever it scrapes


@pytest.fixture(scope="module")
def dashboard():
    return json.loads((ROOT / "deployments" / "grafana.json").read_text())


@pytest.fixture(scope="module")
def documented():
    """The examples for Prometheus in docs/operations.md: what it scrapes, and its rules."""
    section = (ROOT / "docs" / "operations.md").read_text().partition("\n## Metrics\n")[2].partition("\n## ")[0]
    scraped, rules = (yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", section, re.DOTALL))
    [job] = scraped["scrape_configs"]
    [group] = rules["groups"]
    return job, group["rules"]


def queries(dashboard):
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


def names_in(query):
    """Return the names of the metrics in a query: what is neither a label nor a word of the language."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|by \([^)]*\)", "", query)
    return set(re.findall(r"[a-z_]{2,}", bare)) - WORDS


def test_names_are_found_in_queries():
    query = 'sum by (reason) (increase(a_total{job="inclinet"}[10m])) / (b_bytes or vector(0))'
    assert names_in(query) == {"a_total", "b_bytes"}


@pytest.mark.service
@pytest.mark.xdist_group("deployments")
@pytest.mark.skipif(sys.platform != "linux", reason="process_… are only known on Linux")
def test_the_server_has_every_figure_of_the_page(running, dashboard, documented):
    job, _ = documented
    user, _, password = running.auth_string.partition(":")
    assert job["basic_auth"].keys() == {"username", "password_file"}
    answer = httpx.get(f"{running.ui}{job['metrics_path']}", auth=(user, password))
    assert answer.status_code == 200
    given = set(re.findall(r"^# TYPE (\w+)", answer.text, re.MULTILINE)) | PROMETHEUS
    wanted = set().union(*map(names_in, queries(dashboard)))
    assert len(wanted) > 7
    assert wanted <= given
    # A series exists once something has happened; both workers are connected.
    [opened] = re.findall(
        r'^prefect_worker_channel_connections_total\{event="opened"\} (\S+)', answer.text, re.MULTILINE
    )
    assert float(opened) >= 2


def test_the_page_and_the_rules_ask_for_the_job_of_the_example(dashboard, documented):
    job, rules = documented
    for query in [*queries(dashboard), *(rule["expr"] for rule in rules)]:
        selections = re.findall(r"\{([^}]*)\}", query)
        assert len(selections) == len(re.findall(r"\b(?:up|process_\w+|prefect_\w+)", query)), query
        assert all(f'job="{job["job_name"]}"' in one for one in selections), query
    assert set().union(*(names_in(rule["expr"]) for rule in rules)) <= PROMETHEUS


def test_the_panels_fit_beside_each_other(dashboard):
    places = set()
    for panel in dashboard["panels"]:
        where = panel["gridPos"]
        covered = {(where["x"] + dx, where["y"] + dy) for dx in range(where["w"]) for dy in range(where["h"])}
        assert not covered & places, panel["title"]
        assert max(x for x, _ in covered) < 24
        places |= covered

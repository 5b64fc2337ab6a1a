"""What all parts of the service share: its folders, addresses, environment, and the settings of its workers."""

import os
from dataclasses import dataclass
from pathlib import Path

from deployments.auth import read_auth_string
from deployments.object_store import ObjectStore, read_key_pair
from deployments.ports import HOST
from inclinet.networks.devices import runs_at_once

__all__ = [
    "BUCKET",
    "FOLDER",
    "HEAL",
    "POOLS",
    "PROJECT",
    "SERVER_SETTINGS",
    "WORKER_SETTINGS",
    "Service",
    "limit_options",
]

BUCKET = "inclinet"
POOLS = ("cpu", "gpu")

HEAL = "heal/crashed"
"""The deployment that runs crashed runs again."""

_LOGS = "INCLINET_LOGS"  # `json`: the logs of server, workers and runs are JSON

SERVER_SETTINGS = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_SERVER_METRICS_ENABLED": "true",  # for Prometheus, at /api/metrics
    # Runs go from the database 90 days after their end, events (signs of life are most of them) after 7.
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
}
"""Prefect settings of the server. Compose and the Helm charts state the same."""

WORKER_SETTINGS = {
    "PREFECT_WORKER_QUERY_SECONDS": "1",
    # Patience with a server that is away, or without its database (500), as runs have it by `prefect.yaml`.
    "PREFECT_CLIENT_MAX_RETRIES": "6",
    "PREFECT_CLIENT_RETRY_EXTRA_CODES": "500,504",
}
"""Prefect settings of the workers. Those of the runs are in `prefect.yaml`, for workers that others start."""

FOLDER = Path(".service")
"""Usual state folder, in the current directory."""

PROJECT = Path(__file__).resolve().parents[1]
"""The folder of this project."""


def limit_options(pool: str) -> list[str]:
    """Return the options that limit how many runs a worker of a pool executes."""
    return ["--limit", str(runs_at_once())] if pool == "gpu" else []


@dataclass(frozen=True)
class Service:
    """One service: the folder of its state, the project that it deploys, and its ports on 127.0.0.1."""

    folder: Path
    project: Path
    prefect_port: int
    store_port: int

    @property
    def ui(self) -> str:
        """Address of the Prefect UI."""
        return f"http://{HOST}:{self.prefect_port}"

    @property
    def api(self) -> str:
        """Address of the Prefect API."""
        return f"{self.ui}/api"

    @property
    def auth_string(self) -> str:
        """`user:password` of the Prefect API."""
        return read_auth_string(self.folder)

    @property
    def store(self) -> ObjectStore:
        """The object store."""
        return ObjectStore(self.folder / "store", self.store_port, *read_key_pair(self.folder / "credentials"))

    @property
    def prefect_environment(self) -> dict[str, str]:
        """Environment variables of every client of the Prefect server, including its auth string."""
        return {
            "PREFECT_API_URL": self.api,
            "PREFECT_API_AUTH_STRING": self.auth_string,
            "PREFECT_HOME": str(self.folder / "prefect"),
            "INCLINET_HOME": str(self.project),
            "DO_NOT_TRACK": "1",  # no telemetry of Prefect's clients, as of its server
            **({"PREFECT_LOGGING_HANDLERS_CONSOLE_FORMATTER": "json"} if os.environ.get(_LOGS) == "json" else {}),
        }

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables of programs that also read and write artifacts, including the secret key."""
        return self.prefect_environment | {
            "INCLINET_STORE": f"s3://{BUCKET}",
            "INCLINET_CACHE": str(self.folder / "cache"),
            **self.store.environment,
        }

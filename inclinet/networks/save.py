"""Save a trained network; `inclinet.networks.infer` loads it."""

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import keras

from inclinet.storage.atomic import atomic_file

__all__ = ["save_network"]

# Options that came after Keras 3.13, the oldest that pyproject.toml allows, with the values of networks that do not use
# them. Older versions refuse a file that names them: 3.13 all, 3.14 the axes of initial weights.
_LATER = {"input_axes": None, "output_axes": None, "renorm": False, "renorm_clipping": None, "renorm_momentum": 0.99}


def save_network(network: keras.Model, path: Path) -> Path:
    """Save a network in one file (`.keras`), which `keras.models.load_model` reads; returns `path`.

    Keras 3.13 and later read it. The same network gives the same bytes.
    """
    with atomic_file(path) as part:
        # Keras insists on the suffix .keras, which the temporary file has too.
        network.save(part)
        _rewrite(part)
    return path


def _rewrite(path: Path) -> None:
    """Remove what older versions of Keras do not know, and what differs between processes.

    The latter are dates, and memory addresses used as numbers of shared objects.
    """
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    metadata = json.loads(members["metadata.json"]) | {"date_saved": ""}
    members["metadata.json"] = json.dumps(metadata).encode()
    numbers: dict[bytes, int] = {}
    members["config.json"] = re.sub(
        rb'(?<="shared_object_id": )\d+',
        lambda match: b"%d" % numbers.setdefault(match[0], len(numbers) + 1),
        json.dumps(_without_later_options(json.loads(members["config.json"]))).encode(),
    )
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)


def _without_later_options(config: Any) -> Any:
    """Return a configuration without the options of later versions of Keras that are not used."""
    if isinstance(config, list):
        return [_without_later_options(one) for one in config]
    if not isinstance(config, dict):
        return config
    unused = {key for key, value in _LATER.items() if config.get(key, ...) == value}
    return {key: _without_later_options(value) for key, value in config.items() if key not in unused}

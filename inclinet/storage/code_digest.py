"""A digest of the code that makes an artifact: a module, and all modules of the project that it imports."""

import ast
import importlib.util
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from threading import Lock
from types import ModuleType

from inclinet.storage.digests import json_digest

__all__ = ["code_digest"]

_PROJECT = ("inclinet", "tasks")
_WITHOUT_EFFECT = frozenset(
    {
        "inclinet.errors",
        "inclinet.progress",
        "inclinet.settings",  # their values are part of every key
        "inclinet.storage.artifacts",
        "inclinet.storage.atomic",
        "inclinet.storage.cache",
        "inclinet.storage.code_digest",
        "inclinet.storage.lineage",
        "inclinet.storage.store",
        "tasks.common",
    }
)
"""Modules whose code does not change what a stage writes."""

# CPython 3.11's parser fails when threads use it at the same time.
_parsing = Lock()


def code_digest(*makers: object) -> str:
    """Return a digest of the code that makes an artifact.

    It covers the source of every maker's module and of all modules of this project that it imports, directly or not,
    and any other file of the same stem beside a module (a template, say).

    Parameters
    ----------
    makers : function, class, module or str
        What makes the artifact; a str is the dotted name of a module.

    Raises
    ------
    ModuleNotFoundError
        When there is no such module in the project.
    """
    return _digest_modules(*sorted({_module_name(maker) for maker in makers}))


def _module_name(maker: object) -> str:
    if isinstance(maker, str):
        return maker
    return maker.__name__ if isinstance(maker, ModuleType) else maker.__module__


@cache
def _digest_modules(*modules: str) -> str:
    seen: set[str] = set()
    todo = set(modules)
    while todo:
        seen |= todo
        todo = {name for one in todo for name in _imports(one)} - seen - _WITHOUT_EFFECT
    return json_digest({name: _source(name) for name in seen})


def _path(module: str) -> Path | None:
    """Return the file of a module of the project, None if there is none such."""
    top, *parts = module.split(".")
    spec = importlib.util.find_spec(top) if top in _PROJECT else None
    if spec is None or not spec.submodule_search_locations:
        return None
    base = Path(spec.submodule_search_locations[0], *parts)
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


@cache
def _source(module: str) -> dict[str, str]:
    """Return the text of a module's file and of the files of the same stem beside it, by name."""
    path = _path(module)
    if path is None:
        raise ModuleNotFoundError(f"{module!r} is not a module of {' or '.join(_PROJECT)}")
    beside = path.parent.glob(f"{path.stem}.*") if path.stem != "__init__" else [path]
    return {file.name: file.read_text() for file in sorted(beside) if file.is_file()}


@cache
def _imports(module: str) -> frozenset[str]:
    """Return the modules of the project that a module imports, wherever in it."""
    source = _source(module)
    with _parsing:
        tree = ast.parse(next(text for name, text in source.items() if name.endswith(".py")))
    return frozenset(name for node in ast.walk(tree) for name in _imported(node) if name.split(".")[0] in _PROJECT)


def _imported(node: ast.AST) -> Iterator[str]:
    """Yield the modules that an import statement names."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        for alias in node.names:
            name = f"{node.module}.{alias.name}"
            yield name if _path(name) else node.module

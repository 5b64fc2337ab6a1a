"""A digest of the code that makes an artifact: a module, and all modules of the project that it imports.

The files are read when this module is imported, at the start of the process. If they are replaced while it runs, it
goes on with the code that it has, and signs with the digest of that code.
"""

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from modulefinder import ModuleFinder
from pathlib import Path
from types import CodeType, ModuleType

from inclinet.errors import InclinetError
from inclinet.storage.digests import json_digest

__all__ = ["check_code", "code_digest"]

_PROJECT = ("inclinet", "tasks")
_WITHOUT_EFFECT = frozenset(
    {
        "inclinet.errors",
        "inclinet.progress",
        "inclinet.settings",  # their values are part of every key
        "inclinet.storage.addresses",
        "inclinet.storage.artifacts",
        "inclinet.storage.atomic",
        "inclinet.storage.cache",
        "inclinet.storage.code_digest",
        "inclinet.storage.lineage",
        "inclinet.storage.s3",
        "inclinet.storage.store",
        "tasks.common",
    }
)
"""Modules that do not change what a stage writes; their imports are not followed either."""


def code_digest(*makers: object) -> str:
    """Return a digest of the code that makes an artifact.

    It covers the source of every maker's module and of all modules of this project that it imports, directly or
    indirectly, and any other file with the same stem next to a module, such as a template.

    Parameters
    ----------
    makers : function, class, module or str
        What makes the artifact. A str is the dotted name of a module.

    Raises
    ------
    ModuleNotFoundError
        When there is no such module in the project.
    """
    _note_loaded()
    return _digest_modules(*sorted({_module_name(maker) for maker in makers}))


def check_code(*makers: object) -> None:
    """Check that this process runs the code of the digest, also where it imported a module late.

    Raises
    ------
    InclinetError
        When a module was replaced after the start of the process, and imported after that.
    """
    _note_loaded()
    modules = _reach(*sorted({_module_name(maker) for maker in makers}))
    if replaced := sorted(name for name in modules if name in sys.modules and name not in _loaded):
        raise InclinetError(
            f"{', '.join(replaced)}: the code was replaced while this process ran, and it runs a mixture of both; run "
            "it again"
        )


def _module_name(maker: object) -> str:
    if isinstance(maker, str):
        return maker
    return maker.__name__ if isinstance(maker, ModuleType) else maker.__module__


@cache
def _digest_modules(*modules: str) -> str:
    return json_digest({name: _source(name) for name in _reach(*modules)})


@cache
def _reach(*modules: str) -> frozenset[str]:
    """Return the modules, and all that they import, directly or indirectly."""
    seen: set[str] = set()
    todo = set(modules)
    while todo:
        seen |= todo
        todo = {name for one in todo for name in _imports(one)} - seen - _WITHOUT_EFFECT
    return frozenset(seen)


Stamp = tuple[int, int]
"""Time of the last change (ns) and size (bytes) of a file."""


def _stamp(path: Path) -> Stamp:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


@dataclass(frozen=True)
class _Module:
    """The file of a module as it was at the start, and the text of it and of the files with the same stem, by name."""

    path: Path
    stamp: Stamp
    source: dict[str, str]


def _read_project() -> Iterator[tuple[str, _Module]]:
    """Yield every module of the project by its dotted name."""
    for top in _PROJECT:
        spec = importlib.util.find_spec(top)
        for folder in spec.submodule_search_locations or () if spec else ():
            for path in sorted(Path(folder).rglob("*.py")):
                *parents, last = (top, *path.relative_to(folder).with_suffix("").parts)
                is_package = last == "__init__"
                beside = [path] if is_package else sorted(path.parent.glob(f"{path.stem}.*"))
                source = {file.name: file.read_text() for file in beside if file.is_file()}
                yield ".".join(parents if is_package else [*parents, last]), _Module(path, _stamp(path), source)


_modules = dict(_read_project())
_loaded: set[str] = set()
"""Modules that this process certainly imported as `_modules` has them."""


def _note_loaded() -> None:
    """Note which modules have been imported before their file was replaced, if it was."""
    for name in _modules.keys() & sys.modules.keys() - _loaded:
        with suppress(FileNotFoundError):
            if _stamp(_modules[name].path) == _modules[name].stamp:
                _loaded.add(name)


def _source(module: str) -> dict[str, str]:
    """Return the text of a module's file and of the files with the same stem next to it, by name."""
    if module not in _modules:
        raise ModuleNotFoundError(f"{module!r} is not a module of {' or '.join(_PROJECT)}")
    return _modules[module].source


@cache
def _imports(module: str) -> frozenset[str]:
    """Return the modules of the project that a module imports anywhere in its code.

    They are read from the compiled code, because `ast.parse` of CPython 3.11 fails when another thread, such as one of
    Prefect's, uses it at the same time (https://github.com/python/cpython/issues/106905).
    """
    text = next(text for name, text in _source(module).items() if name.endswith(".py"))
    compiled = compile(text, module, "exec", dont_inherit=True)
    found = {name for code in _parts(compiled) for name in _imported(code)}
    return frozenset(name for name in found if name.split(".")[0] in _PROJECT)


def _parts(code: CodeType) -> Iterator[CodeType]:
    """Yield the code of a module, and of every function and class in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _parts(constant)


def _imported(code: CodeType) -> Iterator[str]:
    """Yield the modules that the import statements of some code name."""
    for kind, arguments in ModuleFinder().scan_opcodes(code):
        if kind == "absolute_import":
            attributes, module = arguments
            members = [f"{module}.{attribute}" for attribute in attributes or ()]
            yield from (member if member in _modules else module for member in members or [module])

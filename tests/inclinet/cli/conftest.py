"""Fixtures of the tests of the command line."""

import sys

import pytest

from inclinet.cli import app
from inclinet.cli import main as cli


@pytest.fixture
def inclinet(monkeypatch, tmp_path, capfd):
    """Run `inclinet ARGUMENTS` in an empty folder; returns the exit code and everything printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(app.console, "width", 200)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["inclinet", *map(str, arguments)])
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = stop.code or 0
        out, err = capfd.readouterr()
        return code, out + err

    return run

"""Tables on terminals of different widths."""

import io
import re

import pytest
from rich.console import Console

from inclinet.cli import app
from inclinet.cli.versions import _EXTRAS, _WRAPPED, _row

VERSION = "20261125-d8608a17c0"
DESCRIBED = {
    "version": VERSION,
    "in use": "yes",
    "published": "2026-11-25 11:11 UTC",
    "networks": "model4_0, model4_1, model4_2, model5_0",
    "size": "128",
    "trained on": "500 real and 4,886 simulated galaxies",
    "RMS (deg)": "12.88",
    "95 % CI": "12.53–13.30",
    "tested on": "2,000 images of 500 real galaxies",
    "remark": "not for science",
    "run": "inclinet-0a1b2c3d",
}


@pytest.fixture
def shown(monkeypatch):
    """Show the list of versions on a terminal of a width; returns the lines."""

    def show(width):
        text = io.StringIO()
        terminal = Console(file=text, force_terminal=True, width=width, color_system=None)
        monkeypatch.setattr(app, "Console", lambda: terminal)
        app.show_table([_row(DESCRIBED)] * 2, texts=_WRAPPED, extras=_EXTRAS, whole=True)
        return re.sub(r"\x1b\[[0-9;]*m", "", text.getvalue()).splitlines()

    return show


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_a_version_keeps_its_name_and_its_rms_at_any_width(shown, width):
    lines = shown(width)
    assert max(map(len, lines)) <= width
    first, *_ = [line for line in lines if VERSION in line]
    assert "12.88 (12.53–13.30)" in first
    assert "…" not in "".join(lines)
    words = " ".join(lines).split()
    for word in ("in", "use", "science", "simulated", "real"):
        assert any(word in one for one in words)


def test_what_has_no_room_is_left_out(shown):
    assert "run" not in " ".join(shown(80)).split()
    assert "run" in " ".join(shown(200)).split()

"""What killed runs leave in the temporary folder of the service."""

import os
import time

from deployments.leftovers import remove_leftovers


def age(path, days):
    then = time.time() - days * 24 * 3600
    os.utime(path, (then, then))


def test_what_nothing_was_written_to_for_a_day_goes(tmp_path):
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "tmp"
    for made in (elsewhere, folder, folder / "dead", folder / "busy", folder / "busy" / "deep"):
        made.mkdir()
    for file in (elsewhere / "kept", folder / "dead" / "001.npz", folder / "dead.json", folder / "busy" / "deep" / "a"):
        file.write_text("some")
    (folder / "link").symlink_to(elsewhere)
    (folder / "broken").symlink_to(tmp_path / "gone")
    for old in ("dead/001.npz", "dead", "dead.json", "busy/deep", "busy"):
        age(folder / old, days=2)
    remove_leftovers(folder)
    assert {path.name for path in folder.iterdir()} == {"busy", "link", "broken"}
    assert (folder / "busy" / "deep" / "a").exists()
    assert (elsewhere / "kept").exists()

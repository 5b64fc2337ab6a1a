"""Claims on folders: one process at a time, on this machine and on others."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from inclinet.errors import InclinetError
from inclinet.storage import claims
from inclinet.storage.claims import claim_file, claim_folder, this_process
from tests.conftest import ROOT

HOLD = """
import sys
from pathlib import Path
from inclinet.storage.claims import claim_folder
with claim_folder(Path(sys.argv[1])):
    print("claimed", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "models" / "ckpt"


@pytest.fixture
def holder(folder):
    """Another process that has claimed the folder; it ends at the end of its input."""
    environment = os.environ | {"SLURM_ARRAY_JOB_ID": "4711", "SLURM_ARRAY_TASK_ID": "2"}
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, folder],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "claimed\n"
    yield process
    process.kill()
    process.communicate()


def claim_of_another_machine(folder):
    """Write a claim as a process of another machine would."""
    owner = this_process().model_copy(update={"host": "node07"})
    path = claim_file(folder)
    path.parent.mkdir(parents=True)
    path.write_text(owner.model_dump_json())
    return path


def test_a_second_process_is_refused_and_told_who_works_there(folder, holder):
    with pytest.raises(InclinetError, match=f"process {holder.pid} on .*, job 4711_2 works in this folder"):
        claim_folder(folder).__enter__()
    holder.communicate("")
    with claim_folder(folder):
        pass
    assert list(folder.parent.iterdir()) == []


def test_the_claim_of_a_killed_process_counts_no_more(folder, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with claim_folder(folder, silence=1000):
        pass


def test_a_claim_from_another_machine_counts_while_it_is_renewed(folder):
    path, ended = claim_of_another_machine(folder), threading.Event()

    def renew():
        while not ended.wait(0.05):
            os.utime(path)

    thread = threading.Thread(target=renew)
    thread.start()
    try:
        with pytest.raises(InclinetError, match="on node07 works in this folder"):
            claim_folder(folder, silence=30).__enter__()
    finally:
        ended.set()
        thread.join()
    with claim_folder(folder, silence=0.3):
        assert '"host":"node07"' not in path.read_text()


def test_a_damaged_claim_lapses(folder):
    claim_of_another_machine(folder).write_text("{")
    with claim_folder(folder, silence=0.3):
        pass


@pytest.mark.parametrize("again", range(20))
def test_of_many_that_see_a_lapsed_claim_one_gets_the_folder(folder, again):
    claim_of_another_machine(folder)
    inside, most, refused, together = [], [], [], threading.Barrier(8)

    def work():
        together.wait()
        try:
            with claim_folder(folder, silence=0.02):
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.05)
                inside.pop()
        except InclinetError:
            refused.append(1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) + len(most) == 8
    assert set(most) == {1}


def test_a_process_that_died_while_it_took_over_bars_no_other(folder):
    turn = folder.with_name(f".{folder.name}.claim.turn")
    turn.write_bytes(claim_of_another_machine(folder).read_bytes())
    with claim_folder(folder, silence=0.1):
        assert claim_file(folder).exists()
    assert [one.name for one in folder.parent.iterdir()] == []


def test_a_process_that_was_suspended_notices_that_another_took_over(folder, monkeypatch):
    monkeypatch.setattr(claims, "_RENEWAL", 0.05)
    with claim_folder(folder) as claim:
        claim.check()
        other = this_process().model_copy(update={"host": "node07"})
        claim_file(folder).write_text(other.model_dump_json())
        for _ in range(200):
            time.sleep(0.05)
            try:
                claim.check()
            except InclinetError as error:
                assert "on node07 has taken over" in str(error)
                break
        else:
            pytest.fail("it did not notice")
    assert claim_file(folder).exists()  # of the other process

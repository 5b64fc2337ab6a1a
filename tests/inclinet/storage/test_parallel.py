import math
import os
import signal
import subprocess
import sys

import psutil
import pytest
from loky import cpu_count

from inclinet.errors import InclinetError
from inclinet.storage.parallel import in_processes, in_threads


@pytest.mark.parametrize("workers", [1, 4, None])
def test_results_are_in_order(workers):
    assert list(in_threads(lambda x: x * x, range(100), workers)) == [x * x for x in range(100)]


@pytest.mark.parametrize("work", [in_threads, in_processes])
def test_only_a_few_items_are_taken_ahead(work):
    taken = []

    def items():
        for i in range(100):
            taken.append(i)
            yield i

    results = work(abs, items(), 2)
    assert next(results) == 0
    assert len(taken) < 20
    results.close()


def test_an_error_ends_the_work():
    done = []

    def work(x):
        if x == 3:
            raise ValueError("three")
        done.append(x)
        return x

    with pytest.raises(ValueError, match="three"):
        list(in_threads(work, range(1000), 2))
    assert len(done) < 20


@pytest.mark.parametrize("workers", [2, None])
def test_processes_give_results_in_order_and_their_errors(workers):
    assert list(in_processes(math.sqrt, [x * x for x in range(50)], workers)) == list(range(50))
    with pytest.raises(ValueError, match="math domain error"):
        list(in_processes(math.sqrt, [4, -1, 9], workers))
    assert list(in_processes(math.sqrt, [4, 9], workers)) == [2, 3]


def kill_itself(_):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_is_killed_is_told_and_the_next_work_has_others():
    if cpu_count() == 1:
        pytest.skip("a single core has no processes")
    with pytest.raises(InclinetError, match="was killed, as the system does when memory runs out"):
        list(in_processes(kill_itself, range(5), 2))
    assert list(in_processes(math.sqrt, [4, 9], 2)) == [2, 3]


PROGRAM = """
import time
from inclinet.storage import parallel

parallel._IDLE_SECONDS = 1
for _ in parallel.in_processes(time.sleep, [0.1] * 1000, 2):
    print("works", flush=True)
"""


@pytest.mark.slow
def test_processes_end_after_the_one_that_they_work_for_was_killed():
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE) as program:
        assert program.stdout.readline() == b"works\n"
        children = psutil.Process(program.pid).children(recursive=True)
        program.kill()
    assert children
    _, alive = psutil.wait_procs(children, timeout=60)
    assert not alive

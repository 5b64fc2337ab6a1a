import math
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

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
    assert len(taken) < 10
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


def test_threads_share_the_same_processes():
    def pids(_):
        return set(in_processes(process_id, range(40), 2))

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(pids, range(4)))
    assert len(set.union(*found)) <= cpu_count()


def process_id(_):
    time.sleep(0.01)
    return os.getpid()


@pytest.mark.parametrize("daemon", [False, True])
def test_a_fork_works_without_the_processes_of_its_parent(daemon):
    """They would never answer it; daemons, such as those of a `multiprocessing.Pool`, may have none."""
    assert list(in_processes(math.sqrt, [4, 9], 2)) == [2, 3]
    fork = multiprocessing.get_context("fork")
    answers = fork.Queue()
    child = fork.Process(target=answer_in_processes, args=(answers,), daemon=daemon)
    child.start()
    assert answers.get(timeout=60) == [2, 3]
    child.join()


def answer_in_processes(answers):
    answers.put(list(in_processes(math.sqrt, [4, 9], 2)))


def test_a_program_that_used_processes_ends_without_a_word():
    code = "import math; from inclinet.storage.parallel import in_processes; print(*in_processes(math.sqrt, [4, 9], 2))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("2.0 3.0\n", "")


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

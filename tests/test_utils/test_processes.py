"""Worker processes: their results, and what is left when one of them or their parent is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mmscd.utils.processes import spread


def square(number):
    return number * number


def kill_itself_at_3(number):
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def refuse_3(number):
    if number == 3:
        raise ValueError('3 is refused')
    return number


@pytest.mark.parametrize('workers', [0, 1, 2])
def test_results_come_in_order(workers):
    assert list(spread(square, range(7), workers, chunk=2)) == [0, 1, 4, 9, 16, 25, 36]


def test_a_killed_worker_is_one_sentence():
    with pytest.raises(RuntimeError, match='one of 2 worker processes was killed.*use fewer'):
        list(spread(kill_itself_at_3, range(8), 2))


def test_an_error_of_a_worker_is_passed_on():
    with pytest.raises(ValueError, match='3 is refused'):
        list(spread(refuse_3, range(8), 2))


_SLOW = """
import os, sys, time
from mmscd.utils.processes import spread
def work(number):
    os.write(1, b'%d\\n' % os.getpid())  # at once: two processes share the pipe
    time.sleep(0.3)
try:
    for _ in spread(work, range(1000), 2):
        pass
except KeyboardInterrupt:
    sys.exit(130)
"""


def is_running(pid):
    try:
        return Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[0] != 'Z'
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.skipif(not Path('/proc/self/stat').exists(), reason='looks at /proc')
@pytest.mark.parametrize(
    ('number', 'group', 'status'), [(signal.SIGKILL, False, -9), (signal.SIGINT, True, 130)]
)
def test_no_worker_outlives_its_parent(number, group, status):
    command = [sys.executable, '-c', _SLOW]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        pids = {int(process.stdout.readline()) for _ in range(4)}
        assert len(pids) == 2
        (os.killpg if group else os.kill)(process.pid, number)
        assert process.wait(10) == status
        deadline = time.monotonic() + 10
        while any(map(is_running, pids)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not any(map(is_running, pids))
        assert 'Traceback' not in process.stderr.read()

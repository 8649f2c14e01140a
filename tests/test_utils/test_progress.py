"""Progress in a log, and on a terminal."""

import io

from mmscd.utils import progress


def test_lines_in_a_log(monkeypatch):
    said, clock = [], iter(range(0, 1000, 4))
    monkeypatch.setattr(progress, 'print_log', lambda text, *_: said.append(text))
    monkeypatch.setattr(progress.time, 'monotonic', lambda: float(next(clock)))
    monkeypatch.setattr(progress.sys, 'stderr', io.StringIO())
    assert list(progress.track(iter('abcdef'), 6, 'frames')) == list('abcdef')
    # 4 seconds each: a line after 12 and 24 seconds, and the end
    assert said == [
        '3/6 frames, 0.2/s, about 12 s to go',
        '6/6 frames, 0.2/s',
        '6 frames, 0.2/s',
    ]
    assert list(progress.track([], 0)) == [] and len(said) == 3


def test_bar_on_a_terminal(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(progress.sys, 'stderr', Terminal())
    assert list(progress.track(range(5), 5)) == [0, 1, 2, 3, 4]
    assert '5/5' in progress.sys.stderr.getvalue()

"""A training log in short: one line of progress per logged iteration, tables and warnings.
`... | python -m mmscd.utils.brief_log` filters one.

mmengine prints the environment, the whole config and all hooks first; the full text is in the log
file of the work dir.
"""

from __future__ import annotations

import re
import sys

# by iterations: Iter(train) [ 20/750]; by epochs: Epoch(train)  [3][12/24]
PROGRESS = re.compile(
    r'(?:Iter|Epoch)\(train\)\s*(?:\[\s*(?P<epoch>\d+)\]\s*)?\[\s*(?P<done>\d+)/(?P<total>\d+)\]'
    r'.*?eta: (?P<eta>\S+).*?  loss: (?P<loss>\S+)'
)
KEEP = re.compile(
    r'^[+|]|WARNING.*Iteration|Error|^error|^Traceback|^  File|best checkpoint|resumed epoch'
    r'|^teacher:|^test streets:|already complete'
)


def shorten(line: str) -> str | None:
    """The line as it is shown, None where it is left out."""
    match = PROGRESS.search(line)
    if match:
        done, total = int(match['done']), int(match['total'])
        bar = ('#' * round(24 * done / total)).ljust(24, '.')
        epoch = f'epoch {match["epoch"]} ' if match['epoch'] else ''
        return f'{epoch}[{bar}] {done}/{total}  eta {match["eta"]}  loss {match["loss"]}'
    return line.rstrip()[:200] if KEEP.search(line) else None


if __name__ == '__main__':
    for text in sys.stdin:
        if (shown := shorten(text)) is not None:
            print(shown, flush=True)

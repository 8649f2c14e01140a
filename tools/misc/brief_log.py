"""Filter for a training log: one line of progress per logged iteration, tables and warnings.

mmengine prints the environment, the whole config and all hooks first; the full text is in the log
file of the work dir.
"""

import re
import sys

PROGRESS = re.compile(
    r'Iter\(train\)\s*\[\s*(\d+)/(\d+)\].*?eta: (\S+).*?  loss: (\S+).*?auto_mask_share: (\S+)'
)
KEEP = re.compile(
    r'^[+|]|WARNING.*Iteration|Error|^Traceback|^  File|best checkpoint|resumed epoch'
)


def main() -> None:
    """Read standard input until it ends."""
    for line in sys.stdin:
        match = PROGRESS.search(line)
        if match:
            done, total, eta, loss, share = match.groups()
            bar = ('#' * round(24 * int(done) / int(total))).ljust(24, '.')
            print(f'[{bar}] {done}/{total}  eta {eta}  loss {loss}  explained {share}', flush=True)
        elif KEEP.search(line):
            print(line.rstrip()[:160], flush=True)


if __name__ == '__main__':
    main()

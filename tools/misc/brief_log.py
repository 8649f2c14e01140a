"""Filter for a training log: what `mmscd.utils.brief_log` leaves of standard input."""

import sys

from mmscd.utils.brief_log import shorten


def main() -> None:
    """Read standard input until it ends."""
    for line in sys.stdin:
        shown = shorten(line)
        if shown is not None:
            print(shown, flush=True)


if __name__ == '__main__':
    main()

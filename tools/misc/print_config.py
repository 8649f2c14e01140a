"""Print a config with everything that it inherits.

Example: python tools/misc/print_config.py configs/scd/scd_r18_kitti.py --key model.distiller
"""

import argparse
from pathlib import Path

from mmscd.utils.config import load_config


def parse_args(argv=None) -> argparse.Namespace:
    """The command line."""
    from mmengine.config import DictAction

    parser = argparse.ArgumentParser(description='Print a config with everything it inherits.')
    parser.add_argument('config', help='path, or package::path')
    parser.add_argument('--key', help='only this part, e.g. model.losses')
    parser.add_argument('--out', type=Path, help='also write it to this .py file')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='key=value overrides')
    return parser.parse_args(argv)


def select(cfg, path: str):
    """A part of a config by its dotted path.

    Raises:
        KeyError: there is no such part.
    """
    part, walked = cfg, []
    for name in path.split('.'):
        if isinstance(part, (list, tuple)) and name.isdecimal() and int(name) < len(part):
            part = part[int(name)]
        elif hasattr(part, 'keys') and name in part:
            part = part[name]
        else:
            found = sorted(part) if hasattr(part, 'keys') else f'a {type(part).__name__}'
            where = '.'.join(walked) or 'the config'
            raise KeyError(f'there is no {name!r} in {where}, which has {found}')
        walked.append(name)
    return part


def main(argv=None) -> None:
    """Print."""
    args = parse_args(argv)
    from mmengine.config import Config

    from mmscd.utils.files import atomic_write

    try:
        cfg = load_config(args.config, args.cfg_options)
        if args.key:
            cfg = Config({args.key.split('.')[-1]: select(cfg, args.key)})
        if args.out and args.out.suffix != '.py':
            raise ValueError(f'--out must end in .py, got {args.out}')
    except (KeyError, ValueError, OSError, ImportError) as error:
        raise SystemExit(f'print_config: {error.args[0] if error.args else error}') from error
    text = cfg.pretty_text
    print(text)
    if args.out:
        atomic_write(args.out, text.encode())


if __name__ == '__main__':
    main()

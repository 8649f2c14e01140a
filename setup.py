"""Installation of mmscd; `pip install -e .[openmmlab]` gives a working stack."""

import shutil
import sys
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent


def read_requirements(name: str) -> list[str]:
    """Requirement lines of `requirements/<name>.txt` without comments."""
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text(encoding='utf-8').splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith('#')]


def ship_configs() -> None:
    """Make `mmscd::` configs resolvable: `mmscd/.mim/configs` is where mmengine looks for them.

    A link for editable installs, so that edits count at once; a copy for built distributions.
    """
    target = ROOT / 'mmscd' / '.mim'
    if target.is_symlink() or target.is_file():
        target.unlink()
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    editable = any('editable' in arg or arg == 'develop' for arg in sys.argv)
    for name in ('configs', 'tools', 'model-index.yml'):
        if editable:
            (target / name).symlink_to(ROOT / name)
        elif (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target / name)
        else:
            shutil.copy(ROOT / name, target / name)


version: dict[str, str] = {}
exec((ROOT / 'mmscd' / 'version.py').read_text(encoding='utf-8'), version)
if any(arg in sys.argv for arg in ('editable_wheel', 'develop', 'bdist_wheel', 'install')):
    ship_configs()

setup(
    name='mmscd',
    version=version['__version__'],
    description='Structure-centric robust self-supervised monocular depth estimation',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.10',
    packages=find_packages(include=['mmscd', 'mmscd.*']),
    package_data={'mmscd': ['.mim/**/*']},
    install_requires=read_requirements('runtime'),
    extras_require={
        'openmmlab': read_requirements('openmmlab'),
        'tests': read_requirements('tests'),
    },
)

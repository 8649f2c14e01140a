"""Installation of mmscd; `pip install -e .[openmmlab]` gives a working stack."""

import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
SHIPPED = ('configs', 'tools', 'model-index.yml')
NO_EXTRAS = ('runtime', 'constraints')
LEFT_OUT = shutil.ignore_patterns('__pycache__', '*.pyc')


def read_requirements(name: str) -> list[str]:
    """Requirement lines of `requirements/<name>.txt` without comments."""
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text(encoding='utf-8').splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith('#')]


class BuildWithConfigs(build_py):
    """Also ships what lies outside of the package: `mmscd/.mim` is where mmengine and `mim` look.

    An editable install gets links, so that edits count at once; a built distribution gets copies,
    and the source tree stays as it is.
    """

    def run(self) -> None:
        """Build, then fill `.mim`."""
        super().run()
        inside = ROOT if self.editable_mode else Path(self.build_lib)
        target = inside / 'mmscd' / '.mim'
        if target.is_symlink() or target.is_file():
            target.unlink()
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for name in SHIPPED:
            if self.editable_mode:
                (target / name).symlink_to(ROOT / name)
            elif (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, target / name, ignore=LEFT_OUT)
            else:
                shutil.copy(ROOT / name, target / name)


version: dict[str, str] = {}
exec((ROOT / 'mmscd' / 'version.py').read_text(encoding='utf-8'), version)
# every file of requirements/ is an extra of its name
files = sorted(path.stem for path in (ROOT / 'requirements').glob('*.txt'))
extras = {name: read_requirements(name) for name in files if name not in NO_EXTRAS}
# the tests build the documentation and export networks
extras['tests'] += extras['docs'] + extras['deploy']

setup(
    name='mmscd',
    version=version['__version__'],
    description='Structure-centric robust self-supervised monocular depth estimation',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.10',
    packages=find_packages(include=['mmscd', 'mmscd.*']),
    package_data={'mmscd': ['ops/*.cpp', 'report/*.html', 'visualization/*.mplstyle']},
    cmdclass={'build_py': BuildWithConfigs},
    install_requires=read_requirements('runtime'),
    extras_require=extras,
)

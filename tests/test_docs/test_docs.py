"""The documentation builds without a warning, and what it tells to type exists."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / 'docs/en'
PAGES = [
    *sorted(DOCS.rglob('*.md')),
    *sorted(ROOT.glob('configs/**/README.md')),
    *sorted(ROOT.glob('projects/**/README.md')),
    ROOT / 'README.md',
]
COMMAND = re.compile(r'(?:(?:tools|demo|projects)/[\w/.-]+\.(?:py|sh))')


def commands(page):
    """Every line of shell in a page, continued lines joined."""
    for block in re.findall(r'```bash\n(.*?)```', page.read_text(), re.S):
        for line in block.replace('\\\n', ' ').splitlines():
            if line.strip() and not line.strip().startswith('#'):
                yield shlex.split(line, comments=True)


def options_of(script):
    """Options that a script's source, or that of the modules that it shares, declares."""
    folder = [script, *(p for p in script.parent.glob('*.py') if p.stem in script.read_text())]
    folder.append(ROOT / 'mmscd/utils/command_line.py')
    if script.suffix == '.sh':
        folder.append(script.with_name(script.stem.split('_')[-1] + '.py'))
    sources = '\n'.join(p.read_text() for p in folder if p.is_file())
    return set(re.findall(r"['\"\s](--[a-z][\w-]*)", sources))


@pytest.mark.parametrize('page', PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_exist(page):
    for words in commands(page):
        scripts = [w for w in words if COMMAND.fullmatch(w)]
        for name in scripts:
            assert (ROOT / name).is_file(), f'{page.name} calls {name}'
        if len(scripts) != 1 or '-m' in words:
            continue
        after = words[words.index(scripts[0]) + 1 :]
        known = options_of(ROOT / scripts[0]) | {'--help'}
        unknown = [w for w in after if w.startswith('--') and w.split('=')[0] not in known]
        assert not unknown, f'{page.name}: {scripts[0]} has no {unknown}'


@pytest.mark.parametrize('page', PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_that_are_named_exist(page):
    text = page.read_text()
    named = re.findall(
        r'`((?:configs|docs|tools|projects|mmscd|tests|demo|requirements)/[\w./-]+)`', text
    )
    missing = [n for n in named if not any((d / n).exists() for d in (ROOT, page.parent))]
    missing = [n for n in missing if 'FILE' not in n]
    links = re.findall(r'\]\(((?!https?:|#)[^)#]+)', text)
    missing += [n for n in links if not (page.parent / n).exists()]
    assert not missing


def test_config_names_in_the_docs_exist():
    known = {p.name for p in ROOT.glob('configs/**/*.py')}
    for page in DOCS.rglob('*.md'):
        names = re.findall(r'`((?:scd|monodepth2|kitti)_[\w-]+\.py)`', page.read_text())
        assert set(names) <= known | {'monodepth2_r18.py'}, page


def test_docs_build(tmp_path):
    pytest.importorskip('sphinx')
    pytest.importorskip('myst_parser')
    pytest.importorskip('furo')
    command = (sys.executable, '-m', 'sphinx', '-W', '--keep-going', '-q', '-d', tmp_path / 'trees')
    done = subprocess.run(
        [*map(str, command), str(DOCS), str(tmp_path / 'html')],
        capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    api = (tmp_path / 'html/api.html').read_text()
    for name in ('SelfSupervisedDepthEstimator', 'DepthInferencer', 'backproject'):
        assert name in api
    pages = {p.relative_to(DOCS).with_suffix('') for p in DOCS.rglob('*.md')}
    built = {p.relative_to(tmp_path / 'html').with_suffix('') for p in tmp_path.rglob('*.html')}
    assert pages <= built

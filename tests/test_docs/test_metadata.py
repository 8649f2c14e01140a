"""Model index, citation, changelog, and what a wheel holds."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

import mmscd
from mmscd.utils.config import load_config

ROOT = Path(__file__).resolve().parents[2]


def models():
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    for path in index['Import']:
        meta = yaml.safe_load((ROOT / path).read_text())
        names = [c['Name'] for c in meta['Collections']]
        for collection in meta['Collections']:
            assert (ROOT / collection['README']).is_file()
        for model in meta['Models']:
            assert model['In Collection'] in names
            yield model


def test_every_model_is_listed_once():
    listed = {m['Name']: m['Config'] for m in models()}
    assert len(listed) == len(list(models()))
    leaves = [p for p in ROOT.glob('configs/*/*.py') if p.parent.name not in ('_base_', 'teachers')]
    assert listed == {p.stem: str(p.relative_to(ROOT)) for p in leaves}


def test_training_data_are_those_of_the_config():
    """A model of two drives must not be taken for one of KITTI."""
    wrong = {}
    for model in models():
        data = load_config(str(ROOT / model['Config'])).get('train_dataloader')
        said = model['Metadata']['Training Data']
        drives = data and data.dataset.get('drives')
        if drives:
            numbers = ', '.join(drive.split('_')[-2] for drive in drives)
            expected = f'KITTI mini (drives {numbers})'
        else:
            expected = 'Cityscapes' if data and 'Cityscapes' in data.dataset.type else 'KITTI'
        if said != expected:
            wrong[model['Name']] = said
    assert not wrong


@pytest.mark.parametrize('folder', ['monodepth2', 'scd', 'teachers'])
def test_readme_of_a_folder_names_its_configs(folder):
    text = (ROOT / 'configs' / folder / 'README.md').read_text()
    # long families are given by their endings
    missing = [
        p.stem
        for p in (ROOT / 'configs' / folder).glob('*.py')
        if f'`{p.name}`' not in text
        and not any(p.name.endswith(end) for end in re.findall(r'`(-[\w.-]+\.py)`', text))
        and 'their pairs' not in text
    ]
    assert not missing


def test_every_variable_is_documented():
    text = (ROOT / 'configs/README.md').read_text()
    used = set()
    for path in (ROOT / 'configs').rglob('*.py'):
        used |= set(re.findall(r'\{\{\$([A-Z0-9_]+):', path.read_text()))
    assert len(used) > 15
    assert not {name for name in used if f'`{name}`' not in text}


def test_one_version():
    citation = yaml.safe_load((ROOT / 'CITATION.cff').read_text())
    assert citation['version'] == mmscd.__version__
    assert citation['cff-version'] == '1.2.0' and citation['authors'] and citation['title']
    assert mmscd.__version__ in (ROOT / 'CHANGELOG.md').read_text()


def test_wheel_holds_package_configs_and_tools(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = [p for f in ('configs', 'tools') for p in (ROOT / f).rglob('*') if p.is_file()]
    wanted = [p for p in wanted if '__pycache__' not in p.parts]
    absent = {f'mmscd/.mim/{p.relative_to(ROOT)}' for p in wanted} - names
    assert not absent
    assert {'mmscd/.mim/model-index.yml', 'mmscd/__init__.py'} <= names
    assert {'mmscd/report/template.html', 'mmscd/visualization/charts.mplstyle'} <= names
    code = {str(p.relative_to(ROOT)) for p in (ROOT / 'mmscd').rglob('*.py')} - names
    assert not {name for name in code if '.mim' not in name}
    assert not [n for n in names if '__pycache__' in n or n.startswith(('tests', 'docs'))]


def test_configs_of_an_unpacked_wheel_load(wheel, tmp_path):
    """Away from the checkout, by the name of the package."""
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = (
        'import mmscd; from mmscd.utils.config import load_config\n'
        "cfg = load_config('mmscd::scd/scd_r18_kitti.py')\n"
        'from mmengine.hub import get_config\n'
        "same = get_config('mmscd::monodepth2/monodepth2_r18_kitti.py')\n"
        'print(mmscd.__file__, cfg.model.type, same.model.type)'
    )
    done = subprocess.run(
        [sys.executable, '-c', code],
        capture_output=True, text=True, cwd=tmp_path, env={'PYTHONPATH': str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split()[-3].startswith(str(tmp_path))
    assert done.stdout.split()[-2:] == ['SelfSupervisedDepthEstimator'] * 2

"""The workarounds do what they are there for."""

import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import mmscd.registry  # noqa: F401  (applies the workarounds)
from mmscd.utils import compat
from mmscd.utils.config import load_config, resolve_config_path

SEGFORMER = 'mmseg::segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py'


class _Evil:
    def __reduce__(self):
        return os.system, ('touch ' + os.environ['EVIL_FILE'],)


@pytest.fixture
def no_process(monkeypatch):
    """Any attempt to start a process fails the test."""

    def refuse(*args, **kwargs):
        raise AssertionError(f'a process was started: {args}')

    for owner, name in ((subprocess, 'Popen'), (os, 'system'), (os, 'posix_spawn')):
        monkeypatch.setattr(owner, name, refuse)


def test_mmseg_configs_resolve_without_a_process(no_process, tmp_path):
    assert load_config(SEGFORMER).model.type == 'EncoderDecoder'
    from mmengine.hub import get_config

    assert get_config(SEGFORMER).model.type == 'EncoderDecoder'
    child = tmp_path / 'child.py'
    child.write_text(f"_base_ = ['{SEGFORMER}']\n")
    assert load_config(str(child)).model.type == 'EncoderDecoder'


def test_mmscd_configs_are_bases_by_name(tmp_path):
    child = tmp_path / 'child.py'
    child.write_text("_base_ = ['mmscd::monodepth2/monodepth2_r18_kitti.py']\n")
    assert load_config(str(child)).model.type == 'SelfSupervisedDepthEstimator'


def test_absent_package_or_config_is_named(no_process):
    with pytest.raises(ImportError, match='nosuchpackage is not installed; run `pip install'):
        resolve_config_path('nosuchpackage::a/b.py')
    with pytest.raises(FileNotFoundError, match='nowhere'):
        resolve_config_path('mmseg::nowhere/nothing.py')


def test_missing_openmmlab_says_how_to_mend_it():
    code = (
        'import sys, importlib.util as u; find = u.find_spec\n'
        'u.find_spec = lambda n, *a: None if n.startswith("mmengine") else find(n, *a)\n'
        'import mmscd; import mmscd.registry'
    )
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert result.returncode != 0
    assert 'pip install -e .[openmmlab]' in result.stderr


def test_import_is_light():
    code = 'import sys, mmscd; sys.exit(any(m in sys.modules for m in ("torch", "mmengine")))'
    assert subprocess.run([sys.executable, '-c', code]).returncode == 0


def test_untrusted_checkpoint_runs_no_code(tmp_path, monkeypatch):
    monkeypatch.setenv('EVIL_FILE', str(tmp_path / 'executed'))
    path = tmp_path / 'evil.pth'
    torch.save(dict(state_dict={}, meta=_Evil()), path)
    from mmengine.runner import load_checkpoint

    for load in (
        compat.load_checkpoint_file,
        lambda p: load_checkpoint(torch.nn.Linear(1, 1), str(p)),
    ):
        with pytest.raises(RuntimeError, match='could run code'):
            load(path)
    assert not (tmp_path / 'executed').exists()
    monkeypatch.setenv(compat.UNSAFE_LOAD_VARIABLE, '1')
    compat.load_checkpoint_file(path)
    assert (tmp_path / 'executed').exists(), 'the explicit switch must work'


@pytest.mark.parametrize(
    'address', ['torchvision://resnet18', 'open-mmlab://x', 'mmcls://x', 's3://a/b.pth', 'pavi://x',
                'openmmlab://resnet', 'modelzoo://r', 'what://ever']
)  # fmt: skip
def test_no_scheme_of_mmengine_unpickles(tmp_path, monkeypatch, address):
    """Each ends in a sentence, or in a download that is loaded like any other file."""
    from mmengine.runner.checkpoint import CheckpointLoader

    monkeypatch.setenv('EVIL_FILE', str(tmp_path / 'executed'))
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    evil = tmp_path / 'evil.pth'
    torch.save(dict(meta=_Evil()), evil)
    monkeypatch.setattr(compat, 'download', lambda url: evil)
    monkeypatch.setattr(compat, 'cached_path', lambda url: evil)
    with pytest.raises(Exception) as caught:  # noqa: B017, each scheme has its own
        CheckpointLoader.load_checkpoint(address, 'cpu')
    assert not isinstance(caught.value, AttributeError)
    assert not (tmp_path / 'executed').exists()


def test_bytes_are_not_unpickled(tmp_path, monkeypatch):
    import io

    from mmengine.runner import checkpoint

    monkeypatch.setenv('EVIL_FILE', str(tmp_path / 'executed'))
    with pytest.raises(ValueError, match='give a path'):
        checkpoint._safe_torch_load(io.BytesIO(pickle.dumps(_Evil())))
    path = tmp_path / 'evil.pth'
    torch.save(_Evil(), path)
    with pytest.raises(RuntimeError, match='could run code'):
        checkpoint._safe_torch_load(str(path))
    assert not (tmp_path / 'executed').exists()


def test_the_refused_global_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv('EVIL_FILE', str(tmp_path / 'executed'))
    path = tmp_path / 'evil.pth'
    torch.save(dict(meta=_Evil()), path)
    with pytest.raises(RuntimeError) as caught:
        compat.load_checkpoint_file(path)
    text = str(caught.value)
    assert 'evil.pth' in text and 'system' in text and compat.UNSAFE_LOAD_VARIABLE in text
    assert 'weights_only' not in text and len(text) < 300


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        (b'<!DOCTYPE html><html>', 'is a web page'),
        (b'version https://git-lfs.github.com/spec/v1', 'is a pointer of Git LFS'),
        (b'garbage', "begins with b'garbage'"),
        (b'', 'is empty'),
        (b'\x80\x02garbage.', 'is truncated or damaged'),
    ],
)
def test_what_is_no_checkpoint_is_said(tmp_path, content, words):
    path = tmp_path / 'x.pth'
    path.write_bytes(content)
    with pytest.raises(RuntimeError) as caught:
        compat.load_checkpoint_file(path)
    assert words in str(caught.value) and 'x.pth' in str(caught.value)
    assert compat.UNSAFE_LOAD_VARIABLE not in str(caught.value)


def test_a_config_in_a_checkpoint_is_not_run_on_resume(tmp_path):
    path = tmp_path / 'iter_1.pth'
    torch.save(dict(meta=dict(config="import os; os.system('x')", iter=1)), path)
    assert compat.load_checkpoint_file(path)['meta'] == dict(iter=1)


def test_history_buffers_of_mmengine_load(tmp_path):
    """Checkpoints that other mmengine tools wrote hold HistoryBuffer and numpy scalars."""
    import numpy as np
    from mmengine.logging.history_buffer import HistoryBuffer

    path = tmp_path / 'other.pth'
    torch.save(dict(hub=HistoryBuffer([1.0, 2.0], [1, 1]), best=np.float64(0.5)), path)
    loaded = compat.load_checkpoint_file(path)
    assert loaded['best'] == 0.5
    assert loaded['hub'].mean() == 1.5


def test_getattr_is_not_let_through(tmp_path):
    """The allow-list must not hand out attributes of anything else."""
    with pytest.raises(RuntimeError, match='refused'):
        compat._history_method(Path, 'unlink')


@pytest.mark.parametrize('content', [b'', b'PK\x03\x04 torn', pickle.dumps(dict(a=1))[:-3]])
def test_broken_checkpoint_is_named(tmp_path, content):
    path = tmp_path / 'torn.pth'
    path.write_bytes(content)
    with pytest.raises(RuntimeError, match='torn.pth'):
        compat.load_checkpoint_file(path)


def test_kill_while_writing_leaves_the_old_file_whole(tmp_path):
    path = tmp_path / 'iter_30.pth'
    torch.save(dict(iter=30), path)
    before = path.read_bytes()
    code = (
        'import os, signal, mmscd.registry\n'
        'from mmengine.runner import save_checkpoint\n'
        'os.fsync = lambda fd: os.kill(os.getpid(), signal.SIGKILL)\n'
        f'save_checkpoint(dict(iter=31), {str(path)!r})'
    )
    result = subprocess.run([sys.executable, '-c', code], capture_output=True)
    assert result.returncode == -signal.SIGKILL
    assert path.read_bytes() == before
    from mmscd.engine import find_latest_checkpoint

    assert find_latest_checkpoint(tmp_path) == path


def test_latest_checkpoint_passes_over_torn_files(tmp_path):
    from mmscd.engine import find_latest_checkpoint

    assert find_latest_checkpoint(tmp_path) is None
    torch.save(dict(iter=30), tmp_path / 'iter_30.pth')
    (tmp_path / 'iter_100.pth').write_bytes((tmp_path / 'iter_30.pth').read_bytes()[:100])
    assert find_latest_checkpoint(tmp_path).name == 'iter_30.pth'


def test_cpu_distributed_config(monkeypatch):
    from mmengine.config import Config

    if torch.cuda.is_available():
        pytest.skip('this machine has CUDA: nothing is changed')
    cfg = Config(dict(sync_bn='torch'))
    compat.prepare_cpu_distributed(cfg, 'none')
    assert cfg.sync_bn == 'torch'
    with pytest.raises(RuntimeError, match='needs CUDA'):
        compat.prepare_cpu_distributed(cfg, 'slurm')


def test_a_lying_table_of_contents_is_damage(tmp_path):
    """Where the end of a zip points at other disks, the standard library raises."""
    torch.save(dict(a=torch.ones(3)), tmp_path / 'x.pth')
    data = (tmp_path / 'x.pth').read_bytes()
    at = data.rindex(b'PK\x06\x07')  # the locator of the 64-bit end; its last field counts disks
    (tmp_path / 'x.pth').write_bytes(data[: at + 16] + b'\x05' + data[at + 17 :])
    with pytest.raises(RuntimeError, match=r'checkpoint \S+x\.pth is truncated or damaged'):
        compat.load_checkpoint_file(tmp_path / 'x.pth')

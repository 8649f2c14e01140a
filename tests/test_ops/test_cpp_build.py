"""The C++ kernel is built once, found again, and done without where it cannot be built."""

import subprocess
import sys

import pytest
import torch

from mmscd.ops import _cpp_build, choose_form, kernels

needs_cpp = pytest.mark.skipif(kernels.why_no_cpp('cpu') is not None, reason='no C++ compiler')


@pytest.fixture
def no_cache(monkeypatch, tmp_path):
    """An empty cache, for this process too."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    _cpp_build.load_kernels.cache_clear()
    yield tmp_path
    _cpp_build.load_kernels.cache_clear()


@needs_cpp
def test_the_kernel_is_built_once_also_by_several_processes(no_cache, monkeypatch):
    code = 'from mmscd.ops import choose_form; print(*choose_form("cpp", "cpu"))'
    command = [sys.executable, '-c', code]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [p.communicate()[0].strip() for p in processes] == ['cpp None'] * 2
    (built,) = (no_cache / 'mmscd').iterdir()
    assert built.suffix == '.so'
    monkeypatch.setattr(_cpp_build, 'COMPILERS', ())  # none is needed any more
    assert choose_form('auto', 'cpu') == ('cpp', None)


def test_without_a_compiler_the_plain_form_runs_and_says_why(no_cache, monkeypatch):
    monkeypatch.setattr(_cpp_build, 'COMPILERS', ('no-such-compiler',))
    form, reason = choose_form('auto', 'cpu')
    assert form == 'torch' and 'no C++ compiler (no-such-compiler): install one' in reason
    with pytest.raises(ValueError, match="cannot run: there is no C.. compiler .* use 'torch'"):
        choose_form('cpp', 'cpu')


@needs_cpp
def test_what_the_compiler_says_is_handed_on(no_cache, monkeypatch, tmp_path):
    broken = tmp_path / '_broken.cpp'
    broken.write_text('int f( { }')
    monkeypatch.setattr(_cpp_build, 'SOURCE', broken)
    form, reason = choose_form('auto', 'cpu')
    assert form == 'torch' and 'failed:' in reason and '_broken.cpp' in reason


@needs_cpp
def test_a_cache_that_cannot_be_written_is_named(no_cache):
    (no_cache / 'mmscd').write_text('')
    form, reason = choose_form('auto', 'cpu')
    assert form == 'torch' and f'cannot write {no_cache / "mmscd"}' in reason


@needs_cpp
def test_importing_the_package_builds_nothing(no_cache):
    code = 'import mmscd.models, mmscd.ops, sys; print("mmscd.ops._cpp_build" in sys.modules)'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == 'False' and not (no_cache / 'mmscd').exists()
    assert torch.hub.get_dir().startswith(str(no_cache))

"""Files and names that try to run code, or to write where they should not."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from fuzz import copy_input
from isolate import Outcome, run_isolated
from readers import READERS, call
from tiny import ROOT

MARK = 'EXECUTED'


class Touch:
    """Unpickled, it makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple:
        return os.system, (f'touch {self.mark}',)


class Eval(Touch):
    """The same by another name, which filters that look for `os` let through."""

    def __reduce__(self) -> tuple:
        return eval, (f"open({str(self.mark)!r}, 'w').close()",)


def _saved(content: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream, **options)
    return stream.getvalue()


def _tar(mark: Path) -> bytes:
    """A checkpoint as torch wrote it before 2017."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode='w') as archive:
        for name in ('sys_info', 'pickle', 'storages', 'tensors'):
            data = pickle.dumps(Touch(mark))
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def _script(mark: Path) -> bytes:
    """A TorchScript archive whose pickles run code."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, 'w') as archive:
        for name in ('data.pkl', 'constants.pkl', 'code/__torch__.py', 'version'):
            content = pickle.dumps(Touch(mark)) if name.endswith('pkl') else b'3\n'
            archive.writestr(f'archive/{name}', content)
    return stream.getvalue()


def pickles(mark: Path, state: dict[str, Any]) -> dict[str, bytes]:
    """Weights that run code when they are unpickled, `state` beside it."""
    text = f"__import__('os').system('touch {mark}')"
    settings = dict(state, meta=dict(config=text, cfg=text, hook_msgs={}))
    return {
        'a pickle': pickle.dumps(dict(state, evil=Touch(mark))),
        'an old pickle': pickle.dumps(Eval(mark), protocol=0),
        'in a zip': _saved(dict(state, meta=Touch(mark))),
        'by eval': _saved(dict(state, meta=Eval(mark))),
        'the old format': _saved(dict(state, x=Touch(mark)), _use_new_zipfile_serialization=False),
        'a tar': _tar(mark),
        'TorchScript': _script(mark),
        'a config': _saved(settings),
        'an import': _saved(dict(settings, meta=dict(cfg=f'import os\nos.{text[17:]}'))),
    }


def _on_weights(reader: str, kind: str, folder: Path, mark: Path) -> Any:
    target = READERS[reader].targets(folder)[0]
    stored = torch.load(target, weights_only=True)
    target.unlink()
    target.write_bytes(pickles(mark, stored)[kind])
    return READERS[reader].read(folder)


def _on_file(reader: str, data: Callable[[Path], bytes], folder: Path, mark: Path) -> Any:
    target = READERS[reader].targets(folder)[0]
    target.unlink()
    target.write_bytes(data(mark))
    return READERS[reader].read(folder)


def _objects(form: Callable, mark: Path) -> bytes:
    stream = io.BytesIO()
    form(stream, np.array([Touch(mark)], object))
    return stream.getvalue()


def _archive(names: list[str], mark: Path) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, 'w') as archive:
        for name in names:
            info = zipfile.ZipInfo(name.format(mark=mark))
            link = name.startswith('link')
            info.external_attr = (0o120777 if link else 0o644) << 16
            archive.writestr(info, '..' if link else 'x')
    return stream.getvalue()


def _yaml(mark: Path) -> bytes:
    return f"fx: !!python/object/apply:os.system ['touch {mark}']\n".encode()


def _json(mark: Path) -> bytes:
    call_of_it = {'py/reduce': [{'py/function': 'os.system'}, {'py/tuple': [f'touch {mark}']}]}
    return json.dumps(dict(call_of_it, __class__='os.system', __reduce__=f'touch {mark}')).encode()


def _scheme(address: str, folder: Path, mark: Path) -> Any:
    """Weights by an address, whose file would run code."""
    (folder / 'evil.pth').write_bytes(pickle.dumps(Touch(mark)))
    from mmscd import DepthInferencer

    return DepthInferencer(str(folder / 'tiny.py'), address.format(folder / 'evil.pth'), 'cpu')


def _start(address: str, folder: Path, mark: Path) -> Any:
    (folder / 'evil.pth').write_bytes(pickle.dumps(Touch(mark)))
    option = f'load_from={address.format(folder / "evil.pth")}'
    words = ('--work-dir', folder / 'work2', '--cfg-options', option, 'train_cfg.max_iters=1')
    return call('tools/train.py', folder / 'tiny.py', *words)


def _named(name: str, folder: Path, mark: Path) -> Any:
    """A video's folder of a name that is code, converted; then its config is loaded, and the
    printed command goes through a shell."""
    from mmscd.utils.config import load_config

    out = folder / name
    out.mkdir(parents=True)
    words = ('--hfov', 60, '--stride', 1, '--no-lint', '--out', out)
    call('tools/dataset_converters/from_video.py', folder / 'frames', *words)
    said = (folder.parent / 'log').read_text(errors='replace')
    for line in said.splitlines():
        if line.startswith('train: '):
            os.system(f'echo {line[7:]}')
    return load_config(str(next(out.glob('*.py'))))


def _set_up(name: str, folder: Path, mark: Path) -> Any:
    """A variable of the environment that a config takes in."""
    os.environ['KITTI_ROOT'] = name
    from mmscd.utils.config import load_config

    return load_config(str(ROOT / 'configs/monodepth2/monodepth2_r18_kitti.py'))


def _page(folder: Path, mark: Path) -> Any:
    """Names that are HTML in a report."""
    evil = '<script>x</script>'
    path = folder / 'out/summary.json'
    text = path.read_text().replace('"m"', f'"{evil}"')
    path.unlink()
    path.write_text(text)
    READERS['robustness summary'].read(folder)
    if evil in (folder / 'report.html').read_text():
        mark.touch()


def _external(folder: Path, mark: Path) -> Any:
    """An ONNX model whose weights are another file of the machine."""
    import onnx

    (folder.parent / 'secret').write_bytes(bytes(4096))
    model = onnx.load(folder / 'm.onnx')
    tensor = model.graph.initializer[0]
    tensor.ClearField('raw_data')
    tensor.data_location = onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = 'location', '../secret'
    (folder / 'm.onnx').unlink()
    (folder / 'm.onnx').write_bytes(model.SerializeToString())
    result = READERS['ONNX model'].read(folder)
    mark.touch()  # it was read
    return result


NAMES = {
    'a substitution': 'a $(touch EXECUTED)',
    'backticks': 'a `touch EXECUTED`',
    'a semicolon': 'a; touch EXECUTED;',
    'a line break': "a\nimport os; os.system('touch EXECUTED')\n#",
    'a quote': "a' + str(open('EXECUTED', 'w')) + '",
    'two quotes': 'a" + str(open("EXECUTED", "w")) + "',
    'a backslash': 'a\\\' + str(open("EXECUTED", "w")) #',
    'braces': '{{ fileDirname }}',
    'a base': 'a{{_base_.x}}',
}
SCHEMES = [f'{name}://{{}}' for name in 'file s3 open-mmlab torchvision mmcls petrel'.split()]
MEMBERS = {
    'above': ['../EXECUTED', '2011_09_26/../../EXECUTED'],
    'at the root': ['{mark}'],
    'a link': ['2011_09_26/link', '2011_09_26/link/EXECUTED'],
    'backslashes': ['..\\EXECUTED', '2011_09_26\\..\\..\\EXECUTED'],
}


def attacks() -> Iterator[tuple[str, str, Callable[[Path, Path], Any]]]:
    """(name, reader whose valid input is there, what is done in its folder)."""
    doors = [r.name for r in READERS.values() if r.kind == 'checkpoint']
    kinds = list(pickles(Path(MARK), {}))
    for turn, door in enumerate(doors):
        # every kind at the first door, at the others some of each family
        for kind in kinds if turn == 0 else (kinds[turn % 7], *kinds[2:4], *kinds[7:]):
            yield f'{door}: {kind}', door, partial(_on_weights, door, kind)
    for reader in READERS.values():
        if reader.kind in ('npy', 'npz'):
            data: Callable = partial(_objects, np.save if reader.kind == 'npy' else np.savez)
        elif reader.kind in ('yaml', 'json'):
            data = _yaml if reader.kind == 'yaml' else _json
        elif reader.kind in ('mat', 'zip', 'text') or reader.name == 'safetensors':
            data = lambda mark: pickle.dumps(Touch(mark))  # noqa: E731
        else:
            continue
        yield f'{reader.name}: objects', reader.name, partial(_on_file, reader.name, data)
    for name, members in MEMBERS.items():
        made = partial(_on_file, 'KITTI archive', partial(_archive, members))
        yield f'archive: {name}', 'KITTI archive', made
    for address in SCHEMES:
        yield f'weights {address}', 'weights to predict', partial(_scheme, address)
        yield f'load_from {address}', 'weights to predict', partial(_start, address)
    for name, text in NAMES.items():
        yield f'folder: {name}', 'video', partial(_named, text)
        yield f'variable: {name}', 'video', partial(_set_up, text)
    yield 'report: script', 'robustness summary', _page
    yield 'ONNX: external data', 'ONNX model', _external


def _careless(mark: Path) -> Iterator[tuple[str, Callable[[], Any]]]:
    """(an attack, code that falls for it)."""
    for name, data in pickles(mark, {}).items():
        if name in ('a config', 'an import'):
            meta = torch.load(io.BytesIO(data), weights_only=True)['meta']
            yield name, partial(exec, meta['cfg'])
        elif name in ('a pickle', 'an old pickle'):
            yield name, partial(pickle.loads, data)
        elif name == 'TorchScript':
            archive = zipfile.ZipFile(io.BytesIO(data))
            yield name, partial(pickle.loads, archive.read('archive/data.pkl'))
        else:  # a file: of a stream torch reads no tar
            mark.with_name('evil.pth').write_bytes(data)
            yield name, partial(torch.load, mark.with_name('evil.pth'), weights_only=False)
    for form in (np.save, np.savez):
        load = partial(np.load, io.BytesIO(_objects(form, mark)), allow_pickle=True)
        yield form.__name__, lambda load=load: dict(load())
    yield 'yaml', partial(yaml.unsafe_load, _yaml(mark))
    for name in ('a substitution', 'backticks', 'a semicolon'):
        yield name, partial(os.system, f'echo {NAMES[name]}')
    yield 'a line break', partial(exec, f'# {NAMES["a line break"]}')
    yield 'a quote', partial(exec, f"x = '{NAMES['a quote']}'")
    yield 'two quotes', partial(exec, f'x = "{NAMES["two quotes"]}"')
    yield 'a backslash', partial(exec, "x = '" + NAMES['a backslash'].replace("'", "\\'") + "'")


def harmless(work: Path) -> list[str]:
    """Attacks that leave no mark in careless code either: to stand them shows nothing."""
    mark, found = work / MARK, []
    for name, fall in _careless(mark):
        run_isolated(lambda fall=fall: (os.chdir(work), fall()), work / 'log')
        if not mark.is_file():
            found.append(name)
        mark.unlink(missing_ok=True)
    return found


def run_attack(
    work: Path, reader: str, attack: Callable[[Path, Path], Any]
) -> tuple[Outcome, list[Path]]:
    """How it ended, and what was made that should not be there."""
    folder = copy_input(work, READERS[reader])
    mark = work / MARK
    before = set(work.iterdir())
    outcome = run_isolated(lambda: (os.chdir(folder), attack(folder, mark)), work / 'log')
    made = [path for path in folder.rglob(MARK)]
    made += [p for p in set(work.iterdir()) - before if p.name not in ('log', 'log.json', 'secret')]
    for path in made:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return outcome, made

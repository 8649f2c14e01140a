"""The benchmark times what it says, in the order it says."""

import json
import re

import pytest

from mmscd.deployment.benchmark import summarise, time_calls
from tools.analysis_tools import benchmark_inference

CONFIG = 'configs/monodepth2/monodepth2_r18_kitti-mini.py'


def test_calls_take_turns_and_are_timed_one_by_one():
    events = []
    calls = {name: lambda name=name: events.append(name) for name in ('a', 'b')}
    seconds = time_calls(calls, lambda: events.append('sync'), repeats=3)
    assert events == ['sync', 'a', 'sync', 'sync', 'b', 'sync'] * 3
    assert list(seconds) == ['a', 'b']
    assert all(len(s) == 3 and min(s) >= 0 for s in seconds.values())


def test_numbers_of_a_row():
    row = summarise([0.1, 0.2, 0.3, 0.4], batch=8, memory=2**21)
    assert row['images_per_second'] == pytest.approx(32)
    assert row['p50_ms'] == pytest.approx(250) and row['mean_ms'] == pytest.approx(250)
    assert row['p99_ms'] == pytest.approx(397) and row['memory_mib'] == 2


def test_table_and_json(tmp_path, capsys):
    out = tmp_path / 'times.json'
    benchmark_inference.main(
        [CONFIG, '--size', '96x64', '--batch', '1', '2', '--repeats', '3', '--warmup', '1',
         '--out', str(out)]
    )  # fmt: skip
    content = json.loads(out.read_text())
    rows = content['rows']
    assert [row['batch'] for row in rows] == sorted([1, 2] * (len(rows) // 2))
    forms = ['float32', 'float32, channels_last, batch norm folded']
    assert [row['engine'] for row in rows if row['batch'] == 2][:2] == forms
    for row in rows:
        assert row['change'] < (1e-5 if row['engine'] in forms else 2e-2)
        assert 0 < row['p50_ms'] <= row['p90_ms'] <= row['p95_ms'] <= row['p99_ms']
        assert row['images_per_second'] == pytest.approx(row['batch'] * 1000 / row['mean_ms'])
        assert row['memory_mib'] > 50
    printed = capsys.readouterr().out
    assert '96x64, ' in printed and '1 calls to warm up, 3 timed' in printed


def test_onnx_beside_pytorch(tmp_path, capsys):
    pytest.importorskip('onnx')
    from mmscd.deployment import DepthGraph, ExportOptions, export, load_network

    path = tmp_path / 'depth.onnx'
    graph = DepthGraph(load_network(CONFIG)[1])
    path.write_bytes(export(graph, 'onnx', ExportOptions((96, 64)), {}))
    benchmark_inference.main(
        [CONFIG, '--size', '96x64', '--batch', '1', '4', '--repeats', '2', '--warmup', '0',
         '--onnx', str(path)]
    )  # fmt: skip
    printed = capsys.readouterr().out
    assert len(re.findall(r'\| onnxruntime +\|', printed)) == 1, 'the file takes one image only'
    assert 'does not take 4 x 3 x 64 x 96' in printed


def test_mistakes():
    for arguments, words in (
        ([CONFIG, '--size', '100x64'], 'multiples of 32'),
        ([CONFIG, '--onnx', 'no.onnx'], 'there is no file no.onnx'),
        ([CONFIG, 'no.pth'], 'no.pth does not exist'),
    ):
        with pytest.raises(SystemExit, match=words):
            benchmark_inference.main(arguments)
    with pytest.raises(SystemExit):
        benchmark_inference.main([CONFIG, '--repeats', '0'])

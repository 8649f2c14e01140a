"""The benchmark times what it says, in the order it says."""

import json

import pytest

from mmscd.deployment.benchmark import summarise, time_calls
from tools.analysis_tools import benchmark_inference

CONFIG = 'configs/monodepth2/monodepth2_r18_kitti-mini.py'


def test_calls_are_warmed_up_synchronised_and_timed_one_by_one():
    events = []
    seconds = time_calls(
        lambda: events.append('call'), lambda: events.append('sync'), warmup=2, repeats=3
    )
    assert events == ['call', 'call', *['sync', 'call', 'sync'] * 3]
    assert len(seconds) == 3 and all(s >= 0 for s in seconds)


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
    assert [row['batch'] for row in content['rows']] == [1, 2]
    for row in content['rows']:
        assert row['engine'] == 'PyTorch'
        assert 0 < row['p50_ms'] <= row['p90_ms'] <= row['p95_ms'] <= row['p99_ms']
        assert row['images_per_second'] == pytest.approx(row['batch'] * 1000 / row['mean_ms'])
        assert row['memory_mib'] > 50
    printed = capsys.readouterr().out
    assert '96x64, float32, ' in printed and '1 calls to warm up, 3 timed' in printed


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
    assert printed.count('| onnxruntime |') == 1, 'the file takes one image only'
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

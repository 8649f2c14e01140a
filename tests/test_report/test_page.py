"""The report of a training: its log, its charts, its page, and the tool that puts them together."""

import json
import re
from html.parser import HTMLParser
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from mmengine.config import Config

from mmscd.report import make_report as making
from mmscd.report.page import Report, Shot, build_page, smooth, summary_sentence, verdict
from mmscd.report.robustness import read_comparison
from mmscd.report.robustness import verdict as describe_gain
from mmscd.report.training_log import read_training_log
from tools.analysis_tools import make_report as tool

METRICS = dict(sq_rel=1.0, rmse=5.0, rmse_log=0.3, delta1=0.7, delta2=0.9, delta3=0.95)


def make_row(name, key, abs_rel, **values):
    return dict(METRICS, name=name, key=key, abs_rel=abs_rel, n_images=28, n_empty=0, **values)


ROWS = [
    make_row('model', 'model', 0.181),
    make_row('flat road, cap 20 m', 'flat_road', 0.3312),
    make_row('flat road, cap 30 m', 'flat_road', 0.42),
    make_row('mean depth map', 'mean_depth_map', 0.3099),
    make_row('constant depth', 'constant', 0.47),
]


def make_start(work_dir, stamp, steps, begin='10:00:00', end='10:30:00', **validation):
    folder = work_dir / stamp / 'vis_data'
    folder.mkdir(parents=True)
    rows = [dict(loss=1 / step, time=2.0, iter=step, step=step) for step in steps]
    rows += [
        dict(abs_rel=value, constant_abs_rel=0.5, best_flat_road_abs_rel=0.35, step=int(step[1:]))
        for step, value in validation.items()
    ]
    text = ''.join(json.dumps(row) + '\n' for row in rows)
    (folder / 'scalars.json').write_text(text + '{"loss": 0.1, "st')
    log = f'2026/01/02 {begin} - mmengine - INFO - \n    CUDA available: False\n'
    (folder.parent / f'{stamp}.log').write_text(log + f'2026/01/02 {end} - mmengine - INFO - x\n')


@pytest.fixture
def work_dir(tmp_path):
    make_start(tmp_path, '20260102_100000', [20, 40, 60, 80], i40=0.4)
    # resumed from iteration 40; a test in the same folder logs no loss and is no start
    make_start(tmp_path, '20260102_110000', [60, 80, 100], '11:00:00', '11:15:00', i80=0.3)
    make_start(tmp_path, '20260102_120000', [], i0=0.9)
    return tmp_path


def make_shot(badge='', value=90):
    picture = np.full((24, 32, 3), value, np.uint8)
    return Shot(cv2.imencode('.jpg', picture)[1].tobytes(), 'abs_rel 0.1', 'a<b.jpg', badge)


class Links(HTMLParser):
    """Collects what a page would load or run."""

    def __init__(self):
        super().__init__()
        self.found, self.tags = [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.found += [value for key, value in attributes if key in ('src', 'href', 'srcset')]


def test_log_is_joined_over_starts(work_dir):
    log = read_training_log(work_dir)
    assert [step for step, _ in log.loss] == [20, 40, 60, 80, 100]
    assert log.validation == [(40, 0.4), (80, 0.3)]
    assert log.references == dict(constant=0.5, best_flat_road=0.35)
    assert (log.last_iteration, log.starts, log.device) == (100, 2, 'CPU')
    assert log.seconds == (30 + 15) * 60 and log.begun == '2026/01/02 10:00:00'


def test_a_new_beginning_replaces_the_old_training(work_dir):
    make_start(work_dir, '20260103_100000', [20, 40])
    log = read_training_log(work_dir)
    assert [step for step, _ in log.loss] == [20, 40]
    assert (log.validation, log.starts, log.seconds) == ([], 1, 1800)


def test_no_log(tmp_path):
    assert read_training_log(tmp_path) is None
    assert read_training_log(tmp_path / 'nowhere') is None


def test_smoothing():
    values = np.random.default_rng(0).normal(size=40)
    expected = []
    for i in range(40):
        weights = np.exp(-0.5 * ((np.arange(40) - i) / 2) ** 2) * (abs(np.arange(40) - i) <= 6)
        expected.append((weights * values).sum() / weights.sum())
    assert smooth(values, 2) == pytest.approx(expected)
    assert smooth([4.0]) == [4.0]


def test_sentences():
    assert summary_sentence(ROWS) == (
        'abs_rel 0.181 on 28 held-out frames; mean depth map 0.31, best flat road 0.33, '
        'constant depth 0.47.'
    )
    assert '42 % less error' in verdict(ROWS) and 'mean depth map' in verdict(ROWS)
    assert 'no better' in verdict([make_row('model', 'model', 0.4), ROWS[3]])
    assert verdict(ROWS[:1]) == ''
    with pytest.raises(ValueError, match='model'):
        summary_sentence(ROWS[1:])


def test_page_stands_alone(work_dir):
    shots = [make_shot('best'), make_shot('worst', 200)]
    facts, commands = [('Config', 'a&b.py')], [('Train', "python x.py 'a<b'")]
    log = read_training_log(work_dir)
    page = build_page(Report('A <b> run', ROWS, 'kitti', log, shots, facts, commands, ['Note 1']))
    links = Links()
    links.feed(page)
    assert len(links.found) == 2
    assert all(link.startswith('data:image/jpeg;base64,') for link in links.found)
    assert not {'script', 'link', 'iframe'} & set(links.tags) and 'url(' not in page
    assert not re.search(r'https?://|@import', page)
    assert links.tags.count('svg') == 2 and links.tags.count('img') == 2
    for part in ('A &lt;b&gt; run', 'a&amp;b.py', 'a&lt;b.jpg', 'Note 1', '45 min', '0.310'):
        assert part in page
    assert page.count('<tr') == 1 + len(ROWS)
    # 5.000 is the best rmse of all rows; numbers are compared, not their texts
    rows = [make_row('model', 'model', 0.1), make_row('other', 'constant', 0.2)]
    rows[0]['rmse'] = 10.0
    assert '<td class="best">5.000</td>' in build_page(Report('x', rows, 'kitti'))


def test_names_from_outside_are_escaped(work_dir):
    bad = '<script>alert("1")</script>'
    rows = [dict(row, name=bad) for row in ROWS]
    log = read_training_log(work_dir)
    log.references, log.device = {bad: 0.3}, bad
    shots = [Shot(make_shot().picture, bad, bad, 'best')]
    page = build_page(Report(bad, rows, bad, log, shots, [(bad, bad)], [(bad, bad)], [bad]))
    links = Links()
    links.feed(page)
    assert 'script' not in links.tags and page.count('&lt;script&gt;') >= 15
    # inside of an attribute, too
    assert 'alt="image, depth and error: &lt;script&gt;alert(&#34;1&#34;)' in page


def test_page_without_log_says_so():
    page = build_page(Report('x', ROWS, 'kitti'))
    assert 'no training log' in page and '<svg' not in page and '<img' not in page
    with pytest.raises(ValueError, match='neither JPEG nor PNG'):
        build_page(Report('x', ROWS, 'kitti', shots=[Shot(b'GIF89a', 'a')]))


def test_chosen_images():
    errors = [0.3, 0.2, None, 0.1, 0.5, 0.4, 0.6, 0.35]
    images = [dict(abs_rel=error, sample_idx=i) for i, error in enumerate(errors)]
    chosen = [(badge, image['sample_idx']) for badge, image in making.choose_images(images, 4)]
    assert chosen == [('best', 3), ('worst', 6), ('', 1), ('', 5)]
    assert len(making.choose_images(images, 50)) == 7
    assert [badge for badge, _ in making.choose_images(images[:1], 6)] == ['best']


@pytest.mark.parametrize('has_log', [True, False])
def test_tool_writes_the_page(work_dir, tmp_path, monkeypatch, has_log):
    def evaluate(cfg, checkpoint, folder):
        assert checkpoint == 'run/best_abs_rel_iter_60.pth'
        (folder / 'pictures').mkdir()
        images = []
        for i, error in enumerate([0.3, 0.1, 0.2]):
            (folder / 'pictures' / f'{i:05d}_x.jpg').write_bytes(make_shot(value=50 * i).picture)
            images.append(dict(sample_idx=i, img_path=f'/r/drive/data/{i}.png', abs_rel=error))
        return dict(rows=ROWS, protocol='kitti'), images

    monkeypatch.setattr(making, 'evaluate', evaluate)
    config = tmp_path / 'tiny.py'
    data = dict(batch_size=2, dataset=dict(type='Tiny', ann_file='a.txt'))
    config.write_text(
        f'train_dataloader = val_dataloader = test_dataloader = {data}\n'
        "train_cfg = dict(max_iters=200)\nroot = '{{$TINY_ROOT:data}}'\n"
    )
    monkeypatch.setenv('TINY_ROOT', '/my data')
    out = tmp_path / 'out' / 'report.html'
    (tmp_path / 'empty').mkdir()
    words = [
        '--config',
        str(config),
        '--work-dir',
        str(work_dir if has_log else tmp_path / 'empty'),
    ]
    words += ['--checkpoint', 'run/best_abs_rel_iter_60.pth', '--out', str(out)]
    words += ['--title', 'Tiny --run', '--cfg-options', 'model.a=3']
    with pytest.raises(SystemExit, match='^error: there is no work dir /nosuch: give that of a'):
        tool.main([*words, '--work-dir', '/nosuch'])
    tool.main(words)
    page = out.read_text()
    assert page.count('data:image/jpeg;base64,') == 3
    assert page.index('>best<') < page.index('abs_rel 0.100') < page.index('>worst<')
    assert 'drive/1.png' in page and 'TINY_ROOT=&#39;/my data&#39; \\\npython' in page
    assert ' \\\n    --title &#39;Tiny --run&#39; \\\n' in page and 'model.a=3' in page
    assert ('100 iterations of batch 2, 45 min' in page) is has_log
    assert ('iteration 100 of 200' in page) is has_log
    assert ('no training log' in page) is not has_log
    assert 'a little too good' in page
    assert [p.name for p in out.parent.iterdir()] == ['report.html']
    with pytest.raises(SystemExit, match='--images must be at least 2'):
        tool.main([*words, '--images', '1'])


def test_the_metric_is_found():
    metric = dict(type='mmscd.DepthMetric')
    cfg = Config(dict(test_evaluator=[dict(type='Other'), metric]))
    assert making.find_depth_metric(cfg) is cfg.test_evaluator[1]
    for evaluator in (dict(type='Other'), None):
        with pytest.raises(ValueError, match='no DepthMetric'):
            making.find_depth_metric(Config(dict(test_evaluator=evaluator)))
    assert (
        making.list_notes(
            'a.pth',
            SimpleNamespace(get=lambda key, default=None: default, test_dataloader=None),
            None,
        )
        == []
    )


def write_benchmark(folder, baseline='base'):
    """What test_robustness.py leaves, for a baseline whose DEE goes from 0.2 to 0.4 and a model
    that goes from 0.21 to 0.25."""
    folder.mkdir(parents=True)
    models = {}
    for name, clean, corrupt in (('base', 0.2, 0.4), ('<scd>', 0.21, 0.25)):
        rows = {
            'clean': dict(abs_rel=clean / 2, delta1=0.7, dee=clean),
            'fog': dict(abs_rel=corrupt / 2, delta1=0.6, dee=corrupt),
            'dark': dict(abs_rel=corrupt / 2 + 0.1, delta1=0.6, dee=corrupt),
        }
        summary = dict(clean_dee=clean, mean_dee=corrupt, mce=None, mrr=80.0)
        models[name] = dict(summary=summary, corruptions=rows, passes=[])
    settings = dict(
        n_images=24, protocol='robodepth', severities=[3], metric='crop x', baseline=baseline
    )
    changes = {'clean abs_rel': 1.05, 'excess': -0.15, 'excess share': 0.25, 'fog': 0.625}
    paired = [
        dict(variant='<scd>', measure=k, change=v, low=v - 0.1, high=v + 0.1, verdict='better')
        for k, v in changes.items()
    ]
    content = dict(settings=settings, models=models, paired=paired if baseline == 'base' else [])
    (folder / 'summary.json').write_text(json.dumps(content))
    (folder / 'dee.svg').write_text('<svg/>')
    (folder / 'examples.png').write_bytes(b'\x89PNG')


def test_comparison_on_corrupted_images(tmp_path):
    write_benchmark(tmp_path / 'r')
    comparison = read_comparison(tmp_path / 'r')
    assert comparison.models['base']['abs_rel'] == pytest.approx(0.25)
    assert describe_gain(comparison) == (
        '<scd> beside base, with 95 % intervals over images: clean abs_rel 1.050 times (0.950 to '
        '1.150: better), excess share 0.250 times (0.150 to 0.350: better).'
    )
    page = build_page(Report('x', ROWS, 'kitti', robustness=comparison))
    assert '&lt;scd&gt;' in page and '<scd>' not in page
    assert 'src="data:image/svg+xml;base64,PHN2Zy8+"' in page
    assert '<td class="best">0.250</td>' in page
    assert '2 corruptions (fog, dark)' in page
    comparison.paired[2].update(change=None, low=None, high=None, verdict='undefined')
    assert describe_gain(comparison).endswith('better), excess share undefined.')


def test_comparison_with_a_published_baseline_or_unfinished(tmp_path):
    write_benchmark(tmp_path / 'r', baseline='published')
    assert describe_gain(read_comparison(tmp_path / 'r')) == ''
    (tmp_path / 'r' / 'dee.svg').unlink()
    with pytest.raises(FileNotFoundError, match=r'dee.svg is missing: run test_robustness'):
        read_comparison(tmp_path / 'r')

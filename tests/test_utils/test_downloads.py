"""Downloads are whole and checked, against a server of our own."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mmscd.utils import downloads

BODY = bytes(range(256)) * 64
DIGEST = hashlib.sha256(BODY).hexdigest()[:8]


class Handler(BaseHTTPRequestHandler):
    """Answers with `BODY`; `torn` paths break off halfway, and go on where a client asks for it."""

    asked: list = []

    def do_GET(self):
        start = int(self.headers.get('Range', 'bytes=0-')[6:-1])
        Handler.asked.append(start)
        body = BODY[start:]
        self.send_response(206 if start else 200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        if 'torn' in self.path and not start:
            body = body[: len(body) // 2]
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    Handler.asked = []
    instance = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    threading.Thread(target=instance.serve_forever, daemon=True).start()
    yield f'http://127.0.0.1:{instance.server_port}'
    instance.shutdown()
    instance.server_close()


def test_once_and_whole(server):
    path = downloads.download(f'{server}/net-{DIGEST}.pth?x=1')
    assert path.read_bytes() == BODY and path.name == f'net-{DIGEST}.pth'
    downloads.download(f'{server}/net-{DIGEST}.pth')
    assert Handler.asked == [0]


def test_a_broken_transfer_goes_on_where_it_broke_off(server):
    path = downloads.download(f'{server}/torn-{DIGEST}.pth')
    assert path.read_bytes() == BODY
    assert Handler.asked == [0, len(BODY) // 2]
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_another_hash_is_refused_and_leaves_nothing(server, tmp_path):
    with pytest.raises(OSError, match=f'begins with {DIGEST}, its name says 01234567'):
        downloads.download(f'{server}/net-01234567.pth')
    assert not list((tmp_path / 'hub/checkpoints').iterdir())


def test_no_network_names_url_and_place(monkeypatch, tmp_path):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    with pytest.raises(OSError) as caught:
        downloads.download('http://127.0.0.1:9/net.pth')
    text = str(caught.value)
    assert 'http://127.0.0.1:9/net.pth' in text and str(downloads.cached_path('x/net.pth')) in text

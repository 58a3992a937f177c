"""A stand-in for huggingface.co on this machine: it answers huggingface_hub, and waits in the middle on demand."""

import contextlib
import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "7f6b584d0bd3f55c4531f14ba3d4761b2bccdc0f"


class Hub:
    """Files by "repository/resolve/revision/path".

    Attributes:
        files: what it has.
        asked: (method, path, first byte) of every request.
        hold: while cleared, a file's second half is not sent.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, str, int]] = []
        self.hold = threading.Event()
        self.hold.set()
        self.address = ""


@contextmanager
def running_hub() -> Iterator[Hub]:
    """The stand-in, at ``address``."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        hub.hold.set()
        server.shutdown()
        server.server_close()


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, with_body: bool) -> None:
            match = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
            first = int(match[1]) if match else 0
            hub.asked.append((self.command, self.path, first))
            content = hub.files.get(self.path.strip("/"))
            if content is None:
                self.send_response(404)
                self.send_header("X-Error-Code", "EntryNotFound")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206 if match else 200)
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(len(content) - first))
            if match:
                self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
            self.end_headers()
            if with_body:
                with contextlib.suppress(OSError):  # who asked has gone
                    self._send(content, first)

        def _send(self, content: bytes, first: int) -> None:
            half = len(content) // 2
            if not hub.hold.is_set() and first < half:
                self.wfile.write(content[first:half])
                self.wfile.flush()
                hub.hold.wait(20)
                first = half
            self.wfile.write(content[first:])

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name is http.server's
            pass

    return Handler

"""A web server in a namespace: certificates by hash and URL, and an OCSP responder (Section 3.6, RFC 6960)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.interop.lab import in_namespace

Answer = Callable[[bytes], bytes]


class Web:
    """Serves objects by their path, and answers what is posted, on the loopback address of a namespace."""

    def __init__(
        self, namespace: str, objects: Mapping[str, bytes], answer: Answer | None = None, *, port: int = 0
    ) -> None:
        self.asked: list[str] = []
        """Paths, in order."""
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.asked.append(self.path)
                body = objects.get(self.path)
                self._say(200 if body is not None else 404, body or b"", "application/octet-stream")

            def do_POST(self) -> None:
                web.asked.append(self.path)
                request = self.rfile.read(int(self.headers["Content-Length"]))
                body = answer(request) if answer is not None else b""
                self._say(200, body, "application/ocsp-response")

            def _say(self, status: int, body: bytes, kind: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = in_namespace(namespace, lambda: ThreadingHTTPServer(("127.0.0.1", port), Handler))
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

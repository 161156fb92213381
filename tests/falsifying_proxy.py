"""An HTTP proxy that forges: it stands before a node and lies as a test wishes.

Invariants: it listens on a free loopback port from construction until close(); a request goes on
with its method, path, body and the header fields that tests need; each answer passes `forge`.
"""

from __future__ import annotations

import http.client
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

_PASSED_ON = ("Authorization", "Idempotency-Key", "Accept", "User-Agent")
Forge = Callable[[str, bytes], bytes]


class FalsifyingProxy:
    """Stands before `upstream_port`. `drops`: header fields that do not go on."""

    def __init__(
        self,
        upstream_port: int,
        *,
        forge: Forge = lambda _path, body: body,
        drops: tuple[str, ...] = (),
    ) -> None:
        passed_on = [name for name in _PASSED_ON if name not in drops]

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except ConnectionError:
                    self.close_connection = True

            def do_GET(self) -> None:
                self._pass_on()

            def do_POST(self) -> None:
                self._pass_on()

            def do_PATCH(self) -> None:
                self._pass_on()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def _pass_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {n: self.headers[n] for n in passed_on if n in self.headers}
                upstream = http.client.HTTPConnection("127.0.0.1", upstream_port, timeout=30)
                upstream.request(self.command, self.path, body or None, headers)
                answer = upstream.getresponse()
                forged = forge(self.path, answer.read())
                upstream.close()
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.headers.get("Content-Type", ""))
                self.send_header("Content-Length", str(len(forged)))
                self.end_headers()
                self.wfile.write(forged)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where the proxy listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

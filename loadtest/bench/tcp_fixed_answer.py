"""The ceiling of P4: a uvloop Protocol that answers whatever comes with the same bytes.

`python -m loadtest.bench.tcp_fixed_answer ANSWER` prints the port it listens on at 127.0.0.1.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import uvloop


class FixedAnswer(asyncio.Protocol):
    """One connection; each piece of data is taken for a request."""

    answer = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep the transport."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer at once."""
        self._transport.write(self.answer)


async def serve(answer: bytes) -> None:
    """Serve until killed."""
    FixedAnswer.answer = answer
    server = await asyncio.get_running_loop().create_server(FixedAnswer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1]).read_bytes()[4:]))

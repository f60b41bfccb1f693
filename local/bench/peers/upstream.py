"""BigCommerce and SeQura in one: each call is answered after so many milliseconds.

`python upstream.py PORT MILLISECONDS ORDER`: ORDER is the file of the order that is read.
"""

import asyncio
import sys
from pathlib import Path

_HEAD = (
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    "X-Rate-Limit-Requests-Left: 50000\r\nX-Rate-Limit-Requests-Quota: 50000\r\n"
    "X-Rate-Limit-Time-Window-Ms: 30000\r\nX-Rate-Limit-Time-Reset-Ms: 30000\r\n"
    "Content-Length: {}\r\n\r\n"
)


def _response(body: bytes) -> bytes:
    return _HEAD.format(len(body)).encode() + body


class Upstream:
    """The three calls of a changed order."""

    def __init__(self, seconds: float, order: bytes) -> None:
        self._seconds = seconds
        self._order, self._refunds = _response(order), _response(b'{"data": [], "meta": {}}')
        self._updated = _response(b"{}")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection, one after the other."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                _, _, length = head.partition(b"content-length:")
                if length:
                    await reader.readexactly(int(length.split(b"\r\n", 1)[0]))
                await asyncio.sleep(self._seconds)
                writer.write(self._answer(head))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _answer(self, head: bytes) -> bytes:
        if not head.startswith(b"get "):
            return self._updated
        return self._refunds if b"/refunds" in head.split(b"\r\n", 1)[0] else self._order


async def _main(port: int, milliseconds: float, order: bytes) -> None:
    upstream = Upstream(milliseconds / 1000, order)
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3]).read_bytes()))

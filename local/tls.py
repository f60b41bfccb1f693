"""A TLS proxy for one machine: https outside, plain http with X-Forwarded headers inside.

    python -m local.tls --port 8443 --upstream 8000 --certificate app.pem

One request per connection: the head is rewritten, everything else passes through unread.
"""

import argparse
import asyncio
import contextlib
import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

OURS = (b"connection:", b"x-forwarded-proto:", b"x-forwarded-host:", b"x-forwarded-for:")


def make_certificate(folder: Path, names: list[str]) -> Path:
    """A self-signed certificate with its key, in one file; made once per folder."""
    path = folder / "app.pem"
    if path.exists():
        return path
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    loopback = x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))
    alternatives = [*(x509.DNSName(name) for name in names), loopback]
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    path.chmod(0o600)
    return path


def forwarded(head: bytes, peer: str) -> bytes:
    """The head as the app gets it: what the client claims about proxies is kept to the left."""
    first, *lines = head.rstrip(b"\r\n").split(b"\r\n")
    claimed = [line.split(b":", 1)[1] for line in lines if line.lower().startswith(OURS[3])]
    host = next(
        (line.split(b":", 1)[1] for line in lines if line.lower().startswith(b"host:")), b""
    )
    kept = [line for line in lines if not line.lower().startswith(OURS)]
    chain = b", ".join([*(entry.strip() for entry in claimed), peer.encode()])
    added = [
        b"X-Forwarded-For: " + chain,
        b"X-Forwarded-Proto: https",
        b"X-Forwarded-Host:" + host,
        b"Connection: close",
    ]
    return b"\r\n".join([first, *kept, *added, b"", b""])


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    with contextlib.suppress(ConnectionError, ssl.SSLError, RuntimeError):
        writer.close()


async def serve(port: int, upstream: int, certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            head = await reader.readuntil(b"\r\n\r\n")
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", upstream)
            inner_writer.write(forwarded(head, writer.get_extra_info("peername")[0]))
            upload = asyncio.create_task(pump(reader, inner_writer))
            await pump(inner_reader, writer)
            upload.cancel()
            inner_writer.close()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", port, ssl=context)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream", type=int, required=True)
    parser.add_argument("--certificate", type=Path, required=True)
    options = parser.parse_args()
    asyncio.run(serve(options.port, options.upstream, options.certificate))

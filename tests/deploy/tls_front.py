"""Puts TLS before a server: what the tests run where S3 shall have its own name and certificate.

Environment: ``CERTIFICATE`` and ``KEY``, both PEM; ``SERVER``, an address with a port. Each connection is passed on as
it comes; the head of its first request is printed.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import tempfile


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what arrives until it ends."""
    while content := await reader.read(65536):
        writer.write(content)
        await writer.drain()
    writer.close()


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Connect a client with the server."""
    server, _, port = os.environ["SERVER"].rpartition(":")
    from_server, to_server = await asyncio.open_connection(server, int(port))
    head = await reader.readuntil(b"\r\n\r\n")
    print(head.decode(), flush=True)
    to_server.write(head)
    await asyncio.gather(carry(reader, to_server), carry(from_server, writer))


async def serve() -> None:
    """Listen on HTTPS's port for ever."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with tempfile.NamedTemporaryFile("w") as chain:
        chain.write(os.environ["CERTIFICATE"] + os.environ["KEY"])
        chain.flush()
        context.load_cert_chain(chain.name)
    server = await asyncio.start_server(pass_on, port=443, ssl=context)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())

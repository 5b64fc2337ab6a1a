"""Forwards ports, as `ssh -L` does: python tunnel.py LISTEN_HOST:PORT=TARGET_HOST:PORT …"""

import asyncio
import contextlib
import sys


async def _copy(reader, writer):
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.close()


async def _forward(listen, target):
    async def accept(reader, writer):
        try:
            there, back = await asyncio.open_connection(*target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_copy(reader, back), _copy(there, writer))

    async with await asyncio.start_server(accept, *listen) as server:
        await server.serve_forever()


async def _forward_all(pairs):
    parsed = ([end.split(":") for end in pair.split("=")] for pair in pairs)
    await asyncio.gather(*(_forward(listen, target) for listen, target in parsed))


if __name__ == "__main__":
    asyncio.run(_forward_all(sys.argv[1:]))

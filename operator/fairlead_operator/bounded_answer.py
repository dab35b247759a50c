"""An answer that comes in pieces, of which no more is read than there is room for."""

from collections.abc import AsyncIterable


async def read_bounded(pieces: AsyncIterable[bytes], most: int) -> bytes | None:
    """Put the pieces together; return None for an answer that is longer than so many bytes."""
    content = bytearray()
    async for piece in pieces:
        content += piece
        if len(content) > most:
            return None
    return bytes(content)

"""What a page sends, no more of it than is taken."""

from __future__ import annotations

from fastapi import HTTPException, Request


async def read_body(request: Request, most_bytes: int) -> bytes:
    """The body of a request; reading stops where it is too large, whatever its header said.

    Raises:
        HTTPException: 413, more than `most_bytes`.
    """
    parts, size = [], 0
    # Without the connection there is no way to go on sending.
    too_large = HTTPException(413, f"At most {most_bytes:,} bytes are taken.", {"connection": "close"})
    if int(request.headers.get("content-length", "0")) > most_bytes:
        raise too_large
    async for part in request.stream():
        size += len(part)
        if size > most_bytes:
            raise too_large
        parts.append(part)
    return b"".join(parts)

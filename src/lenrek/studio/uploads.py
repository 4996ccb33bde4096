"""What a page sends, no more of it than is taken."""

from __future__ import annotations

from fastapi import HTTPException, Request

DRAINED = 4  # times what is taken: so much is read and dropped, since who still sends may never see the answer


async def read_body(request: Request, most_bytes: int) -> bytes:
    """The body of a request; never more than `most_bytes` of it is kept, whatever its header said.

    Raises:
        HTTPException: 413, more than `most_bytes`. Of far more the rest is not read, and the connection is closed.
    """
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > DRAINED * most_bytes:
            break
        if size <= most_bytes:
            parts.append(part)
    if size > most_bytes:
        raise HTTPException(413, f"At most {most_bytes:,} bytes are taken.", {"connection": "close"})
    return b"".join(parts)

# SPDX-License-Identifier: BSD-2-Clause
"""The exception of the package; the extension module raises it."""


class Error(Exception):
    """What went wrong, as the library says it.

    status   a sluice.Status
    where    file, URL or option that it is about; may be ""
    offset   byte offset in `where`, or None
    message  what was found and what was expected
    """

    def __init__(self, status: int, where: str, offset: "int | None", message: str):
        from . import Status
        self.status = Status(status)
        self.where = where
        self.offset = offset
        self.message = message
        super().__init__(status, where, offset, message)  # what pickle keeps

    def __str__(self) -> str:
        parts = [self.where] if self.where else []
        if self.offset is not None:
            parts.append(f"offset {self.offset}")
        return ": ".join([*parts, self.message])

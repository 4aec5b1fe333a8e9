"""A file inside of a JSON object: `{"tarfile": …, "binary_data": "<base64>"}`, decoded as it comes. Pure.

Clients send 1.3 GB in one string. No JSON reader hands out part of a string, so this one does, for one field of the
object; all around it is kept, small as it must be, and left to the JSON reader.
"""

import binascii
import json

FIELD = "binary_data"
MOST_AROUND = 64 * 1024
"""Bytes of the object without the file."""

_KEY = json.dumps(FIELD).encode()
_QUOTE, _BACKSLASH, _COMMA, _COLON = b'"\\,:'
_OPEN, _CLOSED = b"{[", b"}]"
_FROM_URLSAFE = bytes.maketrans(b"-_", b"+/")
_GROUP = 4
"""Characters that stand for three bytes."""


class Malformed(ValueError):
    """What comes is not such an object; the message says what is wrong."""


class BinaryData:
    """Reads one object. `around`: what stands in it beside the file, with an empty text in its place."""

    def __init__(self) -> None:
        self.around = bytearray()
        self.came = False
        """Whether any of the file has come."""

        self._depth = 0
        self._in_file = self._in_string = self._escaped = self._is_key = False
        self._key = b""
        self._key_from = 0
        self._rest = b""
        self._padded = False

    def feed(self, chunk: bytes) -> bytes:
        """What follows of the object; returns what it adds to the file. Raises Malformed."""
        file, at = [], 0
        while at < len(chunk):
            if self._in_file:
                end = chunk.find(b'"', at)
                file.append(self._decoded(chunk[at:] if end < 0 else chunk[at:end], last=end >= 0))
                at = len(chunk) if end < 0 else end
                self._in_file = end < 0
                self._in_string = not self._in_file  # the quote that ends it is read with what is around
            else:
                at = self._around(chunk, at)
        found = b"".join(file)
        self.came = self.came or bool(found)
        return found

    def _around(self, chunk: bytes, at: int) -> int:
        """Take in bytes up to where the file begins, or to the end; returns where that is."""
        while at < len(chunk):
            byte = chunk[at]
            at += 1
            self.around.append(byte)
            if len(self.around) > MOST_AROUND:
                raise Malformed(f"the body has more than {MOST_AROUND} bytes beside its field {FIELD}")
            if self._in_string:
                self._within(byte)
            elif byte == _QUOTE and self._begins():
                return at
            else:
                self._between(byte)
        return at

    def _begins(self) -> bool:
        """Whether the text that begins here is the file."""
        if self._depth != 1 or self._is_key or self._key != _KEY:
            return False
        if self.came or self._padded:
            raise Malformed(f"{FIELD} stands more than once")
        self._in_file = True
        return True

    def _within(self, byte: int) -> None:
        if self._escaped or byte == _BACKSLASH:
            self._escaped = not self._escaped
        elif byte == _QUOTE:
            self._in_string = False
            if self._is_key:
                self._key = bytes(self.around[self._key_from :])

    def _between(self, byte: int) -> None:
        if byte == _QUOTE:
            self._in_string, self._key_from = True, len(self.around) - 1
        elif byte in _OPEN:
            self._depth += 1
            self._is_key = self._depth == 1 and byte == _OPEN[0]
        elif byte in _CLOSED:
            self._depth -= 1
        elif self._depth == 1 and byte in (_COMMA, _COLON):
            self._is_key = byte == _COMMA

    def _decoded(self, text: bytes, *, last: bool) -> bytes:
        text = self._rest + text.translate(_FROM_URLSAFE)
        if b"\\" in text:
            text = text.replace(b"\\/", b"/")  # as some write it; the halves of one may come apart
        usable = len(text) - (not last and text.endswith(b"\\"))
        whole = usable if last else usable - usable % _GROUP
        self._rest = text[whole:]
        if whole and self._padded:
            raise Malformed(f"{FIELD} goes on after the end of its base64")
        self._padded = self._padded or b"=" in text[:whole]
        try:
            return binascii.a2b_base64(text[:whole], strict_mode=True) if whole else b""
        except binascii.Error as error:
            raise Malformed(f"{FIELD} is not base64: {str(error).lower()}") from None

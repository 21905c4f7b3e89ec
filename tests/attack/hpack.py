"""HPACK (RFC 7541), as much as the attacks need: plain literals out, everything in."""

# Huffman codes by length in bits (appendix B). They are canonical: consecutive within a length,
# in the order of the symbols. Longer codes are for bytes that no header of the server has.
HUFFMAN = {
    5: b"012aceiost",
    6: b" %-./3456789=A_bdfghlmnpru",
    7: b":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz",
    8: b"&*,;XZ",
    10: b'!"()?',
    11: b"'+|",
    12: b"#>",
    13: b"\0$@[]~",
    14: b"^}",
    15: b"<`{",
    19: b"\\\xc3\xd0",
}
# Of longer texts only the length matters here.
LONGEST_DECODED = 65536
# Appendix A.
STATIC_TABLE = [
    (":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"),
    (":path", "/index.html"), (":scheme", "http"), (":scheme", "https"),
    *((":status", status) for status in ("200", "204", "206", "304", "400", "404", "500")),
    ("accept-charset", ""), ("accept-encoding", "gzip, deflate"),
    *((name, "") for name in (
        "accept-language", "accept-ranges", "accept", "access-control-allow-origin", "age",
        "allow", "authorization", "cache-control", "content-disposition", "content-encoding",
        "content-language", "content-length", "content-location", "content-range",
        "content-type", "cookie", "date", "etag", "expect", "expires", "from", "host",
        "if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since",
        "last-modified", "link", "location", "max-forwards", "proxy-authenticate",
        "proxy-authorization", "range", "referer", "refresh", "retry-after", "server",
        "set-cookie", "strict-transport-security", "transfer-encoding", "user-agent", "vary",
        "via", "www-authenticate",
    )),
]  # fmt: skip


def huffman_codes() -> dict[tuple[int, int], int]:
    codes, code, previous = {}, 0, 0
    for length, symbols in HUFFMAN.items():
        code <<= length - previous
        for symbol in symbols:
            codes[length, code] = symbol
            code += 1
        previous = length
    return codes


CODES = huffman_codes()


def huffman_decode(data: bytes) -> str:
    symbols, code, length = bytearray(), 0, 0
    for byte in data:
        for shift in range(7, -1, -1):
            code, length = code << 1 | byte >> shift & 1, length + 1
            if (symbol := CODES.get((length, code))) is not None:
                symbols.append(symbol)
                code, length = 0, 0
    return symbols.decode("latin-1")


def integer(value: int, bits: int, flags: int = 0) -> bytes:
    """An integer with a prefix of `bits` bits, below the bits `flags`."""
    limit = (1 << bits) - 1
    if value < limit:
        return bytes([flags | value])
    encoded, value = bytearray([flags | limit]), value - limit
    while value >= 128:
        encoded.append(value & 127 | 128)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def literal(name: bytes, value: bytes, first: int = 0) -> bytes:
    """A header without Huffman codes. `first` 0x40 also adds it to the dynamic table."""
    return bytes([first]) + integer(len(name), 7) + name + integer(len(value), 7) + value


def encode(fields: list[tuple[str, str]]) -> bytes:
    return b"".join(literal(name.encode(), value.encode()) for name, value in fields)


class Decoder:
    """Decodes the headers of one connection, in order."""

    def __init__(self) -> None:
        self.dynamic: list[tuple[str, str]] = []
        self.capacity = 4096

    def decode(self, block: bytes) -> list[tuple[str, str]]:
        self.block, self.at = block, 0
        fields = []
        while self.at < len(block):
            first = block[self.at]
            if first & 0x80:
                fields.append(self.entry(self.read_integer(7)))
            elif first & 0xE0 == 0x20:
                self.capacity = self.read_integer(5)
                self.evict()
            else:
                is_added = bool(first & 0x40)
                index = self.read_integer(6 if is_added else 4)
                name = self.entry(index)[0] if index else self.read_string()
                fields.append((name, self.read_string()))
                if is_added:
                    self.dynamic.insert(0, fields[-1])
                    self.evict()
        return fields

    def entry(self, index: int) -> tuple[str, str]:
        is_static = index <= len(STATIC_TABLE)
        return STATIC_TABLE[index - 1] if is_static else self.dynamic[index - len(STATIC_TABLE) - 1]

    def evict(self) -> None:
        size = lambda: sum(len(name) + len(value) + 32 for name, value in self.dynamic)  # noqa: E731
        while size() > self.capacity:
            self.dynamic.pop()

    def read_integer(self, bits: int) -> int:
        limit = (1 << bits) - 1
        value, self.at = self.block[self.at] & limit, self.at + 1
        shift = 0
        while value >= limit:
            byte, self.at = self.block[self.at], self.at + 1
            value += (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        return value

    def read_string(self) -> str:
        is_huffman = bool(self.block[self.at] & 0x80)
        length = self.read_integer(7)
        data, self.at = self.block[self.at : self.at + length], self.at + length
        if length > LONGEST_DECODED:
            return "?" * length
        return huffman_decode(data) if is_huffman else data.decode("latin-1")

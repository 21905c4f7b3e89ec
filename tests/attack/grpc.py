"""gRPC by hand: protobuf fields, the message prefix, and unary calls."""

import struct

import http2

SERVICE = "/inference.GRPCInferenceService"
HEADERS = {"content-type": "application/grpc", "te": "trailers"}
LONGEST_MESSAGE = 8192
OK, INVALID_ARGUMENT, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED = 0, 3, 4, 8
UNIMPLEMENTED, INTERNAL, UNAVAILABLE = 12, 13, 14


def varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= 128:
        encoded.append(value & 127 | 128)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def field(number: int, data: bytes) -> bytes:
    """A field with a length: text, bytes, a message, or packed numbers."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def tensor(name: str, datatype: str, shape: list[int], more: bytes = b"") -> bytes:
    """`InferInputTensor`."""
    sizes = b"".join(map(varint, shape))
    return field(1, name.encode()) + field(2, datatype.encode()) + field(3, sizes) + more


def infer(*fields: bytes) -> bytes:
    """`ModelInferRequest` for the model, with further fields."""
    return field(1, b"digits") + b"".join(fields)


def infer_pixels(count: int) -> bytes:
    """A correct request with `count` blank pictures."""
    return infer(field(5, tensor("image", "UINT8", [count, 784])), field(7, bytes(784 * count)))


def message(data: bytes, is_compressed: bool = False) -> bytes:
    """A message with its prefix."""
    return struct.pack(">BI", is_compressed, len(data)) + data


def call(
    port: int,
    body: bytes,
    method: str = "ModelInfer",
    headers: dict[str, str] | None = None,
    timeout: float = 10,
    service: str = SERVICE,
) -> int | str:
    """The status code of a unary call whose body has its prefix already, or why there is none."""
    fields = {**HEADERS, **(headers or {})}
    stream = http2.exchange(port, "POST", f"{service}/{method}", body, fields, timeout)
    return code(stream)


def code(stream: http2.Stream | str) -> int | str:
    if isinstance(stream, str):
        return stream
    # Clients reject larger headers, as a protocol error.
    if len(stream.fields.get("grpc-message", "")) > LONGEST_MESSAGE:
        return "oversized header"
    if "grpc-status" in stream.fields:
        return int(stream.fields["grpc-status"])
    outcome = stream.outcome()
    return f"HTTP {outcome}" if isinstance(outcome, int) else outcome


def name(status: int | str) -> str:
    """A status code as the table shows it."""
    return f"grpc {status}" if isinstance(status, int) else status

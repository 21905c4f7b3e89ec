"""Requests within the limit of a body whose content or answer would take far more memory."""

import json
import random
from collections.abc import Callable

import grpc
import http1
import pictures
from trial import REJECTED, REJECTED_GRPC, Timer, Trial, at_once, attack

INFER = "/v2/models/digits/infer"
BODY = (16 << 20) - 4096
# A rejection is decided while a body is read or right after.
QUICK_SECONDS = 4.0


def post(trial: Trial, path: str, body: bytes, headers: dict[str, str] | None = None) -> int | str:
    port = trial.server.http
    return http1.outcome(port, http1.request("POST", path, port, body, headers), 20)


def expect_quick(trial: Trial, timer: Timer, what: str) -> None:
    seconds = timer.seconds()
    is_quick = seconds < QUICK_SECONDS * trial.patience
    trial.expect(is_quick, f"{what}: four of them were answered in {seconds:.1f} s")


def rejected(trial: Trial, what: str, path: str, body: bytes, **headers: str) -> None:
    """Sends a body four times at once, which must be rejected each time, and quickly."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}

    def send() -> None:
        trial.expect_in(post(trial, path, body, fields), REJECTED, what)

    timer = Timer()
    at_once([send] * 4)
    expect_quick(trial, timer, what)


def rejected_by_grpc(trial: Trial, what: str, message: bytes) -> None:
    """The same for a message over gRPC."""

    def send() -> None:
        status = grpc.call(trial.server.grpc, grpc.message(message), timeout=20)
        trial.expect_in(grpc.name(status), REJECTED_GRPC, what)

    timer = Timer()
    at_once([send] * 4)
    expect_quick(trial, timer, what)


def repeat_to_limit(part: bytes, size: int = BODY) -> bytes:
    return part * (size // len(part))


def binary(inputs: dict, data: bytes, **more: object) -> tuple[bytes, str]:
    """A body with one binary tensor, and the value of its Inference-Header-Content-Length."""
    parameters = {"binary_data_size": len(data)}
    head = json.dumps({"inputs": [{**inputs, "parameters": parameters}], **more}).encode()
    return head + data, str(len(head))


IMAGE = {"name": "image", "datatype": "UINT8"}
ONE_IMAGE = {**IMAGE, "shape": [1, 784], "data": [0] * 784}
LENGTH = "Inference_Header_Content_Length"


@attack()
def outputs_repeated_json(trial: Trial) -> None:
    """1,024 pictures whose output `logits` is requested 60,000 times: a 2 MB body, 6 GB of answer.

    The server must reject it. An old one built the answer and was killed for its memory.
    """
    outputs = [{"name": "logits"}] * 60_000
    body, length = binary({**IMAGE, "shape": [1024, 784]}, bytes(1024 * 784), outputs=outputs)
    rejected(trial, "repeated outputs", INFER, body, **{LENGTH: length})


@attack()
def outputs_repeated_grpc(trial: Trial) -> None:
    """The same over gRPC, and with binary outputs.

    The server must reject it. An old one built the answer and was killed for its memory.
    """
    outputs = grpc.field(6, grpc.field(1, b"logits")) * 60_000
    rejected_by_grpc(trial, "repeated outputs", grpc.infer_pixels(1024) + outputs)


@attack()
def answers_never_read(trial: Trial) -> None:
    """16 connections ask 40 times each for the results of 1,000 pictures and read nothing.

    The server must stop reading further requests. An old one kept the answers in memory.
    """
    port = trial.server.http
    body, length = binary({**IMAGE, "shape": [1000, 784]}, bytes(784_000))
    headers = {"Inference-Header-Content-Length": length}
    request = http1.request("POST", INFER, port, body, headers)

    def send() -> None:
        with http1.Connection(port, 2) as client:
            is_sent = all(client.send(request) for _ in range(40))
            trial.count("all sent" if is_sent else "stopped reading")

    at_once([send] * 16)


@attack()
def many_tiny_pictures(trial: Trial) -> None:
    """880,000 bitmaps of 15 bytes in one tensor: binary, Base64, for TensorFlow, and over gRPC.

    The server must reject them before it decodes any. An old one took gigabytes and a minute.
    """
    tensor = {"name": "picture", "datatype": "BYTES"}
    data = pictures.bytes_tensor([pictures.tiny_pbm()]) * 880_000
    body, length = binary({**tensor, "shape": [880_000]}, data)
    rejected(trial, "binary tensor", INFER, body, **{LENGTH: length})
    files = b'"",' * (BODY // 3 - 100)
    count = BODY // 3 - 99
    head = json.dumps({"inputs": [{**tensor, "shape": [count], "data": []}]}).encode()
    rejected(trial, "Base64", INFER, head[:-4] + files + b'""]}]}')
    instances = b'{"instances":[' + b'{"b64":""},' * (BODY // 11 - 10) + b'{"b64":""}]}'
    rejected(trial, "instances", "/v1/models/digits:predict", instances)
    raw = grpc.field(5, grpc.tensor("picture", "BYTES", [880_000])) + grpc.field(7, data)
    rejected_by_grpc(trial, "raw contents", grpc.infer(raw))
    contents = grpc.field(5, b"\x42\x00" * 8_000_000)
    many = grpc.tensor("picture", "BYTES", [8_000_000], contents)
    rejected_by_grpc(trial, "contents", grpc.infer(grpc.field(5, many)))


@attack()
def empty_protobuf_messages(trial: Trial) -> None:
    """8 million empty inputs, outputs, raw contents or parameters in 16 MB, two bytes each.

    The server must reject them while it counts. An old one made a structure of up to 176 bytes of
    each and reached gigabytes.
    """
    for what, tag in (("inputs", 0x2A), ("outputs", 0x32), ("raw contents", 0x3A)):
        message = grpc.infer(repeat_to_limit(bytes([tag, 0])))
        rejected_by_grpc(trial, f"empty {what}", message)
    keys = b"".join(grpc.field(4, grpc.field(1, b"%07d" % key)) for key in range(1_000_000))
    rejected_by_grpc(trial, "parameters", grpc.infer(keys))
    rejected_by_grpc(trial, "parameters of an input", grpc.infer(grpc.field(5, keys)))


@attack()
def numbers_of_one_byte_in_protobuf(trial: Trial) -> None:
    """A shape of 16 million sizes, and as many INT64 contents: a byte each becomes eight.

    The server must reject them. An old one took 8 times the body for each such request.
    """
    packed = bytes(BODY - 1000)
    shape = grpc.field(1, b"image") + grpc.field(2, b"UINT8") + grpc.field(3, packed)
    rejected_by_grpc(trial, "shape", grpc.infer(grpc.field(5, shape)))
    contents = grpc.tensor("image", "UINT8", [1, 784], grpc.field(5, grpc.field(5, packed)))
    rejected_by_grpc(trial, "INT64 contents", grpc.infer(grpc.field(5, contents)))


def json_bodies() -> dict[str, Callable[[], bytes]]:
    """Large and deep JSON documents. Each is made when it is sent: together they are 150 MB."""
    image = json.dumps(ONE_IMAGE).encode()
    start, end = b'{"inputs":[' + image + b'],"parameters":', b"}"

    def keys() -> bytes:
        pairs = b",".join(b'"%07d":0' % key for key in range(1_000_000))
        return start + b"{" + pairs + b"}" + end

    def listed(part: bytes) -> bytes:
        return start + b'{"a":[' + repeat_to_limit(part + b",", BODY - 4000) + part + b"]}" + end

    def data(part: bytes, name: bytes) -> bytes:
        numbers = repeat_to_limit(part + b",", BODY - 4000) + part
        return b'{"inputs":[{"name":"image","datatype":"FP32","%s":[%s]}]}' % (name, numbers)

    return {
        "a million parameters": keys,
        "deep arrays": lambda: start + b'{"a":' + b"[" * (BODY - 4000),
        "deep objects": lambda: start + repeat_to_limit(b'{"a":', BODY - 4000),
        "deep data": lambda: b'{"inputs":[{"name":"image","data":' + b"[" * (BODY - 4000),
        "deep instances": lambda: b'{"instances":' + b"[" * (BODY - 4000),
        "empty arrays": lambda: listed(b"[]"),
        "empty objects": lambda: listed(b"{}"),
        "zeros": lambda: listed(b"0"),
        "8 million pixels": lambda: data(b"0", b'shape":[1,784],"data'),
        "8 million sizes": lambda: data(b"0", b"shape"),
        "empty rows": lambda: data(b"[]", b'shape":[1,784],"data'),
        "unknown fields": lambda: b'{"inputs":[],"x":[' + repeat_to_limit(b"{},", BODY) + b"0]}",
        "empty inputs": lambda: b'{"inputs":[' + repeat_to_limit(b"{},", BODY) + b"{}]}",
    }


@attack()
def large_and_deep_json(trial: Trial) -> None:
    """16 MB of parameters, nested arrays and objects, pixels, or sizes in JSON, four at a time.

    The server must reject them, or ignore what it does not know, with bounded memory. An old one
    took 1.5 GB for a list of empty objects.
    """
    allowed = [200, *REJECTED]
    for what, make in json_bodies().items():
        body = make()
        path = "/v1/models/digits:predict" if what == "deep instances" else INFER

        def send() -> None:
            trial.expect_in(post(trial, path, body), allowed, what)

        at_once([send] * 4)


@attack()
def pixels_that_grow(trial: Trial) -> None:
    """10,000 valid pictures as JSON zeros, or 20,000 as UINT8, in 16 MB, eight requests at a time.

    A number takes two bytes in JSON, eight in the array and the picture; a UINT8 pixel becomes four
    bytes. The server must charge that before it parses, and reject more pictures than its queue
    holds. An old one charged twice the body for the numbers and nothing for the pictures.
    """
    count = (BODY - 4000) // (2 * 784)
    numbers = b"0," * (count * 784 - 1) + b"0"
    text = b'{"inputs":[{"name":"image","datatype":"FP32","shape":[%d,784],"data":[%s]}]}'
    rows = b"[" + b"0," * 783 + b"0]"
    instances = b'{"instances":[' + (rows + b",") * (count - 1) + rows + b"]}"
    small, length = binary({**IMAGE, "shape": [20_000, 784]}, bytes(20_000 * 784))
    for path, body, headers in (
        (INFER, text % (count, numbers), {}),
        ("/v1/models/digits:predict", instances, {}),
        (INFER, small, {LENGTH: length}),
    ):

        def send() -> None:
            trial.expect_in(post(trial, path, body, headers), REJECTED, "many pixels")

        at_once([send] * 8)


@attack()
def long_texts_in_json(trial: Trial) -> None:
    """An id, or a name that is unknown, of 16 MB, four at a time.

    An id may be returned. An error message must not repeat more than a beginning of the name: each
    of its invisible characters, three bytes, takes nine there. Old messages were 50 MB long.
    """
    port = trial.server.http
    hidden = "\u200b".encode() * (BODY // 3 - 2000)
    image = json.dumps(ONE_IMAGE).encode()
    bodies = {
        "id": b'{"id":"' + hidden + b'","inputs":[' + image + b"]}",
        "output": b'{"inputs":[' + image + b'],"outputs":[{"name":"' + hidden + b'"}]}',
        "input": image.join([b'{"inputs":[', b"]}"]).replace(b'"image"', b'"' + hidden + b'"'),
        "parameter": b'{"inputs":[%s],"parameters":{"binary_data_output":"%s"}}' % (image, hidden),
    }
    for what, body in bodies.items():

        def send() -> None:
            reply = http1.exchange(port, http1.request("POST", INFER, port, body), 20)
            if isinstance(reply, str):
                return trial.expect_in(reply, [], f"long {what}")
            trial.expect_in(reply.status, [200, *REJECTED], f"long {what}")
            is_short = reply.status == 200 or len(reply.body) < 65536
            trial.expect(is_short, f"the error about a long {what} has {len(reply.body)} bytes")

        at_once([send] * 4)


@attack()
def long_texts_over_grpc(trial: Trial) -> None:
    """A model or an output with a name of 8 MB over gRPC.

    The error must arrive with its code and a short message. An old server put the whole name into
    the header `grpc-message`, and the client saw a protocol error.
    """
    name = b"x" * (8 << 20)
    one = grpc.infer_pixels(1)
    messages = {
        "model": grpc.field(1, name),
        "output": one + grpc.field(6, grpc.field(1, name)),
        "version": grpc.infer(grpc.field(2, name)),
    }
    for what, message in messages.items():
        status = grpc.name(grpc.call(trial.server.grpc, grpc.message(message)))
        allowed = [grpc.name(code) for code in (3, 5, 8, 14)]
        trial.expect_in(status, allowed, f"long {what}")


@attack()
def forms(trial: Trial) -> None:
    """Forms of a million empty fields, of one field with 16 MB of headers, and without an end.

    The server must reject them quickly, and so did the old one.
    """
    kind = {"Content_Type": "multipart/form-data; boundary=b"}
    part = b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n\r\n'
    rejected(trial, "empty fields", "/predict", repeat_to_limit(part) + b"--b--\r\n", **kind)
    headers = b"--b\r\n" + repeat_to_limit(b"X: y\r\n")
    rejected(trial, "headers of a field", "/predict", headers, **kind)
    rejected(trial, "no boundary", "/predict", bytes(BODY), **kind)
    rejected(trial, "almost boundaries", "/predict", repeat_to_limit(b"\r\n--"), **kind)


@attack()
def lengths_of_binary_tensors(trial: Trial) -> None:
    """`Inference-Header-Content-Length` and `binary_data_size` that are negative, huge, or wrong.

    The server must answer 400, and so did the old one.
    """
    body, _ = binary({**IMAGE, "shape": [1, 784]}, bytes(784))
    header = "Inference-Header-Content-Length"
    values = ["-1", "", "1e3", "0x10", str(len(body) + 1), str(2**63), str(2**64), "9" * 4000]
    for value in [*values, "0", "1", str(len(body))]:
        trial.expect_in(post(trial, INFER, body, {header: value}), [400, 431], f"{header} {value}")
    for size in (-1, 0, 783, 785, 2**31, 2**63, 2**64, 10**30, 1e300, "784", None):
        head = json.dumps({**IMAGE, "shape": [1, 784], "parameters": {"binary_data_size": size}})
        text = b'{"inputs":[' + head.encode() + b"]}"
        outcome = post(trial, INFER, text + bytes(784), {header: str(len(text))})
        trial.expect_in(outcome, [400], f"binary_data_size {size}")


@attack()
def prefixes_of_grpc_messages(trial: Trial) -> None:
    """Prefixes that announce 4 GiB, a compressed message, more than a body may have, or nothing.

    The server must answer with a code of gRPC and reserve no memory. The old one did.
    """
    huge = b"\0\xff\xff\xff\xff"
    one = grpc.message(grpc.infer_pixels(1))
    bodies = {
        "4 GiB, no data": huge,
        "4 GiB, some data": huge + bytes(1 << 20),
        "more than a body": b"\0\x01\x10\0\0" + bytes(1 << 20),
        "compressed": grpc.message(grpc.infer_pixels(1), is_compressed=True),
        "unknown flag": b"\x02" + one[1:],
        "half a prefix": b"\0\0",
        "less than announced": one[:-1],
    }
    allowed = [*REJECTED_GRPC, grpc.name(grpc.INTERNAL)]
    for what, body in bodies.items():
        trial.expect_in(grpc.name(grpc.call(trial.server.grpc, body)), allowed, what)
    for what, body in (("two messages", one * 2), ("a million messages", bytes(5 << 20))):
        status = grpc.name(grpc.call(trial.server.grpc, body))
        trial.expect_in(status, ["grpc 0", "grpc 5", *allowed], what)


@attack()
def random_protobuf(trial: Trial) -> None:
    """300 correct messages, each with some bytes changed.

    A message that is not valid must get INVALID_ARGUMENT. The old server answered INTERNAL, which
    says that the fault is the server's.
    """
    source = random.Random(1)
    fixed = [b"\xff\xff\xff", b"\x0a\xff\x01", b"\x0b", b"\x0a\x02\xff\xfe", b"\x2a\x01\x0a"]
    valid = grpc.infer_pixels(1)
    for number in range(300):
        if number < len(fixed):
            message = fixed[number]
        else:
            changed = bytearray(valid)
            for _ in range(source.randrange(1, 6)):
                changed[source.randrange(60)] = source.randrange(256)
            message = bytes(changed)
        status = grpc.name(grpc.call(trial.server.grpc, grpc.message(message)))
        allowed = ["grpc 3"] if number < len(fixed) else ["grpc 0", "grpc 3", "grpc 5"]
        trial.expect_in(status, allowed, "malformed protobuf")

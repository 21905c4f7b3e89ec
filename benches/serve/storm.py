"""Sends COUNT malformed requests to a running server.

    python storm.py HTTP_PORT GRPC_PORT PID COUNT

Each must be answered with a 4xx status and an error message. Requests that are cut off or are not
HTTP may instead have their connection closed. Afterwards the server must still answer. Prints the
counts by status and the server's memory before, halfway and after.
"""

import asyncio
import base64
import collections
import gzip
import json
import random
import sys

HTTP, GRPC, PID, COUNT = map(int, sys.argv[1:])
INFER = "/v2/models/digits/infer"
AT_ONCE = 64
random.seed(1)
pixels = [round(random.random(), 3) for _ in range(784)]


def v2(**changes):
    tensor = {"name": "image", "datatype": "FP32", "shape": [1, 784], "data": pixels}
    tensor.update(changes)
    return json.dumps({"inputs": [tensor]})


VALID = v2()


def fuzzed_json():
    text = bytearray(VALID, "utf8")
    for _ in range(random.randint(1, 20)):
        kind, at = random.randrange(3), random.randrange(len(text))
        if kind == 0:
            text[at] = random.randrange(256)
        elif kind == 1:
            del text[at : at + random.randint(1, 200)]
        else:
            text[at:at] = random.choice([b"[", b"]", b"{", b"}", b'"', b",", b"null", b"-", b"1e999"])
        if not text:
            text = bytearray(b"{")
    return INFER, {}, bytes(text)


def wrong_shape():
    shape = random.choice([[], [784], [1, 783], [2, 784], [0, 784], [-2, 784], [1, 28, 27],
                           [-1, 783], [1, 1, 784], [1, 28, 28, 2], [1, 3, 28, 28], [2**62, 784], [2**63 - 1, 28, 28]])
    return INFER, {}, v2(shape=shape).encode()


def wrong_values():
    value = random.choice(["NaN", "Infinity", "-1", "1.5", "255", "1e39", "null", "true", '"a"', "[]"])
    return INFER, {}, VALID.replace(str(pixels[random.randrange(784)]), value).encode()


def wrong_tensor():
    change = random.choice([{"name": "images"}, {"name": 3}, {"datatype": "FP64"}, {"data": None},
                            {"datatype": "UINT8"}, {"name": "picture", "datatype": "BYTES"},
                            {"data": [[1, 2], [3]]}, {"data": {}}, {"shape": "wide"}])
    return INFER, {}, v2(**change).encode()


def wrong_binary():
    size = random.choice([0, 1, 783, 785, 2**31, 2**63, -1])
    header = json.dumps({"inputs": [{"name": "image", "datatype": "UINT8", "shape": [1, 784],
                                     "parameters": {"binary_data_size": size}}]}).encode()
    length = random.choice([len(header), len(header), 10**9, 2**64, -1, 0, 5])
    body = header + random.randbytes(random.choice([0, 783, 785, 3000]))
    return INFER, {"Inference-Header-Content-Length": length}, body


def wrong_picture():
    png = b"\x89PNG\r\n\x1a\n" + random.randbytes(random.randrange(200))
    body = random.choice([
        b"", png, random.randbytes(300), b"P5 100000 100000 255\n", b"GIF89a" + random.randbytes(30),
        b"\xff\xd8\xff\xe0" + random.randbytes(100), b"BM" + random.randbytes(60),
        b"II*\0" + random.randbytes(60), b"RIFF" + random.randbytes(60),
    ])
    kind = random.choice(["predict", "v2", "v1"])
    if kind == "predict":
        return "/predict", {}, body
    text = base64.b64encode(body).decode() + random.choice(["", "?"])
    if kind == "v2":
        return INFER, {}, v2(name="picture", datatype="BYTES", shape=[1], data=[text]).encode()
    return "/v1/models/digits:predict", {}, json.dumps({"instances": [{"b64": text}]}).encode()


def wrong_instances():
    instances = random.choice([[], [1, 2], [[pixels, pixels]], [pixels[:-1]], [[[pixels]]], {}, "a",
                               [{"b64": 3}], [{"a": pixels, "b": pixels}], [pixels, [1]]])
    return "/v1/models/digits:predict", {}, json.dumps({"instances": instances}).encode()


def wrong_compression():
    packed = gzip.compress(VALID.encode(), 1)
    coding, body = random.choice([
        ("gzip", packed[: random.randrange(len(packed))]), ("gzip", VALID.encode()),
        ("deflate", packed), ("gzip", random.randbytes(200)), ("gzip", b""), ("br", packed),
        ("gzip, gzip", packed), ("gzip", gzip.compress(bytes(20 << 20), 1)),
    ])
    return random.choice(["/predict", INFER]), {"Content-Encoding": coding}, body


def wrong_text():
    body = random.choice([b"{", b'{"image": 3}', b'{"image": "?"}', b'{"a": "QQ==", "b": "QQ=="}',
                          b'""', b'"QQ=="', b"data:", b"data:,x", b"data:image/png;base64,QQ==",
                          b'{"image": [[[[[1]]]]]}', b'{"image": null}', b"data:;base64,\xff"])
    return "/predict" + random.choice(["", "?many=true", "?model=x", "?version=9"]), {}, body


def wrong_repository():
    path = random.choice(["/v2/repository/index", "/v2/repository/models/digits/load",
                          "/v2/repository/models/%2e%2e/unload", "/v2/repository/models//load",
                          "/v1/models/digits/labels/none:predict", "/v1/models/:predict",
                          "/v2/models/digits/versions/01/infer", "/v2/models/%ff/infer"])
    return path, {}, random.choice([b"[]", b"{", b'{"ready": 3}', b"\xff", b"[" * 3000])


def huge_length():
    return random.choice(["/predict", INFER]), {"Content-Length": random.choice([10**9, 10**18, 2**63])}, b"x"


def wrong_path():
    return random.choice(["/v2/models/letters/infer", "/v2/models/digits/versions/9/infer", "/v3",
                          "/v1/models/digits:regress", "/%00", "/" + "a" * 3000]), {}, b"{}"


KINDS = [fuzzed_json, wrong_shape, wrong_values, wrong_tensor, wrong_binary, wrong_picture,
         wrong_instances, wrong_compression, wrong_text, wrong_repository, huge_length, wrong_path]
# Every n-th request is one of these, each on its own connection.
RARE = {"cut off": 20, "no HTTP": 41, "to gRPC": 43, "slow body": 1009}

counts = collections.Counter()
problems = []


def request(path, headers, body):
    fields = {"Host": "localhost", "Content-Length": len(body), **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body


async def reply(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
    body = await reader.readexactly(int(fields.get(b"content-length", 0)))
    return status, body, fields.get(b"connection") == b"close"


def judge(name, sent, status, body):
    if name == "fuzzed_json" and status == 200:
        counts[name, "200, still valid"] += 1
        return
    counts[name, status] += 1
    if not 400 <= status < 500:
        problems.append((name, status, body[:200], sent[:300]))
    elif not (body and json.loads(body).get("error")):
        problems.append((name, status, "no reason", sent[:300]))


async def alone(name):
    """A request on its own connection, which may be cut off at any point."""
    port = GRPC if name == "to gRPC" else HTTP
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    valid = request(INFER, {}, VALID.encode())
    if name == "cut off":
        writer.write(valid[: random.randrange(len(valid))])
    elif name == "slow body":
        writer.write(valid[:-1])
    elif name == "to gRPC":
        preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        writer.write(random.choice([b"", preface]) + random.randbytes(200))
    else:
        writer.write(random.randbytes(200) + b"\r\n\r\n")
    outcome = "closed"
    try:
        await writer.drain()
        if name == "cut off":
            writer.close()
        else:
            if name != "slow body":
                writer.write_eof()
            answer = await asyncio.wait_for(reader.read(), 60)
            if answer.startswith(b"HTTP/1.1 "):
                outcome = int(answer.split(b" ", 2)[1])
                if not 400 <= outcome < 500:
                    problems.append((name, outcome, answer[:200], b""))
    except asyncio.TimeoutError:
        problems.append((name, "not cut off", b"", b""))
    except OSError:
        pass  # the server closed the connection while the request was being sent
    counts[name, outcome] += 1
    writer.close()


async def worker(numbers):
    connection = None
    for number in numbers:
        rare = next((name for name, every in reversed(RARE.items()) if number % every == 0), None)
        if rare:
            await alone(rare)
            continue
        make = random.choice(KINDS)
        sent = request(*make())
        for attempt in range(2):
            try:
                if connection is None:
                    connection = await asyncio.open_connection("127.0.0.1", HTTP)
                reader, writer = connection
                writer.write(sent)
                await writer.drain()
                status, body, closes = await reply(reader)
                judge(make.__name__, sent, status, body)
                if closes:
                    writer.close()
                    connection = None
                break
            except (ConnectionError, asyncio.IncompleteReadError) as error:
                # The server may have closed the connection after the previous response: retry once.
                connection = None
                if attempt:
                    problems.append((make.__name__, repr(error), b"", sent[:300]))


def memory():
    with open(f"/proc/{PID}/status") as status:
        fields = dict(line.split(":", 1) for line in status)
    return int(fields["VmRSS"].split()[0]) / 1024


async def main():
    before = memory()
    numbers = iter(range(COUNT))
    halfway = []

    def taken():
        for number in numbers:
            if number == COUNT // 2:
                halfway.append(memory())
            yield number

    shared = taken()
    await asyncio.gather(*(worker(shared) for _ in range(AT_ONCE)))
    reader, writer = await asyncio.open_connection("127.0.0.1", HTTP)
    writer.write(request(INFER, {}, VALID.encode()))
    status, _, _ = await reply(reader)
    if status != 200:
        problems.append(("afterwards", status, b"", b""))
    statuses = collections.Counter()
    for (_, status), count in counts.items():
        statuses[str(status)] += count
    print(json.dumps({
        "requests": sum(counts.values()),
        "statuses": dict(statuses.most_common()),
        "problems": len(problems),
        "memory_mib": {"before": round(before, 1), "halfway": round(halfway[0], 1),
                       "after": round(memory(), 1)},
    }))
    for problem in problems[:10]:
        print(*problem, file=sys.stderr)
    sys.exit(bool(problems))


asyncio.run(main())

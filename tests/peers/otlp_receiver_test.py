#!/usr/bin/env python3
"""The OTLP receiver must refuse what it should: every way in which a trace can be broken, over both protocols.

    otlp_receiver_test.py
"""

import gzip
import pathlib
import signal
import subprocess
import sys
import unittest
import urllib.error
import urllib.request

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

import otlp_trace

STAGES = ["one", "two", "three"]
WAIT_SECONDS = 30
A, B = b"A" * 16, b"B" * 16


def span(name, number, parent=0, trace=A, links=(), start=1, end=2):
    made = trace_service_pb2.ExportTraceServiceRequest().resource_spans.add().scope_spans.add().spans.add()
    made.trace_id, made.span_id, made.name = trace, number.to_bytes(8, "big"), name
    made.parent_span_id = parent.to_bytes(8, "big") if parent else b""
    made.start_time_unix_nano, made.end_time_unix_nano = start, end
    for other_trace, other in links:
        made.links.add(trace_id=other_trace, span_id=other.to_bytes(8, "big"))
    return made


def request(spans, service="product"):
    made = trace_service_pb2.ExportTraceServiceRequest()
    resource_spans = made.resource_spans.add()
    resource_spans.resource.attributes.add(key="service.name").value.string_value = service
    resource_spans.scope_spans.add().spans.extend(spans)
    return made


BATCH = span("batch", 9, trace=B, links=[(A, 3)])
WHOLE = [span("one", 1), span("two", 2, 1), span("three", 3, 2), BATCH]


def judged(spans):
    kept = otlp_trace.Spans(STAGES, ["batch"], "product")
    kept.add(request(spans))
    return kept


class Judgement(unittest.TestCase):
    def test_whole(self):
        between = [span("one", 1), span("x", 7, 1), span("two", 2, 7), span("y", 8, 1), span("three", 3, 2), BATCH]
        late = list(reversed(WHOLE))
        twice = WHOLE + WHOLE
        for spans in (WHOLE, between, late, twice):
            with self.subTest([s.name for s in spans]):
                kept = judged(spans)
                self.assertEqual(kept.whole(), [A])
                self.assertEqual((kept.refused, kept.lost()), ([], []))
        self.assertEqual(judged(twice).count, 4)

    def test_not_whole(self):
        cases = {
            "no spans of a trace but the batch": [BATCH],
            "no span named 'two'": [span("one", 1), span("three", 3, 1), BATCH],
            "2 roots": [span("one", 1), span("two", 2), span("three", 3, 2), BATCH],
            "0 roots": [span("one", 1, 3), span("two", 2, 1), span("three", 3, 2), BATCH],
            "never came": [span("one", 1), span("two", 2, 5), span("three", 3, 2), BATCH],
            "circle": [*WHOLE, span("x", 5, 6), span("y", 6, 5)],
            "'three' descends from 'two' from 'one'": [span("one", 1), span("three", 3, 1), span("two", 2, 3), BATCH],
            "descends": [span("one", 1), span("two", 2, 1), span("three", 3, 1), BATCH],
            "link": [*WHOLE[:3], span("batch", 9, trace=B)],
            "link ": [*WHOLE[:3], span("batch", 9, trace=B, links=[(A, 2)])],
            "link from": [*WHOLE[:3], span("batch", 9, trace=B, links=[(B, 3)])],
            " link": [*WHOLE[:3], span("other", 9, trace=B, links=[(A, 3)])],
        }
        for problem, spans in cases.items():
            with self.subTest(problem):
                kept = judged(spans)
                self.assertEqual(kept.whole(), [])
                if A in kept.traces:
                    self.assertIn(problem.strip(), "; ".join(kept.problems(A)))

    def test_a_chain_over_two_traces_is_none(self):
        kept = judged([span("one", 1), span("two", 2, 1, trace=B), span("three", 3, 2, trace=B), BATCH])
        self.assertEqual(kept.whole(), [])
        self.assertEqual([lost.name for lost in kept.lost()], ["two"])

    def test_refused(self):
        short = span("one", 1)
        short.span_id = b"1234"
        zero = span("one", 1, trace=bytes(16))
        for bad in (short, zero, span("one", 1, start=2, end=1), span("one", 1, start=0, end=0)):
            with self.subTest(bad):
                self.assertEqual(len(judged([bad]).refused), 1)
        kept = otlp_trace.Spans(STAGES, ["batch"], "product")
        kept.add(request(WHOLE, service="other"))
        self.assertIn("'product'", kept.refused[0])

    def test_tree(self):
        self.assertEqual(
            judged(WHOLE).tree(A)[1:],
            [
                "  one  at 0.0 ms, 0.0 ms",
                "    two  at 0.0 ms, 0.0 ms",
                "      three  at 0.0 ms, 0.0 ms, linked from batch",
            ],
        )


class Receiver:
    """The receiver as a process; ends with the block."""

    def __init__(self, protocol, *options):
        program = pathlib.Path(__file__).with_name("otlp_receiver.py")
        self.process = subprocess.Popen(
            [sys.executable, program, "--protocol", protocol, "--seconds", str(WAIT_SECONDS), "--complete"]
            + ["--service", "product", "--linked", "batch", *options, *STAGES],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        line = self.process.stdout.readline()
        _, listening, self.url = line.strip().partition("listening on ")
        if not listening:
            self.process.kill()
            raise AssertionError(f"no ready line but {line!r}: {self.process.communicate()[1]}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def post(self, body, path="/v1/traces", content_type="application/x-protobuf", **headers):
        headers = {"content-type": content_type} | {k.replace("_", "-"): v for k, v in headers.items()}
        try:
            with urllib.request.urlopen(
                urllib.request.Request(self.url + path, body, headers), timeout=WAIT_SECONDS
            ) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def export(self, message):
        with grpc.insecure_channel(self.url.removeprefix("grpc://")) as channel:
            trace_service_pb2_grpc.TraceServiceStub(channel).Export(message, timeout=WAIT_SECONDS)

    def verdict(self, stop=True):
        if stop:
            self.process.terminate()
        output, _ = self.process.communicate(timeout=WAIT_SECONDS)
        return self.process.returncode, output


class OverTheWire(unittest.TestCase):
    def test_http(self):
        for body, headers in (
            (request(WHOLE).SerializeToString(), {}),
            (gzip.compress(request(WHOLE).SerializeToString()), {"content_encoding": "gzip"}),
        ):
            with self.subTest(headers), Receiver("http") as receiver:
                self.assertEqual(receiver.post(body, **headers), 200)
                status, output = receiver.verdict()
                self.assertEqual(status, 0, output)
                self.assertIn("three  at 0.0 ms, 0.0 ms, linked from batch", output)

    def test_http_refusals(self):
        body = request(WHOLE).SerializeToString()
        for expected, post in (
            (400, lambda receiver: receiver.post(b"\xff\xff no protobuf")),
            (404, lambda receiver: receiver.post(body, path="/v1/logs")),
            (415, lambda receiver: receiver.post(b"{}", content_type="application/json")),
        ):
            with self.subTest(expected), Receiver("http") as receiver:
                self.assertEqual(receiver.post(body), 200)
                self.assertEqual(post(receiver), expected)
                status, output = receiver.verdict()
                self.assertEqual(status, 1, output)
                self.assertIn("refused: ", output)

    def test_grpc(self):
        with Receiver("grpc", "--until-whole") as receiver:
            receiver.export(request(WHOLE[:2]))
            receiver.export(request(WHOLE[2:]))
            status, output = receiver.verdict(stop=False)
            self.assertEqual(status, 0, output)

    def test_a_signal_is_waited_for_not_handled(self):
        """One that is handled may come when the main thread has looked for the last time: it sleeps on to the end."""
        for protocol in ("http", "grpc"):
            with self.subTest(protocol), Receiver(protocol) as receiver:
                status = pathlib.Path(f"/proc/{receiver.process.pid}/status").read_text()
                (caught,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")]
                self.assertFalse(int(caught, 16) >> signal.SIGTERM - 1 & 1, caught)

    def test_what_is_missing_is_said(self):
        for protocol in ("http", "grpc"):
            for spans, complaint in (
                ([], "no whole trace"),
                (WHOLE[:3], "link"),
                ([*WHOLE, span("x", 5, 6, trace=b"C" * 16)], "lost: the parent of 'x'"),
            ):
                with self.subTest(protocol=protocol, complaint=complaint), Receiver(protocol) as receiver:
                    message = request(spans)
                    receiver.export(message) if protocol == "grpc" else receiver.post(message.SerializeToString())
                    status, output = receiver.verdict()
                    self.assertEqual(status, 1, output)
                    self.assertIn(complaint, output)


if __name__ == "__main__":
    unittest.main()

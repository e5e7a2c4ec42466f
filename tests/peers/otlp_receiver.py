#!/usr/bin/env python3
"""An OTLP collector over HTTP, written against the public protocol (PyPI opentelemetry-proto) and nothing of
ours, that finds one whole trace.

    otlp_receiver.py [--listen 127.0.0.1:4318] [--seconds 600] [--until-whole] [--linked NAME]... STAGE...

Takes POST /v1/traces (protobuf, optionally gzip) until it is told to stop (SIGTERM, SIGINT, or POST /stop) or
the time is up; with --until-whole only until one trace is whole. Then it looks for one trace

- that holds a span of every STAGE by name,
- in which the parent of every span is a span of the same trace, up to one root, so that no hand-over through
  the database broke the chain, and
- for each --linked NAME, that a span of that name, in whatever trace, links to one of its spans (a batch
  links to its members).

Prints the trace as a tree and ends with 0; or prints for the best trace what is missing and ends with 1.
Wrong usage ends with 2. The line "listening on http://…" on standard output says that it is ready.
"""

import argparse
import gzip
import http.server
import signal
import sys
import threading
import time

try:
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
except ImportError:
    sys.exit("opentelemetry-proto is not installed: pip install opentelemetry-proto")

BODY_BYTES_MAX = 16 * 1024 * 1024
SPANS_MAX = 1_000_000


class Spans:
    """All spans so far, by trace. Every method may be called by any thread."""

    def __init__(self, stages, linked):
        self.stages = stages
        self.linked = linked
        self.changed = threading.Condition()
        self.traces = {}
        self.links = {}
        self.count = 0
        self.refused = []

    def add(self, request):
        with self.changed:
            for resource_spans in request.resource_spans:
                for scope_spans in resource_spans.scope_spans:
                    for span in scope_spans.spans:
                        self.keep(span)
            self.changed.notify_all()

    def keep(self, span):
        if self.count >= SPANS_MAX:
            raise OverflowError(f"more than {SPANS_MAX} spans")
        if len(span.trace_id) != 16 or len(span.span_id) != 8:
            self.refused.append(f"{span.name}: ids of the wrong length")
            return
        if span.end_time_unix_nano < span.start_time_unix_nano:
            self.refused.append(f"{span.name}: ends before it starts")
        self.count += 1
        self.traces.setdefault(span.trace_id, {})[span.span_id] = span
        if span.name in self.linked:
            for link in span.links:
                self.links.setdefault(link.trace_id, set()).add((span.name, link.span_id))

    def missing(self, trace_id):
        """What this trace lacks to be whole; an empty list when it is."""
        spans = self.traces[trace_id]
        names = {span.name for span in spans.values()}
        problems = [f"no span named {stage!r}" for stage in self.stages if stage not in names]
        roots = [span for span in spans.values() if not span.parent_span_id]
        if len(roots) != 1:
            problems.append(f"{len(roots)} roots instead of one")
        for span in spans.values():
            if span.parent_span_id and span.parent_span_id not in spans:
                problems.append(f"the parent of {span.name!r} ({span.parent_span_id.hex()}) never came")
        if not problems and len(reachable(roots[0], spans)) != len(spans):
            problems.append("parents form a circle")
        for name in self.linked:
            targets = {span_id for link, span_id in self.links.get(trace_id, ()) if link == name}
            if not targets & spans.keys():
                problems.append(f"no span named {name!r} links to it")
        return problems

    def whole(self):
        """A whole trace, or None."""
        return next((trace for trace in self.traces if not self.missing(trace)), None)

    def best(self):
        """The trace that has most of the stages and, among those, the fewest problems."""

        def rank(trace):
            names = {span.name for span in self.traces[trace].values()}
            return len(names & set(self.stages)), -len(self.missing(trace))

        return max(self.traces, key=rank, default=None)


def children_of(spans):
    children = {}
    for span in sorted(spans.values(), key=lambda span: span.start_time_unix_nano):
        children.setdefault(span.parent_span_id, []).append(span)
    return children


def reachable(root, spans):
    children, seen, waiting = children_of(spans), set(), [root]
    while waiting:
        span = waiting.pop()
        if span.span_id not in seen:
            seen.add(span.span_id)
            waiting.extend(children.get(span.span_id, ()))
    return seen


def show(trace_id, spans):
    print(f"trace {trace_id.hex()}, {len(spans)} spans")
    children = children_of(spans)
    start = min(span.start_time_unix_nano for span in spans.values())
    tops = [span for span in spans.values() if span.parent_span_id not in spans]
    shown, waiting = set(), [(span, 1) for span in tops]
    while waiting:
        span, depth = waiting.pop()
        if span.span_id in shown:
            continue
        shown.add(span.span_id)
        begin = (span.start_time_unix_nano - start) / 1e6
        took = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e6
        links = f", {len(span.links)} links" if span.links else ""
        print(f"{'  ' * depth}{span.name}  at {begin:.1f} ms, {took:.1f} ms{links}")
        waiting.extend((child, depth + 1) for child in reversed(children.get(span.span_id, [])))


def handler(spans, stop):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def do_POST(self):
            length = int(self.headers.get("content-length", "-1"))
            if not 0 <= length <= BODY_BYTES_MAX:
                self.close_connection = True
                return self.answer(413)
            body = self.rfile.read(length)
            if self.path == "/stop":
                stop.set()
                with spans.changed:
                    spans.changed.notify_all()
                return self.answer(200)
            if self.path != "/v1/traces":
                return self.answer(404)
            if self.headers.get("content-type", "") != "application/x-protobuf":
                return self.answer(415)
            try:
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                spans.add(trace_service_pb2.ExportTraceServiceRequest.FromString(body))
            except Exception as error:  # whatever it is, it is the sender's fault and must be seen
                print(f"refused a request: {error}", file=sys.stderr)
                spans.refused.append(str(error))
                return self.answer(400)
            answer = trace_service_pb2.ExportTraceServiceResponse().SerializeToString()
            return self.answer(200, answer)

        def answer(self, status, body=b""):
            self.send_response(status)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    return Handler


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], epilog="See the head of this file for what a whole trace is."
    )
    parser.add_argument("--listen", default="127.0.0.1:4318", metavar="ADDR", help="port 0 picks a free one")
    parser.add_argument("--seconds", type=float, default=600, metavar="N", help="wait at most this long")
    parser.add_argument("--until-whole", action="store_true", help="end as soon as one trace is whole")
    parser.add_argument("--linked", action="append", default=[], metavar="NAME", help="a span that must link to it")
    parser.add_argument("stages", nargs="+", metavar="STAGE", help="the name of a span that must be in it")
    return parser.parse_args()


def main():
    options = arguments()
    host, _, port = options.listen.rpartition(":")
    spans, stop = Spans(options.stages, options.linked), threading.Event()
    server = http.server.ThreadingHTTPServer((host, int(port)), handler(spans, stop))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    print(f"listening on http://{host}:{server.server_address[1]}", flush=True)

    until = time.monotonic() + options.seconds
    with spans.changed:
        # At most a second at a time: a signal sets `stop` without a notification.
        while not stop.is_set() and time.monotonic() < until:
            if options.until_whole and spans.whole() is not None:
                break
            spans.changed.wait(min(1.0, max(0.0, until - time.monotonic())))
        whole = spans.whole()
        print(f"{spans.count} spans in {len(spans.traces)} traces")
        if spans.refused:
            print(f"refused: {spans.refused[:5]}")
            return 1
        if whole is not None:
            show(whole, spans.traces[whole])
            return 0
        best = spans.best()
        if best is not None:
            show(best, spans.traces[best])
            print("\n".join(f"missing: {problem}" for problem in spans.missing(best)[:20]))
        print("no whole trace")
        return 1


if __name__ == "__main__":
    sys.exit(main())

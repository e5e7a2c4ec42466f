#!/usr/bin/env python3
"""An OTLP collector, written against the public protocol (PyPI opentelemetry-proto, grpcio) and nothing of
ours, that finds one whole trace.

    otlp_receiver.py [--protocol http|grpc] [--listen 127.0.0.1:0] [--seconds 600] [--until-whole] [--complete]
                     [--service NAME] [--linked NAME]... STAGE...

Takes spans (HTTP: POST /v1/traces with protobuf, optionally gzip; gRPC: TraceService/Export) until it is told
to stop (SIGTERM, SIGINT) or the time is up; with --until-whole only until one trace is whole. otlp_trace.py
says what a whole trace is. With --complete no trace at all may hold a span whose parent never came: the sender
lost nothing.

Prints the trace as a tree and ends with 0; or prints for the best trace what is missing and ends with 1. A
request that it had to refuse is a failure too. Wrong usage ends with 2. The line "listening on URL" on standard
output says that it is ready; URL is what the product takes as its OTLP endpoint.
"""

import argparse
import concurrent.futures
import gzip
import http.server
import os
import signal
import sys
import threading
import time

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

import otlp_trace

BODY_BYTES_MAX = 16 * 1024 * 1024

# Blocked in all threads and waited for, never handled. A handler of Python's runs between two steps of the main
# thread: of a signal that comes when it has looked for the last time and is about to sleep, it hears on waking.
ENOUGH, CHANGED = (signal.SIGTERM, signal.SIGINT), signal.SIGUSR1


class Inbox:
    """Spans that several threads hand in."""

    def __init__(self, spans):
        self.spans, self.lock = spans, threading.Lock()

    def take(self, request):
        with self.lock:
            self.spans.add(request)
        os.kill(os.getpid(), CHANGED)

    def refuse(self, reason):
        print(f"refused a request: {reason}", file=sys.stderr)
        with self.lock:
            self.spans.refused.append(reason)

    def has_whole(self):
        with self.lock:
            return bool(self.spans.whole())


def http_handler(inbox):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def do_POST(self):
            length = int(self.headers.get("content-length", "-1"))
            if not 0 <= length <= BODY_BYTES_MAX:
                self.close_connection = True
                return self.refuse(413, f"{length} bytes")
            body = self.rfile.read(length)
            if self.path != "/v1/traces":
                return self.refuse(404, f"POST {self.path}")
            if self.headers.get("content-type", "") != "application/x-protobuf":
                return self.refuse(415, f"content-type {self.headers.get('content-type')}")
            try:
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                inbox.take(trace_service_pb2.ExportTraceServiceRequest.FromString(body))
            except Exception as error:  # whatever it is, it is the sender's fault and must be seen
                return self.refuse(400, f"{type(error).__name__}: {error}")
            self.answer(200, trace_service_pb2.ExportTraceServiceResponse().SerializeToString())

        def refuse(self, status, reason):
            inbox.refuse(reason)
            self.answer(status)

        def answer(self, status, body=b""):
            self.send_response(status)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    return Handler


class GrpcService(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self, inbox):
        self.inbox = inbox

    def Export(self, request, context):
        try:
            self.inbox.take(request)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            self.inbox.refuse(reason)
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, reason)
        return trace_service_pb2.ExportTraceServiceResponse()


def serve(protocol, host, port, inbox):
    """Starts to serve in threads that end with the process; returns the URL."""
    if protocol == "http":
        server = http.server.ThreadingHTTPServer((host, port), http_handler(inbox))
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://{host}:{server.server_address[1]}", server
    server = grpc.server(
        concurrent.futures.ThreadPoolExecutor(max_workers=4),
        # Two receivers on one port would share the spans between them.
        options=[("grpc.max_receive_message_length", BODY_BYTES_MAX), ("grpc.so_reuseport", 0)],
    )
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(GrpcService(inbox), server)
    port = server.add_insecure_port(f"{host}:{port}")
    server.start()
    # The scheme grpc: the product would take an http URL on a port that is not 4317 for HTTP.
    return f"grpc://{host}:{port}", server


def arguments():
    parser = argparse.ArgumentParser(
        description="An OTLP collector that finds one whole trace.",
        epilog="See the head of this file for what it takes and otlp_trace.py for what a whole trace is.",
    )
    parser.add_argument("--protocol", choices=("http", "grpc"), default="http")
    parser.add_argument("--listen", default="127.0.0.1:0", metavar="ADDR", help="port 0 picks a free one")
    parser.add_argument("--seconds", type=float, default=600, metavar="N", help="wait at most this long")
    parser.add_argument("--until-whole", action="store_true", help="end as soon as one trace is whole")
    parser.add_argument("--complete", action="store_true", help="no span of any trace may lack its parent")
    parser.add_argument("--service", metavar="NAME", help="the service.name that all spans must come from")
    parser.add_argument("--linked", action="append", default=[], metavar="NAME", help="a span that must link to it")
    parser.add_argument("stages", nargs="+", metavar="STAGE", help="the name of a span that must be in it")
    return parser.parse_args()


def wait(options, inbox):
    until = time.monotonic() + options.seconds
    while (left := until - time.monotonic()) > 0:
        if options.until_whole and inbox.has_whole():
            return
        came = signal.sigtimedwait([*ENOUGH, CHANGED], left)
        if came is not None and came.si_signo in ENOUGH:
            return


def judge(options, spans):
    """Prints what came; the exit status."""
    whole = spans.whole()
    print(f"{spans.count} spans in {len(spans.traces)} traces, {len(whole)} of them whole")
    failures = [f"refused: {reason}" for reason in spans.refused]
    if options.complete:
        failures += [f"lost: the parent of {span.name!r} in trace {span.trace_id.hex()}" for span in spans.lost()]
    shown = whole[0] if whole else spans.best()
    if shown is not None:
        print("\n".join(spans.tree(shown)))
    if not whole:
        failures += [f"missing: {problem}" for problem in (spans.problems(shown) if shown is not None else [])[:20]]
        failures.append("no whole trace")
    for failure in failures[:40]:
        print(failure)
    return 1 if failures else 0


def main():
    options = arguments()
    host, _, port = options.listen.rpartition(":")
    inbox = Inbox(otlp_trace.Spans(options.stages, options.linked, options.service))
    signal.pthread_sigmask(signal.SIG_BLOCK, [*ENOUGH, CHANGED])  # before any thread is there: they inherit it
    # The server must be held, or it ends.
    url, _server = serve(options.protocol, host, int(port), inbox)
    print(f"listening on {url}", flush=True)
    wait(options, inbox)
    with inbox.lock:
        return judge(options, inbox.spans)


if __name__ == "__main__":
    sys.exit(main())

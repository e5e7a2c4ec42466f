"""What a whole trace is: the judgement of the OTLP receiver, without any network.

A whole trace

- holds a chain of spans, one for every stage by name, each of which descends from the one before by parent
  ids (spans in between are allowed);
- has one root, and the parent of every span is a span of the same trace, so that no hand-over through the
  database broke it; and
- for each name in `linked`, a span of that name, in whatever trace, links to the last span of the chain (a
  batch links to its members).
"""

import collections

SPANS_MAX = 1_000_000


class Spans:
    """All spans that came so far, by trace."""

    def __init__(self, stages, linked=(), service=None):
        self.stages, self.linked, self.service = list(stages), list(linked), service
        self.traces = {}
        # (trace id, span id) -> names of the spans that link to it
        self.links = collections.defaultdict(set)
        self.count = 0
        self.refused = []

    def add(self, request):
        """Takes an ExportTraceServiceRequest; notes in `refused` what is wrong with it."""
        for resource_spans in request.resource_spans:
            self.check_service(resource_spans.resource)
            for scope_spans in resource_spans.scope_spans:
                for span in scope_spans.spans:
                    self.keep(span)

    def check_service(self, resource):
        names = [each.value.string_value for each in resource.attributes if each.key == "service.name"]
        if self.service is not None and names != [self.service]:
            self.refused.append(f"service.name is {names}, not {self.service!r}")

    def keep(self, span):
        if self.count >= SPANS_MAX:
            raise OverflowError(f"more than {SPANS_MAX} spans")
        if len(span.trace_id) != 16 or len(span.span_id) != 8 or not any(span.trace_id) or not any(span.span_id):
            self.refused.append(f"{span.name}: ids that are none")
            return
        if not 0 < span.start_time_unix_nano <= span.end_time_unix_nano:
            self.refused.append(f"{span.name}: ends before it starts, or has no times")
        spans = self.traces.setdefault(span.trace_id, {})
        if span.span_id in spans:
            # An exporter that tries again may send twice what arrived once.
            return
        self.count += 1
        spans[span.span_id] = span
        for link in span.links:
            self.links[link.trace_id, link.span_id].add(span.name)

    def chains(self, trace_id):
        """Every chain of the stages in this trace, each a list of spans from the first stage to the last."""
        spans = self.traces[trace_id]
        for span in spans.values():
            if span.name != self.stages[-1]:
                continue
            chain, wanted = [span], self.stages[-2::-1]
            for ancestor in ancestors(span, spans):
                if wanted and ancestor.name == wanted[0]:
                    chain.append(ancestor)
                    wanted = wanted[1:]
            if not wanted:
                yield chain[::-1]

    def orphans(self, trace_id):
        spans = self.traces[trace_id]
        return [span for span in spans.values() if span.parent_span_id and span.parent_span_id not in spans]

    def problems(self, trace_id):
        """What this trace lacks to be whole; an empty list when it is."""
        spans = self.traces[trace_id]
        names = {span.name for span in spans.values()}
        problems = [f"no span named {stage!r}" for stage in self.stages if stage not in names]
        roots = [span for span in spans.values() if not span.parent_span_id]
        if len(roots) != 1:
            problems.append(f"{len(roots)} roots instead of one")
        problems += [
            f"the parent of {span.name!r} ({span.parent_span_id.hex()}) never came" for span in self.orphans(trace_id)
        ]
        if not problems and len(reachable(roots[0], spans)) != len(spans):
            problems.append("parents form a circle")
        if problems:
            return problems
        chains = list(self.chains(trace_id))
        if not chains:
            return [f"no {self.stages[-1]!r} descends from " + " from ".join(map(repr, self.stages[-2::-1]))]
        linking = [self.links.get((trace_id, chain[-1].span_id), set()) for chain in chains]
        if not any(found.issuperset(self.linked) for found in linking):
            problems.append(f"to no {self.stages[-1]!r} of a chain there is a link from each of {self.linked}")
        return problems

    def whole(self):
        """All whole traces."""
        return [trace for trace in self.traces if not self.problems(trace)]

    def best(self):
        """The trace that has most of the stages and, among those, the fewest problems."""

        def rank(trace):
            names = {span.name for span in self.traces[trace].values()}
            return len(names & set(self.stages)), -len(self.problems(trace))

        return max(self.traces, key=rank, default=None)

    def lost(self):
        """Spans, in all traces, whose parent never came."""
        return [span for trace in self.traces for span in self.orphans(trace)]

    def tree(self, trace_id):
        """The trace as lines to read."""
        spans = self.traces[trace_id]
        lines = [f"trace {trace_id.hex()}, {len(spans)} spans"]
        children = children_of(spans)
        start = min(span.start_time_unix_nano for span in spans.values())
        tops = [span for span in spans.values() if span.parent_span_id not in spans]
        shown, waiting = set(), [(span, 1) for span in reversed(tops)]
        while waiting:
            span, depth = waiting.pop()
            if span.span_id in shown:
                continue
            shown.add(span.span_id)
            begin = (span.start_time_unix_nano - start) / 1e6
            took = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e6
            line = f"{'  ' * depth}{span.name}  at {begin:.1f} ms, {took:.1f} ms"
            if span.links:
                line += f", links to {len(span.links)}"
            names = self.links.get((trace_id, span.span_id))
            if names:
                line += f", linked from {', '.join(sorted(names))}"
            lines.append(line)
            waiting.extend((child, depth + 1) for child in reversed(children.get(span.span_id, [])))
        return lines


def ancestors(span, spans):
    """Parent, its parent and so on; ends at a circle too."""
    seen = {span.span_id}
    while (span := spans.get(span.parent_span_id)) is not None and span.span_id not in seen:
        seen.add(span.span_id)
        yield span


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

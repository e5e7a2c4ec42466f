"""Alert rules and the dashboard: every expression is read by Prometheus' own tool and names metrics and labels that the
program exports."""

import json
import pathlib
import re
import subprocess
import tempfile

import yaml

from manifests import label

# Labels that come from the scraping, and that of a histogram's buckets.
ADDED = {"namespace", "pod", "instance", "job", "service", "container", "endpoint", "le", "app_kubernetes_io_component"}


def expressions(overlay):
    """(where, expression), of the rules and the dashboard."""
    for each in overlay.of("PrometheusRule"):
        for group in each["spec"]["groups"]:
            for rule in group["rules"]:
                yield f"{label(each)} {rule.get('alert') or rule['record']}", rule["expr"]
    for each in overlay.of("ConfigMap"):
        if "grafana_dashboard" not in each["metadata"].get("labels", {}):
            continue
        for file, text in each["data"].items():
            for panel in json.loads(text)["panels"]:
                for target in panel.get("targets", []):
                    yield f"{label(each)} {file} “{panel['title']}”", target["expr"]


def plain(expression):
    """Without Grafana's variables, and an interval in place of its own."""
    return expression.replace("$__rate_interval", "1m").replace("$namespace", "kommuneklient")


def names(overlay, metrics):
    """Metrics and labels that the program does not export."""
    known = {}
    for metric in metrics:
        parts = ["_bucket", "_sum", "_count"] if metric["kind"] == "histogram" else [""]
        for part in parts:
            known[metric["name"] + part] = set(metric["labels"])
    for where, expression in expressions(overlay):
        text = plain(expression)
        used = re.findall(r"\b(kommuneklient_[a-z_]+|up)\b(?:\{([^}]*)\})?", text)
        if not used:
            yield f"{where}: names no metric of ours: {expression}"
        labels = set()
        for name, selector in used:
            if name not in known and name != "up":
                yield f"{where}: the program exports no {name}"
            labels |= known.get(name, set())
            for one in re.findall(r"([a-z_]+)\s*(?:=~|!~|!=|=)", selector):
                if one not in known.get(name, set()) | ADDED:
                    yield f"{where}: {name} has no label {one}"
        for clause in re.findall(r"\b(?:by|without|on)\s*\(([^)]*)\)", text):
            for one in filter(None, (part.strip() for part in clause.split(","))):
                if one not in labels | ADDED:
                    yield f"{where}: no label {one}"


def readable(overlay, promtool):
    """What promtool says to the rules, and to the dashboard's expressions as if they were rules."""
    groups = [group for each in overlay.of("PrometheusRule") for group in each["spec"]["groups"]]
    panels = [{"record": f"panel:{number}", "expr": plain(expression)}
              for number, (where, expression) in enumerate(expressions(overlay)) if where.startswith("ConfigMap")]
    if panels:
        groups = groups + [{"name": "dashboard", "rules": panels}]
    if not groups:
        return
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "rules.yaml")
        file.write_text(yaml.safe_dump({"groups": groups}))
        said = subprocess.run([promtool, "check", "rules", file], capture_output=True, text=True)
        if said.returncode:
            yield f"promtool: {(said.stdout + said.stderr).strip()[-1500:]}"


def behaviour(rules, tests, promtool):
    """Runs rules_test.yaml: given series, these alerts stand."""
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "rules.yaml").write_text(yaml.safe_dump(rules["spec"]))
        test = pathlib.Path(folder, "test.yaml")
        test.write_text(pathlib.Path(tests).read_text())
        said = subprocess.run([promtool, "test", "rules", test], capture_output=True, text=True, cwd=folder)
        if said.returncode:
            yield f"rules_test.yaml: {(said.stdout + said.stderr).strip()[-2500:]}"


def alerts(overlay, codes):
    """Each code that can call for somebody has its rule, by what the program says of its codes."""
    if not overlay.of("PrometheusRule"):
        return
    there = {rule.get("alert") for each in overlay.of("PrometheusRule")
             for group in each["spec"]["groups"] for rule in group["rules"]}
    for code in codes:
        if code["threshold"] != "never" and code["occurs"] == "here" and f"Kommuneklient{code['code']}" not in there:
            yield f"no rule for code {code['code']}"


def all_of(overlay, program, promtool):
    metrics = program.metrics()
    codes = json.loads(program.ask("codes", "--json").stdout)
    found = list(names(overlay, metrics)) + list(alerts(overlay, codes)) + list(readable(overlay, promtool))
    return [f"monitoring: {one}" for one in found]

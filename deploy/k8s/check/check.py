#!/usr/bin/env python3
"""Checks deploy/k8s without a cluster: `make check-k8s`.

    check.py [OVERLAY...]      renders each overlay with kubectl kustomize and says what is wrong

Needs what scripts/setup k8s installs below target/k8s, and a program (KOMMUNEKLIENT_PROGRAM, else
target/debug/kommuneklient). Status 0: nothing is wrong; 1: something is; 2: it could not be checked.
"""

import os
import pathlib
import re
import subprocess
import sys

import yaml

import dockerfile
import manifests
import monitoring
import program

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
TOOLS = ROOT / "target/k8s"
KUBECTL = TOOLS / "venv/bin/kubectl"
PROMTOOL = TOOLS / "prometheus/usr/bin/promtool"
NODE_MODULES = TOOLS / "js/node_modules"
PROGRAM = os.environ.get("KOMMUNEKLIENT_PROGRAM", ROOT / "target/debug/kommuneklient")
OVERLAYS = ["dev", "production"]


def render(name):
    done = subprocess.run([KUBECTL, "kustomize", HERE.parent / "overlays" / name], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"kubectl kustomize {name}: {done.stderr.strip()}")
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def documented_secrets():
    """(secret, key) that docs/kubernetes.md tells people to make: the rows of its table."""
    rows = re.findall(r"^\| `([a-z-]+)` \| `([a-z.]+)` \|", (ROOT / "docs/kubernetes.md").read_text(), re.MULTILINE)
    return frozenset(rows)


def overlay(name):
    # the dev overlay is complete in itself
    return manifests.Overlay(name, render(name), frozenset() if name == "dev" else documented_secrets())


def complaints(each, asked):
    found = manifests.schemas_of(each, NODE_MODULES, HERE / "schemas.mjs")
    found += manifests.all_of(each, asked.version())
    found += program.all_of(each, asked)
    found += monitoring.all_of(each, asked, PROMTOOL)
    for rules in each.of("PrometheusRule"):
        found += monitoring.behaviour(rules, HERE / "rules_test.yaml", PROMTOOL)
    return found


def image_files():
    """The texts that dockerfile.check() takes."""
    return [(ROOT / name).read_text() for name in ("Dockerfile", ".dockerignore", "Cargo.toml")]


def main(names):
    asked, wrong = program.Program(PROGRAM), 0
    for one in dockerfile.check(*image_files(), [overlay(name) for name in OVERLAYS]):
        print(f"Dockerfile: {one}")
        wrong += 1
    for name in names or OVERLAYS:
        each = overlay(name)
        found = complaints(each, asked)
        for one in found:
            print(f"{name}: {one}")
        wrong += len(found)
        print(f"{name}: {len(each.objects)} objects, {len(found)} complaints")
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        print(f"check-k8s: {error}", file=sys.stderr)
        sys.exit(2)

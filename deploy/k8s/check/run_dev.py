#!/usr/bin/env python3
"""Runs the dev overlay on this machine, without a cluster: each container's own command, environment and mounted files, in
the order that a cluster would come to, on a real PostgreSQL that is made with the overlay's own roles. Then somebody makes an
appointment in the simulated Exchange, and it must come to the simulated Planner.

    run_dev.py

Only addresses differ: those of services become ports of 127.0.0.1. Jaeger is left out. Status 1: something did not come about;
what the programs said is printed.
"""

import base64
import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

import check
import program

PATIENCE = 90
MAILBOX = "m0001@sim.test"
ENVELOPE = """<?xml version="1.0" encoding="utf-8"?>
<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"
 xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"><s:Header><t:RequestServerVersion Version="Exchange2013_SP1"/>
<t:ExchangeImpersonation><t:ConnectingSID><t:PrimarySmtpAddress>{mailbox}</t:PrimarySmtpAddress></t:ConnectingSID></t:ExchangeImpersonation>
</s:Header><s:Body><m:CreateItem SendMeetingInvitations="SendToNone"><m:SavedItemFolderId><t:DistinguishedFolderId Id="calendar"/>
</m:SavedItemFolderId><m:Items><t:CalendarItem><t:Subject>check</t:Subject><t:Start>{start}</t:Start><t:End>{end}</t:End>
<t:LegacyFreeBusyStatus>Busy</t:LegacyFreeBusyStatus></t:CalendarItem></m:Items></m:CreateItem></s:Body></s:Envelope>"""


class Failure(Exception):
    """What did not come about."""


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def until(what, look):
    """Looks until there is an answer; the last one tells what was seen instead."""
    end, last = time.monotonic() + PATIENCE, None
    while time.monotonic() < end:
        try:
            found, last = look()
            if found:
                return last
        except (OSError, ValueError) as error:
            last = error
        time.sleep(0.2)
    raise Failure(f"{what}: {last}")


@contextlib.contextmanager
def postgresql(folder, port, environment, roles):
    """A server of its own, made as the official image makes it: the administrator is `postgres`, then the scripts run."""
    found = shutil.which("initdb") or next(iter(sorted(map(str, pathlib.Path("/").glob("usr/lib/postgresql/*/bin/initdb")))), None)
    if found is None:
        raise Failure("there is no initdb here: scripts/setup")
    bin_folder, data = pathlib.Path(found).parent, folder / "postgresql"
    data.mkdir()
    as_user = {}
    if os.geteuid() == 0:
        shutil.chown(data, "postgres", "postgres")
        as_user = {"user": "postgres", "group": "postgres", "extra_groups": []}
    subprocess.run([bin_folder / "initdb", "-D", data / "cluster", "-U", "postgres", "-A", "trust", "--no-sync"],
                   check=True, capture_output=True, cwd="/", **as_user)
    log = open(folder / "postgresql.log", "w")
    server = subprocess.Popen(
        [bin_folder / "postgres", "-D", data / "cluster", "-p", str(port), "-k", data, "-c", "listen_addresses=127.0.0.1"],
        stdout=log, stderr=log, cwd="/", **as_user)
    try:
        until("PostgreSQL", lambda: (socket.create_connection(("127.0.0.1", port)).close() is None, "no answer"))
        (folder / "roles.sql").write_text(roles)
        made = subprocess.run(
            ["psql", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", "-f", folder / "roles.sql"],
            capture_output=True, text=True, env={"PATH": os.environ["PATH"], **environment})
        if made.returncode:
            raise Failure(f"roles.sql: {made.stderr}")
        yield
    finally:
        server.send_signal(2)
        server.wait(30)
        log.close()


def secret(overlay, name, key):
    return base64.b64decode(overlay.named("Secret", name)["data"][key]).decode()


def environment_of(overlay, container):
    found = {"PATH": os.environ["PATH"]}
    for one in container.get("env", []):
        source = one.get("valueFrom", {}).get("secretKeyRef")
        found[one["name"]] = secret(overlay, source["name"], source["key"]) if source else one["value"]
    return found


def materialised(overlay, folder, spec, container, moved):
    """What the container finds mounted, below `folder`, with addresses as they are here; its environment."""
    given, volumes = environment_of(overlay, container), {one["name"]: one for one in spec.get("volumes", [])}
    environment = dict(given)
    for mount in container.get("volumeMounts", []):
        place, volume = folder / mount["mountPath"].lstrip("/"), volumes[mount["name"]]
        place.mkdir(parents=True)
        files = {}
        if "configMap" in volume:
            files = overlay.named("ConfigMap", volume["configMap"]["name"])["data"]
        for item in volume.get("secret", {}).get("items", []):
            files[item["path"]] = secret(overlay, volume["secret"]["secretName"], item["key"])
        for name, words in files.items():
            (place / name).write_text(moved(words))
        for variable, value in given.items():
            if value.startswith(mount["mountPath"] + "/"):
                environment[variable] = str(place) + value[len(mount["mountPath"]):]
    return environment


def run(folder):
    overlay, binary = check.overlay("dev"), os.path.abspath(check.PROGRAM)
    ports = {name: free_port() for name in ("postgresql", "exchange-simulator", "planner-simulator")}

    def moved(words):
        for name, port in ports.items():
            words = re.sub(rf"\b{name}\b(:\d+)?", f"127.0.0.1:{port}", words)
        words = re.sub(r"(?m)^otlp_endpoint.*$", "", words)
        return words.replace('"0.0.0.0:8080"', '"127.0.0.1:0"')

    _, database = next(one for one in overlay.workloads() if one[0]["metadata"]["name"] == "postgresql")
    init = next(each for each in overlay.of("ConfigMap") if "roles.sql" in each["data"])["data"]["roles.sql"]
    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        enter(postgresql(folder, ports["postgresql"], environment_of(overlay, database["spec"]["containers"][0]), init))
        services, environments = {}, {}
        for name, each, spec, container in sorted(overlay.containers(), key=lambda one: one[3].get("args", [""])[0], reverse=True):
            if not overlay.is_ours(container):
                continue
            own = folder / each["metadata"]["name"]
            own.mkdir()
            environment = materialised(overlay, own, spec, container, moved)
            if container["args"][0] == "simulate":
                arguments = [one.replace("0.0.0.0:8080", f"127.0.0.1:{ports[each['metadata']['name']]}") for one in container["args"]]
                if enter(program.Started(binary, arguments, environment, own)).line is None:
                    raise Failure(f"{name} does not start")
            elif container["args"][0] == "run":
                # before the migration: a cluster starts all at once
                environments[each["metadata"]["name"]] = environment
                services[each["metadata"]["name"]] = started = enter(program.Started(binary, container["args"], environment, own))
                if started.line is None:
                    raise Failure(f"{name} does not start: {started.said()}")
            else:
                migrate = (name, container["args"], environment)
        for name, started in services.items():
            said = until(f"{name} waits for the schema", lambda: (lambda one: ("migrate" in str(one[1]), one[1]))(program.fetch(started.url() + "/health/ready")))
            print(f"{name}: {said['not_ready'][0][:60]}…")
        name, arguments, environment = migrate
        done = subprocess.run([binary, *arguments], env=environment, capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode:
            raise Failure(f"{name}: {done.stderr}")
        print(f"{name}: {len(done.stdout.splitlines())} migrations")
        for name, started in services.items():
            until(name, lambda: (lambda one: (one[0] == 200 and one[1]["settled"], one[1]))(program.fetch(started.url() + "/health/ready")))
            print(f"{name}: ready and settled")
        came = appointment(overlay, ports)
        print(f"an appointment came to Planner after {came:.2f} s")
        # kubectl exec deploy/… -- kommuneklient …
        for name, environment in environments.items():
            for command in ("status", "doctor", "mailbox list"):
                said = subprocess.run([binary, *command.split()], env=environment, capture_output=True, text=True, timeout=PATIENCE)
                if said.stderr.startswith("error: the configuration") or not said.stdout:
                    raise Failure(f"{name}: {command}: {said.stderr}{said.stdout}")
                print(f"{name}: {command}: {said.stdout.splitlines()[0]}")
    return 0


def appointment(overlay, ports):
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 3 * 86400))
    body = ENVELOPE.format(mailbox=MAILBOX, start=f"{day}T09:00:00Z", end=f"{day}T10:00:00Z").encode()
    password = secret(overlay, next(one["metadata"]["name"] for one in overlay.of("Secret") if "exchange" in one["metadata"]["name"]), "password")
    request = urllib.request.Request(f"http://127.0.0.1:{ports['exchange-simulator']}/EWS/Exchange.asmx", body, {
        "Content-Type": "text/xml; charset=utf-8", "X-AnchorMailbox": MAILBOX,
        "Authorization": "Basic " + base64.b64encode(f"svc:{password}".encode()).decode()})
    began = time.monotonic()
    with urllib.request.urlopen(request, timeout=30) as answer:
        said = answer.read().decode()
    if "NoError" not in said:
        raise Failure(f"the appointment was not made: {said[-500:]}")

    def look():
        with urllib.request.urlopen(f"http://127.0.0.1:{ports['planner-simulator']}/admin/events", timeout=30) as answer:
            held = json.load(answer)
        return MAILBOX in json.dumps(held), held

    until("the appointment in Planner", look)
    return time.monotonic() - began


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        os.chmod(made, 0o755)
        try:
            sys.exit(run(pathlib.Path(made)))
        except Failure as failure:
            print(f"run_dev: {failure}", file=sys.stderr)
            for log in pathlib.Path(made).rglob("*.log"):
                print(f"--- {log.parent.name}: {log.read_text()[-1500:]}", file=sys.stderr)
            sys.exit(1)

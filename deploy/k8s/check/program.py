"""What only the program can say: which settings and pages it has, and whether it starts with what a manifest gives it.

Every container of the product is run here with its own arguments, its own environment and the mounted configuration; what
is mounted from Secrets is made up, and the database is an address where nobody answers, which the program waits for.
"""

import json
import os
import pathlib
import queue
import re
import signal
import subprocess
import tempfile
import threading
import urllib.error
import urllib.request

from manifests import label, quantity

PATIENCE = 60
# How long an ordered end takes at the most: docs/runtime-semantics.md, Shutdown.
END_SECONDS = 60
NOBODY = "postgres://nobody:nothing@127.0.0.1:1/nothing?connect_timeout=1&sslmode=disable"
ROLES = {"listen": "listener", "qualify": "qualifier", "communicate": "communicator"}


class Started:
    """The program, running until it is left; `line` is that with the address of its pages, None when it ended first."""

    def __init__(self, program, arguments, environment, folder):
        self.log = pathlib.Path(folder, "stderr.log")
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                [program, *arguments], env=environment, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=log)
        lines = queue.Queue()
        threading.Thread(target=self.read, args=(lines,), daemon=True).start()
        self.line = None
        try:
            while (line := lines.get(timeout=PATIENCE)) is not None:
                if "listening" in line:
                    self.line = line.strip()
                    break
        except queue.Empty:
            pass

    def read(self, lines):
        for line in self.process.stdout:
            lines.put(line)
        lines.put(None)

    def url(self):
        return re.search(r"http://[0-9.:]+", self.line).group().replace("0.0.0.0", "127.0.0.1")

    def said(self):
        return self.log.read_text()[-1500:]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.status = self.process.wait()
        self.process.stdout.close()


def fetch(url):
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


class Program:
    def __init__(self, path):
        self.path = os.path.abspath(path)

    def ask(self, *arguments, environment=None):
        return subprocess.run([self.path, *arguments], capture_output=True, text=True, timeout=PATIENCE,
                              env={"PATH": os.environ["PATH"], **(environment or {})})

    def metrics(self):
        return json.loads(self.ask("metrics", "--json").stdout)

    def version(self):
        return self.ask("--version").stdout.split()[-1]


def secret_content(program, folder, name, key):
    """Something of the kind that is wanted."""
    if key == "url":
        return NOBODY
    if key in ("tls.crt", "tls.key"):
        made = [pathlib.Path(folder, one) for one in ("made.key", "made.crt")]
        if not made[0].exists():
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=check",
                            "-keyout", made[0], "-out", made[1]], check=True, capture_output=True)
        return made[key == "tls.crt"].read_text()
    if "sealing" in name:
        return program.ask("secrets", "generate").stdout.strip().splitlines()[-1]
    return "made-up"


def mounted(overlay, program, folder, spec, container):
    """Writes what the container would find below `folder`; answers its environment with the paths there."""
    volumes = {one["name"]: one for one in spec.get("volumes", [])}
    paths = {}
    for mount in container.get("volumeMounts", []):
        place = pathlib.Path(folder, mount["mountPath"].lstrip("/"))
        place.mkdir(parents=True, exist_ok=True)
        paths[mount["mountPath"]] = str(place)
        volume = volumes[mount["name"]]
        if "configMap" in volume:
            for key, text in overlay.named("ConfigMap", volume["configMap"]["name"])["data"].items():
                # a free port, and a database that is away
                text = re.sub(r'listen = "0\.0\.0\.0:\d+"', 'listen = "127.0.0.1:0"', text)
                # a collector that is not there costs the end of the process its patience
                text = re.sub(r"(?m)^otlp_endpoint.*$", "", text)
                (place / key).write_text(text)
        for item in volume.get("secret", {}).get("items", []):
            content = secret_content(program, folder, volume["secret"]["secretName"], item["key"])
            (place / item["path"]).write_text(content + "\n")
            (place / item["path"]).chmod(0o400)
    environment = {"PATH": os.environ["PATH"]}
    for variable in container.get("env", []):
        value = variable.get("value", "made-up")
        inside = next((path for path in paths if value.startswith(path + "/")), None)
        environment[variable["name"]] = paths[inside] + value[len(inside):] if inside else value
    return environment


def check_settings(program, name, environment, roles):
    """The configuration with this environment, as `config check` sees it for these roles; complaints, values by key."""
    environment = {**environment, "KOMMUNEKLIENT__NODE__ROLES": ",".join(roles)}
    checked = program.ask("config", "check", environment["KOMMUNEKLIENT_CONFIG"], "--json", environment=environment)
    if checked.stdout.startswith("{"):
        answer = json.loads(checked.stdout)
        found = [f"{name}: {one['key']}: {one['reason']}" for one in answer["problems"]]
        return found, {one["key"]: one["value"] for one in answer["values"]}
    return [f"{name}: config check: {checked.stderr.strip()[-500:]}"], {}


def service(program, overlay, each, spec, container, folder):
    """A container that is `run`."""
    name = label(each)
    environment = mounted(overlay, program, folder, spec, container)
    arguments = container["args"]
    roles = arguments[arguments.index("--roles") + 1].split(",") if "--roles" in arguments else list(ROLES)
    found, values = check_settings(program, name, environment, roles)
    yield from found
    if found:
        return
    if values.get("database.migrate") is not False:
        yield f"{name}: its role cannot migrate, so database.migrate must be false"
    grace = spec.get("terminationGracePeriodSeconds", 30)
    if grace < END_SECONDS:
        yield f"{name}: {grace} s are not enough to end in order, {END_SECONDS} s at most"
    listen = re.search(r'(?m)^listen = "0\.0\.0\.0:(\d+)"', overlay.config() or "")
    ports = {one["name"]: one["containerPort"] for one in container.get("ports", [])}
    if not listen or int(listen.group(1)) != ports.get("http"):
        yield f"{name}: the port http ({ports.get('http')}) is not that of http.listen"
    if quantity(container.get("resources", {}).get("limits", {}).get("memory", 0)) < 64 * 2**20:
        yield f"{name}: less memory than it needs at rest"
    with Started(program.path, container["args"], environment, folder) as started:
        if started.line is None:
            yield f"{name}: does not start: {started.said()}"
            return
        _, pages = fetch(started.url() + "/nowhere")
        for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
            probe = container.get(kind, {}).get("httpGet")
            if probe is None:
                yield f"{name}: has no {kind}"
                continue
            if probe["path"] not in pages["pages"]:
                yield f"{name}: {kind}: the program has no page {probe['path']}"
            if probe["port"] not in ports and probe["port"] not in ports.values():
                yield f"{name}: {kind}: no port {probe['port']}"
        live, ready = (container.get(kind, {}).get("httpGet", {}).get("path") for kind in ("livenessProbe", "readinessProbe"))
        if live in pages["pages"] and fetch(started.url() + live)[0] != 200:
            yield f"{name}: a database that is away would have it killed: {live}"
        if ready in pages["pages"]:
            status, said = fetch(started.url() + ready)
            if status == 200:
                yield f"{name}: is ready without a database, by {ready}"
            component = [ROLES[role] for role in said.get("roles", [])]
            if component != [each["spec"]["template"]["metadata"]["labels"].get("app.kubernetes.io/component")]:
                yield f"{name}: its component is not the role that it runs, {component}"
        for monitor in overlay.of("ServiceMonitor"):
            for endpoint in monitor["spec"]["endpoints"]:
                if endpoint["path"] not in pages["pages"]:
                    yield f"{label(monitor)}: the program has no page {endpoint['path']}"
    if started.status != 0:
        yield f"{name}: SIGTERM ends it with {started.status}: {started.said()}"


def migration(program, overlay, each, spec, container, folder):
    """A container that is `migrate`: here it fails at the database, with status 1; 2 is wrong usage or configuration."""
    environment = mounted(overlay, program, folder, spec, container)
    done = program.ask(*container["args"], environment=environment)
    if done.returncode != 1 or "database" not in done.stderr:
        yield f"{label(each)}: status {done.returncode}: {done.stderr.strip()[-300:]}"


def simulator(program, each, container, folder):
    arguments = [re.sub(r"^0\.0\.0\.0:\d+$", "127.0.0.1:0", one) for one in container["args"]]
    names = {one["name"]: "made-up" for one in container.get("env", [])}
    with Started(program.path, arguments, {"PATH": os.environ["PATH"], **names}, folder) as started:
        if started.line is None:
            yield f"{label(each)}: does not start: {started.said()}"


def all_of(overlay, program):
    """Every container of the product."""
    found = []
    for name, each, spec, container in overlay.containers():
        if not overlay.is_ours(container):
            continue
        kind = (container.get("args") or ["nothing"])[0]
        with tempfile.TemporaryDirectory() as folder:
            if kind == "run":
                found += service(program, overlay, each, spec, container, folder)
            elif kind == "migrate":
                found += migration(program, overlay, each, spec, container, folder)
            elif kind == "simulate":
                found += simulator(program, each, container, folder)
            else:
                found.append(f"{name}: what is {kind}?")
    return [f"program: {one}" for one in found]

"""The Dockerfile, read and not built: what it must agree with elsewhere. docs/kubernetes.md, Images, says what of it was run."""

import re


def stages(text):
    """[(base, name or None, lines)] with the values of the ARGs at the top put in."""
    joined = re.sub(r"\\\n", " ", text)
    defaults = dict(re.findall(r"(?m)^ARG (\w+)=(\S+)", joined))
    found = []
    for line in joined.splitlines():
        start = re.match(r"FROM (\S+)(?: AS (\S+))?", line)
        if start:
            base = re.sub(r"\$\{(\w+)\}", lambda one: defaults.get(one[1], ""), start[1])
            found.append((base, start[2], []))
        elif found and line and not line.startswith("#"):
            found[-1][2].append(line)
    return found


def check(text, ignored, cargo, overlays):
    """`text` of the Dockerfile, of .dockerignore, of the root Cargo.toml; complaints."""
    found, version = stages(text), re.search(r'(?m)^rust-version = "(.*)"', cargo)[1]
    members = re.findall(r'"([^"]+)"', re.search(r"(?s)members = \[(.*?)\]", cargo)[1])
    names = {name for _, name, _ in found}
    for base, name, _ in found:
        if base in names:
            continue
        if "@sha256:" not in base and (":" not in base or base.endswith(":latest")):
            yield f"stage {name}: {base} says no version"
    rust = next(base for base, name, _ in found if name == "dependencies")
    if f":{version}" not in rust:
        yield f"{rust} is not the Rust of Cargo.toml, {version}"
    allowed = {line[1:].rstrip("/") for line in ignored.splitlines() if line.startswith("!")}
    for member in members:
        if member.split("/")[0] not in allowed:
            yield f".dockerignore leaves out {member}"
    for needed in ("Cargo.toml", "Cargo.lock"):
        if needed not in allowed:
            yield f".dockerignore leaves out {needed}"
    users = {template["spec"]["securityContext"]["runAsUser"] for overlay in overlays
             for _, template in overlay.workloads() if any(map(overlay.is_ours, template["spec"]["containers"]))}
    for base, name, lines in found[-1:] + [one for one in found if one[1] == "simulators"]:
        user = next((line.split()[1] for line in lines if line.startswith("USER ")), "root")
        if {user.split(":")[0]} != {str(one) for one in users}:
            yield f"stage {name or 'last'}: runs as {user}, the manifests as {users}"
        if not any(line.startswith("ENTRYPOINT [") for line in lines):
            yield f"stage {name or 'last'}: without an entry point in exec form SIGTERM reaches a shell"
    last = found[-1][2]
    built = next((line for line in last if line.startswith("COPY --from=")), "")
    source = re.search(r"--from=(\S+)", built)
    builder = next((lines for _, name, lines in found if source and name == source[1]), [])
    if not any("cargo build" in line and "--no-default-features" in line and "--locked" in line and "--release" in line
               for line in builder):
        yield "the image's program must be a locked release build without the simulators"

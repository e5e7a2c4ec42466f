"""What must hold of rendered manifests, without any cluster and without the program: each check takes the objects of
one overlay and answers complaints. schemas_of() asks the schemas; program.py asks the program itself."""

import json
import re
import subprocess

import kubernetes_validate

# The oldest version that the manifests are written for, and the newest that there are schemas of.
VERSIONS = ["1.30", "1.37"]
CUSTOM = ("keda.sh/", "monitoring.coreos.com/")
# Variables that are not settings: of the program's command line, and of the library that reads certificate authorities.
OTHER_VARIABLES = {"KOMMUNEKLIENT_CONFIG", "KOMMUNEKLIENT_SIMULATOR_PASSWORD", "SSL_CERT_FILE", "SSL_CERT_DIR"}


class Overlay:
    """The objects of an overlay, found by what they are."""

    def __init__(self, name, objects, documented=frozenset()):
        # documented: (secret, key) that whoever installs makes, by docs/kubernetes.md
        self.name, self.objects, self.documented = name, objects, documented

    def of(self, *kinds):
        return [each for each in self.objects if each["kind"] in kinds]

    def named(self, kind, name):
        return next((each for each in self.of(kind) if each["metadata"]["name"] == name), None)

    def workloads(self):
        """(object, pod template), of whatever makes pods."""
        return [(each, each["spec"]["template"]) for each in self.of("Deployment", "StatefulSet", "DaemonSet", "Job")]

    def containers(self):
        """(label for people, object, pod spec, container)"""
        for each, template in self.workloads():
            spec = template["spec"]
            for container in spec.get("initContainers", []) + spec["containers"]:
                yield f"{label(each)} container {container['name']}", each, spec, container

    def is_ours(self, container):
        return image_name(container["image"]) in ("kommuneklient", "kommuneklient-simulators")

    def config(self):
        """The text of kommuneklient.toml as it is mounted."""
        for each in self.of("ConfigMap"):
            if "kommuneklient.toml" in each.get("data", {}):
                return each["data"]["kommuneklient.toml"]
        return None


def label(each):
    return f"{each['kind']} {each['metadata']['name']}"


def image_name(image):
    return re.split(r"[:@]", image.rsplit("/", 1)[-1])[0]


def image_tag(image):
    last = image.split("@")[0].rsplit("/", 1)[-1]
    return last.split(":", 1)[1] if ":" in last else None


def schemas_of(overlay, node_modules, script):
    """Every object against the schema of its kind."""
    complaints = []
    for each in overlay.objects:
        if each["apiVersion"].startswith(CUSTOM):
            continue
        for version in VERSIONS:
            try:
                kubernetes_validate.validate(each, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                place = "/".join(map(str, error.path))
                complaints.append(f"{label(each)}: Kubernetes {version}: {place}: {error.message}")
            except kubernetes_validate.SchemaNotFoundError as error:
                complaints.append(f"{label(each)}: {error.message}")
    custom = [each for each in overlay.objects if each["apiVersion"].startswith(CUSTOM)]
    if custom:
        asked = subprocess.run(["node", script, node_modules], input=json.dumps(custom), capture_output=True, text=True)
        if asked.returncode:
            raise RuntimeError(f"{script}: {asked.stderr}")
        for each, found in zip(custom, json.loads(asked.stdout), strict=True):
            complaints += [f"{label(each)}: {one}" for one in found]
    return complaints


def pod_security(overlay):
    """The restricted profile, a root file system that cannot be written, and no token of the cluster."""
    for each, template in overlay.workloads():
        spec, name = template["spec"], label(each)
        context = spec.get("securityContext", {})
        if context.get("runAsNonRoot") is not True or not context.get("runAsUser", 0) > 0:
            yield f"{name}: must run as a user that is not root"
        if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{name}: needs seccompProfile RuntimeDefault"
        if spec.get("automountServiceAccountToken") is not False:
            yield f"{name}: automountServiceAccountToken must be false"
        for field in ("hostNetwork", "hostPID", "hostIPC"):
            if spec.get(field):
                yield f"{name}: {field}"
        for volume in spec.get("volumes", []):
            kind = next(key for key in volume if key != "name")
            if kind not in ("configMap", "secret", "emptyDir", "projected", "persistentVolumeClaim"):
                yield f"{name}: volume {volume['name']} is a {kind}"
            if kind == "emptyDir" and "sizeLimit" not in volume[kind]:
                yield f"{name}: volume {volume['name']} has no limit"
    for name, _, _, container in overlay.containers():
        context = container.get("securityContext", {})
        if context.get("allowPrivilegeEscalation") is not False:
            yield f"{name}: allowPrivilegeEscalation must be false"
        if context.get("readOnlyRootFilesystem") is not True:
            yield f"{name}: readOnlyRootFilesystem must be true"
        if context.get("capabilities", {}).get("drop") != ["ALL"] or context["capabilities"].get("add"):
            yield f"{name}: must drop all capabilities"
        if context.get("privileged") or context.get("runAsUser") == 0:
            yield f"{name}: must not be privileged"
    for each in overlay.of("ServiceAccount"):
        if each.get("automountServiceAccountToken") is not False:
            yield f"{label(each)}: automountServiceAccountToken must be false"
    for each in overlay.of("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"):
        yield f"{label(each)}: the product needs no rights in the cluster"
    spaces = overlay.of("Namespace")
    if not spaces:
        yield "no Namespace"
    for each in spaces:
        if each["metadata"].get("labels", {}).get("pod-security.kubernetes.io/enforce") != "restricted":
            yield f"{label(each)}: must enforce the restricted profile"


def resources(overlay):
    """Requests and limits, everywhere, and in the right order."""
    for name, _, _, container in overlay.containers():
        wanted = container.get("resources", {})
        for kind in ("requests", "limits"):
            for what in ("cpu", "memory"):
                if what not in wanted.get(kind, {}):
                    yield f"{name}: resources.{kind}.{what} is missing"
        for what in ("cpu", "memory"):
            request, limit = (wanted.get(kind, {}).get(what) for kind in ("requests", "limits"))
            if request and limit and quantity(request) > quantity(limit):
                yield f"{name}: {what}: requests more than its limit"


def quantity(text):
    number, unit = re.fullmatch(r"([0-9.]+)([a-zA-Z]*)", str(text)).groups()
    return float(number) * {"": 1, "m": 1e-3, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}[unit]


def images(overlay, version):
    """Each image says which; ours says the version of this source."""
    for name, each, _, container in overlay.containers():
        image, tag = container["image"], image_tag(container["image"])
        if "@sha256:" not in image and tag is None:
            yield f"{name}: {image} has neither tag nor digest"
        if tag == "latest":
            yield f"{name}: {image} is whatever is latest"
        if overlay.is_ours(container) and tag is not None and tag != version:
            yield f"{name}: {image} is not of this version, {version}"
        if each["kind"] == "Job" and tag is not None and not each["metadata"]["name"].endswith(f"-{tag}"):
            yield f"{name}: the name of the Job must end with its version, {tag}"


def references(overlay):
    """Each Secret and ConfigMap, with the key, is there or named in docs/kubernetes.md; so is the ServiceAccount."""
    wanted = []
    for each, template in overlay.workloads():
        spec, name = template["spec"], label(each)
        account = spec.get("serviceAccountName")
        if account is not None and overlay.named("ServiceAccount", account) is None:
            yield f"{name}: there is no ServiceAccount {account}"
        mounted = {mount["name"] for one in spec["containers"] for mount in one.get("volumeMounts", [])}
        volumes = {volume["name"] for volume in spec.get("volumes", [])}
        for missing in sorted(mounted - volumes):
            yield f"{name}: mounts the volume {missing}, which is not there"
        for unused in sorted(volumes - mounted):
            yield f"{name}: nobody mounts the volume {unused}"
        for volume in spec.get("volumes", []):
            for kind, field in (("Secret", "secretName"), ("ConfigMap", "name")):
                source = volume.get({"Secret": "secret", "ConfigMap": "configMap"}[kind])
                if source:
                    keys = [item["key"] for item in source.get("items", [])] or [None]
                    wanted += [(name, kind, source[field], key) for key in keys]
    for name, _, _, container in overlay.containers():
        for variable in container.get("env", []):
            for kind, field in (("Secret", "secretKeyRef"), ("ConfigMap", "configMapKeyRef")):
                source = variable.get("valueFrom", {}).get(field)
                if source:
                    wanted.append((name, kind, source["name"], source["key"]))
        if container.get("envFrom"):
            yield f"{name}: envFrom takes what nobody checks; name each variable"
    for each in overlay.of("TriggerAuthentication"):
        wanted += [(label(each), "Secret", one["name"], one["key"]) for one in each["spec"]["secretTargetRef"]]
    for name, kind, wanted_name, key in wanted:
        there = overlay.named(kind, wanted_name)
        if there is None and kind == "Secret" and (wanted_name, key) in overlay.documented:
            continue
        if there is None:
            yield f"{name}: there is no {kind} {wanted_name} with {key}, and docs/kubernetes.md asks nobody for it"
        elif key is not None and key not in {**there.get("data", {}), **there.get("stringData", {})}:
            yield f"{name}: {kind} {wanted_name} has no {key}"


def matches(selector, labels):
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for one in selector.get("matchExpressions") or []:
        value, operator = labels.get(one["key"]), one["operator"]
        if {"In": value not in one.get("values", []), "NotIn": value in one.get("values", []), "Exists": value is None,
                "DoesNotExist": value is not None}[operator]:
            return False
    return True


def selectors(overlay):
    """What selects pods selects some, and no Deployment those of another."""
    pods = {label(each): template["metadata"].get("labels", {}) for each, template in overlay.workloads()}

    def selected(selector):
        return [name for name, labels in pods.items() if matches(selector, labels)]

    for each in overlay.of("Deployment"):
        if selected(each["spec"]["selector"]) != [label(each)]:
            yield f"{label(each)}: selects {selected(each['spec']['selector'])}"
        for spread in each["spec"]["template"]["spec"].get("topologySpreadConstraints", []):
            if label(each) not in selected(spread["labelSelector"]):
                yield f"{label(each)}: is spread by the labels of others"
    for each in overlay.of("PodDisruptionBudget"):
        if len(selected(each["spec"]["selector"])) != 1:
            yield f"{label(each)}: is about {selected(each['spec']['selector'])}"
    for each in overlay.of("NetworkPolicy"):
        if not selected(each["spec"]["podSelector"]):
            yield f"{label(each)}: is about no pod"
    for each in overlay.of("Service"):
        if not selected({"matchLabels": each["spec"]["selector"]}):
            yield f"{label(each)}: leads to no pod"
        ports = {port["name"] for name in selected({"matchLabels": each["spec"]["selector"]})
                 for container in template_of(overlay, name)["spec"]["containers"] for port in container.get("ports", [])}
        for port in each["spec"]["ports"]:
            if port["targetPort"] not in ports:
                yield f"{label(each)}: no pod has the port {port['targetPort']}"
    for each in overlay.of("ServiceMonitor"):
        services = [one for one in overlay.of("Service")
                    if matches(each["spec"]["selector"], one["metadata"].get("labels", {}))]
        names = {port["name"] for one in services for port in one["spec"]["ports"]}
        for endpoint in each["spec"]["endpoints"]:
            if endpoint["port"] not in names:
                yield f"{label(each)}: no Service has the port {endpoint['port']}"


def template_of(overlay, name):
    return next(template for each, template in overlay.workloads() if label(each) == name)


def network(overlay):
    """Nothing is open that is not said, and every part of the product may go where it must."""
    policies = overlay.of("NetworkPolicy")
    for each, template in overlay.workloads():
        if not any(overlay.is_ours(one) for one in template["spec"]["containers"]):
            continue
        labels = template["metadata"]["labels"]
        if "part-of" not in str(labels):
            continue  # a simulator
        mine = [one["spec"] for one in policies if matches(one["spec"]["podSelector"], labels)]
        if not any(set(one["policyTypes"]) == {"Ingress", "Egress"} and not one.get("egress") and not one.get("ingress")
                   for one in mine):
            yield f"{label(each)}: no policy closes what is not opened"
        reached = {port["port"] for one in mine for rule in one.get("egress") or [] for port in rule.get("ports", [])}
        if 53 not in reached:
            yield f"{label(each)}: may not ask for names"
        for one in mine:
            for rule in (one.get("egress") or []) + (one.get("ingress") or []):
                if not rule.get("ports") or not (rule.get("to") or rule.get("from")):
                    yield f"{label(each)}: a policy opens all ports or all addresses"
    for each in policies:
        if each["metadata"]["name"].split("-")[-1] in ("database", "exchange", "planner", "traces"):
            if not each["spec"].get("egress"):
                yield f"{label(each)}: the overlay does not say where that is"


def scaling(overlay):
    """The autoscaler: its target is there, leaves the number to it, and is never scaled to nothing."""
    for each in overlay.of("ScaledObject"):
        spec, name = each["spec"], label(each)
        target = overlay.named(spec["scaleTargetRef"].get("kind", "Deployment"), spec["scaleTargetRef"]["name"])
        if target is None:
            yield f"{name}: there is no {spec['scaleTargetRef']['name']}"
        elif "replicas" in target["spec"]:
            yield f"{name}: its target has replicas, which an apply would set again"
        if spec.get("minReplicaCount", 0) < 1:
            yield f"{name}: minReplicaCount must be at least 1"
        if spec.get("idleReplicaCount") is not None:
            yield f"{name}: idleReplicaCount would stop all streams"
        if spec.get("maxReplicaCount", 0) < spec.get("minReplicaCount", 0):
            yield f"{name}: maxReplicaCount is below minReplicaCount"
        if spec.get("fallback", {}).get("replicas", 0) < 1:
            yield f"{name}: without fallback a database that is away scales it"
        behavior = spec.get("advanced", {}).get("horizontalPodAutoscalerConfig", {}).get("behavior", {})
        for way in ("scaleUp", "scaleDown"):
            if not behavior.get(way, {}).get("stabilizationWindowSeconds"):
                yield f"{name}: {way} needs a stabilisation window"
        for trigger in spec["triggers"]:
            authentication = trigger.get("authenticationRef", {}).get("name")
            if authentication is None or overlay.named("TriggerAuthentication", authentication) is None:
                yield f"{name}: trigger {trigger['type']} has no TriggerAuthentication"
            if not re.match(r"(?i)\s*select\b", trigger["metadata"].get("query", "")):
                yield f"{name}: the query of {trigger['type']} is no select"


def budgets(overlay):
    """Each Deployment of the product can lose one pod at a time and no more."""
    for each, template in overlay.workloads():
        if each["kind"] != "Deployment" or "part-of" not in str(template["metadata"]["labels"]):
            continue
        mine = [one for one in overlay.of("PodDisruptionBudget")
                if matches(one["spec"]["selector"], template["metadata"]["labels"])]
        if [one["spec"].get("maxUnavailable") for one in mine] != [1]:
            yield f"{label(each)}: needs one PodDisruptionBudget with maxUnavailable 1"


def variables(overlay):
    """Names only: whether a setting exists is the program's to say (program.py)."""
    for name, _, _, container in overlay.containers():
        if not overlay.is_ours(container):
            continue
        for variable in container.get("env", []):
            known = variable["name"].startswith("KOMMUNEKLIENT__") or variable["name"] in OTHER_VARIABLES
            if not known:
                yield f"{name}: the program knows no variable {variable['name']}"
            if "value" in variable and re.search(r"(PASSWORD|KEY|TOKEN|URL)$", variable["name"]):
                if variable["name"] != "KOMMUNEKLIENT__PLANNER__CLIENT_KEY":
                    yield f"{name}: {variable['name']} stands in the open"


def all_of(overlay, version):
    """Every check of this module but the schemas."""
    found = []
    for check in (pod_security, resources, references, selectors, network, scaling, budgets, variables):
        found += [f"{check.__name__}: {one}" for one in check(overlay)]
    return found + [f"images: {one}" for one in images(overlay, version)]

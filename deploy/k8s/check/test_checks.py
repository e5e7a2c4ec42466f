"""Goal: each check can fail. Method: the rendered overlays are broken in one place each, and what is said is held against
what must be said; unbroken they are without complaint."""

import copy
import json
import unittest

import check
import dockerfile
import manifests
import monitoring
import program

OVERLAYS = {name: check.overlay(name) for name in check.OVERLAYS}
PROGRAM = program.Program(check.PROGRAM)


def broken(overlay, change):
    objects = copy.deepcopy(OVERLAYS[overlay].objects)
    result = manifests.Overlay(overlay, objects, OVERLAYS[overlay].documented)
    change(result)
    return result


def deployment(role, change):
    """Changes a Deployment of the product."""
    return lambda overlay: change(overlay.named("Deployment", f"kommuneklient-{role}"))


def pod(role, change):
    return deployment(role, lambda one: change(one["spec"]["template"]["spec"]))


def container(role, change):
    return pod(role, lambda one: change(one["containers"][0]))


def named(kind, name, change):
    return lambda overlay: change(overlay.named(kind, name))


def variable(name, value):
    return lambda one: one["env"].append({"name": name, "value": value})


def without(kind, name):
    return lambda overlay: overlay.objects.remove(overlay.named(kind, name))


def configuration(old, new):
    def change(overlay):
        for each in overlay.of("ConfigMap"):
            if "kommuneklient.toml" in each["data"]:
                assert old in each["data"]["kommuneklient.toml"]
                each["data"]["kommuneklient.toml"] = each["data"]["kommuneklient.toml"].replace(old, new)
    return change


def dashboard(change):
    def load(each):
        model = json.loads(each["data"]["kommuneklient.json"])
        change(model)
        each["data"]["kommuneklient.json"] = json.dumps(model)
    return named("ConfigMap", "kommuneklient-dashboard", load)


def rule(expression):
    def change(each):
        each["spec"]["groups"][0]["rules"][0]["expr"] = expression
    return named("PrometheusRule", "kommuneklient", change)


def scaled(change):
    return named("ScaledObject", "kommuneklient-listener", lambda one: change(one["spec"]))


# (what is broken, how, what is said)
SCHEMAS = [
    ("a field of Kubernetes that does not exist", pod("listener", lambda one: one.update(restartpolicy="Always")), "restartpolicy"),
    ("a number where a text belongs", deployment("qualifier", lambda one: one["spec"].update(replicas="two")), "replicas"),
    ("a kind that does not exist", deployment("qualifier", lambda one: one.update(kind="Deploiment")), "Couldn't find schema"),
    ("a field of KEDA that does not exist", scaled(lambda one: one.update(minReplicas=1)), "/spec/minReplicas is no known field"),
    ("a field deep in an object of KEDA", scaled(lambda one: one["fallback"].update(replica=1)), "/spec/fallback/replica is no known field"),
    ("a wrong type in an object of KEDA", scaled(lambda one: one.update(minReplicaCount="two")), "/spec/minReplicaCount type"),
    ("a kind that KEDA does not have", named("TriggerAuthentication", "kommuneklient-scaler", lambda one: one.update(kind="TriggerAuthentification")), "no schema for"),
    ("a rule without expression", lambda overlay: overlay.named("PrometheusRule", "kommuneklient")["spec"]["groups"][0]["rules"][0].pop("expr"), "missingProperty\":\"expr"),
    ("a field of the Prometheus operator that does not exist", named("ServiceMonitor", "kommuneklient", lambda one: one["spec"]["endpoints"][0].update(intervall="15s")), "intervall is no known field"),
]

PLAIN = [
    ("root", pod("listener", lambda one: one["securityContext"].update(runAsUser=0)), "not root"),
    ("no seccomp", pod("listener", lambda one: one["securityContext"].pop("seccompProfile")), "seccompProfile"),
    ("a token", pod("listener", lambda one: one.update(automountServiceAccountToken=True)), "automountServiceAccountToken"),
    ("the node's network", pod("listener", lambda one: one.update(hostNetwork=True)), "hostNetwork"),
    ("a folder of the node", pod("listener", lambda one: one["volumes"].append({"name": "x", "hostPath": {"path": "/"}})), "is a hostPath"),
    ("an endless folder", pod("listener", lambda one: one["volumes"].append({"name": "x", "emptyDir": {}})), "has no limit"),
    ("escalation", container("qualifier", lambda one: one["securityContext"].pop("allowPrivilegeEscalation")), "allowPrivilegeEscalation"),
    ("a root that can be written", container("qualifier", lambda one: one["securityContext"].update(readOnlyRootFilesystem=False)), "readOnlyRootFilesystem"),
    ("capabilities", container("qualifier", lambda one: one["securityContext"]["capabilities"].update(add=["NET_ADMIN"])), "drop all capabilities"),
    ("rights in the cluster", lambda overlay: overlay.objects.append({"kind": "Role", "metadata": {"name": "x"}}), "needs no rights"),
    ("a lax namespace", named("Namespace", "kommuneklient", lambda one: one["metadata"].pop("labels")), "restricted profile"),
    ("no limit of memory", container("communicator", lambda one: one["resources"]["limits"].pop("memory")), "resources.limits.memory"),
    ("no request of cpu", container("communicator", lambda one: one["resources"]["requests"].pop("cpu")), "resources.requests.cpu"),
    ("more asked for than allowed", container("communicator", lambda one: one["resources"]["requests"].update(memory="9Gi")), "requests more than its limit"),
    ("latest", container("listener", lambda one: one.update(image="kommuneklient:latest")), "whatever is latest"),
    ("no tag", container("listener", lambda one: one.update(image="registry:5000/kommuneklient")), "neither tag nor digest"),
    ("another version", container("listener", lambda one: one.update(image="kommuneklient:0.0.9")), "is not of this version"),
    ("a Job that would be changed", named("Job", f"kommuneklient-migrate-{PROGRAM.version()}", lambda one: one["metadata"].update(name="kommuneklient-migrate")), "must end with its version"),
    ("a secret that nobody makes", pod("listener", lambda one: one["volumes"][-1].update(secret={"secretName": "other", "items": [{"key": "key", "path": "key"}]})), "there is no Secret other"),
    ("a key of a secret that nobody makes", pod("listener", lambda one: next(v for v in one["volumes"] if v["name"] == "sealing")["secret"]["items"][0].update(key="kee")), "there is no Secret kommuneklient-sealing with kee"),
    ("a configuration that is not there", pod("listener", lambda one: next(v for v in one["volumes"] if v["name"] == "config")["configMap"].update(name="x")), "there is no ConfigMap x"),
    ("a volume that is not there", container("listener", lambda one: one["volumeMounts"].append({"name": "x", "mountPath": "/x"})), "mounts the volume x"),
    ("a volume for nobody", pod("listener", lambda one: one["volumes"].append({"name": "x", "emptyDir": {"sizeLimit": "1Mi"}})), "nobody mounts the volume x"),
    ("no service account", without("ServiceAccount", "kommuneklient"), "there is no ServiceAccount"),
    ("the scaler's secret", named("TriggerAuthentication", "kommuneklient-scaler", lambda one: one["spec"]["secretTargetRef"][0].update(key="x")), "there is no Secret kommuneklient-scaler with x"),
    ("whole secrets as variables", container("listener", lambda one: one.update(envFrom=[{"secretRef": {"name": "x"}}])), "envFrom"),
    ("a Deployment that selects another's pods", deployment("listener", lambda one: one["spec"]["selector"]["matchLabels"].pop("app.kubernetes.io/component")), "selects ["),
    ("spread by other labels", pod("listener", lambda one: one["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"].update({"app.kubernetes.io/component": "x"})), "spread by the labels of others"),
    ("a budget for nobody", named("PodDisruptionBudget", "kommuneklient-listener", lambda one: one["spec"]["selector"]["matchLabels"].update(x="y")), "is about []"),
    ("a budget of none", named("PodDisruptionBudget", "kommuneklient-listener", lambda one: one["spec"].update(maxUnavailable=0)), "needs one PodDisruptionBudget"),
    ("no budget", without("PodDisruptionBudget", "kommuneklient-qualifier"), "needs one PodDisruptionBudget"),
    ("a policy for nobody", named("NetworkPolicy", "kommuneklient-planner", lambda one: one["spec"]["podSelector"]["matchLabels"].update(x="y")), "is about no pod"),
    ("a service without pods", named("Service", "kommuneklient", lambda one: one["spec"]["selector"].update(x="y")), "leads to no pod"),
    ("a port that no pod has", named("Service", "kommuneklient", lambda one: one["spec"]["ports"][0].update(targetPort="https")), "no pod has the port https"),
    ("a monitor without service", named("ServiceMonitor", "kommuneklient", lambda one: one["spec"]["selector"]["matchLabels"].update(x="y")), "no Service has the port"),
    ("an open network", without("NetworkPolicy", "kommuneklient-nothing"), "no policy closes"),
    ("no names", without("NetworkPolicy", "kommuneklient-dns"), "may not ask for names"),
    ("all addresses", named("NetworkPolicy", "kommuneklient-database", lambda one: one["spec"]["egress"][0].pop("to")), "opens all ports or all addresses"),
    ("a destination that is not given", named("NetworkPolicy", "kommuneklient-exchange", lambda one: one["spec"].update(egress=[])), "does not say where that is"),
    ("scaled to nothing", scaled(lambda one: one.update(minReplicaCount=0)), "minReplicaCount must be at least 1"),
    ("scaled to nothing while idle", scaled(lambda one: one.update(idleReplicaCount=0)), "idleReplicaCount"),
    ("no fallback", scaled(lambda one: one.pop("fallback")), "without fallback"),
    ("a target that is not there", scaled(lambda one: one["scaleTargetRef"].update(name="x")), "there is no x"),
    ("a target with a number of its own", deployment("listener", lambda one: one["spec"].update(replicas=3)), "which an apply would set again"),
    ("no stabilisation", scaled(lambda one: one["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"].pop("stabilizationWindowSeconds")), "stabilisation window"),
    ("a password in the query", scaled(lambda one: one["triggers"][0].pop("authenticationRef")), "has no TriggerAuthentication"),
    ("a query that writes", scaled(lambda one: one["triggers"][0]["metadata"].update(query="delete from subscription")), "is no select"),
    ("a variable of nobody", container("listener", variable("KOMMUNEKLIENT_OTLP", "x")), "knows no variable KOMMUNEKLIENT_OTLP"),
    ("a password in the open", container("listener", variable("KOMMUNEKLIENT__EXCHANGE__PASSWORD", "x")), "stands in the open"),
]

ASKED = [
    ("a setting that does not exist", container("listener", variable("KOMMUNEKLIENT__EXCHANGE__USR", "x")), "exchange.usr: is no known key"),
    ("a setting with a wrong value", configuration('log_format = "json"', 'log_format = "xml"'), "log_format"),
    ("a page that does not exist", container("listener", lambda one: one["livenessProbe"]["httpGet"].update(path="/healthz")), "the program has no page /healthz"),
    ("readiness by liveness", container("listener", lambda one: one["readinessProbe"]["httpGet"].update(path="/health/live")), "is ready without a database"),
    ("liveness by readiness", container("listener", lambda one: one["livenessProbe"]["httpGet"].update(path="/health/ready")), "would have it killed"),
    ("no startup probe", container("listener", lambda one: one.pop("startupProbe")), "has no startupProbe"),
    ("a port that does not exist", container("listener", lambda one: one["readinessProbe"]["httpGet"].update(port="https")), "no port https"),
    ("a port that nobody listens on", container("listener", lambda one: one["ports"][0].update(containerPort=9090)), "is not that of http.listen"),
    ("loopback only", configuration("0.0.0.0:8080", "127.0.0.1:8080"), "is not that of http.listen"),
    ("the role of another", container("listener", lambda one: one.update(args=["run", "--roles", "qualify"])), "is not the role that it runs"),
    ("a role that does not exist", container("listener", lambda one: one.update(args=["run", "--roles", "listens"])), "node.roles"),
    ("an option that does not exist", container("listener", lambda one: one.update(args=["run", "--quick"])), "does not start"),
    ("a service that would migrate", configuration("migrate = false", "migrate = true"), "database.migrate must be false"),
    ("no time to end", pod("listener", lambda one: one.update(terminationGracePeriodSeconds=30)), "are not enough to end in order"),
    ("a page for metrics that does not exist", named("ServiceMonitor", "kommuneklient", lambda one: one["spec"]["endpoints"][0].update(path="/stats")), "the program has no page /stats"),
]
MIGRATION = named("Job", f"kommuneklient-migrate-{PROGRAM.version()}",
                  lambda one: one["spec"]["template"]["spec"]["containers"][0].update(args=["migrate", "--all"]))

WATCHED = [
    ("a metric that does not exist", rule("kommuneklient_alerts_active > 0"), "exports no kommuneklient_alerts_active"),
    ("a counter without its end", rule("kommuneklient_events > 0"), "exports no kommuneklient_events"),
    ("a label that does not exist", rule('kommuneklient_alert_active{id="8901"} > 0'), "has no label id"),
    ("grouped by a label that does not exist", rule("sum by (mailbox) (kommuneklient_alert_active)"), "no label mailbox"),
    ("no expression", rule("max by (code (kommuneklient_alert_active"), "promtool"),
    ("a rule that is missing", named("PrometheusRule", "kommuneklient", lambda one: one["spec"]["groups"][0]["rules"].pop(0)), "no rule for code"),
    ("a panel with a metric that does not exist", dashboard(lambda one: one["panels"][0]["targets"][0].update(expr="max(kommuneklient_oldest)")), "exports no kommuneklient_oldest"),
    ("a panel with no expression", dashboard(lambda one: one["panels"][0]["targets"][0].update(expr="max(kommuneklient_resources")), "promtool"),
]

# (what is broken, which of the three files, old, new, what is said)
IMAGE = [
    ("no version", 0, "gcr.io/distroless/cc-debian12:nonroot", "gcr.io/distroless/cc-debian12", "says no version"),
    ("another Rust", 0, "rust:1.95-bookworm", "rust:1.80-bookworm", "is not the Rust of Cargo.toml"),
    ("root", 0, "USER 65532:65532\nEXPOSE", "EXPOSE", "runs as root"),
    ("a shell between", 0, 'ENTRYPOINT ["/usr/local/bin/kommuneklient"]\nCMD', "ENTRYPOINT kommuneklient\nCMD", "SIGTERM reaches a shell"),
    ("the simulators in production", 0, "COPY --from=build /source", "COPY --from=build-simulators /source", "without the simulators"),
    ("a crate that is left out", 1, "!trust/", "", "leaves out trust"),
    ("no lock", 1, "!Cargo.lock", "", "leaves out Cargo.lock"),
]


class Checks(unittest.TestCase):
    def caught(self, what, found, said):
        self.assertTrue(any(said in one for one in found), f"{what}: not caught; said was {found}")

    def test_schemas_catch(self):
        for what, change, said in SCHEMAS:
            with self.subTest(what):
                found = manifests.schemas_of(broken("production", change), check.NODE_MODULES, check.HERE / "schemas.mjs")
                self.caught(what, found, said)

    def test_checks_of_the_manifests_catch(self):
        for what, change, said in PLAIN:
            with self.subTest(what):
                self.caught(what, manifests.all_of(broken("production", change), PROGRAM.version()), said)

    def test_nothing_is_complained_about_that_is_right(self):
        for name, overlay in OVERLAYS.items():
            self.assertEqual(manifests.all_of(overlay, PROGRAM.version()), [], name)

    def test_the_dev_overlay_needs_all_its_secrets(self):
        overlay = OVERLAYS["dev"]
        for each in overlay.of("Secret"):
            found = manifests.all_of(broken("dev", without("Secret", each["metadata"]["name"])), PROGRAM.version())
            self.caught(manifests.label(each), found, "there is no Secret")

    def test_the_program_is_asked(self):
        for what, change, said in ASKED:
            with self.subTest(what):
                overlay = broken("production", change)
                # one Deployment is enough to see it
                keep = ("kommuneklient-listener",)
                overlay.objects = [one for one in overlay.objects
                                   if one["kind"] not in ("Deployment", "Job") or one["metadata"]["name"] in keep]
                self.caught(what, program.all_of(overlay, PROGRAM), said)

    def test_a_migration_that_cannot_begin_is_caught(self):
        overlay = broken("production", MIGRATION)
        overlay.objects = [one for one in overlay.objects if one["kind"] != "Deployment"]
        self.caught("migration", program.all_of(overlay, PROGRAM), "unexpected argument")

    def test_what_is_watched_is_there(self):
        for what, change, said in WATCHED:
            with self.subTest(what):
                self.caught(what, monitoring.all_of(broken("production", change), PROGRAM, check.PROMTOOL), said)

    def test_the_image_agrees_with_the_rest(self):
        files, overlays = check.image_files(), OVERLAYS.values()
        self.assertEqual(list(dockerfile.check(*files, overlays)), [])
        for what, number, old, new, said in IMAGE:
            with self.subTest(what):
                self.assertIn(old, files[number])
                changed = [text.replace(old, new) if place == number else text for place, text in enumerate(files)]
                self.caught(what, list(dockerfile.check(*changed, overlays)), said)

    def test_a_rule_that_does_not_fire_is_caught(self):
        overlay = broken("production", lambda one: None)
        rules = overlay.named("PrometheusRule", "kommuneklient")
        for group in rules["spec"]["groups"]:
            for one in group["rules"]:
                one["expr"] = one["expr"].replace("> 0", "> 1").replace("> 900", "> 90000")
        found = list(monitoring.behaviour(rules, check.HERE / "rules_test.yaml", check.PROMTOOL))
        self.caught("rules", found, "FAILED")


if __name__ == "__main__":
    unittest.main()

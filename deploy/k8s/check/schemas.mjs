// Reads objects of KEDA and the Prometheus operator as a JSON list from standard input and holds each against its type in
// the npm packages of package.json. Prints a JSON list with one list of complaints an object.
//
//   node schemas.mjs NODE_MODULES < objects.json
//
// The packages hold compiled validators, which say nothing of a field that they do not know. A validator that never asked
// for a field of its object does not know it: a proxy notes what was asked for.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { join, resolve } from "node:path";

const modules = resolve(process.argv[2]);
const PACKAGES = {
  "keda.sh/v1alpha1": ["keda", "ComGithubKedacoreKedaV2ApisKedaV1alpha1"],
  "monitoring.coreos.com/v1": ["prometheus-operator", "ComGithubPrometheusOperatorPrometheusOperatorPkgApisMonitoringV1"],
};

function watched(value, path, unasked) {
  if (value === null || typeof value !== "object") return value;
  const asked = new Set();
  unasked.push(() => Object.keys(value).filter((key) => !Array.isArray(value) && !asked.has(key)).map((key) => `${path}/${key}`));
  const inner = {};
  return new Proxy(value, {
    get(target, key) {
      asked.add(key);
      const own = Object.prototype.hasOwnProperty.call(target, key) && typeof key === "string";
      if (!own || typeof target[key] !== "object") return target[key];
      inner[key] ??= watched(target[key], `${path}/${key}`, unasked);
      return inner[key];
    },
    // who lists the keys takes any
    ownKeys(target) {
      Object.keys(target).forEach((key) => asked.add(key));
      return Reflect.ownKeys(target);
    },
  });
}

async function complaints(object) {
  const known = PACKAGES[object.apiVersion];
  if (!known) return [`no schema for ${object.apiVersion}`];
  const file = join(modules, "@kubernetes-models", known[0], "_schemas", `${known[1]}${object.kind}.js`);
  let validate;
  try {
    ({ validate } = await import(pathToFileURL(file)));
  } catch (error) {
    return [`no schema for ${object.apiVersion} ${object.kind}: ${error.message}`];
  }
  const unasked = [];
  if (!validate(watched(object, "", unasked))) {
    return (validate.errors ?? []).map((error) => `${error.instancePath || "/"} ${error.keyword} ${JSON.stringify(error.params)}`);
  }
  return unasked.flatMap((keys) => keys()).map((path) => `${path} is no known field`);
}

const objects = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(await Promise.all(objects.map(complaints))));

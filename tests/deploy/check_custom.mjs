// Holds resources of operators against the operators' own types, as generated from their Go sources: reads a JSON array
// of them from standard input, writes one problem a line, and exits 1 when there is one.
//
// `validate` knows formats and enumerations but lets unknown fields pass; the compiler knows every field.
import { fileURLToPath } from "node:url";
import path from "node:path";
import ts from "typescript";

const packages = {
  "gateway.networking.k8s.io": "gateway-api",
  "keda.sh": "keda",
  "monitoring.coreos.com": "prometheus-operator",
  "external-secrets.io": "external-secrets",
};

const folder = path.dirname(fileURLToPath(import.meta.url));
const input = await new Response(process.stdin).text();
const problems = [];
const lines = [];
const places = [];

for (const resource of JSON.parse(input)) {
  const place = `${resource.kind} ${resource.metadata?.name}`;
  const name = packages[resource.apiVersion?.split("/")[0]];
  if (!name) {
    problems.push(`${place}: no types of ${resource.apiVersion} are at hand`);
    continue;
  }
  const module = `@kubernetes-models/${name}/${resource.apiVersion}`;
  const Model = (await import(module))[resource.kind];
  if (!Model) {
    problems.push(`${place}: ${resource.apiVersion} has no such kind`);
    continue;
  }
  try {
    new Model(resource).validate();
  } catch (error) {
    problems.push(`${place}: ${error.message}`);
  }
  places.push(place);
  lines.push(`export const r${places.length}: import("${module}").I${resource.kind} = ${JSON.stringify(resource)};`);
}

const options = {
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  noEmit: true,
  skipLibCheck: true,
  strict: true,
  target: ts.ScriptTarget.ES2022,
  types: [],
};
const file = path.join(folder, "resources.mts");
const host = ts.createCompilerHost(options);
const original = host.getSourceFile.bind(host);
host.getSourceFile = (name, ...rest) =>
  name === file ? ts.createSourceFile(name, lines.join("\n"), options.target) : original(name, ...rest);
const fileExists = host.fileExists.bind(host);
host.fileExists = (name) => name === file || fileExists(name);
for (const found of ts.getPreEmitDiagnostics(ts.createProgram([file], options, host))) {
  const line = found.file?.getLineAndCharacterOfPosition(found.start ?? 0).line ?? 0;
  problems.push(`${places[line]}: ${ts.flattenDiagnosticMessageText(found.messageText, " ")}`);
}
console.log(problems.join("\n"));
process.exit(problems.length ? 1 : 0);

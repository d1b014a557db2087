// Makes github.json of the schemas that GitHub publishes for its webhooks:
//
//   npm pack @octokit/webhooks-schemas@7.6.1 && tar xzf octokit-webhooks-schemas-*.tgz
//   node reduce.mjs package/schema.json > github.json
//
// Only the events that triggers are made of, only names and types. A type is one letter (t text, i whole number,
// n number, b boolean, 0 null, * anything), `#name` of `types`, several of these joined by `|`, `[type]` for a list, or an
// object of fields, where `?` marks one that may be missing.
import { readFileSync } from "node:fs";

const EVENTS = {
  pull_request: [
    "opened", "reopened", "synchronize", "labeled", "unlabeled", "ready_for_review", "converted_to_draft", "edited",
    "closed",
  ],
  push: ["event"],
  issue_comment: ["created"],
  repository_dispatch: ["event"],
  deployment_protection_rule: ["requested"],
  merge_group: ["checks_requested"],
};
const LETTERS = { string: "t", integer: "i", number: "n", boolean: "b", null: "0" };

const definitions = JSON.parse(readFileSync(process.argv[2], "utf8")).definitions;
const types = {};

function named(reference) {
  const name = reference.replace("#/definitions/", "");
  if (!(name in types)) {
    types[name] = "*";
    types[name] = reduce(definitions[name]);
  }
  // What is no object needs no name.
  return typeof types[name] === "object" && !Array.isArray(types[name]) ? `#${name}` : types[name];
}

/** One type of several; objects are told apart by name only. */
function either(parts) {
  const words = new Set();
  for (const part of parts) {
    if (typeof part !== "string" || part === "*") {
      if (parts.every((other) => other === "0" || JSON.stringify(other) === JSON.stringify(part))) {
        return parts.includes("0") ? { "|0": part } : part;
      }
      return "*";
    }
    part.split("|").forEach((word) => words.add(word));
  }
  return [...words].join("|");
}

function reduce(schema) {
  if (schema === true || schema === undefined) return "*";
  if (schema.allOf) return merge(schema.allOf.concat({ ...schema, allOf: undefined }));
  if (schema.$ref) return named(schema.$ref);
  const ways = schema.oneOf ?? schema.anyOf;
  if (ways) return either(ways.map(reduce));
  const kinds = [schema.type ?? (schema.properties ? "object" : "any")].flat();
  return either(kinds.map((kind) => one(kind, schema)));
}

function one(kind, schema) {
  if (kind === "array") return [schema.items && !Array.isArray(schema.items) ? reduce(schema.items) : "*"];
  if (kind !== "object") return LETTERS[kind] ?? "*";
  if (!schema.properties || Object.keys(schema.properties).length === 0) return "{}";
  const required = new Set(schema.required ?? []);
  return Object.fromEntries(
    Object.entries(schema.properties).map(([name, of]) => [required.has(name) ? name : `${name}?`, reduce(of)]),
  );
}

/** What is of all of these: where the others only narrow a named one, that; else the fields of all. */
function merge(parts) {
  const [{ $ref: reference }, ...others] = parts;
  const fields = reference && (definitions[reference.replace("#/definitions/", "")].properties ?? {});
  const adds = (part) => part.$ref || part.allOf || Object.keys(part.properties ?? {}).some((name) => !(name in fields));
  if (reference && !others.some(adds)) return named(reference);
  const whole = { type: "object", properties: {}, required: [] };
  for (let part of parts) {
    while (part.$ref) part = definitions[part.$ref.replace("#/definitions/", "")];
    if (part.allOf) part = { properties: {}, ...part };
    for (const [name, of] of Object.entries(part.properties ?? {})) {
      // A part that only narrows a field says less about it than the whole.
      const known = whole.properties[name];
      const narrows = known && (of.properties || of.enum || of.const !== undefined || Object.keys(of).length === 0);
      if (!narrows || of.type === "null") whole.properties[name] = of;
    }
    whole.required.push(...(part.required ?? []));
  }
  return reduce(whole);
}

const events = Object.fromEntries(
  Object.entries(EVENTS).map(([event, actions]) => [
    event,
    Object.fromEntries(actions.map((action) => [action, reduce(definitions[`${event}$${action}`])])),
  ]),
);
// Named types that nothing reads any more are left out.
const used = new Set();
const use = (value) => {
  for (const [, name] of JSON.stringify(value).matchAll(/#([\w-]+)/g)) {
    if (!used.has(name)) use(types[used.add(name) && name]);
  }
};
use(events);
const kept = Object.fromEntries([...used].sort().map((name) => [name, types[name]]));
const lines = (object) => Object.entries(object).map(([name, of]) => `${JSON.stringify(name)}:${JSON.stringify(of)}`);
console.log(`{"events":{\n${lines(events).join(",\n")}\n},"types":{\n${lines(kept).join(",\n")}\n}}`);

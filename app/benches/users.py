#!/usr/bin/env python3
"""Measures a server over HTTP: pages of lists for one user, then many users who list, look, start and approve.

    app/benches/users.py FLOWCTL DATABASE_URL [--users 200] [--seconds 20] [--pages 200]

FLOWCTL: a release binary. DATABASE_URL: a database that it may fill, such as one that the engine's bench has filled
(`--history N --database-url URL`). Each user waits half a second to one and a half between two requests, as people and scripts do.
Prints one JSON line a figure: milliseconds from the request's first byte to the answer's last. Needs Python and git only.
"""

import argparse
import asyncio
import json
import os
import pathlib
import random
import signal
import subprocess
import tempfile
import time

TOKEN = "a-token-of-the-benchmark"
PROCESS = """name: ask
version: 1
inputs: {number: {type: integer, default: 0}}
steps:
  - {id: first, type: set, values: {number: "{{ inputs.number }}"}}
  - {id: sign, type: human_approval, depends_on: first, title: Ship it?, approvers: {users: [alice]}}
  - {id: last, type: set, depends_on: sign, values: {done: true}}
"""


class Connection:
    """One user's connection, kept open."""

    def __init__(self, port):
        self.port, self.reader, self.writer = port, None, None

    async def ask(self, method, path, body=None, key=None):
        """Status and body of an answer, and how many milliseconds it took."""
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        sent = b"" if body is None else json.dumps(body).encode()
        head = f"{method} /api/v1{path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {len(sent)}\r\n"
        head += "" if body is None else "Content-Type: application/json\r\n"
        head += "" if key is None else f"Idempotency-Key: {key}\r\n"
        began = time.perf_counter()
        self.writer.write(head.encode() + b"\r\n" + sent)
        status, length = int((await self.reader.readline()).split()[1]), 0
        while (line := await self.reader.readline()) != b"\r\n":
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        answer = await self.reader.readexactly(length)
        return status, json.loads(answer or "null"), (time.perf_counter() - began) * 1000


def told(of, times, errors=0):
    times.sort()
    at = lambda share: round(times[min(len(times) - 1, int(len(times) * share))], 2) if times else None
    figures = {"p50_ms": at(0.5), "p95_ms": at(0.95), "p99_ms": at(0.99), "max_ms": at(1.0)}
    print(json.dumps({"of": of, "requests": len(times), "errors": errors, **figures}), flush=True)


async def pages(port, count):
    """One user turns pages: the newest, onwards by cursor, and by status and process."""
    user = Connection(port)
    for of, query in [("pages onwards", "limit=50"), ("pages by status", "limit=50&status=waiting"), ("pages by process", "limit=50&process=ask")]:
        times, errors, cursor = [], 0, ""
        for _ in range(count):
            status, page, took = await user.ask("GET", f"/executions?{query}{cursor}")
            times.append(took)
            errors += status != 200
            cursor = f"&cursor={page['next']}" if status == 200 and page.get("next") else ""
        told(of, times, errors)


async def user(port, number, until, seen):
    own, chance = Connection(port), random.Random(number)
    await asyncio.sleep(chance.random())
    waiting = []
    while time.perf_counter() < until:
        what = chance.choice(["list", "list", "detail", "detail", "start", "approve"])
        if what == "start" or not waiting:
            what = "start"
            status, started, took = await own.ask("POST", "/executions", {"process": "ask", "inputs": {"number": number}})
            if status == 202:
                waiting.append(started["id"])
        elif what == "list":
            status, _, took = await own.ask("GET", "/executions?limit=20")
        elif what == "detail":
            status, _, took = await own.ask("GET", f"/executions/{chance.choice(waiting)}")
        else:
            of = waiting.pop(0)
            status, asked, took = await own.ask("GET", f"/approvals?status=pending&execution={of}")
            seen.setdefault("approvals", []).append((took, status))
            if status != 200 or not asked["items"]:
                continue
            decision = {"decision": "approve", "as": "alice"}
            status, _, took = await own.ask("POST", f"/approvals/{asked['items'][0]['id']}/decisions", decision)
        seen.setdefault(what, []).append((took, status))
        await asyncio.sleep(0.5 + chance.random())


async def measure(port, options):
    await pages(port, options.pages)
    seen, until = {}, time.perf_counter() + options.seconds
    await asyncio.gather(*(user(port, number, until, seen) for number in range(options.users)))
    everything = [one for kind in seen.values() for one in kind]
    for of, measured in [*sorted(seen.items()), (f"{options.users} users", everything)]:
        told(of, [took for took, _ in measured], sum(status >= 400 for _, status in measured))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("flowctl")
    parser.add_argument("database_url")
    for name, value in [("--users", 200), ("--seconds", 20), ("--pages", 200)]:
        parser.add_argument(name, type=int, default=value)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        repository = pathlib.Path(folder, "repository")
        (repository / ".flow/processes").mkdir(parents=True)
        (repository / ".flow/processes/ask.yaml").write_text(PROCESS)
        git = ["git", "-C", str(repository), "-c", "user.name=a", "-c", "user.email=a@example.com"]
        for arguments in [["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "Ask"]]:
            subprocess.run([*git, *arguments], check=True)
        port = random.randint(20_000, 30_000)
        settings = {
            "FLOWCTL_LISTEN": f"127.0.0.1:{port}", "FLOWCTL_DATA_DIR": f"{folder}/data", "FLOWCTL_LOG": "warn",
            "FLOWCTL_REPOSITORIES": f"shop={repository}", "FLOWCTL_API_TOKEN": TOKEN, "FLOWCTL_DATABASE_URL": options.database_url,
        }
        server = subprocess.Popen([options.flowctl, "serve"], env={**os.environ, **settings})
        try:
            asyncio.run(when_ready(port, options))
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()


async def when_ready(port, options):
    for _ in range(600):
        try:
            await Connection(port).ask("GET", "/processes")
            break
        except OSError:
            await asyncio.sleep(0.1)
    await measure(port, options)


if __name__ == "__main__":
    main()

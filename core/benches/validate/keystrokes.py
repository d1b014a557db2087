#!/usr/bin/env python3
"""Measures how long it takes from a keystroke until `flowctl lsp` has told its findings, in a repository of 1,000 processes.

    core/benches/validate/keystrokes.py FLOWCTL [FILES]

FLOWCTL: a release binary. FILES: how many processes (1,000). An editor types into one of them: a wrong letter, and away with
it, 20 times each, and waits for what it is told; then it asks for completion. 80 ms of each keystroke are the pause after
which the server begins. One JSON line a figure, in milliseconds, and the peak memory of the server in MiB.
"""

import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import compare

RUNS = 20
# Seconds that any answer may take.
LIMIT = 60


class Server:
    """The server, and what it says."""

    def __init__(self, binary, folder):
        self.process = subprocess.Popen(
            [binary, "lsp"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.number = 0

    def send(self, message):
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def tell(self, method, params):
        self.send({"method": method, "params": params})

    def ask(self, method, params):
        self.number += 1
        self.send({"id": self.number, "method": method, "params": params})
        return self.until(lambda message: message.get("id") == self.number and "method" not in message)

    def until(self, wanted):
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            length = 0
            while (line := self.process.stdout.readline().strip()) != b"":
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            if length == 0:
                sys.exit("the server has ended")
            message = json.loads(self.process.stdout.read(length))
            if wanted(message):
                return message
        sys.exit(f"no answer within {LIMIT} s")

    def findings(self, version):
        def is_it(message):
            return message.get("method") == "textDocument/publishDiagnostics" and message["params"]["version"] == version

        return self.until(is_it)["params"]["diagnostics"]

    def peak(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM:"))


def show(figure, value, of):
    print(json.dumps({"figure": figure, "value": round(value, 1), "of": of}), flush=True)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    binary = str(pathlib.Path(sys.argv[1]).resolve())
    compare.FILES = int(sys.argv[2]) if len(sys.argv) > 2 else compare.FILES
    of = f"{compare.FILES:,} files"
    with tempfile.TemporaryDirectory(prefix="flowctl-keystrokes-") as name:
        folder = pathlib.Path(name)
        processes = folder / ".flow/processes"
        processes.mkdir(parents=True)
        for path, text in compare.corpus(pathlib.Path(__file__).resolve().parents[3]):
            (processes / path).write_text(text)
        path = sorted(processes.iterdir())[0]
        text, uri = path.read_text(), path.as_uri()
        server = Server(binary, folder)
        try:
            measure(server, folder, text, uri, of)
        finally:
            server.process.kill()
            server.process.wait()


def measure(server, folder, text, uri, of):
    server.ask("initialize", {"processId": None, "rootUri": folder.as_uri(), "capabilities": {}})
    server.tell("initialized", {})
    start = time.perf_counter()
    document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
    server.tell("textDocument/didOpen", {"textDocument": document})
    server.findings(1)
    show("open_ms", (time.perf_counter() - start) * 1000, of)
    # Behind `steps.` of the first expression that reads a step.
    line = next(number for number, words in enumerate(text.splitlines()) if "{{ steps." in words)
    column = text.splitlines()[line].index("{{ steps.") + len("{{ steps.")
    at, behind = {"line": line, "character": column}, {"line": line, "character": column + 1}
    times = []
    for version in range(2, 2 * RUNS + 2):
        is_typed = version % 2 == 0
        change = {"range": {"start": at, "end": at if is_typed else behind}, "text": "z" if is_typed else ""}
        start = time.perf_counter()
        identified = {"uri": uri, "version": version}
        server.tell("textDocument/didChange", {"textDocument": identified, "contentChanges": [change]})
        if bool(server.findings(version)) != is_typed:
            sys.exit("a misspelt step is a finding, and nothing else is")
        times.append((time.perf_counter() - start) * 1000)
    show("keystroke_p50_ms", statistics.median(times), of)
    show("keystroke_max_ms", max(times), of)
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        answer = server.ask("textDocument/completion", {"textDocument": {"uri": uri}, "position": at})
        times.append((time.perf_counter() - start) * 1000)
        if not answer["result"]:
            sys.exit("nothing is offered")
    show("completion_p50_ms", statistics.median(times), of)
    show("peak_rss_mib", server.peak(), of)


if __name__ == "__main__":
    main()

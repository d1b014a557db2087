#!/usr/bin/env python3
"""What the engine's bench measures, of DBOS Transact (PyPI `dbos`): a library that makes functions durable on PostgreSQL.

    app/benches/peer_dbos.py DATABASE_URL [--executions 1000] [--steps 5] [--concurrency 64]

DATABASE_URL: an empty database of PostgreSQL that it may fill. Workflows of sequential steps, each of which answers at once and
is recorded before the next one begins; so many at the same time, from their start to their end. The same JSON lines as the
engine's bench. It is written in Python: what it costs is the language's, too.
"""

import argparse
import asyncio
import json
import logging
import resource
import sys
import time

from dbos import DBOS

STEPS = 5


@DBOS.step()
async def answer(number: int) -> dict:
    return {"status": 200, "headers": {}, "body": {"ok": True}}


@DBOS.workflow()
async def chain() -> int:
    for number in range(STEPS):
        await answer(number)
    return STEPS


async def one(places, times):
    async with places:
        began = time.perf_counter()
        handle = await DBOS.start_workflow_async(chain)
        if await handle.get_result() != STEPS:
            sys.exit("a workflow did not end well")
        times.append((time.perf_counter() - began) * 1000)


async def run(count, concurrency):
    places, times = asyncio.Semaphore(concurrency), []
    await asyncio.gather(*(one(places, times) for _ in range(count)))
    return sorted(times)


def processor():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return (used.ru_utime + used.ru_stime) * 1000


async def measure(options):
    print("peer_dbos: warming", file=sys.stderr)
    await run(min(options.executions, 50), options.concurrency)
    print(f"peer_dbos: {options.executions} workflows, {options.concurrency} at a time", file=sys.stderr)
    used, began = processor(), time.perf_counter()
    times = await run(options.executions, options.concurrency)
    took, used = time.perf_counter() - began, processor() - used
    at = lambda share: round(times[min(len(times) - 1, int(len(times) * share))], 2)
    about = {"peer": "dbos", "executions": options.executions, "steps": STEPS, "concurrency": options.concurrency}
    for figure, value in [
        ("executions_per_s", round(options.executions / took, 2)),
        ("steps_per_s", round(options.executions * STEPS / took, 2)),
        ("p50_ms", at(0.5)),
        ("p99_ms", at(0.99)),
        ("cpu_ms_per_execution", round(used / options.executions, 2)),
    ]:
        print(json.dumps({"figure": figure, "value": value, **about}), flush=True)


def main():
    global STEPS
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("database_url")
    for name, value in [("--executions", 1_000), ("--steps", 5), ("--concurrency", 64)]:
        parser.add_argument(name, type=int, default=value)
    options = parser.parse_args()
    STEPS = options.steps
    DBOS(config={"name": "bench", "system_database_url": options.database_url, "log_level": "ERROR", "run_admin_server": False})
    DBOS.launch()
    logging.getLogger("dbos").setLevel(logging.ERROR)
    try:
        asyncio.run(measure(options))
    finally:
        DBOS.destroy()


if __name__ == "__main__":
    main()

#!/usr/bin/env bash
# Every figure of the engine that docs/performance.md has, in one go, on a machine that has nothing else to do.
#
#   app/benches/all.sh [--small] [--peers] > figures.jsonl
#
# One JSON line a figure on standard output, each with `on` and `what`; what is being done on standard error. It takes about
# fifteen minutes after the build, most of them for a million stored executions; with --small, which only shows whether
# everything runs, one or two. PostgreSQL is a private cluster where its programs are found, or the server of
# FLOWCTL_BENCH_POSTGRES_URL, in databases that are made for it and dropped. --peers measures other libraries beside it, which
# pip fetches. Everything that is made is removed in the end. FLOWCTL_BENCH_FLOWCTL and FLOWCTL_BENCH_ENGINE name programs that are
# built already.
set -euo pipefail
cd "$(dirname "$0")/../.."

small=false peers=false
for argument in "$@"; do
  case "$argument" in
    --small) small=true ;;
    --peers) peers=true ;;
    *) sed -n '2,12s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
  esac
done
if $small; then
  burst=60 one=20 stored=2000 waiting=500 restart=40 users=10 seconds=2 pages=5
else
  burst=8000 one=1000 stored=1000000 waiting=100000 restart=10000 users=200 seconds=20 pages=200
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/flowctl-bench.XXXXXX")
made=()
clean() {
  local database
  for database in "${made[@]}"; do
    "$psql" -q "$server" -c "drop database if exists $database with (force)" > /dev/null 2>&1 || true
  done
  if [ -n "${cluster:-}" ]; then as_postgres "$programs/pg_ctl" -D "$cluster/data" -m immediate -w stop > /dev/null 2>&1 || true; fi
  rm -rf "$work" ${cluster:+"$cluster"}
}
trap clean EXIT
trap 'exit 130' INT TERM

began=$(date +%s)
says() { echo "== $(($(date +%s) - began)) s: $*" >&2; }

as_postgres() { # PostgreSQL refuses to run as root
  if [ "$(id -u)" -eq 0 ]; then setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups -- "$@"; else "$@"; fi
}

start_postgres() {
  server=${FLOWCTL_BENCH_POSTGRES_URL:-}
  programs=$(dirname "$(ls -d /usr/lib/postgresql/*/bin/initdb 2> /dev/null | tail -1 || command -v initdb || true)")
  psql=$(command -v psql || ls "$programs/psql" 2> /dev/null || true)
  [ -n "$psql" ] || return
  [ -z "$server" ] || return 0
  [ -x "$programs/initdb" ] || return
  cluster=$(mktemp -d /tmp/flowctl-bench-postgres.XXXXXX)
  mkdir "$cluster/data"
  chmod 700 "$cluster/data"
  [ "$(id -u)" -ne 0 ] || chown -R nobody "$cluster"
  as_postgres "$programs/initdb" -D "$cluster/data" -U flowctl --auth=trust -E UTF8 --locale=C > /dev/null
  local port=$((20000 + RANDOM % 10000))
  (cd "$cluster" && as_postgres "$programs/pg_ctl" -D "$cluster/data" -w -l "$cluster/data/log" \
    -o "-c listen_addresses=127.0.0.1 -p $port -k $cluster" start > /dev/null) || return
  server="postgres://flowctl@127.0.0.1:$port/postgres"
}

database() { # a new database, whose address is in $url
  made+=("bench_$$_${#made[@]}")
  "$psql" -q "$server" -c "create database ${made[-1]}" > /dev/null
  url="${server%/*}/${made[-1]}"
}

tells() { # adds where and what to each line
  python3 -c '
import json, sys
for line in sys.stdin:
    print(json.dumps({"on": sys.argv[1], "what": sys.argv[2], **json.loads(line)}), flush=True)' "$1" "$2"
}

engine() { # on, what, options
  says "$1: $2"
  "$bench" --bench "${@:3}" | tells "$1" "$2"
}

over_http() { # on, what, database
  says "$1: $2"
  app/benches/users.py "$flowctl" "$3" --users $users --seconds $seconds --pages $pages | tells "$1" "$2"
}

flowctl=${FLOWCTL_BENCH_FLOWCTL:-} bench=${FLOWCTL_BENCH_ENGINE:-}
[ -n "$flowctl" ] || {
  says "building the program"
  cargo build --release -p flowctl --message-format short >&2
  flowctl=${CARGO_TARGET_DIR:-target}/release/flowctl
}
[ -n "$bench" ] || says "building the bench"
[ -n "$bench" ] || bench=$(cargo bench -p flowctl-app --bench engine --no-run --message-format json |
  python3 -c '
import json, sys
built = [json.loads(line) for line in sys.stdin if line.startswith("{")]
print([it["executable"] for it in built if it.get("executable") and it["target"]["name"] == "engine"][-1])')
began=$(date +%s)

engine sqlite "64 at a time" --executions $burst
engine sqlite "256 at a time" --executions $burst --concurrency 256
engine sqlite "one at a time" --executions $one --concurrency 1
engine sqlite waiting --waiting $waiting
engine sqlite restart --restart $restart
stored_in="sqlite://$work/stored.db"
engine sqlite "64 at a time, over $stored stored" --executions $burst --history $stored --database-url "$stored_in"
engine sqlite "one at a time, over $stored stored" --executions $one --concurrency 1 --database-url "$stored_in"
over_http sqlite "over HTTP, over $stored stored" "$stored_in"
rm -f "$work"/stored.db*

if start_postgres; then
  on="postgresql $("$psql" -qAt "$server" -c 'show server_version')"
  database
  engine "$on" "64 at a time" --executions $burst --database-url "$url"
  engine "$on" "256 at a time" --executions $burst --concurrency 256 --database-url "$url"
  engine "$on" "one at a time" --executions $one --concurrency 1 --database-url "$url"
  database
  engine "$on" waiting --waiting $waiting --database-url "$url"
  database
  engine "$on" restart --restart $((restart / 5)) --database-url "$url"
  database
  engine "$on" "64 at a time, over $stored stored" --executions $burst --history $stored --database-url "$url"
  over_http "$on" "over HTTP, over $stored stored" "$url"
  if $peers; then
    says "fetching the peers"
    python3 -m venv "$work/peers"
    "$work/peers/bin/pip" install --quiet dbos==3.4.0
    for concurrency in 64 1; do
      database
      says "$on: dbos, $concurrency at a time"
      "$work/peers/bin/python" app/benches/peer_dbos.py "${url/postgres:/postgresql:}" \
        --executions $one --concurrency $concurrency | tells "$on" "dbos, $concurrency at a time"
    done
  fi
else
  says "PostgreSQL is not measured: its programs are not there, or it does not start"
fi
says "done"

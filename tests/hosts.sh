#!/usr/bin/env bash
# Five nodes on hosts of their own: network namespaces with addresses of their own, on one bridge.
# A console on a sixth host attaches by ticket; then a real link is cut, and mended.
#
#   cargo build --profile quick && sudo tests/hosts.sh target/quick/netsplit
#
# Needs root and iproute2. Touches nothing outside the namespaces that it makes, ends by itself after
# about a minute, and takes everything away again. Not part of `cargo test`.
set -euo pipefail

netsplit=$(realpath "${1:?the program: tests/hosts.sh target/quick/netsplit}")
run=nsplit$$
dir=$(mktemp -d)
pids=()

finish() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    for host in switch 1 2 3 4 5 6; do ip netns del "$run-$host" 2>/dev/null || true; done
    rm -rf "$dir"
}
trap finish EXIT

die() { echo "FAILED: $*" >&2; tail -n 5 "$dir"/*.log >&2 2> /dev/null || true; exit 1; }
on() { local host=$1; shift; ip netns exec "$run-$host" "$@"; }

# -- hosts ------------------------------------------------------------------------------------------
ip netns add "$run-switch"
on switch ip link add bridge type bridge
on switch ip link set bridge up
for host in 1 2 3 4 5 6; do
    ip netns add "$run-$host"
    ip link add "port$host" netns "$run-switch" type veth peer name eth0 netns "$run-$host"
    on switch ip link set "port$host" master bridge up
    on "$host" ip address add "10.77.0.$host/24" dev eth0
    on "$host" ip link set eth0 up
    on "$host" ip link set lo up
done

# -- nodes ------------------------------------------------------------------------------------------
cat > "$dir/hosts.toml" <<'TOML'
nodes = 5
progress_within = "20s"
[membership]
[log]
[ring]
[lock]
[store]
[[client]]
rate = 20
do = [{ load = "read-write", keys = 8, writes = 50 }]
TOML

node() {
    local host=$1 id=$2 port=$3; shift 3
    ip netns exec "$run-$host" "$netsplit" node --cluster "$dir/hosts.toml" --id "$id" \
        --listen "10.77.0.$host:$port" --data "$dir/$id" "$@" > "$dir/$id.out" 2> "$dir/$id.log" &
    pids+=($!)
    for _ in $(seq 100); do
        grep -q listens "$dir/$id.out" && return
        sleep 0.1
    done
    die "$id does not start"
}
invite() { "$netsplit" invite --data "$dir/n1" --address 10.77.0.1:7400 --role "$1" 2> /dev/null; }

said=$(on 1 "$netsplit" node --cluster "$dir/hosts.toml" --id n1 --listen 10.77.0.1:7400 \
    --data "$dir/n1" 2>&1 || true)
grep -q "no certificate" <<< "$said" || die "a node listens to the world without being told to: $said"
echo "without a certificate a node does not listen to the world"

node 1 n1 7400 --found
for host in 2 3 4 5; do node "$host" "n$host" 7400 --join "$(invite "n$host")"; done
node 5 c1 7500 --join "$(invite c1)"

# -- a console on the sixth host ----------------------------------------------------------------------
export XDG_STATE_HOME=$dir/console
look() { on 6 "$netsplit" attach "$@" --headless --events facts > "$dir/look.txt" 2>&1; }

look "$(invite operator)" --for 6s || { cat "$dir/look.txt"; die "the cluster is not well"; }
leader=$(grep -oE '^[0-9.]+ n[1-5] leads' "$dir/look.txt" | tail -n 1 | grep -oE 'n[1-5]') ||
    die "nobody leads"
echo "attached from 10.77.0.6; $leader leads"

# -- a real link ---------------------------------------------------------------------------------------
cut=${leader#n}
on switch ip link set "port$cut" down
echo "cut the cable of $leader"
other=$((cut % 5 + 1))
look "10.77.0.$other:7400" --for 12s || true
grep -E "^[0-9.]+ n[1-5] leads" "$dir/look.txt" | grep -qv " $leader leads" ||
    { cat "$dir/look.txt" | tail -n 40; die "nobody took over from $leader"; }
grep -E "suspects $leader" "$dir/look.txt" > /dev/null || die "nobody suspects $leader"
echo "another node took over"

on switch ip link set "port$cut" up
look "10.77.0.$other:7400" --for 12s || { tail -n 30 "$dir/look.txt"; die "it did not recover"; }
grep -E "^[0-9.]+ $leader " "$dir/look.txt" > /dev/null || die "$leader was not seen again"
grep -q "verdict: ok" "$dir/look.txt" || die "the checks found something"
echo "mended: $leader is back, and every check holds"

#!/usr/bin/env bash
# Tries the Dockerfile where there is no engine: does its COPY, WORKDIR and RUN steps in a temporary folder with the Node at hand,
# then runs the tree that the last stage holds: its version, a log read once, and a daemon with its health check. What it can't
# try is the base images, USER and the limits of a container. Leaves nothing behind.
#
# Native modules that `npm ci` has compiled in this checkout are handed to the installers as downloads, which saves minutes; with
# TOCSIN_TRY_COMPILE=1 they are compiled again.
set -euo pipefail

project=$(cd "$(dirname "$0")/../.." && pwd)
if ! command -v strip >/dev/null; then
  echo "dockerfile: skipped, strip is not installed (Debian: binutils)"
  exit 0
fi
work=$(mktemp -d)
daemon=
cleanup() {
  [ -z "$daemon" ] || kill -KILL "$daemon" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
fail() {
  echo "dockerfile: FAILED: $*" >&2
  exit 1
}

# The context: .dockerignore leaves out everything, then names what is in.
[ "$(head -1 "$project/.dockerignore")" = '*' ] || fail '.dockerignore does not begin by leaving out everything'
mkdir "$work/context"
while IFS= read -r line; do
  name=${line#!}
  if [ "$line" != "$name" ] && [ -e "$project/$name" ]; then cp -a "$project/$name" "$work/context/"; fi
done < "$project/.dockerignore"

# Where the installers look for what others have compiled (the README of each): by platform and the ABI of this Node.
offer_compiled() {
  local modules=$project/node_modules built=build/Release platform version
  local re2=$modules/re2/$built/re2.node sqlite=$modules/better-sqlite3/$built/better_sqlite3.node
  if [ -n "${TOCSIN_TRY_COMPILE:-}" ] || [ ! -e "$re2" ] || [ ! -e "$sqlite" ]; then return 0; fi
  platform=$(node -p '`${process.platform}-${process.arch}`')
  version=$(node -p 'process.versions.modules')
  mkdir "$work/compiled"
  gzip -1 < "$re2" > "$work/compiled/$platform-$version.gz"
  tar -czf "$work/compiled/better-sqlite3-v$(node -p 'require(process.argv[1]).version' "$modules/better-sqlite3/package.json")-node-v$version-$platform.tar.gz" \
    -C "$modules/better-sqlite3" "$built/better_sqlite3.node"
  export RE2_DOWNLOAD_MIRROR=$work/compiled RE2_DOWNLOAD_SKIP_PATH=1 RE2_DOWNLOAD_SKIP_VER=1
  export npm_config_better_sqlite3_local_prebuilds=$work/compiled
}
offer_compiled

stage=
folder=
# A path of a stage -> its place in the temporary folder.
place() {
  case $2 in
    /*) echo "$work/$1$2" ;;
    *) echo "$work/$1$folder/$2" ;;
  esac
}

copy() {
  local from=context
  while [[ $1 == --* ]]; do
    if [[ $1 == --from=* ]]; then from=${1#--from=}; fi
    shift
  done
  local target source
  target=$(place "$stage" "${!#}")
  while [ $# -gt 1 ]; do
    if [ "$from" = context ]; then source=$work/context/$1; else source=$work/$from$1; fi
    [ -e "$source" ] || fail "COPY $1: it is not there"
    mkdir -p "$(dirname "$target")"
    # COPY takes the contents of a folder, and a file into a folder that ends in a slash.
    if [ -d "$source" ]; then
      mkdir -p "$target"
      cp -a "$source/." "$target/"
    else
      mkdir -p "$target"
      cp -a "$source" "$target/"
    fi
    shift
  done
}

step() {
  local word=$1 rest=$2 parts
  case $word in
    FROM)
      read -ra parts <<< "$rest"
      stage=${parts[2]:-runtime}
      folder=
      mkdir -p "$work/$stage"
      ;;
    WORKDIR)
      folder=$rest
      mkdir -p "$work/$stage$folder"
      ;;
    COPY)
      read -ra parts <<< "$rest"
      copy "${parts[@]}"
      ;;
    RUN)
      [[ ! $rest =~ (^|[[:space:]])/ ]] || fail "RUN names a path outside its WORKDIR: $rest"
      echo "dockerfile: RUN ${rest:0:100}"
      (cd "$work/$stage$folder" && sh -ec "$rest") > "$work/step.log" 2>&1 < /dev/null || {
        tail -40 "$work/step.log" >&2
        fail "RUN $rest"
      }
      ;;
    ENV | VOLUME | USER | HEALTHCHECK | ENTRYPOINT | CMD) ;;
    *) fail "no step for $word; teach this script or do without" ;;
  esac
}

while IFS= read -r line <&3; do
  [ -n "$line" ] || continue
  step "${line%% *}" "${line#* }"
done 3< <(grep -v '^#' "$project/Dockerfile" | sed -e ':a' -e '/\\$/{N;s/\\\n */ /;ba}')

grep -qx 'USER node' "$project/Dockerfile" || fail 'it does not run as the user node'
grep -qx 'ENTRYPOINT \["node", "/app/dist/main.js"\]' "$project/Dockerfile" || fail 'the entry point is not the program itself'

app=$work/runtime/app
run=$work/run
mkdir "$run"
cd "$run"
find "$app" | sort > "$work/before"

version=$(node -p 'require(process.argv[1]).version' "$project/package.json")
[ "$("$app/bin/tocsin" --version)" = "$version" ] || fail "--version does not say $version"
for module in re2/build/Release/re2.node better-sqlite3/build/Release/better_sqlite3.node; do
  size=$(stat -c %s "$app/node_modules/$module")
  [ "$size" -lt 4000000 ] || fail "$module is $size bytes: not stripped"
done
[ ! -e "$app/node_modules/typescript" ] || fail 'what is needed to build is in the runtime'

cat > worker.log <<'LOG'
[2026-01-05 10:00:00,000: INFO/MainProcess] Task mail.send[0b0c8d5e-3a51-4d2c-9d65-1f4f4e2f9a01] received
[2026-01-05 10:00:01,000: ERROR/ForkPoolWorker-1] Task mail.send[0b0c8d5e-3a51-4d2c-9d65-1f4f4e2f9a01] raised unexpected: OSError('down')
Traceback (most recent call last):
  File "/srv/app/mail.py", line 3, in send
    raise OSError('down')
OSError: down
LOG
node "$app/dist/main.js" run --once --pack celery worker.log > once.txt 2> once.err || { cat once.err >&2; fail 'run --once ended with an error'; }
grep -q 'mail.send' once.txt || { cat once.txt once.err >&2; fail 'run --once told nothing of mail.send'; }

port=$(node -e 'const s=require("net").createServer().listen(0,"127.0.0.1",()=>{console.log(s.address().port);s.close()})')
cat > tocsin.yaml <<YAML
sources: { worker: { file: worker.log, start: beginning } }
packs: [ celery ]
channels: { screen: { type: console } }
routes: [ { notify: screen } ]
state: { dir: state }
admin: { listen: '127.0.0.1:$port' }
YAML
health() { TOCSIN_ADMIN=127.0.0.1:$port node "$app/dist/healthcheck.js" >> health.txt 2>&1; }
if health; then fail 'the health check is content without a daemon'; fi
node "$app/dist/main.js" run --config tocsin.yaml > daemon.txt 2> daemon.err < /dev/null &
daemon=$!
deadline=$((SECONDS + 30))
until health; do
  kill -0 "$daemon" 2>/dev/null || { cat daemon.err >&2; fail 'the daemon ended by itself'; }
  [ "$SECONDS" -lt "$deadline" ] || { cat health.txt daemon.err >&2; fail 'the daemon was not healthy within 30 s'; }
  sleep 0.2
done
asked=$SECONDS
kill -TERM "$daemon"
wait "$daemon" || { cat daemon.err >&2; fail "SIGTERM ended it with $?"; }
daemon=
[ $((SECONDS - asked)) -le 8 ] || fail 'SIGTERM took longer than 8 s'

find "$app" | sort > "$work/after"
cmp -s "$work/before" "$work/after" || { diff "$work/before" "$work/after" >&2 || true; fail 'it wrote into its own folder, which may be read-only'; }
echo "dockerfile: ok, /app is $(du -sm "$app" | cut -f1) MB"

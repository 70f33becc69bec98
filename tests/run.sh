#!/usr/bin/env bash
# Everything that must hold, in one command: format, lints, documentation, tests, dependencies.
#
#   bash tests/run.sh
#
# The integration tests make their own databases on the server of DATABASE_URL if that is set, else on an embedded
# TimescaleDB, which they fetch and start with chunkwise's own code. This script only does what cargo cannot: it makes a
# Python with numpy, pandas and pyarrow, which read chunkwise's answers back, and with clients of other stores, which
# write to it; and it fetches the browser, the broker and the collector that the tests use, where they are not installed.
# Both stand in target/; nothing is installed, and no rights are needed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target=${CARGO_TARGET_DIR:-target}
venv=$target/test-python
packages=(
    "numpy==2.2.*" "pandas==2.2.*" "pyarrow>=18"
    "influxdb-client==1.50.*" "influxdb==5.3.*" "questdb==6.0.0" "opentsdb-py==0.6.*" "paho-mqtt==2.*"
)
# Name, package, and where it is in the package.
program_packages='mosquitto        mosquitto      /usr/sbin/mosquitto
mosquitto_passwd mosquitto      /usr/bin/mosquitto_passwd
chromium         chromium       /usr/lib/chromium/chromium
collectd         collectd-core  /usr/sbin/collectd
openssl          openssl        /usr/bin/openssl'
imports='import numpy, pandas, pyarrow, influxdb_client, influxdb, questdb, opentsdb, paho.mqtt'
summary=()

stage() {
    local name=$1 begun=$SECONDS
    shift
    printf '\n== %s\n' "$name"
    if ! "$@"; then
        printf '\nFAILED: %s\n' "$name" >&2
        exit 1
    fi
    summary+=("$(printf '%5d s  %s' $((SECONDS - begun)) "$name")")
}

skipped() {
    printf '\n== %s\nSKIPPED: %s\n' "$1" "$2"
    summary+=("SKIPPED  $1: $2")
}

test_python() {
    if [[ -n ${CHUNKWISE_TEST_PYTHON:-} ]]; then
        "$CHUNKWISE_TEST_PYTHON" -c "$imports"
        return
    fi
    # What is installed, written down when it is.
    if [[ ! -f $venv/complete || $(<"$venv/complete") != "${packages[*]}" ]]; then
        rm -rf "$venv"
        if ! python3 -m venv "$venv"; then
            echo 'error: Python 3 with its venv module is needed for the tests of formats and clients.' >&2
            echo '       Debian, Ubuntu: apt-get install python3-venv. Fedora, macOS: the python3 package has it.' >&2
            echo '       Or name a Python in CHUNKWISE_TEST_PYTHON that has what packages=( ) in tests/run.sh lists.' >&2
            return 1
        fi
        # `set -e` does not reach into a function that is called as a condition.
        "$venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: "${packages[@]}" || return 1
        echo "${packages[*]}" >"$venv/complete"
    fi
    CHUNKWISE_TEST_PYTHON=$(cd "$venv/bin" && pwd)/python
    export CHUNKWISE_TEST_PYTHON
}

first_folder() {
    local folder
    for folder; do
        [[ ! -d $folder ]] || break
    done
    echo "$folder"
}

# The programs that tests run, each with its package on Debian and Ubuntu. Where some are missing, apt fetches their packages
# with lists and a cache of its own, and they are unpacked. Where there is no apt, the tests that want them say SKIPPED.
test_programs() {
    local programs tree name package path library='' work missing=()
    mkdir -p "$target/test-programs"
    programs=$(cd "$target/test-programs" && pwd)
    tree=$programs/tree work=$programs/work
    # What was fetched, written down when it is.
    [[ -f $programs/complete && $(<"$programs/complete") == "$program_packages" ]] || rm -rf "$programs"
    export PATH=$programs/bin:$PATH:/usr/sbin
    while read -r name package _; do
        command -v "$name" >/dev/null || missing+=("$package")
    done <<<"$program_packages"
    ((${#missing[@]})) || return 0
    if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
        echo "not installed, and there is no apt to fetch them with: ${missing[*]}"
        return 0
    fi
    mkdir -p "$work/lists" "$work/cache" "$tree" "$programs/bin"
    local apt=(
        apt-get -qq -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" -o Debug::NoLocking=true
        -o APT::Sandbox::User= -o APT::Install-Recommends=false
    )
    "${apt[@]}" update || return 1
    "${apt[@]}" install --yes --download-only "${missing[@]}" || return 1
    for package in "$work"/cache/archives/*.deb; do
        dpkg-deb -x "$package" "$tree" || return 1
    done
    for path in "$tree"/usr/lib/*-linux-gnu "$tree"/usr/lib/*-linux-gnu/nss; do
        [[ ! -d $path ]] || library+=${library:+:}$path
    done
    while read -r name _ path; do
        [[ -x $tree$path ]] || continue
        # The fonts of the browser's packages are found as if they were the user's.
        printf '#!/bin/sh\nLD_LIBRARY_PATH=%q FONTCONFIG_PATH=%q XDG_DATA_HOME=%q exec %q "$@"\n' \
            "$library" "$(first_folder "$tree/etc/fonts" /etc/fonts)" "$tree/usr/share" "$tree$path" >"$programs/bin/$name"
        chmod +x "$programs/bin/$name"
    done <<<"$program_packages"
    rm -rf "$work"
    echo "$program_packages" >"$programs/complete"
}

# The tests' own embedded server, where they needed one, goes on until here: it is theirs alone, beside the user's data.
stop_test_server() {
    local data_dir=${XDG_DATA_HOME:-$HOME/.local/share}/chunkwise-test
    ((EUID)) || data_dir=/var/lib/chunkwise-test
    if [[ -d $data_dir && -x $target/debug/chunkwise ]]; then
        "$target/debug/chunkwise" db stop --data-dir "$data_dir" >/dev/null 2>&1 || true
    fi
}
trap stop_test_server EXIT

documentation() {
    RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --document-private-items
}

# Nothing else compiles them. The library that they are linked with needs a C++ compiler, and is not needed to check them:
# any file stands for it.
fuzz_targets() {
    CUSTOM_LIBFUZZER_PATH=$PWD/fuzz/Cargo.toml \
        cargo check --locked --manifest-path fuzz/Cargo.toml --target-dir "$target"
}

# Most tests wait: for a database to be copied, a timeout, a server to recover. Three a core keep the cores busy.
tests() {
    RUST_TEST_THREADS=${RUST_TEST_THREADS:-$((3 * $(getconf _NPROCESSORS_ONLN)))} cargo test --locked
}

stage 'Python for the tests' test_python
stage 'programs for the tests' test_programs
stage 'format' cargo fmt --check
# All targets: also the benches must compile.
stage 'lints' cargo clippy --locked --all-targets -- -D warnings
stage 'fuzz targets' fuzz_targets
stage 'documentation' documentation
stage 'tests' tests
if cargo deny --version >/dev/null 2>&1; then
    stage 'dependencies' cargo deny --locked check
else
    skipped 'dependencies' 'cargo-deny is not installed (cargo install --locked cargo-deny)'
fi

printf '\n== all passed\n'
printf '%s\n' "${summary[@]}"

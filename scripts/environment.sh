# Read by the other scripts: a virtual environment with minidock in it.
#
#   enter_environment [EXTRA]   leaves $BIN, the directory of its programs; ends the script with a sentence if it cannot

REPOSITORY=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
unset PYTHONDONTWRITEBYTECODE # without compiled modules each command would be parsed anew: +150 ms

fail() {
    printf '%s: %s\n' "${0##*/}" "$1" >&2
    exit 1
}

find_python() {
    local name
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    return 1
}

make_venv() {
    local python
    python=$(find_python) || fail "needs Python 3.11 or newer; here is $(python3 --version 2>&1 || echo none)"
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "this Python cannot make virtual environments; type: sudo apt-get install python3-venv"
    "$python" -m venv "$REPOSITORY/.venv" || fail "cannot make $REPOSITORY/.venv"
}

enter_environment() {
    local extra=${1:-} venv=${VIRTUAL_ENV:-$REPOSITORY/.venv}
    [ -x "$venv/bin/python" ] || make_venv
    BIN=$venv/bin
    local stamp=$venv/.minidock${extra:+-$extra}
    if [ ! "$stamp" -nt "$REPOSITORY/pyproject.toml" ]; then
        "$BIN/python" -m pip install --quiet --disable-pip-version-check -e "$REPOSITORY${extra:+[$extra]}" ||
            fail "pip could not install minidock into $venv; its message is above"
        touch "$stamp"
    fi
    "$BIN/python" -m compileall -q "$REPOSITORY/minidock" # now, so that sudo leaves no files of root's here
}

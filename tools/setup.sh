# Installs the Debian packages that a task needs. Sourced by ./run, ./test and bench/run:
#     setup_packages GROUP...      the groups of tools/packages
# Asks apt only when something is missing, so a second run costs milliseconds.

setup_wanted() {    # prints the packages of the given groups
    local group="" line wanted=" $* "
    while read -r line; do
        line=${line%%#*}; line=${line//[[:space:]]/}
        case $line in
            "") ;;
            "["*) group=${line//[\[\]]/} ;;
            *) [[ $wanted == *" $group "* ]] && echo "$line" ;;
        esac
    done < "$weir_root/tools/packages"
    return 0
}

setup_missing() {   # prints those of the given packages that are not there
    local entry name installed
    installed=" $(dpkg-query -W -f='${Package}/${db:Status-Status} ' 2>/dev/null || true)"
    for entry in "$@"; do
        name=${entry%%=*}
        [[ $installed == *" $name/installed "* ]] && continue
        [[ $entry == *=* ]] && command -v "${entry#*=}" >/dev/null 2>&1 && continue
        echo "$name"
    done
}

setup_apt() {       # apt-get with the manners of a script: asks nothing, waits for another apt
    local sudo=()
    [[ $(id -u) == 0 ]] || sudo=(sudo)
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 "$@" \
        </dev/null >>"$setup_log" 2>&1
}

setup_packages() {
    local wanted missing
    setup_log="$weir_root/build/setup.log"
    mkdir -p "$weir_root/build"
    mapfile -t wanted < <(setup_wanted "$@")
    mapfile -t missing < <(setup_missing "${wanted[@]}")
    [[ ${#missing[@]} -eq 0 ]] && return 0
    command -v apt-get >/dev/null || { echo "no apt-get here: please install the equivalents of: ${missing[*]}" >&2; return 1; }
    [[ $(id -u) == 0 ]] || command -v sudo >/dev/null || { echo "neither root nor sudo: please install: ${missing[*]}" >&2; return 1; }
    echo "installing: ${missing[*]}"
    # The package lists are fetched only when a try with those at hand fails.
    local try
    for try in 1 2 3; do
        setup_apt install -y --no-install-recommends "${missing[@]}" && break
        setup_apt update || sleep 2
    done
    mapfile -t missing < <(setup_missing "${wanted[@]}")
    [[ ${#missing[@]} -eq 0 ]] && return 0
    tail -n 20 "$setup_log" >&2
    echo "could not install: ${missing[*]} (whole log: build/setup.log)" >&2
    return 1
}

# setup_configure PRESET: configures build/PRESET once; ninja re-runs cmake by itself later on.
setup_configure() {
    [[ -f "$weir_root/build/$1/build.ninja" ]] && return 0
    (cd "$weir_root" && cmake --preset "$1" >"build/configure-$1.log" 2>&1) ||
        { tail -n 30 "$weir_root/build/configure-$1.log" >&2; echo "configuring build/$1 failed" >&2; return 1; }
}

#!/bin/sh
# Builds nagaya and installs it for one user or for all. `./install.sh --help` tells the rest.
set -eu
unset CDPATH

usage() {
    cat <<'END'
Builds nagaya and installs it as PREFIX/bin/nagaya.

Usage: ./install.sh [--prefix DIR] [--uninstall]

  --prefix DIR   Install under DIR [default: /usr/local for root, else ~/.local]
  --uninstall    Remove PREFIX/bin/nagaya; folders, and what workspaces have stored, stay
  -h, --help     Print this

It needs Rust and a C compiler. CARGO_TARGET_DIR and RUSTFLAGS are respected.
END
}

say() { printf '%s\n' "$*"; }
die() { # die MESSAGE LINE…: the lines say what to do
    printf 'install.sh: %s\n' "$1" >&2
    shift
    if [ $# -gt 0 ]; then printf '  %s\n' "$@" >&2; fi
    exit 1
}
misused() {
    printf 'install.sh: %s (see --help)\n' "$1" >&2
    exit 2
}
has_static_libc() {
    scratch=$(mktemp -d)
    echo 'int main(void) { return 0; }' >"$scratch/probe.c"
    status=0
    cc -static -o "$scratch/probe" "$scratch/probe.c" 2>/dev/null || status=1
    rm -rf "$scratch"
    return $status
}

prefix='' uninstall=no
while [ $# -gt 0 ]; do
    case $1 in
        --prefix)
            [ $# -ge 2 ] || misused '--prefix needs a folder'
            prefix=$2
            [ -n "$prefix" ] || misused '--prefix needs a folder'
            shift
            ;;
        --prefix=*)
            prefix=${1#*=}
            [ -n "$prefix" ] || misused '--prefix needs a folder'
            ;;
        --uninstall) uninstall=yes ;;
        -h | --help)
            usage
            exit 0
            ;;
        *) misused "unknown argument: $1" ;;
    esac
    shift
done

if [ -z "$prefix" ]; then
    if [ "$(id -u)" = 0 ]; then
        prefix=/usr/local
    else
        [ -n "${HOME:-}" ] || die 'HOME is not set' 'Name the place with --prefix DIR.'
        prefix=$HOME/.local
    fi
fi
case $prefix in
    /*) ;;
    *) prefix=$PWD/$prefix ;;
esac
prefix=${prefix%/}
bin=$prefix/bin
program=$bin/nagaya

if [ "$uninstall" = yes ]; then
    if [ -f "$program" ] || [ -L "$program" ]; then
        rm -f "$program" || die "cannot remove $program" 'Run this as the one who installed it.'
        say "removed $program"
    else
        say "nothing to remove: there is no $program"
    fi
    exit 0
fi

repo=$(cd "$(dirname "$0")" && pwd)
if ! grep -qs '^name = "nagaya"' "$repo/Cargo.toml"; then
    die "$repo is not nagaya's source folder" 'Run install.sh where it lies in a checkout.'
fi

# rustup puts cargo here, and a shell that is older than that does not know it yet.
their_path=$PATH
if [ -n "${HOME:-}" ]; then PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin; fi
wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$repo/Cargo.toml")
if ! command -v cargo >/dev/null || ! command -v rustc >/dev/null; then
    die 'Rust is not installed, or not on this PATH' \
        "Install Rust $wanted or newer: with rustup (the package rustup on Debian 13, Ubuntu, Fedora, Arch" \
        'and Homebrew; then: rustup default stable), or the packages cargo and rustc where they are new enough.' \
        "Have you got it? sudo leaves your PATH out; this takes it along: sudo env \"PATH=\$PATH\" ./install.sh"
fi
cd "$repo"
rustc=$(rustc -vV) || die 'rustc does not run' 'With rustup, this picks a compiler: rustup default stable'
found=$(say "$rustc" | sed -n 's/^release: \([0-9.]*\).*/\1/p')
host=$(say "$rustc" | sed -n 's/^host: //p')
if [ "$(printf '%s\n' "$found" "$wanted" | sort -t . -k 1,1n -k 2,2n -k 3,3n | head -n 1)" != "$wanted" ]; then
    die "Rust $found is too old; $wanted is needed" 'With rustup: rustup update stable'
fi
if ! command -v cc >/dev/null; then
    die 'there is no C compiler (cc), which Rust links with' \
        'Install one: the packages gcc and libc6-dev (Debian, Ubuntu), gcc and glibc-devel (Fedora),' \
        'base-devel (Arch), or, on macOS: xcode-select --install'
fi

# Before the build: nobody should wait for it only to learn that it has nowhere to go.
(umask 022 && mkdir -p "$bin") || die "cannot create $bin" 'Choose another place with --prefix DIR, or run this as root.'
bin=$(cd "$bin" && pwd)
program=$bin/nagaya
[ -w "$bin" ] || die "cannot write to $bin" 'Choose another place with --prefix DIR, or run this as root.'
[ ! -d "$program" ] || die "$program is a folder" 'Move it away, or choose another place with --prefix DIR.'

target_dir=${CARGO_TARGET_DIR:-$repo/target}
built=$target_dir/dist/nagaya
set -- build --profile dist --locked --bin nagaya --target-dir "$target_dir"
case $host in
    *-linux-gnu*)
        # One file with libc in it, at a fixed address. About half the time of a short command like `nagaya ls` is the
        # dynamic loader's: it finds and maps libraries, and rewrites pointers for the place where the program came to
        # lie. Here it has nothing to do. Naming the target keeps the flags away from build scripts and from macros,
        # which the compiler has to load.
        if has_static_libc; then
            RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=+crt-static -C relocation-model=static"
            export RUSTFLAGS
            set -- "$@" --target "$host"
            built=$target_dir/$host/dist/nagaya
        else
            say "There is no static libc here (Fedora: the package glibc-static), so nagaya will start a little slower."
        fi
        ;;
esac
say "Building nagaya with Rust $found; the first time takes a few minutes."
cargo "$@" || die 'the build failed' 'Its own words are above.'

# A new file and a rename: a nagaya that is running keeps its old one, and nobody ever sees half a program.
new=''
trap 'rm -f "$new"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
new=$(mktemp "$bin/.nagaya.XXXXXX")
cp "$built" "$new"
chmod 755 "$new"
version=$("$new" --version) || die "the new program does not run in $bin" 'Is that file system mounted noexec?'
mv -f "$new" "$program"
new=''
say "installed $version as $program"

first=$(PATH=$their_path command -v nagaya || true)
case :$their_path: in
    *:"$bin":*)
        if [ "$first" != "$program" ]; then say "but \`nagaya\` is another one here: $first comes first on your PATH"; fi
        ;;
    *)
        say "$bin is not on your PATH. Add it, then open a new terminal:"
        # shellcheck disable=SC2016 # $PATH is for the shell that reads the line
        case ${SHELL:-} in
            */fish) printf "  fish_add_path '%s'\n" "$bin" ;;
            */zsh) printf "  echo 'export PATH=\"%s:\$PATH\"' >> ~/.zshrc\n" "$bin" ;;
            */bash) printf "  echo 'export PATH=\"%s:\$PATH\"' >> ~/.bashrc\n" "$bin" ;;
            *) printf "  echo 'export PATH=\"%s:\$PATH\"' >> ~/.profile\n" "$bin" ;;
        esac
        ;;
esac

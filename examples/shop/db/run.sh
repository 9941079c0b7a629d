#!/bin/sh
# Runs PostgreSQL in the foreground on port 5432, with its data in $NAGAYA_DATA_DIR (made on the first start).
set -eu
: "${NAGAYA_DATA_DIR:?}"
mkdir -p "$NAGAYA_DATA_DIR"
home=$NAGAYA_DATA_DIR

# PostgreSQL refuses to run as root. Root therefore runs it as an unprivileged account, whose data can't be below
# root's home folder (no other account may pass through that): it is in /var/tmp, and a link leads there.
as=''
if [ "$(id -u)" = 0 ]; then
    if id postgres >/dev/null 2>&1; then account=postgres; else account=nobody; fi
    home=/var/tmp/nagaya-shop-$(printf %s "$NAGAYA_DATA_DIR" | cksum | cut -d ' ' -f 1)
    [ -d "$home" ] || mkdir -m 700 "$home"
    case $(stat -c %U "$home") in
        root) chown "$account:" "$home" ;;
        postgres | nobody) account=$(stat -c %U "$home") ;;
        *) echo "db: $home belongs to somebody else" >&2; exit 1 ;;
    esac
    ln -sfn "$home" "$NAGAYA_DATA_DIR/data"
    as="setpriv --reuid=$account --regid=$(id -g "$account") --clear-groups"
    cd /
fi
data=$home/postgres

# Debian doesn't put the server on PATH. New data gets the newest version, old data the one that made it.
version=$(cat "$data/PG_VERSION" 2>/dev/null || echo '*')
server=$(find /usr/lib/postgresql -path "*/$version/bin/postgres" 2>/dev/null | sort -V | tail -n 1)
if [ -z "$server" ]; then
    echo "db: no PostgreSQL server (version $version) in /usr/lib/postgresql; see ./prerequisites" >&2
    exit 1
fi

if [ ! -d "$data" ]; then
    echo "db: making a new database in $data"
    rm -rf "$data.new"
    $as "${server%/*}/initdb" --pgdata="$data.new" --username=shop --auth=trust --encoding=UTF8 --locale=C --no-sync >/dev/null
    # The pods of a workspace have these addresses.
    echo 'host all all 10.66.0.0/16 trust' >>"$data.new/pg_hba.conf"
    mv "$data.new" "$data"
fi

exec $as "$server" -D "$data" -c listen_addresses='*' -k ''

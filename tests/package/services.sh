#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs inside a system with systemd, PostgreSQL, Redis and our packages, by lex-proof.service: sets up what PACKAGING.md
# says, starts both units, and has a document read.
set -eux
export LC_ALL=C.UTF-8
cd /root/proof
backend=http://127.0.0.1:8123

su postgres -c "psql -v ON_ERROR_STOP=1 -qc \"CREATE ROLE lex LOGIN PASSWORD 'secret'\" \\
    -c \"CREATE DATABASE lex_intel OWNER lex TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'\""
cat >>/etc/lex-intel/lex-intel.env <<END
DATABASE_URL=postgresql://lex:secret@127.0.0.1:5432/lex_intel
REDIS_URL=redis://127.0.0.1:6379/0
BACKEND_PORT=8123
END
set -a
# shellcheck source=/dev/null
. /etc/lex-intel/lex-intel.env
set +a
lex-intel migrate upgrade head

systemctl start lex-intel-backend lex-intel-worker
curl -fsS --retry 60 --retry-delay 1 --retry-all-errors "$backend/readyz"
curl -fsS -F file=@will.pdf -F id=doc-1 "$backend/api/documents"
curl -fsSN -m 60 "$backend/api/documents/doc-1/progress" | tee progress
grep '"step":"completed"' progress
curl -fsS "$backend/api/documents/doc-1/file" | cmp - will.pdf
curl -fsS "$backend/api/documents/doc-1/chunks?limit=1" | grep '"page_from":1'
lex-intel doctor

systemctl stop lex-intel-backend lex-intel-worker
for unit in backend worker; do
    [ "$(systemctl show -P Result "lex-intel-$unit")" = success ]
done
journalctl -b -o cat -u lex-intel-backend -u lex-intel-worker >journal
cat journal
if grep -E 'ignoring|"level":"(warning|error)"' journal; then exit 1; fi
echo "== services: all of it"

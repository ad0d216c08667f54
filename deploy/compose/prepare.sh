#!/bin/sh
# Makes what compose.yaml needs and the repository cannot have, in deploy/compose/secrets: the secrets of the gateways,
# a password for Valkey, and a certificate that signs itself. Keeps what is there. Needs openssl.
#
# Usage: deploy/compose/prepare.sh
set -eu
cd "$(dirname "$0")"

umask 027
# Nobody else reaches the folder, so files in it that a container reads as any user may be readable for all.
mkdir -p secrets
chmod 0700 secrets
random() { openssl rand -hex 32; }
new() { [ ! -e "secrets/$1" ]; }

if new secrets; then random >secrets/secrets; fi
if new admin-token; then random >secrets/admin-token; fi
if new users.acl || new redis-url; then
    password=$(random)
    hash=$(printf %s "$password" | openssl dgst -sha256 -r | cut -c1-64)
    sed "s/PASSWORD_SHA256/$hash/" ../valkey/users.acl >secrets/users.acl
    echo "redis://t2b:$password@valkey:6379" >secrets/redis-url
fi
if new both.pem; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj /CN=localhost \
        -addext 'subjectAltName=DNS:localhost,DNS:bots.example.org' -addext basicConstraints=critical,CA:FALSE \
        -keyout secrets/tls.key -out secrets/tls.crt 2>/dev/null
    cat secrets/tls.crt secrets/tls.key >secrets/both.pem
fi
chmod 0644 secrets/users.acl secrets/both.pem secrets/tls.crt
echo "T2B_GID=$(id -g)" >../.env
echo "made deploy/compose/secrets and deploy/.env"

#!/bin/sh
# Writes what the image adds to its base into a folder: the program, the libraries that it loads, and the names and
# versions of their packages for scanners of images.
#
# Usage: rootfs.sh PROGRAM FOLDER
set -eu

program=$1
folder=$2
mkdir -p "$folder/var/lib/dpkg/status.d"
cp "$program" "$folder/t2b"
chmod 0755 "$folder/t2b"
libraries=$(ldd "$program" | grep -o '/[^ ]*')
for library in $libraries; do
    mkdir -p "$folder$(dirname "$library")"
    cp -L "$library" "$folder$library"
done
# Only systems with Debian packages have these.
for package in libc6 libgcc-s1; do
    dpkg --status "$package" >"$folder/var/lib/dpkg/status.d/$package" 2>/dev/null || rm "$folder/var/lib/dpkg/status.d/$package"
done
# Any user may run the program: Kubernetes and OpenShift choose one. A volume takes these rights over.
mkdir -p "$folder/var/lib/t2b"
chmod 1777 "$folder/var/lib/t2b"

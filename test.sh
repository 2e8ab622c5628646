#!/bin/sh
# Runs all tests, or the steps named (`./test.sh unit clients`). What is missing is installed first.
set -eu
cd "$(dirname "$0")"
if ! command -v cc >/dev/null; then
    sudo=
    [ "$(id -u)" = 0 ] || sudo=sudo
    $sudo apt-get update -qq
    $sudo apt-get install -y -qq build-essential
fi
exec cargo xtask test "$@"

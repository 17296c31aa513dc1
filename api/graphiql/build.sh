#!/bin/sh
# Rebuilds dist/, the playground that the API embeds. Needs Node.js and npm; the server itself needs neither.
set -eu
cd "$(dirname "$0")"
npm ci
npm run build

#!/usr/bin/env node
// The health check of the container: a command without arguments, since each engine quotes those in its own way.
fetch('http://127.0.0.1:8432/healthz').then(
  ({ ok }) => process.exit(ok ? 0 : 1),
  () => process.exit(1),
)

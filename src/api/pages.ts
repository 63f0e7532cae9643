import { readFile } from 'node:fs/promises'
import { readdirSync } from 'node:fs'
import { extname, join } from 'node:path'
import type { Hono } from 'hono'
import { AppError } from '../core/app-error.ts'
import type { ApiEnv } from './guard.ts'

export interface PagesOptions {
  /** What vite has built: index.html, and assets/ whose names hold their hashes. */
  readonly directory: string
}

const types: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
  '.woff2': 'font/woff2',
}

const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** The dashboard. Its files are listed once, and nothing else is ever opened: no path of a request becomes one of the disk. */
export function servePages(app: Hono<ApiEnv>, { directory }: PagesOptions): void {
  const files = new Set(listFiles(directory))
  app.get('*', async (c) => {
    if (c.req.path.startsWith('/api/')) throw new AppError('not-found', 'the API has nothing here')
    const asked = c.req.path.slice(1)
    const isAsset = asked.startsWith('assets/')
    const name = files.has(asked) ? asked : 'index.html'
    if (files.size === 0) {
      throw new AppError('not-found', 'the dashboard is not built', {
        hint: '"npm run build" builds it; the API is there without it',
      })
    }
    if (!files.has(name) || (isAsset && name !== asked)) throw new AppError('not-found', 'there is no such page')
    return c.body(await readFile(join(directory, name)), 200, {
      'content-type': types[extname(name)] ?? 'application/octet-stream',
      'cache-control': isAsset ? 'public, max-age=31536000, immutable' : 'no-cache',
      'content-security-policy': policy,
    })
  })
}

function listFiles(directory: string): string[] {
  try {
    const found = readdirSync(directory, { recursive: true, withFileTypes: true })
    return found
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
  } catch {
    return [] // A checkout in which nothing was built: the API is there without it.
  }
}

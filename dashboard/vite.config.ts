import { fileURLToPath } from 'node:url'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

/** Built into dist/dashboard, which the service serves at "/". In development ("vite dashboard") the API is that of a service on its usual port. */
export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  plugins: [react()],
  build: {
    outDir: '../dist/dashboard',
    emptyOutDir: true,
    // The content policy lets no data: address be a script or a style.
    assetsInlineLimit: 0,
    license: { fileName: 'licenses.md' },
    target: 'es2023',
  },
  server: { proxy: { '/api': 'http://127.0.0.1:8432' } },
})

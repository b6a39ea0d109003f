import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'

export default defineConfig({
  base: './',
  plugins: [svelte()],
  build: {
    outDir: '../src/gemel/server/static',
    emptyOutDir: true,
    rollupOptions: { input: ['index.html', 'gallery.html'] },
  },
  server: { proxy: { '/api': { target: 'http://127.0.0.1:8765', ws: true } } },
})

import { defineConfig } from 'vite';

export default defineConfig({
  // Relative addresses: the server decides under which path it serves the bundle.
  base: './',
  build: {
    target: 'es2022',
    // The preload polyfill and source maps only add bytes: every target browser preloads modules itself.
    modulePreload: { polyfill: false },
    sourcemap: false,
    // Monaco is one big chunk by nature.
    chunkSizeWarningLimit: 3000,
    rolldownOptions: {
      onLog(level, log, report) {
        // "use client" means nothing in a bundle that only ever runs in the browser.
        if (log.code !== 'MODULE_LEVEL_DIRECTIVE') report(level, log);
      },
    },
  },
});

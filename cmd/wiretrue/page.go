package main

import (
	"embed"
	"net/http"
)

//go:embed page/*
var pageFiles embed.FS

// page serves the page to try the services with. It needs nothing from
// elsewhere and may not load anything from there, but may connect to any
// WebSocket server.
func page() http.Handler {
	files := http.FileServerFS(pageFiles)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src data:; connect-src ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache")
		if r.URL.Path == "/" {
			http.ServeFileFS(w, r, pageFiles, "page/page.html")
			return
		}
		files.ServeHTTP(w, r)
	})
}

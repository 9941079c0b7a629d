// The catalogue: products and their prices, from PostgreSQL.
package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

type product struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Category   string `json:"category"`
	PriceCents int32  `json:"price_cents"`
}

type catalogue struct{ db *pgxpool.Pool }

// A handler answers a status and what is to be sent as JSON.
type handler func(*http.Request) (int, any)

func problem(status int, message string) (int, any) {
	return status, map[string]string{"error": message}
}

func (c *catalogue) query(r *http.Request, sql string, args ...any) ([]product, error) {
	ctx, cancel := context.WithTimeout(r.Context(), 1500*time.Millisecond)
	defer cancel()
	rows, err := c.db.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[product])
}

func (c *catalogue) list(r *http.Request) (int, any) {
	products, err := c.query(r, "SELECT id, name, category, price_cents FROM products ORDER BY category, id")
	if err != nil {
		return problem(http.StatusServiceUnavailable, "database is not available: "+err.Error())
	}
	return http.StatusOK, products
}

func (c *catalogue) one(r *http.Request) (int, any) {
	id := r.PathValue("id")
	products, err := c.query(r, "SELECT id, name, category, price_cents FROM products WHERE id = $1", id)
	switch {
	case err != nil:
		return problem(http.StatusServiceUnavailable, "database is not available: "+err.Error())
	case len(products) == 0:
		return problem(http.StatusNotFound, "no such product: "+id)
	}
	return http.StatusOK, products[0]
}

func (answer handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	started := time.Now()
	status, body := answer(r)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
	level := slog.LevelInfo
	if status >= 500 {
		level = slog.LevelError
	}
	slog.Log(r.Context(), level, r.Method+" "+r.URL.Path, "status", status, "ms", time.Since(started).Milliseconds())
}

func main() {
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stdout, nil)))
	config, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		fail("DATABASE_URL", err)
	}
	config.ConnConfig.ConnectTimeout = time.Second
	db, err := pgxpool.NewWithConfig(context.Background(), config) // connects when it is first used
	if err != nil {
		fail("database", err)
	}
	c := &catalogue{db}

	routes := http.NewServeMux()
	routes.Handle("GET /products", handler(c.list))
	routes.Handle("GET /products/{id}", handler(c.one))
	// Says that this program can answer. It leaves the database out: its failure is the answer to a request,
	// not a reason to take the whole catalogue out of service.
	routes.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("ok\n")) })
	routes.Handle("/", handler(func(r *http.Request) (int, any) {
		return problem(http.StatusNotFound, "no such page: "+r.Method+" "+r.URL.Path)
	}))

	listener, err := net.Listen("tcp", ":8080")
	if err != nil {
		fail("listen", err)
	}
	slog.Info("listening on " + listener.Addr().String())
	server := &http.Server{Handler: routes}
	go server.Serve(listener)

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	<-stop
	grace, cancel := context.WithTimeout(context.Background(), 800*time.Millisecond)
	defer cancel()
	server.Shutdown(grace)
}

func fail(what string, err error) {
	slog.Error(what, "error", err.Error())
	os.Exit(1)
}

// Users, over gRPC: who a user id is. The rows are in PostgreSQL.
package main

//go:generate protoc -I ../proto --go_out=. --go_opt=module=shop/users --go-grpc_out=. --go-grpc_opt=module=shop/users shop.proto

import (
	"context"
	"errors"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"shop/users/shoppb"
)

type users struct {
	shoppb.UnimplementedUsersServer
	db *pgxpool.Pool
}

func (u *users) GetUser(ctx context.Context, request *shoppb.GetUserRequest) (*shoppb.User, error) {
	if request.Id == "" {
		return nil, status.Error(codes.InvalidArgument, "the user's id is needed")
	}
	ctx, cancel := context.WithTimeout(ctx, 1500*time.Millisecond)
	defer cancel()
	user := &shoppb.User{Id: request.Id}
	row := u.db.QueryRow(ctx, "SELECT name, email FROM users WHERE id = $1", request.Id)
	switch err := row.Scan(&user.Name, &user.Email); {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, status.Errorf(codes.NotFound, "no such user: %s", request.Id)
	case err != nil:
		return nil, status.Errorf(codes.Unavailable, "database: %v", err)
	}
	return user, nil
}

// logged writes a line for each call, but not for the health service's.
func logged(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	started := time.Now()
	reply, err := handle(ctx, request)
	if _, isHealth := info.Server.(*health.Server); !isHealth {
		code := status.Code(err)
		log.Printf("%s %s %v", info.FullMethod, code, time.Since(started).Round(10*time.Microsecond))
		if code == codes.Unavailable {
			log.Print("ERROR ", err)
		}
	}
	return reply, err
}

func main() {
	log.SetOutput(os.Stdout)
	config, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal("DATABASE_URL: ", err)
	}
	config.ConnConfig.ConnectTimeout = time.Second
	db, err := pgxpool.NewWithConfig(context.Background(), config) // connects when it is first used
	if err != nil {
		log.Fatal(err)
	}

	server := grpc.NewServer(grpc.UnaryInterceptor(logged))
	shoppb.RegisterUsersServer(server, &users{db: db})
	healthy := health.NewServer()
	healthy.SetServingStatus("shop.Users", healthpb.HealthCheckResponse_SERVING)
	healthpb.RegisterHealthServer(server, healthy)

	listener, err := net.Listen("tcp", ":50051")
	if err != nil {
		log.Fatal(err)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	go func() {
		<-stop
		time.AfterFunc(800*time.Millisecond, server.Stop)
		server.GracefulStop()
	}()
	log.Print("listening on ", listener.Addr())
	if err := server.Serve(listener); err != nil {
		log.Fatal(err)
	}
}

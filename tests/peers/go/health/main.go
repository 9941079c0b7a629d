// A gRPC server on port 50051 with the health service of grpc-go. SIGUSR1 has it serve `shop.Users` no more, and again;
// SIGUSR2 has it answer nobody any more.
package main

import (
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	pb "google.golang.org/grpc/health/grpc_health_v1"
)

func main() {
	listener, err := net.Listen("tcp", ":50051")
	if err != nil {
		log.Fatal(err)
	}
	server, state := grpc.NewServer(), health.NewServer()
	pb.RegisterHealthServer(server, state)
	serving := pb.HealthCheckResponse_SERVING
	state.SetServingStatus("shop.Users", serving)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2)
	go func() {
		for received := range signals {
			switch {
			case received == syscall.SIGUSR2:
				server.Stop()
			case serving == pb.HealthCheckResponse_SERVING:
				serving = pb.HealthCheckResponse_NOT_SERVING
			default:
				serving = pb.HealthCheckResponse_SERVING
			}
			state.SetServingStatus("shop.Users", serving)
		}
	}()
	server.Serve(listener)
	select {}
}
